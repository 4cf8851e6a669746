{#- Whether a day exists in a month of a year, without a cast that raises on 30 February. -#}
{% macro is_day_of_month(day, month, year) %}
(
    {{ year }} between 1 and 9999
    and {{ month }} between 1 and 12
    and {{ day }} between 1 and case
        when {{ month }} in (4, 6, 9, 11) then 30
        when {{ month }} <> 2 then 31
        when {{ year }} % 4 = 0 and ({{ year }} % 100 <> 0 or {{ year }} % 400 = 0) then 29
        else 28
    end
)
{% endmacro %}
