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
