{{ config(
    materialized='touched_rows',
    tags=['build'],
    indexes=[
        {'columns': ['is_own_number', 'pbx_id']},
        {'columns': ['load_id']},
    ],
    pre_hook="{{ forget_numbers_of_older_loads() }}",
    post_hook="{{ analyze_when_grown(this) }}",
) }}

with pbxs as (
    select * from {{ source('directory', 'current_pbxs') }}
),

touched_legs as (
    select
        pbx_id,
        direction,
        caller_number,
        called_number,
        presented_number
    from {{ ref('int_tickets__staged') }}
    where
        batch_id = any({{ batches_to_build() }})
        and state = 'ticket'

    union all

    select
        pbx_id,
        direction,
        caller_number,
        called_number,
        presented_number
    from {{ ref('int_calls__late_legs') }}
    where state = 'ticket'
),

distinct_numbers as (
    {{ distinct_numbers('touched_legs') }}
),

new_numbers as (
    select distinct_numbers.*
    from distinct_numbers
    {%- if earlier_rows() %}
    where
        not exists (
            select from {{ this }} as known_numbers
            where
                known_numbers.pbx_id = distinct_numbers.pbx_id
                and known_numbers.raw_number = distinct_numbers.raw_number
                and known_numbers.is_dialled = distinct_numbers.is_dialled
        )
    {%- endif %}
),

final as (
    {{ normalised_with_ranges('new_numbers', 'pbxs') }}
)

select * from final
