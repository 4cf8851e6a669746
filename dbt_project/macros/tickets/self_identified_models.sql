{#-
    Models whose tickets hold an identity of their own, and which: two equal bodies of such a pbx are one ticket that was sent
    twice (rule R20), also within a delivery.
-#}
{% macro self_identified_models() %}
    {{ return({
        'grandstream_ucm': 'unique id of the channel and record number; its many connections share a segment of the spool',
        'threecx': 'number and id of the call; by a file of its own, a log or a socket the record is the same',
    }) }}
{% endmacro %}
