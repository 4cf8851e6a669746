{#-
    The expression for the values of a line of comma separated values, as an array. Values may stand between quotation marks, which
    are doubled within. A comma within them stands as another character until csv_value() gives it back. Null where a mark stays open,
    which is what is left of a value with a line end within, and where text stands beside a value in marks.

    Cut at its quotation marks, every second piece of a line is within them; nothing between two of those is a mark written twice, and
    anything else there begins and ends with a comma.

    Args:
        line: an expression; it is used several times.
-#}
{% macro csv_values(line) -%}
    string_to_array(
        case
            when {{ line }} not like '%"%' then {{ line }}
            when (octet_length({{ line }}) - octet_length(replace({{ line }}, '"', ''))) % 2 = 0
                then (
                    select case when strpos(joined.line, {{ csv_misplaced_text() }}) = 0 then joined.line end
                    from (
                        select
                            string_agg(
                                case
                                    when pieces.place % 2 = 0 then replace(pieces.piece, ',', {{ csv_quoted_comma() }})
                                    when pieces.piece = ',' then ','
                                    when pieces.piece = '' and pieces.place between 2 and pieces.piece_count - 1 then '"'
                                    when
                                        (pieces.place = 1 or left(ltrim(pieces.piece), 1) = ',')
                                        and (pieces.place = pieces.piece_count or right(rtrim(pieces.piece), 1) = ',')
                                        then pieces.piece
                                    when pieces.piece <> '' then {{ csv_misplaced_text() }}
                                end,
                                '' order by pieces.place
                            ) as line
                        from (
                            select
                                split.piece,
                                split.place,
                                cardinality(string_to_array({{ line }}, '"')) as piece_count
                            from unnest(string_to_array({{ line }}, '"')) with ordinality as split (piece, place)
                        ) as pieces
                    ) as joined
                )
        end,
        ','
    )
{%- endmacro %}

{#- One of csv_values(), trimmed; null when empty or missing. -#}
{% macro csv_value(element) -%}
    nullif(btrim(replace({{ element }}, {{ csv_quoted_comma() }}, ',')), '')
{%- endmacro %}

{#- Stands for a comma within quotation marks while the line is cut at its commas; no PBX writes it. -#}
{% macro csv_quoted_comma() -%}
    chr(31)
{%- endmacro %}

{#- Stands for text beside quotation marks, which is damage. -#}
{% macro csv_misplaced_text() -%}
    chr(30)
{%- endmacro %}
