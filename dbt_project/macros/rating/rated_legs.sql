{#-
Attributes and rates legs: a select with the columns of fct_call_legs. What a build rates and what `tollhouse rate` asks run this same
text (R21).

    legs     relation with the columns of int_tickets__staged, call_id, is_phantom
    numbers  relation with the columns of int_numbers__normalised
    is_hypothetical  whether legs also has asked_service_id and asked_tariff_id, which then hold instead of what the directory says

Steps: the instant, the numbers, the owner (R18), the tariff versions of both sides (R15, R16), the rates by longest prefix (R7), the
state (R8 to R10), the price (R11, R13).
-#}
{% macro rated_legs(legs, numbers, is_hypothetical=false) -%}
with legs as not materialized (
    select
        legs.*,
        {{ rating_instant('legs') }} as rated_at
    from {{ legs }} as legs
),

time_zones as (
    {{ pbx_time_zones() }}
),

pbx_periods as materialized (
    select
        pbxs.*,
        {{ period_start('pbxs', 'time_zones.time_zone') }} as starts_at,
        {{ period_end('pbxs', 'time_zones.time_zone') }} as ends_at
    from {{ source('directory', 'pbxs') }} as pbxs
    inner join time_zones
        on pbxs.pbx_id = time_zones.pbx_id
),

located as (
    select
        legs.ticket_id,
        legs.pbx_id,
        legs.direction,
        legs.rated_at,
        legs.account_code,
        legs.extension,
        legs.talk_seconds,
        coalesce(legs.is_estimated, false) as is_estimated,
        legs.is_phantom,
        {%- if is_hypothetical %}
        legs.asked_service_id,
        legs.asked_tariff_id,
        {%- endif %}
        caller.e164_number as caller_e164,
        called.e164_number as called_e164,
        case
            when legs.direction = 'internal' then 'internal'
            else coalesce(called.namespace, 'unknown')
        end as called_namespace,
        called.country as called_country,
        called.rating_digits,
        called.free_class,
        legs.direction in ('outgoing', 'transit', 'unknown') as is_outside,
        legs.talk_seconds > 0 or legs.outcome in ('answered', 'answered_by_machine') as is_answered_by_ticket,
        -- The initiator pays unless the pbx says otherwise (R19).
        case
            when legs.direction not in ('outgoing', 'transit') then legs.extension
            when pbx_periods.transfer_payer = 'last_party' then coalesce(legs.transferred_to, legs.extension)
            when pbx_periods.transfer_payer = 'by_segment' then legs.extension
            else coalesce(legs.transferred_from, legs.extension)
        end as payer_extension,
        case
            when presented.is_own_number then presented.e164_number
            when legs.direction = 'incoming' and called.is_own_number then called.e164_number
            when legs.direction <> 'incoming' and caller.is_own_number then caller.e164_number
        end as own_number,
        case
            when legs.direction = 'incoming' then coalesce(legs.trunk_in, legs.trunk_out)
            else coalesce(legs.trunk_out, legs.trunk_in)
        end as trunk,
        pbx_periods.default_service_id,
        pbx_periods.answer_threshold_seconds
    from legs
    left join pbx_periods
        on
            legs.pbx_id = pbx_periods.pbx_id
            and {{ is_within_period('legs.rated_at', 'pbx_periods') }}
    left join {{ numbers }} as called
        on
            legs.pbx_id = called.pbx_id
            and legs.called_number = called.raw_number
            and called.is_dialled = ({{ is_dialled_outside('legs.direction') }})
            and legs.direction <> 'internal'
    left join {{ numbers }} as caller
        on
            legs.pbx_id = caller.pbx_id
            and {{ full_number('legs.caller_number') }} = caller.raw_number
            and not caller.is_dialled
            and legs.direction <> 'internal'
    left join {{ numbers }} as presented
        on
            legs.pbx_id = presented.pbx_id
            and {{ full_number('legs.presented_number') }} = presented.raw_number
            and not presented.is_dialled
            and legs.direction <> 'internal'
),

{{ owner_periods(numbers) }},

attributed as (
    select
        located.*,
        {%- if is_hypothetical %}
        coalesce(
            located.asked_service_id,
            account_code_owners.service_id,
            extension_owners.service_id,
            number_range_owners.service_id,
            trunk_owners.service_id,
            located.default_service_id,
            'unassigned'
        ) as service_id,
        case
            when located.asked_service_id is not null then 'asked'
        {%- else %}
        coalesce(
            account_code_owners.service_id,
            extension_owners.service_id,
            number_range_owners.service_id,
            trunk_owners.service_id,
            located.default_service_id,
            'unassigned'
        ) as service_id,
        case
        {%- endif %}
            when account_code_owners.service_id is not null then 'account_code'
            when extension_owners.service_id is not null then 'extension'
            when number_range_owners.service_id is not null then 'number_range'
            when trunk_owners.service_id is not null then 'trunk'
            when located.default_service_id <> 'unassigned' then 'pbx_default'
            else 'unassigned'
        end as attribution_rule
    from located
    left join account_code_owners
        on
            located.pbx_id = account_code_owners.pbx_id
            and located.account_code = account_code_owners.account_code
            and {{ is_within_period('located.rated_at', 'account_code_owners') }}
    left join extension_owners
        on
            located.pbx_id = extension_owners.pbx_id
            and located.payer_extension = extension_owners.extension
            and {{ is_within_period('located.rated_at', 'extension_owners') }}
    left join number_range_owners
        on
            located.pbx_id = number_range_owners.pbx_id
            and located.own_number = number_range_owners.e164_number
            and {{ is_within_period('located.rated_at', 'number_range_owners') }}
    left join trunk_owners
        on
            located.pbx_id = trunk_owners.pbx_id
            and located.trunk = trunk_owners.trunk
            and {{ is_within_period('located.rated_at', 'trunk_owners') }}
),

{{ tariff_periods(is_hypothetical) }},

-- Narrow on purpose: it is read several times. R9: where the answer is a guess, a short call counts as not answered.
with_tariffs as materialized (
    select
        attributed.ticket_id,
        attributed.rated_at,
        attributed.caller_e164,
        attributed.called_e164,
        attributed.called_namespace,
        attributed.called_country,
        attributed.rating_digits,
        attributed.free_class,
        attributed.service_id,
        attributed.attribution_rule,
        attributed.is_outside,
        attributed.is_outside
        and not attributed.is_phantom
        and attributed.called_namespace <> 'internal' as is_billable,
        attributed.is_answered_by_ticket
        and not (
            attributed.is_outside
            and attributed.is_estimated
            and attributed.talk_seconds < coalesce(attributed.answer_threshold_seconds, 0)
        ) as is_answered,
        attributed.is_estimated,
        services.issuer_id,
        services.customer_id,
        issuers.billing_time_zone,
        issuers.currency as issuer_currency,
        sale_tariffs.tariff_id as sale_tariff_id,
        sale_tariffs.currency as sale_currency,
        sale_tariffs.rounding as sale_rounding,
        sale_tariffs.rounding_decimals as sale_rounding_decimals,
        sale_versions.tariff_version_id as sale_tariff_version_id,
        coalesce(pbx_costs.currency, carrier_costs.currency) as cost_currency,
        coalesce(pbx_costs.rounding, carrier_costs.rounding) as cost_rounding,
        coalesce(pbx_costs.rounding_decimals, carrier_costs.rounding_decimals) as cost_rounding_decimals,
        coalesce(pbx_costs.tariff_version_id, carrier_costs.tariff_version_id) as cost_tariff_version_id
    from attributed
    left join {{ source('directory', 'services') }} as services
        on attributed.service_id = services.service_id
    left join {{ source('directory', 'issuers') }} as issuers
        on services.issuer_id = issuers.issuer_id
    left join sale_tariffs
        on
            {%- if is_hypothetical %}
            coalesce({{ asked_tariff_key('attributed.asked_tariff_id') }}, attributed.service_id) = sale_tariffs.service_id
            {%- else %}
            attributed.service_id = sale_tariffs.service_id
            {%- endif %}
            and {{ is_within_period('attributed.rated_at', 'sale_tariffs') }}
    left join version_periods as sale_versions
        on
            sale_tariffs.tariff_id = sale_versions.tariff_id
            and {{ is_within_period('attributed.rated_at', 'sale_versions') }}
    left join cost_versions as pbx_costs
        on
            attributed.pbx_id = pbx_costs.pbx_id
            and pbx_costs.owner_kind = 'pbx'
            and {{ is_within_period('attributed.rated_at', 'pbx_costs') }}
    left join cost_versions as carrier_costs
        on
            attributed.pbx_id = carrier_costs.pbx_id
            and carrier_costs.owner_kind = 'carrier'
            and {{ is_within_period('attributed.rated_at', 'carrier_costs') }}
),

numbers_by_version as (
    select
        sale_tariff_version_id as tariff_version_id,
        called_namespace as namespace,
        rating_digits
    from with_tariffs
    where is_billable and is_answered and rating_digits is not null and sale_tariff_version_id is not null

    union

    select
        cost_tariff_version_id as tariff_version_id,
        called_namespace as namespace,
        rating_digits
    from with_tariffs
    where is_billable and is_answered and rating_digits is not null and cost_tariff_version_id is not null
),

matched_rates as materialized (
    {{ matched_rates('numbers_by_version') }}
),

-- `offset 0`: the state and the prices are worked out once, however often the last step names them.
classed as (
    select
        legs.ticket_id,
        legs.call_id,
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
        with_tariffs.rated_at,
        with_tariffs.caller_e164,
        with_tariffs.called_e164,
        with_tariffs.called_namespace,
        with_tariffs.called_country,
        with_tariffs.free_class,
        with_tariffs.service_id,
        with_tariffs.attribution_rule,
        with_tariffs.is_billable,
        with_tariffs.is_estimated,
        with_tariffs.issuer_id,
        with_tariffs.customer_id,
        with_tariffs.billing_time_zone,
        with_tariffs.issuer_currency,
        with_tariffs.sale_tariff_id,
        with_tariffs.sale_tariff_version_id,
        with_tariffs.sale_currency,
        with_tariffs.sale_rounding,
        with_tariffs.sale_rounding_decimals,
        with_tariffs.cost_tariff_version_id,
        with_tariffs.cost_currency,
        with_tariffs.cost_rounding,
        with_tariffs.cost_rounding_decimals,
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
            when legs.is_phantom then 'phantom'
            when legs.direction = 'internal' then 'internal'
            when not with_tariffs.is_outside then 'incoming'
            when with_tariffs.called_namespace = 'internal' then 'internal'
            when not with_tariffs.is_answered then 'not_answered'
            when with_tariffs.free_class is not null then 'free'
            when sale_destinations.destination_class in ('free', 'emergency') then 'free'
            when legs.direction = 'unknown' then 'unrated'
            when sale_rates.rate_id is not null then 'rated'
            else 'unrated'
        end as rating_state
    from legs
    inner join with_tariffs
        on legs.ticket_id = with_tariffs.ticket_id
    left join matched_rates as sale_matches
        on
            with_tariffs.sale_tariff_version_id = sale_matches.tariff_version_id
            and with_tariffs.called_namespace = sale_matches.namespace
            and with_tariffs.rating_digits = sale_matches.rating_digits
            and with_tariffs.is_billable
            and with_tariffs.is_answered
    left join {{ source('directory', 'rates') }} as sale_rates
        on sale_matches.rate_id = sale_rates.rate_id
    left join {{ source('directory', 'destinations') }} as sale_destinations
        on sale_rates.destination_id = sale_destinations.destination_id
    left join matched_rates as cost_matches
        on
            with_tariffs.cost_tariff_version_id = cost_matches.tariff_version_id
            and with_tariffs.called_namespace = cost_matches.namespace
            and with_tariffs.rating_digits = cost_matches.rating_digits
            and with_tariffs.is_billable
            and with_tariffs.is_answered
    left join {{ source('directory', 'rates') }} as cost_rates
        on cost_matches.rate_id = cost_rates.rate_id
    offset 0
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
        date_trunc('month', rated_at at time zone coalesce(billing_time_zone, 'UTC'))::date as billing_month,
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
