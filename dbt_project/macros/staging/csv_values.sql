{#-
    The expression for the values of a line of separated values, as an array. Values may stand between quotation marks, which
    are doubled within. A separator within them stands as another character until csv_value() gives it back. Null where a mark stays
    open, which is what is left of a value with a line end within, and where text stands beside a value in marks.

    Cut at its quotation marks, every second piece of a line is within them; nothing between two of those is a mark written twice, and
    anything else there begins and ends with a separator.

    Args:
        line: an expression; it is used several times.
        separator, mark: constants of SQL, one character each. Where a blank separates, no other blank stands beside a mark.
-#}
{% macro csv_values(line, separator="','", mark="'\"'") -%}
    {%- set trimmed = {'left': 'ltrim(pieces.piece)', 'right': 'rtrim(pieces.piece)'} -%}
    {%- if separator in ("' '", 'chr(32)') -%}
        {%- set trimmed = {'left': 'pieces.piece', 'right': 'pieces.piece'} -%}
    {%- endif -%}
    string_to_array(
        case
            when strpos({{ line }}, {{ mark }}) = 0 then {{ line }}
            when (octet_length({{ line }}) - octet_length(replace({{ line }}, {{ mark }}, ''))) % 2 = 0
                then (
                    select case when strpos(joined.line, {{ csv_misplaced_text() }}) = 0 then joined.line end
                    from (
                        select
                            string_agg(
                                case
                                    when pieces.place % 2 = 0
                                        then replace(pieces.piece, {{ separator }}, {{ csv_quoted_separator() }})
                                    when pieces.piece = {{ separator }} then {{ separator }}
                                    when pieces.piece = '' and pieces.place between 2 and pieces.piece_count - 1 then {{ mark }}
                                    when
                                        (pieces.place = 1 or left({{ trimmed.left }}, 1) = {{ separator }})
                                        and (
                                            pieces.place = pieces.piece_count
                                            or right({{ trimmed.right }}, 1) = {{ separator }}
                                        )
                                        then pieces.piece
                                    when pieces.piece <> '' then {{ csv_misplaced_text() }}
                                end,
                                '' order by pieces.place
                            ) as line
                        from (
                            select
                                split.piece,
                                split.place,
                                cardinality(string_to_array({{ line }}, {{ mark }})) as piece_count
                            from unnest(string_to_array({{ line }}, {{ mark }})) with ordinality as split (piece, place)
                        ) as pieces
                    ) as joined
                )
        end,
        {{ separator }}
    )
{%- endmacro %}

{#- One of csv_values(), trimmed; null when empty or missing. -#}
{% macro csv_value(element, separator="','") -%}
    nullif(btrim(replace({{ element }}, {{ csv_quoted_separator() }}, {{ separator }})), '')
{%- endmacro %}

{#- Stands for a separator within quotation marks while the line is cut at its separators; no PBX writes it. -#}
{% macro csv_quoted_separator() -%}
    chr(31)
{%- endmacro %}

{#- Stands for text beside quotation marks, which is damage. -#}
{% macro csv_misplaced_text() -%}
    chr(30)
{%- endmacro %}
