{#-
Rates legs: a select with the columns of fct_call_legs. What a build rates and what `tollhouse rate` asks run this same text (R21).

    legs        relation with the columns of int_tickets__staged
    attributed  relation with the columns of attributed_legs()
    matches     relation with the columns of matched_rates()

Steps: the rates of both sides, the state (R8 to R10), the price (R11, R13).
-#}
{% macro rated_legs(legs, attributed, matches) -%}
with classed as (
    {{ computed_once() }}
    select
        legs.ticket_id,
        attributed.call_id,
        legs.pbx_id,
        legs.model,
        legs.batch_id,
        legs.source_call_id,
        legs.leg_number,
        legs.direction,
        legs.outcome,
        legs.extension,
        legs.caller_number,
        legs.called_number,
        legs.presented_number,
        legs.trunk_in,
        legs.trunk_out,
        legs.account_code,
        legs.authorization_code,
        legs.is_private,
        legs.started_at,
        legs.answered_at,
        legs.ended_at,
        legs.ring_seconds,
        legs.talk_seconds,
        legs.pulses,
        legs.pbx_charge_amount,
        legs.pbx_charge_currency,
        legs.time_is_minute,
        legs.time_year_inferred,
        legs.time_dst_ambiguous,
        legs.time_dst_shifted,
        attributed.rated_at,
        attributed.caller_e164,
        attributed.called_e164,
        attributed.called_namespace,
        attributed.called_country,
        attributed.free_class,
        attributed.service_id,
        attributed.attribution_rule,
        attributed.is_billable,
        attributed.is_estimated,
        attributed.issuer_id,
        attributed.customer_id,
        attributed.billing_month,
        attributed.issuer_currency,
        attributed.sale_tariff_id,
        attributed.sale_tariff_version_id,
        attributed.sale_currency,
        attributed.sale_rounding,
        attributed.sale_rounding_decimals,
        attributed.cost_tariff_version_id,
        attributed.cost_currency,
        attributed.cost_rounding,
        attributed.cost_rounding_decimals,
        sale_destinations.destination_id,
        sale_destinations.destination_name,
        sale_destinations.destination_class,
        sale_rates.rate_id as sale_rate_id,
        sale_rates.prefix as matched_prefix,
        sale_rates.connection_fee,
        sale_rates.first_increment_seconds,
        sale_rates.next_increment_seconds,
        sale_rates.price_per_minute,
        {{ billed_seconds('legs.talk_seconds', 'sale_rates') }} as sale_billed_seconds,
        {{ call_price(billed_seconds('legs.talk_seconds', 'sale_rates'), 'sale_rates', 'sale') }} as sale_price,
        cost_rates.rate_id as cost_rate_id,
        {{ billed_seconds('legs.talk_seconds', 'cost_rates') }} as cost_billed_seconds,
        {{ call_price(billed_seconds('legs.talk_seconds', 'cost_rates'), 'cost_rates', 'cost') }} as cost_price,
        case
            when attributed.is_phantom then 'phantom'
            when legs.direction = 'internal' then 'internal'
            when not attributed.is_outside then 'incoming'
            when attributed.called_namespace = 'internal' then 'internal'
            when not attributed.is_answered then 'not_answered'
            when attributed.free_class is not null then 'free'
            when sale_destinations.destination_class in ('free', 'emergency') then 'free'
            when legs.direction = 'unknown' then 'unrated'
            when sale_rates.rate_id is not null then 'rated'
            else 'unrated'
        end as rating_state
    from {{ legs }} as legs
    inner join {{ attributed }} as attributed
        on legs.ticket_id = attributed.ticket_id
    left join {{ matches }} as sale_matches
        on
            attributed.sale_tariff_version_id = sale_matches.tariff_version_id
            and attributed.called_namespace = sale_matches.namespace
            and attributed.rating_digits = sale_matches.rating_digits
            and attributed.is_billable
            and attributed.is_answered
    left join {{ source('directory', 'rates') }} as sale_rates
        on sale_matches.rate_id = sale_rates.rate_id
    left join {{ source('directory', 'destinations') }} as sale_destinations
        on sale_rates.destination_id = sale_destinations.destination_id
    left join {{ matches }} as cost_matches
        on
            attributed.cost_tariff_version_id = cost_matches.tariff_version_id
            and attributed.called_namespace = cost_matches.namespace
            and attributed.rating_digits = cost_matches.rating_digits
            and attributed.is_billable
            and attributed.is_answered
    left join {{ source('directory', 'rates') }} as cost_rates
        on cost_matches.rate_id = cost_rates.rate_id
),

final as (
    select
        ticket_id,
        call_id,
        pbx_id,
        model,
        batch_id,
        source_call_id,
        leg_number,
        direction,
        outcome,
        extension,
        caller_number,
        called_number,
        presented_number,
        caller_e164,
        called_e164,
        called_namespace,
        called_country,
        trunk_in,
        trunk_out,
        account_code,
        authorization_code,
        coalesce(is_private, false) as is_private,
        is_estimated,
        issuer_id,
        customer_id,
        service_id,
        attribution_rule,
        is_billable,
        case
            when rating_state = 'free' then coalesce(free_class, destination_class)
            when rating_state = 'internal' then 'internal'
            else destination_id
        end as destination_id,
        case
            when rating_state = 'free' and coalesce(free_class, destination_class) = 'emergency' then 'Emergency'
            when rating_state = 'free' then 'Free number'
            when rating_state = 'internal' then 'Internal'
            else destination_name
        end as destination_name,
        case
            when rating_state = 'free' then coalesce(free_class, destination_class)
            when rating_state = 'internal' then 'internal'
            else destination_class
        end as destination_class,
        rating_state,
        case
            when rating_state <> 'unrated' then null
            when direction = 'unknown' then 'unknown_direction'
            when called_namespace = 'unknown' then 'unknown_number'
            when sale_tariff_id is null and attribution_rule = 'unassigned' then 'no_service'
            when sale_tariff_id is null then 'no_tariff'
            when sale_tariff_version_id is null then 'no_tariff_version'
            else 'no_rate'
        end as rating_reason,
        rated_at,
        billing_month,
        started_at,
        answered_at,
        ended_at,
        ring_seconds,
        talk_seconds,
        case
            when rating_state = 'rated' then sale_billed_seconds
            when rating_state <> 'unrated' then 0
        end as billed_seconds,
        sale_tariff_id as tariff_id,
        sale_tariff_version_id as tariff_version_id,
        case when rating_state = 'rated' then sale_rate_id end as rate_id,
        case when rating_state = 'rated' then matched_prefix end as matched_prefix,
        case when rating_state = 'rated' then connection_fee end as connection_fee,
        case when rating_state = 'rated' then first_increment_seconds end as first_increment_seconds,
        case when rating_state = 'rated' then next_increment_seconds end as next_increment_seconds,
        case when rating_state = 'rated' then price_per_minute end as price_per_minute,
        case
            when rating_state = 'rated' then sale_price
            when rating_state <> 'unrated' then 0
        end::numeric(18, 6) as sale_amount,
        case when rating_state <> 'unrated' then coalesce(sale_currency, issuer_currency) end as sale_currency,
        cost_tariff_version_id,
        case when rating_state in ('rated', 'unrated') then cost_rate_id end as cost_rate_id,
        case
            when rating_state in ('rated', 'unrated') then cost_billed_seconds
            else 0
        end as cost_billed_seconds,
        case
            when rating_state in ('rated', 'unrated') then cost_price
            else 0
        end::numeric(18, 6) as cost_amount,
        coalesce(cost_currency, issuer_currency) as cost_currency,
        case
            when rating_state = 'rated' and sale_currency = cost_currency then sale_price - cost_price
            when rating_state <> 'rated' and rating_state <> 'unrated' then 0
        end::numeric(18, 6) as margin_amount,
        pulses,
        pbx_charge_amount,
        pbx_charge_currency,
        coalesce(time_is_minute, false) as time_is_minute,
        coalesce(time_year_inferred, false) as time_year_inferred,
        coalesce(time_dst_ambiguous, false) as time_dst_ambiguous,
        coalesce(time_dst_shifted, false) as time_dst_shifted
    from classed
)

select * from final
{%- endmacro %}
