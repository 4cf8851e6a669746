{#-
Always empty: `tollhouse rate` and `tollhouse replay` put the calls they ask about here and roll back. The rows of a select that has
none give the columns their types.
-#}
{{ config(
    materialized='table',
) }}

with staged as (
    select * from {{ ref('int_tickets__staged') }}
),

final as (
    select
        staged.*,
        staged.ticket_id as call_id,
        false as is_phantom,
        null::text as asked_service_id,
        null::text as asked_tariff_id,
        null::text as asked_country
    from staged
    where false
)

select * from final
