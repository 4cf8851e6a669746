{#-
    A step (CTE) that reads the information code of the Hicom family (HiPath 3000, OpenScape Business). It adds to the columns of
    `source`:
        code_fault      text     why the ticket is none, as reason:field; null when the code is that of a call
        direction       text     outgoing or incoming; null with a fault
        outcome         text     answered or no_answer; null with a fault
        is_unsupervised boolean  the answer is a guess from the conversation time (rule R9)

    The last digit is the kind of call: 1 and 2 voice, 3 and 4 other services, 5 and 6 forwarded or transferred, 7 and 8 conference
    or transfer to the outside (odd numbers incoming, even ones outgoing), 9 a forward to the outside on its way out, 0 a set that
    begins to ring. 30 on top is a further segment of a call, 50 a call by direct inward system access; what other tens mean is
    documented nowhere, but the last digit is what it is. No internal calls are written.

    Args:
        step: name of the step.
        source: the step before, with the columns information_code (trimmed text), conversation_seconds (null where the field is
            blank: not connected) and answer_threshold_seconds.
-#}
{% macro hicom_codes(step, source) -%}
{{ step }}_read as (
    {{ computed_once() }}
    select
        *,
        case
            when coalesce(information_code !~ '^[0-9]{1,2}$', true) then 'unknown_code:information_code'
            when information_code like '%0' then 'ring_notification'
        end as code_fault,
        case
            when coalesce(information_code !~ '^[0-9]?[1-9]$', true) then null
            when right(information_code, 1) in ('1', '3', '5', '7') then 'incoming'
            else 'outgoing'
        end as direction
    from {{ source }}
),

{{ step }} as (
    {{ computed_once() }}
    select
        *,
        case
            when direction is null then null
            when conversation_seconds is null then 'no_answer'
            -- On its way out a call that nobody took shows 00:00:00, and so does one to a busy number.
            when direction = 'outgoing' and conversation_seconds < greatest(answer_threshold_seconds, 1) then 'no_answer'
            else 'answered'
        end as outcome,
        coalesce(direction = 'outgoing' and conversation_seconds > 0 and answer_threshold_seconds is not null, false)
            as is_unsupervised
    from {{ step }}_read
)
{%- endmacro %}
