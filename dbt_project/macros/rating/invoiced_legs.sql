{#-
A leg on an issued invoice is never rated again (R22, I1): its row stays as it was invoiced, and only its call may change, when a late
leg joins it.
-#}
{% macro is_kept_as_invoiced(legs_to_build) -%}
    {{ legs_to_build }}.is_invoiced
{%- endmacro %}

{% macro move_invoiced_legs() -%}
update {{ this }} as legs
set call_id = legs_to_build.call_id
from {{ ref('int_calls__legs_to_build') }} as legs_to_build
where
    legs_to_build.is_invoiced
    and legs.ticket_id = legs_to_build.ticket_id
    and legs.call_id <> legs_to_build.call_id
{%- endmacro %}

{#- The legs of the work list that are rated, as staged, with their call. -#}
{% macro legs_to_rate() -%}
select
    staged.*,
    legs_to_build.call_id,
    legs_to_build.is_phantom
from {{ ref('int_calls__legs_to_build') }} as legs_to_build
inner join {{ ref('int_tickets__staged') }} as staged
    on legs_to_build.ticket_id = staged.ticket_id
where
    legs_to_build.call_id is not null
    and not {{ is_kept_as_invoiced('legs_to_build') }}
{%- endmacro %}
