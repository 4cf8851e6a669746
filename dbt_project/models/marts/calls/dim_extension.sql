{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with extensions as (
    select * from {{ source('directory', 'extensions') }}
),

final as (
    select
        pbx_id,
        extension,
        service_id,
        holder_name,
        cost_centre,
        current_date >= valid_from and current_date < valid_to as is_current,
        valid_from,
        valid_to
    from extensions
)

select * from final
