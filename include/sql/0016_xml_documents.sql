-- XML in tickets, as jsonb. Made of texts alone, for PostgreSQL need not be built with a parser of XML; functions, for a correlated
-- subquery within a view keeps all of it in one process.
--
-- An element becomes {"<": name, "NAME": [{"@ATTRIBUTE": value, …, "=": text}, child, {"=": text}, child, …], ">": name}: under its
-- own name, without a prefix, its attributes and its first text, then its children and the texts between them. No name in XML is <,
-- > or =, nor begins with @, so nothing in a ticket passes for another thing. Texts are what XML says: references and CDATA
-- resolved, line ends alike. Only the references that XML itself defines are resolved, so that no ticket grows; a document type
-- makes it unreadable.
--
-- Refused are tags that do not match, a < out of place, attributes that are there twice, references and characters that XML does
-- not know, and whatever stands around the element but blanks, comments and instructions.
--
-- A regular expression that says yes or no is quick; one that takes a text apart is slower by a hundred times. So one looks at the
-- ticket as a whole, and string functions cut what it lets pass: by its <, of which each begins a tag then. A step that ends with
-- offset 0 is computed once.

create function raw.xml_name_pattern()
returns text
language sql
immutable
parallel safe
return '[A-Za-z_\u00C0-\U0010FFFF][A-Za-z0-9_.\u00B7-\U0010FFFF-]*(?::[A-Za-z_\u00C0-\U0010FFFF][A-Za-z0-9_.\u00B7-\U0010FFFF-]*)?';
comment on function raw.xml_name_pattern () is 'A name, with or without a prefix.';

create function raw.xml_attribute_pattern()
returns text
language sql
immutable
parallel safe
return '[ \t\n]+' || raw.xml_name_pattern() || '[ \t\n]*=[ \t\n]*(?:"[^"<\x01\x02]*"|''[^''<\x01\x02]*'')';
comment on function raw.xml_attribute_pattern () is 'An attribute and the blanks before it.';

create function raw.xml_tags_pattern()
returns text
language sql
immutable
parallel safe
return
    '^(?:<(?:/' || raw.xml_name_pattern() || '[ \t\n]*'
    || '|' || raw.xml_name_pattern() || '(?:' || raw.xml_attribute_pattern() || ')*[ \t\n]*/?)>[^<]*)+$';
comment on function raw.xml_tags_pattern () is 'A whole text of tags, each with the text behind it.';

create function raw.xml_section_pattern()
returns text
language sql
immutable
parallel safe
return
    '<!--(?:[^-]|-[^-])*-->'
    || '|<!\[CDATA\[(?:[^]]|\][^]]|\]\]+[^]>])*\]\]+>'
    || '|<\?' || raw.xml_name_pattern() || '(?:[ \t\n](?:[^?]|\?+[^?>])*\?*)?\?>';
comment on function raw.xml_section_pattern () is 'A comment, CDATA or an instruction, up to the first end of its kind.';

create function raw.xml_without_sections(xml text)
returns text
language sql
immutable
parallel safe
return (
    select
        string_agg(
            outside
            || case
                when section is null then ''
                when left(section, 9) = '<![CDATA['
                    then
                        e'\x02'
                        || replace(
                            replace(replace(substr(section, 10, length(section) - 12), '&', '&amp;'), '<', '&lt;'),
                            '>', '&gt;'
                        )
                        || e'\x02'
                else e'\x01'
            end,
            '' order by place
        )
    from
        unnest(
            regexp_split_to_array(xml, raw.xml_section_pattern()),
            array(select found.sections[1] from regexp_matches(xml, raw.xml_section_pattern(), 'g') as found (sections))
        ) with ordinality as parts (outside, section, place)
);
comment on function raw.xml_without_sections (text) is
    'XML in which a mark stands for each comment and instruction, so that nothing grows together over it, and text between marks for CDATA. No section begins within another one; within a tag the mark makes it none.';

create function raw.xml_plain_tag(tag text)
returns text
language sql
immutable
parallel safe
return (
    with attributes as (
        select
            found.place,
            split_part(found.texts[1], '=', 1) as attribute_name,
            btrim(substr(found.texts[1], strpos(found.texts[1], '=') + 1), e' \t\n') as quoted
        from regexp_matches(tag, raw.xml_attribute_pattern(), 'g') with ordinality as found (texts, place)
    )

    select
        split_part(translate(tag, e'\t\n', '  '), ' ', 1)
        || coalesce(
            string_agg(
                ' ' || btrim(attribute_name, e' \t\n') || '="'
                || replace(
                    replace(translate(substr(quoted, 2, length(quoted) - 2), e'\t\n', '  '), '>', '&gt;'),
                    '"', '&quot;'
                )
                || '"',
                '' order by place
            ),
            ''
        )
        || case when tag ~ '[ \t\n"'']/$' then '/' else '' end
    from attributes
);
comment on function raw.xml_plain_tag (text) is
    'A tag in which single blanks part the attributes, and all values stand between quotation marks and are without >.';

create function raw.xml_with_plain_tags(xml text)
returns text
language sql
immutable
parallel safe
return (
    with pieces as (
        select
            split.piece,
            split.place,
            regexp_substr(split.piece, '^(?:[^>"'']|"[^"]*"|''[^'']*'')*') as tag
        from unnest(string_to_array(substr(xml, 2), '<')) with ordinality as split (piece, place)
        offset 0
    ),

    tags as (
        select
            place,
            case when tag ~ '[ \t\n]' then raw.xml_plain_tag(tag) else tag end as plain_tag,
            substr(piece, length(tag) + 2) as behind
        from pieces
        offset 0
    )

    select
        case
            when not bool_or(strpos(behind, ']]>') > 0)
                then string_agg('<' || plain_tag || '>' || replace(behind, '>', '&gt;'), '' order by place)
        end
    from tags
);
comment on function raw.xml_with_plain_tags (text) is
    'Tags and texts in which each > is the end of a plain tag. Null where a text holds the end of CDATA.';

create function raw.xml_with_characters(xml text)
returns text
language sql
immutable
parallel safe
return (
    with parts as (
        select
            split.part,
            split.place,
            case
                when split.place = 1 then null
                when left(split.part, 1) = 'x' then ('0' || split_part(split.part, ';', 1))::int
                else split_part(split.part, ';', 1)::int
            end as code
        from unnest(string_to_array(xml, '&#')) with ordinality as split (part, place)
        offset 0
    ),

    resolved as (
        select
            place,
            case
                when place = 1 then part
                when code in (9, 10, 13) or code between 32 and 127
                    then '\u' || lpad(to_hex(code), 4, '0') || substr(part, strpos(part, ';') + 1)
                when code between 128 and 55295 or code between 57344 and 65533 or code between 65536 and 1114111
                    then chr(code) || substr(part, strpos(part, ';') + 1)
            end as part
        from parts
    )

    select case when count(*) = count(part) then string_agg(part, '' order by place) end
    from resolved
);
comment on function raw.xml_with_characters (text) is
    'JSON in which characters stand for their numbers. Null where XML has no such character.';

create function raw.xml_document(body text)
returns jsonb
language sql
immutable
parallel safe
return (
    -- No ticket has so many tags; a parser that calls itself at each level might fail of more.
    with checked as (
        select
            case
                when
                    body like '<%'
                    and octet_length(body) - octet_length(replace(body, '<', '')) < 2000
                    and body !~ '[\x01-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]'
                    then replace(replace(body, e'\r\n', e'\n'), e'\r', e'\n')
            end as xml
        offset 0
    ),

    without_sections as (
        select
            case
                when strpos(xml, '<!') = 0 and strpos(xml, '<?') = 0 then rtrim(xml, e' \t\n')
                else btrim(raw.xml_without_sections(xml), e' \t\n\x01')
            end as xml
        from checked
        offset 0
    ),

    -- Texts as JSON escapes them, between tags that are written in one way. Marks have done their work.
    escaped as (
        select
            btrim(
                to_json(
                    replace(
                        replace(
                            case
                                when
                                    octet_length(replace(xml, '<', '')) = octet_length(replace(xml, '>', ''))
                                    and xml !~ '<[^>]*(?:[''\t\n]|  | =|= | /?>)'
                                    then xml
                                else raw.xml_with_plain_tags(xml)
                            end,
                            e'\x01', ''
                        ),
                        e'\x02', ''
                    )
                )::text,
                '"'
            ) as xml
        from without_sections
        where
            xml ~ raw.xml_tags_pattern()
            and left(xml, 2) <> '</'
            and right(xml, 1) = '>'
            and (strpos(xml, '&') = 0 or xml !~ '&(?!(?:lt|gt|amp|quot|apos|#0*[0-9]{1,7}|#x0*[0-9A-Fa-f]{1,6});)')
        offset 0
    ),

    -- Each start of an element, with the text and the ends of elements behind it: another mark stands for the </ of those.
    starts as (
        select
            split.piece,
            split.place,
            split_part(split.piece, '>', 1) as tag
        from
            escaped
        cross join
            unnest(string_to_array(substr(replace(escaped.xml, '</', e'\x01'), 2), '<'))
            with ordinality as split (piece, place)
        offset 0
    ),

    -- Of two attributes that differ by their prefixes alone the first counts, and is written last, for that is what jsonb keeps.
    -- What declares a prefix keeps its own, and is found by no path. Where one is there twice, what is written is no JSON.
    tags as (
        select
            place,
            substr(piece, length(tag) + 2) as behind,
            split_part(rtrim(tag, '/'), ' ', 1) as tag_name,
            right(tag, 1) = '/' as is_end,
            case
                when strpos(tag, '=') = 0 then ''
                else (
                    select
                        case
                            when count(*) = count(distinct attributes.attribute_name)
                                then
                                    string_agg(
                                        '"@'
                                        || case
                                            when attributes.attribute_name like 'xmlns:%' then attributes.attribute_name
                                            else split_part(attributes.attribute_name, ':', -1)
                                        end
                                        || '":"' || attributes.attribute_value || '",',
                                        '' order by attributes.place desc
                                    )
                            else '!'
                        end
                    from (
                        select
                            (split.place + 1) / 2 as place,
                            rtrim(split_part(max(split.part) filter (where split.place % 2 = 1), ' ', -1), '=') as attribute_name,
                            max(split.part) filter (where split.place % 2 = 0) as attribute_value
                        from unnest(string_to_array(starts.tag, '\"')) with ordinality as split (part, place)
                        group by (split.place + 1) / 2
                        -- Behind the last value stands no other one.
                        having count(*) = 2
                        offset 0
                    ) as attributes
                )
            end as attributes
        from starts
        offset 0
    ),

    -- The element as JSON, between two texts that are empty.
    written as (
        select
            '[{"=":"'
            || replace(
                replace(
                    string_agg(
                        '"},{"<":"' || tag_name || '","' || split_part(tag_name, ':', -1) || '":[{' || attributes || '"=":"'
                        || case when is_end then e'\x01' || tag_name || '>' else '' end
                        || behind,
                        '' order by place
                    ),
                    '>', '"},{"=":"'
                ),
                e'\x01', '"}],">":"'
            )
            || '"}]' as tree
        from tags
        offset 0
    ),

    -- A reference is resolved once: those to & come last.
    resolved as (
        select
            case
                when strpos(tree, '&') = 0 then tree
                else
                    replace(
                        replace(
                            replace(
                                replace(replace(raw.xml_with_characters(tree), '&lt;', '<'), '&gt;', '>'),
                                '&quot;', '\"'
                            ),
                            '&apos;', ''''
                        ),
                        '&amp;', '&'
                    )
            end as tree
        from written
        offset 0
    ),

    -- What is escaped was escaped here, so jsonb refuses nothing of it that is JSON; asking for JSON is quicker.
    parsed as (
        select case when pg_input_is_valid(tree, 'json') then tree::jsonb end as tree
        from resolved
        offset 0
    )

    -- One element with nothing behind it; both ends of an element have one name.
    select tree -> 1
    from parsed
    where
        jsonb_array_length(tree) = 3
        and tree #>> '{2,=}' = ''
        and not jsonb_path_exists(tree, 'strict $.** ? (@."<" != @.">")')
);
comment on function raw.xml_document (text) is 'An XML element as jsonb; null where it is none.';

create function raw.xml_text_within(element jsonb)
returns text
language sql
immutable
parallel safe
return (
    select string_agg(texts.part #>> '{}', '' order by texts.place)
    from jsonb_path_query(element, 'strict $.**."="') with ordinality as texts (part, place)
);
comment on function raw.xml_text_within (jsonb) is 'All texts within what a path in raw.xml_document() leads to, in their order.';

create function raw.xml_value(found jsonb)
returns text
language sql
immutable
parallel safe
return
    case
        when jsonb_typeof(found) = 'string' then found #>> '{}'
        when jsonb_array_length(found) = 1 then found #>> '{0,=}'
        when found is not null then raw.xml_text_within(found)
    end;
comment on function raw.xml_value (jsonb) is
    'The text of the element, or of the attribute, that a path in raw.xml_document() leads to; null where it leads nowhere.';
