{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with legs as (
    select * from {{ ref('fct_call_legs') }}
),

final as (
    select
        {{- masked_columns() }}
    from legs
)

select * from final
