{{ config(tags=['build']) }}

-- Of the legs that this build wrote: what is rated has a rate and an amount, what is unrated has a reason and no amount (R8), and
-- everything else costs nothing.
select
    legs.ticket_id,
    legs.rating_state,
    legs.rating_reason,
    legs.rate_id,
    legs.sale_amount
from {{ ref('int_calls__legs_to_build') }} as legs_to_build
inner join {{ ref('fct_call_legs') }} as legs
    on legs_to_build.ticket_id = legs.ticket_id
where
    case legs.rating_state
        when 'rated'
            then
                legs.rate_id is null
                or legs.sale_amount is null
                or legs.sale_currency is null
                or legs.rating_reason is not null
        when 'unrated' then legs.sale_amount is not null or legs.rating_reason is null
        else legs.sale_amount is distinct from 0 or legs.rating_reason is not null
    end
