{{ config(grants={'+select': ['analyst']}) }}

with days as (
    select generate_series(date '2015-01-01', date '2044-12-31', interval '1 day')::date as date_day
),

final as (
    select
        date_day,
        extract(year from date_day)::int as year,
        extract(quarter from date_day)::int as quarter,
        extract(month from date_day)::int as month,
        extract(day from date_day)::int as day_of_month,
        extract(isoyear from date_day)::int as iso_year,
        extract(week from date_day)::int as iso_week,
        extract(isodow from date_day)::int as iso_weekday,
        to_char(date_day, 'FMDay') as weekday_name,
        extract(isodow from date_day) in (6, 7) as is_weekend,
        date_trunc('month', date_day)::date as first_day_of_month
    from days
)

select * from final
