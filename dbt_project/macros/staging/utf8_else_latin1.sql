{#-
    A text of which framing made a character of each byte (Latin-1), read as UTF-8 where its bytes are that.

    PBXs write names in what their country had when they were built, and newer ones in UTF-8; columns are counted in bytes before
    that is known.
-#}
{% macro utf8_else_latin1(text) %}
case
    when
        {{ text }} ~ '[\u0080-\u00ff]'
        and {{ text }} ~ (
            '^([\u0001-\u007f]|[\u00c2-\u00df][\u0080-\u00bf]'
            '|\u00e0[\u00a0-\u00bf][\u0080-\u00bf]|[\u00e1-\u00ec\u00ee\u00ef][\u0080-\u00bf]{2}'
            '|\u00ed[\u0080-\u009f][\u0080-\u00bf]|\u00f0[\u0090-\u00bf][\u0080-\u00bf]{2}'
            '|[\u00f1-\u00f3][\u0080-\u00bf]{3}|\u00f4[\u0080-\u008f][\u0080-\u00bf]{2})*$'
        )
        then convert_from(convert_to({{ text }}, 'LATIN1'), 'UTF8')
    else {{ text }}
end
{% endmacro %}
