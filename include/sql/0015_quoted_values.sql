-- Reading values between quotation marks needs the line piece by piece. Within a view that would be a correlated subquery, which
-- PostgreSQL gives to no other processor; a function that is known to be safe there it does.

create function raw.line_of_quoted_values(line text, separator text, mark text, quoted_separator text)
returns text
language sql
immutable
parallel safe
return (
    with pieces as (
        select
            split.piece,
            split.place,
            cardinality(string_to_array(line, mark)) as piece_count,
            -- Where a blank separates, no other blank stands beside a mark.
            case when separator = ' ' then split.piece else ltrim(split.piece) end as piece_from_left,
            case when separator = ' ' then split.piece else rtrim(split.piece) end as piece_from_right
        from unnest(string_to_array(line, mark)) with ordinality as split (piece, place)
    ),

    values_and_separators as (
        select
            place,
            case
                when place % 2 = 0 then replace(piece, separator, quoted_separator)
                when piece = separator then separator
                when piece = '' and place between 2 and piece_count - 1 then mark
                when
                    (place = 1 or left(piece_from_left, 1) = separator)
                    and (place = piece_count or right(piece_from_right, 1) = separator)
                    then piece
                when piece = '' then ''
            end as text_of_piece
        from pieces
    )

    select
        case
            when count(*) % 2 = 1 and bool_and(text_of_piece is not null)
                then string_agg(text_of_piece, '' order by place)
        end
    from values_and_separators
);
comment on function raw.line_of_quoted_values (text, text, text, text) is
    'A line without its quotation marks, each separator within them replaced by quoted_separator. Null where a mark stays open or text stands beside a value in marks.';

create function raw.names_of_columns(elements text[], separator text, quoted_separator text)
returns text[]
language sql
immutable
parallel safe
return (
    select array_agg(btrim(replace(element, quoted_separator, separator)) order by place)
    from unnest(elements) with ordinality as listed (element, place)
);
comment on function raw.names_of_columns (text[], text, text) is
    'The values of a line that names columns, trimmed, with the separators that stood between quotation marks.';
