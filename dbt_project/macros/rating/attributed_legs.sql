{#-
Who pays for legs and by which tariffs: a narrow row per leg, for rated_legs(). A build writes it down before rating, so that
PostgreSQL knows how many rows it joins and may use every processor.

    legs     relation with the columns of int_tickets__staged, and is_phantom
    numbers  relation with the columns of int_numbers__normalised
    is_hypothetical  whether legs also has asked_service_id and asked_tariff_id, which then hold instead of what the directory says

Steps: the instant (R1), the numbers, the owner (R18), the tariff versions of both sides (R15, R16).
-#}
{% macro attributed_legs(legs, numbers, is_hypothetical=false) -%}
with legs as not materialized (
    select
        legs.*,
        {{ rating_instant('legs') }} as rated_at
    from {{ legs }} as legs
),

time_zones as not materialized (
    {{ pbx_time_zones() }}
),

pbx_periods as not materialized (
    {{ computed_once() }}
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
        legs.call_id,
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

-- R9: where the answer is a guess, a short call counts as not answered.
final as (
    select
        attributed.ticket_id,
        attributed.call_id,
        attributed.is_phantom,
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
        date_trunc('month', attributed.rated_at at time zone coalesce(issuers.billing_time_zone, 'UTC'))::date as billing_month,
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
)

select * from final
{%- endmacro %}
