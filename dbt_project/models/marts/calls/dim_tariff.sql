{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with tariffs as (
    select * from {{ source('directory', 'tariffs') }}
),

tariff_versions as (
    select * from {{ source('directory', 'tariff_versions') }}
),

rate_counts as (
    select
        tariff_version_id,
        count(*) as rate_count
    from {{ source('directory', 'rates') }}
    group by tariff_version_id
),

final as (
    select
        tariff_versions.tariff_version_id,
        tariff_versions.tariff_id,
        tariffs.tariff_name,
        tariff_versions.version,
        tariffs.country,
        tariffs.time_zone,
        tariffs.currency,
        tariffs.rounding,
        tariffs.rounding_decimals,
        coalesce(rate_counts.rate_count, 0) as rate_count,
        tariff_versions.valid_from,
        tariff_versions.valid_to
    from tariff_versions
    inner join tariffs
        on tariff_versions.tariff_id = tariffs.tariff_id
    left join rate_counts
        on tariff_versions.tariff_version_id = rate_counts.tariff_version_id
)

select * from final
