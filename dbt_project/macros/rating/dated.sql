{#-
Dated rows of the directory as instants. A period is half open and its days are civil days of `time_zone`: the zone of the pbx for
owners (R18), of the tariff for its versions (R16).
-#}
{% macro period_start(rows, time_zone) -%}
    ({{ rows }}.valid_from::timestamp at time zone {{ time_zone }})
{%- endmacro %}

{% macro period_end(rows, time_zone) -%}
    ({{ rows }}.valid_to::timestamp at time zone {{ time_zone }})
{%- endmacro %}

{% macro is_within_period(instant, period) -%}
    {{ instant }} >= {{ period }}.starts_at
    and {{ instant }} < {{ period }}.ends_at
{%- endmacro %}

{#- One zone per pbx, its latest: if it moved, periods counted in two zones would overlap or leave a gap. -#}
{% macro pbx_time_zones() -%}
select distinct on (pbx_id)
    pbx_id,
    time_zone
from {{ source('directory', 'pbxs') }}
order by
    pbx_id asc,
    valid_from desc
{%- endmacro %}

{#- The rating instant: the answer; unknown answer: start + ring; unknown ring: start (R1). -#}
{% macro rating_instant(legs) -%}
    coalesce(
        {{ legs }}.answered_at,
        {{ legs }}.started_at + make_interval(secs => {{ legs }}.ring_seconds),
        {{ legs }}.started_at
    )
{%- endmacro %}
