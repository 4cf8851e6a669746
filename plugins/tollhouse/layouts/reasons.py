"""Why a ticket that a layout reads is none: each reason in words, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """A state_reason.

    Attributes:
        meaning: what is wrong with the ticket.
        remedy: what to look at in the layout, the entry or the source.
    """

    meaning: str
    remedy: str


REJECTED: dict[str, Reason] = {
    "truncated": Reason(
        "it ends before its last field",
        "was it cut on its way? Lines of another kind belong to `ignore`, by how they begin "
        "(`starts_with`); of fixed columns the last fields may be left out: `shortest_line`",
    ),
    "too_many_values": Reason(
        "it has more values than there are fields",
        "is the separator within a value? Then values need a `quote`, or the source another "
        "separator",
    ),
    "open_quotation_mark": Reason(
        "a quotation mark is opened and not closed, or stands within a value",
        "`quote: none` where the source writes quotation marks as they come",
    ),
    "missing_header": Reason(
        "its file has no line that names the columns",
        "`skip_lines`, `header: false` and `fields`",
    ),
    "missing_field": Reason(
        "a field that the layout reads is not there",
        "the header names it otherwise, or the source has left it out",
    ),
    "missing": Reason(
        "nothing stands in a field that every ticket needs: an instant, a direction, the talk time "
        "of an answered call, the called number of one that goes out, the currency of a charge",
        "lines that are no tickets, such as totals, belong to `ignore`; else `first_of` another "
        "field, or `otherwise`",
    ),
    "not_mapped": Reason(
        "the layout maps no column of this name, and no ticket can do without",
        "map it under `columns`; a layout that is confirmed has all of them",
    ),
    "unknown_layout": Reason(
        "the pattern does not match the line",
        "lines of another kind belong to `ignore`; the pattern stands for the whole line",
    ),
    "not_xml": Reason("it is no XML", "is the file whole, and in the `encoding`?"),
    "not_json": Reason(
        "it is no JSON object, or holds the character NUL",
        "is the file whole, and is `list` right?",
    ),
    "no_such_time": Reason(
        "the text is no instant of the `format`",
        "the order of day and month, two digits or four of the year; a field that may be empty "
        "needs `empty_when` or another column",
    ),
    "no_such_duration": Reason(
        "the text is no duration of the `format`, or longer than any call",
        "seconds, minutes, milliseconds? `decimal`; `minus` a field that is greater",
    ),
    "unknown_code": Reason(
        "the `lookup` does not list the text",
        "add it, or say with `otherwise` what it stands for",
    ),
    "unknown_value": Reason(
        "the text is no number, currency or telephone number where one is expected, or no text at "
        "all but an object or a list",
        "`decimal`, `thousands`, `empty_when`; or another field is meant",
    ),
    "value_too_long": Reason(
        "the text is longer than any of this column", "another field is meant, or a line is damaged"
    ),
    "unknown_time_zone": Reason(
        "the entry's `time_zone` is none that PostgreSQL knows", "write it as in Europe/Paris"
    ),
    "talk_without_answer": Reason(
        "somebody talks in a call that was not answered",
        "is `talk_seconds` the whole duration, ringing included? Then `minus`; or a code stands "
        "for another outcome",
    ),
    "layout_not_confirmed": Reason(
        "its layout does not say `confirmed: true`",
        "hold it against real tickets, confirm it, replay",
    ),
    "layout_broken": Reason(
        "its layout does not hold", "`tollhouse layout list` names the fault; then replay"
    ),
    "layout_missing": Reason(
        "the file of its layout is gone",
        "put it back; where the model is a built-in one the entry may name another layout; then "
        "replay",
    ),
}

IGNORED = {
    "ignored_by_layout": "a rule of `ignore` holds",
    "blank_line": "nothing is in it",
    "column_names": "it repeats the names of the columns",
}


def meaning_of(reason: str) -> str:
    """Return a reason in words, empty where it speaks for itself."""
    if reason in REJECTED:
        return REJECTED[reason].meaning
    return IGNORED.get(reason, "")


def remedy_of(reason: str) -> str:
    """Return what to do about a reason, empty where nothing is known."""
    return REJECTED[reason].remedy if reason in REJECTED else ""
