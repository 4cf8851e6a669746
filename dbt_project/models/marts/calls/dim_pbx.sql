{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with pbxs as (
    select * from {{ source('directory', 'pbxs') }}
),

final as (
    select distinct on (pbx_id)
        pbx_id,
        model,
        transport,
        country,
        time_zone,
        carrier_id,
        default_service_id,
        transfer_payer,
        outside_line_prefix,
        outside_line_policy,
        answer_threshold_seconds,
        valid_from,
        valid_to
    from pbxs
    where valid_from <= current_date
    order by
        pbx_id asc,
        valid_from desc
)

select * from final
