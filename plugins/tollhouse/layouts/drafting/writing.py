"""A draft as YAML: what was decided, the reason above each line, and what is left to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from tollhouse.layouts.declaration.columns import Columns
from tollhouse.layouts.drafting.choices import Choice, Code, Survey, names_in
from tollhouse.layouts.drafting.content import Sample
from tollhouse.layouts.drafting.guessing import Facts, shown_values
from tollhouse.layouts.drafting.text import counted, printable, shown
from tollhouse.layouts.drafting.yaml_texts import flow, in_marks, scalar

WIDTH = 100
LONGEST_EXAMPLE = 22
LONGEST_TITLE = 100
#: Comments of columns that stand in one block line up, up to this one.
COMMENT_COLUMN = 44

#: What may be mapped, though it was not sure enough.
HINTED_COLUMNS = ("source_call_id", "outcome")
#: What a person writes for a column that was not found.
TO_WRITE = {
    "started_at": '{from: FIELD, format: "dd/MM/yyyy HH:mm:ss", zone: pbx}',
    "talk_seconds": "{from: FIELD, format: seconds}",
    "direction": "{from: FIELD, lookup: {O: outgoing, I: incoming}}   # or {value: outgoing}",
    "called_number": "FIELD",
    "caller_number": "FIELD",
}
#: Which hint belongs to which of the missing ones, and what they are for people.
MISSING_WORDS = {
    "started_at or answered_at or ended_at": ("started_at", "instant", "when the call was"),
    "talk_seconds": ("talk_seconds", "talk_seconds", "how long it was talked"),
    "direction": ("direction", "direction", "whether the call went out or came in"),
    "called_number": ("called_number", "called_number", "the number that was called"),
    "caller_number or extension": ("caller_number", "caller_number", "who called"),
}


def written(survey: Survey, sample: Sample, doubts: Sequence[str], missing: Sequence[str]) -> str:
    """Return the text of a draft."""
    lines = [
        *_head(survey, sample, doubts, missing),
        f"title: {scalar(_title(sample))}",
        "confirmed: false",
        "",
        *_tickets(survey, sample),
        "",
        *_collection(sample, survey.shape.kind),
        "",
        *_columns(survey, missing),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _title(sample: Sample) -> str:
    return f"Draft from {printable(sample.files[0].name)}"[:LONGEST_TITLE]


def _head(
    survey: Survey, sample: Sample, doubts: Sequence[str], missing: Sequence[str]
) -> Iterator[str]:
    names = list(dict.fromkeys(printable(file.name) for file in sample.files))
    tickets = counted(survey.shape.ticket_count, "ticket")
    yield from _comment(f"A draft from {', '.join(names[:5])}: {tickets} looked at.")
    yield from _comment(
        "Until it says `confirmed: true` all tickets are kept and none is read: they are rejected "
        "with the reason layout_not_confirmed."
    )
    if missing:
        yield "#"
        yield from _comment("Not found, and needed by every layout (see the end of this file):")
        for name in missing:
            yield from _comment(f"- {name}", "  ")
    yield "#"
    if doubts:
        yield from _comment("Doubtful, and to be checked before it is confirmed:")
        for doubt in doubts:
            yield from _comment(f"- {doubt}", "  ")
    elif not missing:
        yield from _comment("Nothing in it is doubtful; look at some calls that you know anyway.")


def _tickets(survey: Survey, sample: Sample) -> Iterator[str]:
    shape = survey.shape
    yield "tickets:"
    yield from _comment(f"{shape.reason}.", "", "  ")
    yield f"  kind: {shape.kind}"
    yield _with_remark(f"  encoding: {sample.encoding.name}", sample.encoding.reason)
    if sample.record_separator != "newline" and shape.kind not in ("xml", "json"):
        separator = scalar(sample.record_separator)
        yield _with_remark(f"  record_separator: {separator}", "what ends records here")
    for key, value, remark in shape.settings:
        yield _with_remark(f"  {key}: {flow(value)}", remark)
    if shape.ignore:
        yield "  # Kept, and no tickets:"
        yield "  ignore:"
        for rule in shape.ignore:
            yield _with_remark(f"    - {flow(dict(rule.condition))}", rule.reason)
    if shape.notes:
        yield from _comment(
            "A ticket, and where its fields begin. Fields that touch cannot be told apart: hold it "
            "against the manual.",
            "",
            "  ",
        )
        for note in shape.notes:
            yield f"  #   {printable(note)}"
    if shape.kind in ("fixed", "xml", "json"):
        yield from _placed_fields(survey)
    elif not shape.names_by_file and shape.kind == "delimited":
        yield from _listed_fields(survey)
    else:
        yield from _described_fields(survey)


def _placed_fields(survey: Survey) -> Iterator[str]:
    yield "  fields:"
    uses = _uses(survey)
    for facts in survey.facts:
        place = facts.field.place
        where = {"start": place[0], "width": place[1]} if isinstance(place, tuple) else place
        yield _with_remark(
            f"    {scalar(facts.field.name)}: {flow(where)}", _description(facts, uses)
        )


def _listed_fields(survey: Survey) -> Iterator[str]:
    yield "  fields:"
    uses = _uses(survey)
    for facts in survey.facts:
        yield _with_remark(f"    - {scalar(facts.field.name)}", _description(facts, uses))


def _described_fields(survey: Survey) -> Iterator[str]:
    """Yield what is in the fields as comments: the file, or the pattern, names them itself."""
    uses = _uses(survey)
    width = min(30, max(len(printable(facts.field.name)) for facts in survey.facts))
    yield "  # The fields:"
    for facts in survey.facts:
        yield f"  #   {printable(facts.field.name):<{width}}  {_description(facts, uses)}"


def _description(facts: Facts, uses: dict[str, list[str]]) -> str:
    """Return kind and examples of a field, and what became of it."""
    examples = ", ".join(shown(value, LONGEST_EXAMPLE) for value in shown_values(facts))
    looks = facts.kind if not examples else f"{facts.kind}: {examples}"
    used = uses.get(facts.field.name)
    return f"{looks} → {', '.join(used)}" if used else looks


def _uses(survey: Survey) -> dict[str, list[str]]:
    uses: dict[str, list[str]] = {}
    for column, choice in survey.choices.items():
        for name in names_in(choice.reading):
            uses.setdefault(name, []).append(column)
    return uses


def _collection(sample: Sample, kind: str) -> Iterator[str]:
    suffix = PurePath(sample.files[0].name).suffix
    pattern = f"*{suffix}" if suffix and suffix[1:].isalnum() and suffix.isascii() else "*"
    yield from _comment(
        "How the tickets come. Without this section every transport is possible; with it, these "
        "are, and an entry of include/pbx.yml takes their settings for granted:"
    )
    yield "# collection:"
    yield f"#   dropped_files: {{pattern: {scalar(pattern) if pattern == '*' else flow(pattern)}}}"
    if kind not in ("xml", "json"):
        yield "#   spooled_stream: {direction: listen, port: 7800}"


def _columns(survey: Survey, missing: Sequence[str]) -> Iterator[str]:
    if not survey.choices:
        yield "columns: {}"
    else:
        yield "columns:"
    order = [name for name in Columns.model_fields if name in survey.choices]
    for column in order:
        choice = survey.choices[column]
        yield from _comment(f"{choice.reason}.", "", "  ")
        if choice.doubt:
            yield from _comment(f"Doubtful: {choice.doubt}.", "", "  ")
        yield from _reading(column, choice)
    yield from _not_found(survey, missing)
    left = [facts.field.name for facts in survey.unused(lambda facts: bool(facts.filled))]
    if left:
        yield ""
        names = ", ".join(printable(name) for name in left[:60])
        more = f" and {len(left) - 60} more" if len(left) > 60 else ""
        yield from _comment(f"Not mapped, kept with every ticket: {names}{more}.", "", "  ")
    others = [name for name in Columns.model_fields if name not in survey.choices]
    yield from _comment(f"Columns that may be mapped too: {', '.join(others)}.", "", "  ")


def _reading(column: str, choice: Choice) -> Iterator[str]:
    reading = choice.reading
    blocks = {"lookup", "cases"} & set(reading)
    if set(reading) == {"from"} and isinstance(reading["from"], str):
        yield f"  {column}: {scalar(reading['from'])}"
        return
    if not blocks:
        yield f"  {column}: {flow(reading)}"
        return
    yield f"  {column}:"
    for key, value in reading.items():
        if key == "lookup" and isinstance(value, list):
            yield "    lookup:"
            for code in value:
                if isinstance(code, Code):
                    yield _with_remark(f"      {_key(code.text)}: {code.meaning}", code.remark)
        elif key == "cases" and isinstance(value, list):
            yield "    cases:"
            for case in value:
                yield f"      - {flow(case)}"
        else:
            yield f"    {key}: {flow(value)}"


def _key(text: str) -> str:
    """Return a key of a mapping: never a plain text that people could take for something else."""
    return scalar(text) if len(text) > 1 and text.isalpha() else in_marks(text)


def _not_found(survey: Survey, missing: Sequence[str]) -> Iterator[str]:
    for name in missing:
        column, hint, meaning = MISSING_WORDS[name]
        yield ""
        yield from _comment(f"Not found, and needed: {name}, {meaning}.", "", "  ")
        if hint in survey.hints:
            yield from _comment(f"{survey.hints[hint]}.", "", "  ")
        yield "  # Take the next line's # away, and write a field in place of FIELD:"
        yield f"  # {column}: {TO_WRITE[column]}"
    for column, text in survey.hints.items():
        if column in HINTED_COLUMNS:
            yield ""
            yield from _comment(f"{column}: {text}.", "", "  ")


def _with_remark(line: str, remark: str) -> str:
    return f"{line:<{COMMENT_COLUMN}}  # {printable(remark)}" if remark else line


def _comment(text: str, indent: str = "", before: str = "") -> Iterator[str]:
    lines = textwrap.wrap(
        printable(text),
        WIDTH - len(before) - 2,
        initial_indent=indent,
        subsequent_indent=indent + ("  " if text.startswith("- ") else ""),
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines):
        begins = number == 0 and not indent
        yield f"{before}# {line[0].upper()}{line[1:]}" if begins else f"{before}# {line}"
