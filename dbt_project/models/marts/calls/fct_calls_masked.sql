{{ config(
    materialized='view',
    grants={'+select': ['analyst']},
) }}

with calls as (
    select * from {{ ref('fct_calls') }}
),

final as (
    select
        {{- masked_columns() }}
    from calls
)

select * from final
