{#-
The legs of the work list, attributed and rated in one query: what the build does in steps, each analysed before the next. The rules are
tested here, from the ticket to the price. Ephemeral: each build makes the work list anew, and a view of it would go with it.
-#}
{{ config(materialized='ephemeral') }}

with legs as (
    {{ legs_to_rate() }}
),

attributed as (
    {{ attributed_legs('legs', ref('int_numbers__normalised')) }}
),

numbers_by_version as (
    {{ numbers_by_version('attributed') }}
),

matches as (
    {{ matched_rates('numbers_by_version') }}
),

final as (
    {{ rated_legs('legs', 'attributed', 'matches') }}
)

select * from final
