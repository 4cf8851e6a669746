{{ config(
    materialized='touched_rows',
    tags=['build'],
    indexes=[
        {'columns': ['pbx_id', 'e164_number']},
    ],
    pre_hook="{{ forget_numbers_after_a_load() }}",
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

    -- Legs of other batches that a late leg brought back.
    select
        staged.pbx_id,
        staged.direction,
        staged.caller_number,
        staged.called_number,
        staged.presented_number
    from {{ ref('int_calls__legs_to_build') }} as legs_to_build
    inner join {{ ref('int_tickets__staged') }} as staged
        on legs_to_build.ticket_id = staged.ticket_id
    where
        legs_to_build.batch_id <> all({{ batches_to_build() }})
        and staged.state = 'ticket'
),

-- Numbers of internal legs are extensions: nothing to read.
distinct_numbers as (
    select distinct
        touched_legs.pbx_id,
        numbers.raw_number,
        numbers.is_dialled
    from touched_legs
    cross join lateral (
        values
        (touched_legs.called_number, {{ is_dialled_outside('touched_legs.direction') }}),
        (touched_legs.caller_number, false),
        (touched_legs.presented_number, false)
    ) as numbers (raw_number, is_dialled)
    where
        touched_legs.direction <> 'internal'
        and numbers.raw_number <> ''
),

new_numbers as (
    select distinct_numbers.*
    from distinct_numbers
    {%- if earlier_rows() %}
    where not exists (
        select from {{ this }} as known_numbers
        where
            known_numbers.pbx_id = distinct_numbers.pbx_id
            and known_numbers.raw_number = distinct_numbers.raw_number
            and known_numbers.is_dialled = distinct_numbers.is_dialled
    )
    {%- endif %}
),

strings as (
    {{ numbers_with_dialling_rules('new_numbers', 'pbxs') }}
),

normalised as (
    {{ normalised_numbers('strings') }}
),

final as (
    select
        normalised.*,
        exists (
            select
            from {{ source('directory', 'number_ranges') }} as number_ranges
            where
                number_ranges.pbx_id = normalised.pbx_id
                and {{ is_in_number_range('normalised.rating_digits', 'number_ranges') }}
                and normalised.namespace = 'e164'
                and not normalised.is_masked
        ) as is_own_number
    from normalised
)

select * from final
