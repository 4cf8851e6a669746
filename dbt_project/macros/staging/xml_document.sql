{#-
    An XML element in a ticket, as jsonb; null where it is none. Made of texts alone, for PostgreSQL need not be built with a parser
    of XML.

    An element becomes {"<": name, "NAME": [{"=": text, "@ATTRIBUTE": value, …}, child, {"=": text}, child, …], ">": name}: under its
    own name, without a prefix, its first text and its attributes, then its children and the texts between them. No name in XML is <,
    > or =, nor begins with @, so nothing in a ticket passes for another thing. Texts are what XML says: references and CDATA
    resolved, line ends alike. Only the references that XML itself defines are resolved, so that no ticket grows; a document type
    makes it unreadable.

    Once comments, instructions and CDATA are taken out, every < begins a tag, for XML allows it nowhere else: there the element is
    cut. Refused are tags that do not match, a < out of place, attributes that are there twice, references and characters that XML
    does not know, and whatever stands around the element but blanks, comments and instructions.

    Args:
        text: SQL expression of the XML.
-#}
{% macro xml_document(text) -%}
    (
        -- Both ends of an element have one name.
        select case when not jsonb_path_exists(parsed.document, 'strict $.** ? (@."<" != @.">")') then parsed.document end
        from (
            select case when pg_input_is_valid(written.json, 'jsonb') then written.json::jsonb end as document
            from (
                select
                    string_agg(
                        case
                            when tags.place = 1 then case when tags.piece <> '' then {{ xml_fault() }} else '' end
                            when tags.tag is null then {{ xml_fault() }}
                            when not tags.is_plain and strpos(tags.behind, ']]>') > 0 then {{ xml_fault() }}
                            when left(tags.tag, 1) = '/' then {{ xml_end('tags') }}
                            when right(tags.tag, 2) = '/>' then {{ xml_start('tags', "''::text") }} || {{ xml_end('tags') }}
                            else {{ xml_start('tags', 'tags.behind') }}
                        end,
                        '' order by tags.place
                    ) as json
                from ({{ xml_tags(text) }}) as tags
            ) as written
            offset 0
        ) as parsed
    )
{%- endmacro %}

{#- The text of the element, or of the attribute, that a path in xml_document() leads to; null where it leads nowhere. -#}
{% macro xml_value(found) -%}
    case
        when jsonb_typeof({{ found }}) = 'string' then {{ found }} #>> '{}'
        when jsonb_array_length({{ found }}) = 1 then {{ found }} #>> '{0,=}'
        when {{ found }} is not null
            then (
                select string_agg(texts.part #>> '{}', '' order by texts.place)
                from jsonb_path_query({{ found }}, 'strict $.**."="') with ordinality as texts (part, place)
            )
    end
{%- endmacro %}

{#- Stands for what is no XML: it makes no JSON. -#}
{% macro xml_fault() -%}
    '!'
{%- endmacro %}

{#-
    The tags of an element, each with the text behind it; the first row is what stands before the first one. Tags are plain where
    none has attributes and no mark of a section is left: each then ends at the first >.
-#}
{% macro xml_tags(text) -%}
    select
        pieces.is_plain,
        pieces.place,
        pieces.piece,
        pieces.tag,
        case
            when pieces.is_plain then btrim(pieces.tag, '/>')
            else split_part(translate(btrim(pieces.tag, '/>'), E'\t\n', '  '), ' ', 1)
        end as name,
        substr(pieces.piece, length(pieces.tag) + 1) as behind
    from (
        select
            elements.is_plain,
            split.place,
            split.piece,
            case
                when elements.is_plain or split.piece ~ '^{{ xml_plain_tag() }}' then left(split.piece, strpos(split.piece, '>'))
                else regexp_substr(split.piece, '{{ xml_tag() }}')
            end as tag
        from (
            select
                texts.body,
                texts.body ~ '{{ xml_plain() }}' and strpos(texts.body, ']]>') = 0 as is_plain
            from (
                select {{ xml_without_sections('checked.body') }} as body
                from ({{ xml_checked(text) }}) as checked
                offset 0
            ) as texts
            offset 0
        ) as elements
        cross join unnest(string_to_array(elements.body, '<')) with ordinality as split (piece, place)
        offset 0
    ) as pieces
    offset 0
{%- endmacro %}

{#-
    XML with line ends as it has them; null where there are characters that it has not, or so many tags that a parser might fail of
    them, for it calls itself at each level.
-#}
{% macro xml_checked(text) -%}
    select
        case
            when
                {{ text }} like '<%'
                and octet_length({{ text }}) - octet_length(replace({{ text }}, '<', '')) < {{ too_many_tags() }}
                and {{ text }} !~ '[\x01-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]'
                then replace(replace({{ text }}, E'\r\n', E'\n'), E'\r', E'\n')
        end as body
    offset 0
{%- endmacro %}

{#- No ticket has so many. -#}
{% macro too_many_tags() -%}
    2000
{%- endmacro %}

{#-
    XML in which a mark stands for each comment and instruction, so that nothing grows together over it, and text between marks for
    CDATA. No section begins within another one; within a tag the mark makes it none.
-#}
{% macro xml_without_sections(body) -%}
    case
        when strpos({{ body }}, '<!') = 0 and strpos({{ body }}, '<?') = 0 then rtrim({{ body }}, E' \t\n')
        else (
            select
                btrim(
                    string_agg(
                        parts.outside
                        || case
                            when parts.section is null then ''
                            when left(parts.section, 9) = '<![CDATA['
                                then
                                    E'\x02'
                                    || replace(
                                        replace(
                                            replace(substr(parts.section, 10, length(parts.section) - 12), '&', '&amp;'),
                                            '<', '&lt;'
                                        ),
                                        '>', '&gt;'
                                    )
                                    || E'\x02'
                            else E'\x01'
                        end,
                        '' order by parts.place
                    ),
                    E' \t\n\x01'
                )
            from
                unnest(
                    regexp_split_to_array({{ body }}, '{{ xml_section() }}'),
                    array(select found.sections[1] from regexp_matches({{ body }}, '{{ xml_section() }}', 'g') as found (sections))
                ) with ordinality as parts (outside, section, place)
        )
    end
{%- endmacro %}

{#- A comment, CDATA or an instruction, up to the first end of its kind. -#}
{% macro xml_section() -%}
    <!--(?:[^-]|-[^-])*-->|<!\[CDATA\[(?:[^\]]|\][^\]]|\]\]+[^\]>])*\]\]+>|<\?{{ xml_name() }}(?:[ \t\n](?:[^?]|\?+[^?>])*)?\?+>
{%- endmacro %}

{#- A name, with or without a prefix. -#}
{% macro xml_name() -%}
    {%- set name = '[A-Za-z_\u00C0-\U0010FFFF][A-Za-z0-9_.\u00B7-\U0010FFFF-]*' -%}
    {{ name }}(?::{{ name }})?
{%- endmacro %}

{#- An attribute and the blanks before it. -#}
{% macro xml_attribute() -%}
    [ \t\n]+{{ xml_name() }}[ \t\n]*=[ \t\n]*(?:"[^"\x01\x02]*"|''[^''\x01\x02]*'')
{%- endmacro %}

{#- A tag behind its <: the end of an element, or the start of one. -#}
{% macro xml_tag() -%}
    ^(?:/{{ xml_name() }}[ \t\n]*|{{ xml_name() }}(?:{{ xml_attribute() }})*[ \t\n]*/?)>
{%- endmacro %}

{#- A whole text of plain tags. -#}
{% macro xml_plain() -%}
    ^(?:<{{ xml_plain_tag() }}[^<\x01\x02]*)+$
{%- endmacro %}

{#- A tag behind its <, if it has neither attributes nor blanks. -#}
{% macro xml_plain_tag() -%}
    (?:/{{ xml_name() }}|{{ xml_name() }}/?)>
{%- endmacro %}

{% macro xml_start(tags, text) -%}
    case when {{ tags }}.place > 2 then ',' else '' end
    || '{"<":"' || {{ tags }}.name || '","' || split_part({{ tags }}.name, ':', -1) || '":[{"=":' || {{ xml_text(text, tags) }}
    || case when {{ tags }}.is_plain or strpos({{ tags }}.tag, '=') = 0 then '' else {{ xml_attributes(tags) }} end
    || '}'
{%- endmacro %}

{#- The text behind the end of an element is one of the element around. -#}
{% macro xml_end(tags) -%}
    '],">":"' || {{ tags }}.name || '"}'
    || case when {{ tags }}.behind = '' then '' else ',{"=":' || {{ xml_text(tags ~ '.behind', tags) }} || '}' end
{%- endmacro %}

{#-
    The attributes of a tag. Of two that differ by their prefixes alone the first counts, and is written last, for that is what jsonb
    keeps; what declares a prefix keeps its own, and is found by no path.
-#}
{% macro xml_attributes(tags) -%}
    (
        select
            case
                when count(*) <> count(distinct attributes.name) then {{ xml_fault() }}
                else
                    coalesce(
                        string_agg(
                            ',"@'
                            || case
                                when attributes.name like 'xmlns:%' then attributes.name
                                else split_part(attributes.name, ':', -1)
                            end
                            || '":' || {{ xml_text('attributes.value', tags) }},
                            '' order by attributes.place desc
                        ),
                        ''
                    )
            end
        from (
            select
                written.place,
                btrim(split_part(written.attribute, '=', 1)) as name,
                substr(written.quoted, 2, length(written.quoted) - 2) as value
            from (
                select
                    found.place,
                    found.attribute,
                    btrim(substr(found.attribute, strpos(found.attribute, '=') + 1)) as quoted
                from (
                    select
                        matches.place,
                        translate(matches.texts[1], E'\t\n', '  ') as attribute
                    from
                        regexp_matches({{ tags }}.tag, '{{ xml_attribute() }}', 'g')
                        with ordinality as matches (texts, place)
                    offset 0
                ) as found
                offset 0
            ) as written
            offset 0
        ) as attributes
    )
{%- endmacro %}

{#- A text as JSON, each reference in it resolved, once, and marks left out. -#}
{% macro xml_text(text, tags) -%}
    case
        when strpos({{ text }}, '&') = 0 and {{ tags }}.is_plain then to_json({{ text }})::text
        when strpos({{ text }}, '&') = 0 then to_json(translate({{ text }}, E'\x01\x02', ''))::text
        else (
            select
                case
                    when count(resolved.part) < count(*) then {{ xml_fault() }}
                    else to_json(translate(string_agg(resolved.part, '' order by resolved.place), E'\x01\x02', ''))::text
                end
            from (
                select
                    parts.place,
                    case
                        when parts.place = 1 then parts.part
                        {%- for name, character in [('lt', '<'), ('gt', '>'), ('amp', '&'), ('quot', '"'), ('apos', "''")] %}
                        when left(parts.part, {{ name | length + 1 }}) = '{{ name }};'
                            then '{{ character }}' || substr(parts.part, {{ name | length + 2 }})
                        {%- endfor %}
                        when
                            parts.code in (9, 10, 13)
                            or parts.code between 32 and 55295
                            or parts.code between 57344 and 65533
                            or parts.code between 65536 and 1114111
                            then chr(parts.code) || substr(parts.part, strpos(parts.part, ';') + 1)
                    end as part
                from (
                    select
                        split.part,
                        split.place,
                        case
                            when split.place = 1 then null
                            when split.part ~ '^#0*[0-9]{1,7};' then substr(split_part(split.part, ';', 1), 2)::int
                            when split.part ~ '^#x0*[0-9A-Fa-f]{1,6};' then ('0' || substr(split_part(split.part, ';', 1), 2))::int
                        end as code
                    from unnest(string_to_array({{ text }}, '&')) with ordinality as split (part, place)
                    offset 0
                ) as parts
            ) as resolved
        )
    end
{%- endmacro %}
