{#-
Reads numbers as a PBX writes them (R5, R6). A select over distinct strings, one row each.

`strings` is a relation with pbx_id, raw_number, is_dialled (whether it was dialled towards the network, so that
outside-line and carrier prefixes may stand before it), is_extension (whether the directory knows it as an extension of
the pbx), country, outside_line_prefix, outside_line_policy, minimum_extension_digits and maximum_extension_digits.

A string has up to two readings, with and without the outside-line prefix. The policy, or under `auto` the readings
themselves, say which holds: an exact national number first ("00123456789" behind prefix 0 is 01 23 45 67 89 and not
+1 23…), then the string as it stands, then the string without the prefix.

CASE on left() and length(): a regular expression per form measured 26 times slower. The steps are narrow and
materialised: folded into one expression, each would be worked out again wherever the next ones name it.
-#}
{% macro normalised_numbers(strings) -%}
-- Blanks and punctuation go, and what SIP puts around a number; letters stay and make the number unknown.
with cleaned as (
    select
        strings.*,
        row_number() over () as string_number,
        translate(
            split_part(
                case
                    when left(lower(strings.raw_number), 4) in ('sip:', 'tel:') then substr(strings.raw_number, 5)
                    -- Panasonic masks digits with dots: a single one at the end, or any before it, is punctuation.
                    when right(strings.raw_number, 2) = '..'
                        then
                            rtrim(strings.raw_number, '.')
                            || repeat('x', length(strings.raw_number) - length(rtrim(strings.raw_number, '.')))
                    else strings.raw_number
                end,
                '@',
                1
            ),
            ' .-()/' || chr(9) || chr(160),
            ''
        ) as dialled
    from {{ strings }} as strings
),

-- *31# and #31# stand before the outside-line prefix or behind it.
strings as materialized (
    select
        cleaned.*,
        {{ without_service_code('dialled') }} as digits
    from cleaned
),

plans as (
    select
        calling_codes.iso2 as country,
        calling_codes.calling_code,
        coalesce(calling_codes.national_prefix, '') as national_prefix,
        -- The fixed first digits of the pattern: 00, 011, 0011 ...
        coalesce(substring(calling_codes.international_prefix_regex from '^[0-9]+'), '') as international_prefix
    from {{ ref('ref_country_calling_codes') }} as calling_codes
    where calling_codes.kind = 'geographic'
),

readings as materialized (
    select
        string_number,
        digits as reading,
        false as is_prefix_removed
    from strings
    where not (
        is_dialled
        and outside_line_policy = 'always'
        and outside_line_prefix <> ''
        and starts_with(digits, outside_line_prefix)
    )

    union all

    select
        string_number,
        {{ without_service_code('substr(digits, length(outside_line_prefix) + 1)') }} as reading,
        true as is_prefix_removed
    from strings
    where
        is_dialled
        and outside_line_policy in ('always', 'auto')
        and outside_line_prefix <> ''
        and starts_with(digits, outside_line_prefix)
),

-- French carrier selection 16XY stands before a national or an international number, never before anything else.
without_carrier as materialized (
    select
        readings.string_number,
        readings.is_prefix_removed,
        strings.is_dialled,
        strings.is_extension,
        strings.country,
        strings.minimum_extension_digits,
        strings.maximum_extension_digits,
        case
            when
                strings.country = 'FR'
                and strings.is_dialled
                and left(readings.reading, 2) = '16'
                and substr(readings.reading, 5, 1) = '0'
                then substr(readings.reading, 5)
            else readings.reading
        end as dialled_number
    from readings
    inner join strings
        on readings.string_number = strings.string_number
),

-- Masked last digits (xxxx, ****, ....) count towards the length; rating needs the prefix only.
known_digits as materialized (
    select
        without_carrier.*,
        left(dialled_number, 1) = '+' as has_plus,
        ltrim(rtrim(dialled_number, 'xX*?'), '+') as body,
        length(dialled_number) - length(rtrim(dialled_number, 'xX*?')) as masked_digits
    from without_carrier
),

measured as (
    select
        known_digits.*,
        plans.calling_code,
        plans.national_prefix,
        plans.international_prefix,
        length(body) + masked_digits as total_digits,
        body <> '' and translate(body, '0123456789', '') = '' as is_numeric
    from known_digits
    left join plans
        on known_digits.country = plans.country
),

forms as materialized (
    select
        measured.string_number,
        measured.is_prefix_removed,
        measured.is_dialled,
        measured.country,
        measured.calling_code,
        measured.national_prefix,
        measured.has_plus,
        measured.body,
        measured.masked_digits,
        case
            when not is_numeric then null
            when has_plus then body
            when
                international_prefix <> ''
                and starts_with(body, international_prefix)
                then substr(body, length(international_prefix) + 1)
            -- The country's own code without +: callers as the network gives them, both parties as carriers write them.
            when
                country = 'FR'
                and starts_with(body, calling_code)
                and total_digits = length(calling_code) + 9
                then body
        end as international_digits,
        case
            when not is_numeric or has_plus then null
            when
                national_prefix <> ''
                and starts_with(body, national_prefix)
                and substr(body, length(national_prefix) + 1, 1) between '1' and '9'
                then body
            -- Callers as the network gives them: the national number without its 0.
            when
                not is_dialled
                and country = 'FR'
                and total_digits = 9
                and left(body, 1) between '1' and '9'
                then '0' || body
        end as national_digits,
        is_extension
        or (
            not is_dialled
            and is_numeric
            and not has_plus
            and masked_digits = 0
            and total_digits between minimum_extension_digits and maximum_extension_digits
        ) as is_inside
    from measured
),

-- "+33 (0)1 ..." is written on letterheads and stored in address books: the 0 is not dialled.
corrected as materialized (
    select
        forms.*,
        case
            when
                country = 'FR'
                and starts_with(international_digits, '330')
                and length(international_digits) + masked_digits = 12
                then '33' || substr(international_digits, 4)
            else international_digits
        end as foreign_digits
    from forms
),

-- The French plan. 0700 and 0901 numbers have 14 digits (13 from overseas), all others 10: never cut at 10.
planned as materialized (
    select
        corrected.string_number,
        corrected.is_prefix_removed,
        corrected.country,
        corrected.body,
        corrected.masked_digits,
        corrected.foreign_digits,
        corrected.national_digits,
        corrected.is_inside,
        short_numbers.category as short_category,
        {{ longest_prefix_value('calling_code', [1, 2, 3], alias='world') }} is not null as has_calling_code,
        {{ longest_prefix_value('national_length', [2, 3, 4, 5], alias='french_range') }} as planned_length,
        case
            when corrected.country = 'FR' and corrected.national_digits is not null
                then coalesce(
                    {{ longest_prefix_value('e164_prefix', [4, 5, 6], alias='overseas') }}
                    || substr(
                        corrected.national_digits,
                        length({{ longest_prefix_value('national_prefix', [4, 5, 6], alias='overseas') }}) + 1
                    ),
                    corrected.calling_code || substr(corrected.national_digits, 2)
                )
            when corrected.national_digits is not null
                then corrected.calling_code || substr(corrected.national_digits, length(corrected.national_prefix) + 1)
        end as national_e164_digits
    from corrected
    left join {{ ref('ref_fr_short_numbers') }} as short_numbers
        on
            corrected.country = 'FR'
            and corrected.is_dialled
            and not corrected.has_plus
            and corrected.masked_digits = 0
            and corrected.body = short_numbers.short_number
    {{ join_longest_prefix(
        'corrected.national_digits', ref('ref_fr_number_ranges'), 'national_prefix', [2, 3, 4, 5],
        also="corrected.country = 'FR'", alias='french_range'
    ) }}
    {{ join_longest_prefix(
        'corrected.national_digits', ref('ref_fr_overseas_prefixes'), 'national_prefix', [4, 5, 6], alias='overseas'
    ) }}
    {{ join_longest_prefix(
        'corrected.foreign_digits',
        '(select distinct calling_code from ' ~ ref('ref_country_calling_codes') ~ ')',
        'calling_code',
        [1, 2, 3],
        alias='world'
    ) }}
),

classified as (
    select
        planned.*,
        case
            when
                foreign_digits is not null
                and has_calling_code
                and length(foreign_digits) + masked_digits between 7 and 15
                and length(foreign_digits) >= 3
                -- The two codes of one digit have numbers of one length: "00 7…" is seldom Russia behind a prefix 0.
                and (left(foreign_digits, 1) not in ('1', '7') or length(foreign_digits) + masked_digits = 11)
                then 'international'
            when short_category is not null then 'short'
            when
                national_digits is not null
                and country = 'FR'
                and (
                    length(national_digits) + masked_digits = planned_length
                    or (
                        length(national_digits) + masked_digits = 13
                        and substr(national_digits, 1, 5) between '07005' and '07009'
                    )
                )
                then 'national'
            when
                national_digits is not null
                and country <> 'FR'
                and length(national_digits) + masked_digits between 7 and 15
                then 'national'
            when is_inside then 'internal'
            else 'unknown'
        end as number_kind
    from planned
),

chosen as (
    select distinct on (string_number)
        string_number,
        number_kind,
        short_category,
        masked_digits,
        body,
        case number_kind
            when 'international' then foreign_digits
            when 'national' then national_e164_digits
        end as e164_digits
    from classified
    order by
        string_number,
        case
            when number_kind = 'national' then 1
            when number_kind <> 'unknown' and not is_prefix_removed then 2
            when number_kind <> 'unknown' then 3
            when not is_prefix_removed then 4
            else 5
        end
),

located as (
    select
        chosen.*,
        {{ longest_prefix_value('region', range(1, 10), alias='region') }} as region,
        {{ longest_prefix_value('line_type', range(1, 10), alias='region') }} as line_type,
        coalesce({{ longest_prefix_value('is_free', [4, 5], alias='value_added') }}, false) as is_free_range
    from chosen
    {{ join_longest_prefix(
        'chosen.e164_digits', ref('ref_e164_prefixes'), 'e164_prefix', range(1, 10), alias='region'
    ) }}
    {{ join_longest_prefix(
        'chosen.e164_digits', ref('ref_fr_value_added_ranges'), 'e164_prefix', [4, 5], alias='value_added'
    ) }}
),

final as (
    select
        strings.pbx_id,
        strings.raw_number,
        strings.is_dialled,
        located.number_kind,
        case located.number_kind
            when 'international' then 'e164'
            when 'national' then 'e164'
            when 'short' then 'short_' || strings.country
            else located.number_kind
        end as namespace,
        '+' || located.e164_digits as e164_number,
        case located.number_kind
            when 'short' then located.body
            else located.e164_digits
        end as rating_digits,
        case located.number_kind
            when 'short' then strings.country
            else located.region
        end as country,
        located.line_type,
        case
            when located.number_kind = 'short' and located.short_category = 'emergency' then 'emergency'
            when located.number_kind = 'short' and located.short_category in ('helpline', 'free') then 'free'
            when located.is_free_range then 'free'
        end as free_class,
        located.masked_digits > 0 as is_masked
    from located
    inner join strings
        on located.string_number = strings.string_number
)

select * from final
{%- endmacro %}

{#- Without a service code: *31# and #31# show or hide the caller's number for one call; other *NN# say nothing of the destination. -#}
{% macro without_service_code(dialled) -%}
rtrim(
    case
        when left({{ dialled }}, 1) in ('*', '#') and substr({{ dialled }}, 4, 1) = '#' then substr({{ dialled }}, 5)
        when left({{ dialled }}, 2) = '*#' and substr({{ dialled }}, 5, 1) = '#' then substr({{ dialled }}, 6)
        else {{ dialled }}
    end,
    '#'
)
{%- endmacro %}
