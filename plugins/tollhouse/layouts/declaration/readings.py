"""How one column of the contract is read from the fields of a ticket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tollhouse.layouts import patterns, time_formats
from tollhouse.layouts.declaration.conditions import (
    MOST_CODES,
    Condition,
    Declared,
    FieldName,
    FieldNames,
    Text,
    Texts,
)
from tollhouse.layouts.declaration.faults import KeyFaultError

DurationFormat = Literal["seconds", "milliseconds", "minutes", "hh:mm:ss", "mm:ss", "m'ss"]
InstantName = Literal["started_at", "answered_at", "ended_at"]
#: What is done to the text of a field.
KEYS_OF_TEXTS = ("extract", "after", "before", "strip_prefix", "remove", "lookup")
INSTANTS: tuple[InstantName, ...] = ("started_at", "answered_at", "ended_at")


class Source(Declared):
    """Where a column comes from: fields, joined in their order, or the first that has something.

    Attributes:
        from_: a field, or several whose texts are joined.
        join: stands between the texts of several fields.
        first_of: fields of which the first that is not empty counts.
        empty_when: texts that mean nothing, such as ``-`` or ``0000-00-00 00:00:00``.
    """

    from_: FieldNames = Field(default=(), alias="from")
    join: Text = " "
    first_of: FieldNames = ()
    empty_when: Texts = ()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.from_ and self.first_of:
            raise ValueError("a column comes from `from` or from `first_of`, not from both")
        if len(self.from_) < 2:
            self._refuse_idle("join", "it stands between the texts of several fields of `from`")
        if not self.has_source:
            self._refuse_idle("empty_when", "it is about the text of `from` or `first_of`")
        return self

    @property
    def has_source(self) -> bool:
        """Whether it begins with the text of a field."""
        return bool(self.from_ or self.first_of)

    def _refuse_idle(self, key: str, reason: str) -> None:
        """Refuse a key that was written and would have no effect: somebody expects one of it."""
        if key in self.model_fields_set:
            raise KeyFaultError((key,), f"has no effect here: {reason}")

    def field_names(self) -> Iterator[str]:
        """Yield the fields that it reads."""
        yield from self.from_
        yield from self.first_of


class TextCase(Declared):
    """A text for the tickets of which a condition holds: a constant or that of a field.

    Attributes:
        prepend: stands before the text of the field, such as the + that a carrier leaves out.
    """

    when: Condition
    value: Text | None = None
    from_: FieldName | None = Field(default=None, alias="from")
    prepend: Text = ""

    @model_validator(mode="after")
    def _one_result(self) -> Self:
        if (self.value is None) == (self.from_ is None):
            raise ValueError("a case has `value` or `from`, one of them")
        if self.prepend and self.from_ is None:
            raise ValueError("`prepend` stands before the text of a field: it needs `from`")
        return self


class TextReading(Source):
    """How a text column is read.

    The text is that of the first case whose condition holds, else of the source, else ``value``.
    Constants are final. The text of a field is trimmed; then ``extract``, ``after``, ``before``,
    ``strip_prefix`` and ``remove`` apply, in this order; then ``lookup``.

    Attributes:
        value: a constant, where there is no source.
        cases: texts by condition; the first that holds counts.
        extract: a regular expression with one group: the text is what the group matches, nothing
            where it does not match.
        after: the text begins after the first of these; all of it where there is none.
        before: ... and ends before the first of these.
        strip_prefix: a beginning that is taken off once; the first of the list that is there.
        remove: characters that are taken out, wherever they stand.
        lookup: texts and what they stand for; a ticket with a text that is not listed is rejected
            ...
        otherwise: ... unless this says what it stands for. It holds for no text at all, too.
    """

    value: Text | None = None
    cases: tuple[TextCase, ...] = Field(default=(), max_length=50)
    extract: Text | None = None
    after: Text | None = None
    before: Text | None = None
    strip_prefix: Texts = ()
    remove: Text = ""
    lookup: dict[Text, Text] = Field(default_factory=dict, max_length=MOST_CODES)
    otherwise: Text | None = None

    @field_validator("extract")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is not None and patterns.checked(value).group_count != 1:
            raise ValueError(
                f"{value!r} has not one group: what is to be kept, between parentheses"
            )
        return value

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if self.has_source and self.value is not None:
            raise ValueError("`value` is a constant and stands without `from` and `first_of`")
        if not self.has_source and self.value is None and not self.cases:
            raise ValueError("it comes from nowhere: say `from`, `first_of`, `cases` or `value`")
        if not self.reads_field:
            for key in KEYS_OF_TEXTS:
                self._refuse_idle(key, "constants stay as they are")
        return self

    @property
    def reads_field(self) -> bool:
        """Whether the text of a field can come out of it, and not only constants."""
        return self.has_source or any(case.from_ is not None for case in self.cases)

    def field_names(self) -> Iterator[str]:
        """Yield the fields that it reads, those of its conditions included."""
        yield from super().field_names()
        for case in self.cases:
            yield from case.when.field_names()
            if case.from_ is not None:
                yield case.from_

    def results(self) -> Iterator[str]:
        """Yield the constants that can come out of it."""
        constants = [case.value for case in self.cases if case.value is not None]
        constants += [self.value] if self.value is not None else []
        yield from constants
        yield from self.lookup.values()
        if self.otherwise is not None:
            yield self.otherwise


class TimeReading(Source):
    """How an instant is read.

    Attributes:
        format: ``dd/MM/yyyy HH:mm:ss`` and the like (see ``tollhouse.layouts.time_formats``),
            ``iso8601``, ``epoch_seconds`` or ``epoch_milliseconds``.
        zone: of what clock it is: ``pbx`` (the entry's zone), ``utc``, or a zone such as
            Europe/Paris. Not heeded where the text itself has its offset from UTC.
    """

    format: Text
    zone: Text = "pbx"

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        time_formats.parsed(value)
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if not time_formats.is_zone(value):
            raise ValueError("a zone is pbx, utc or a name such as Europe/Paris")
        return value

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if not self.has_source:
            raise ValueError("it comes from nowhere: say `from` or `first_of`")
        return self

    @property
    def is_exact(self) -> bool:
        """Whether the text names an instant in any zone: two of them may be subtracted."""
        return self.zone == "utc" or time_formats.parsed(self.format).has_offset


class DurationReading(Source):
    """How a number of seconds is read; a part of a second counts as a whole one.

    Attributes:
        format: seconds, milliseconds, minutes (also with decimals), ``hh:mm:ss`` (hours may be
            absent or many), ``mm:ss`` or ``m'ss`` (with hours before it: ``hh:mm'ss``).
        decimal: the decimal sign of seconds and minutes.
        minus: a field of the same format that is to be subtracted, such as the ringing within the
            whole duration.
        between: two columns of instants, the earlier first, where no field has the duration. Both
            must name instants exactly (UTC, an offset, an epoch): clocks on walls are never
            subtracted (R3).
        value: a constant number of seconds.
    """

    format: DurationFormat = "seconds"
    decimal: Literal[".", ","] = "."
    minus: FieldName | None = None
    between: tuple[InstantName, InstantName] | None = None
    value: Annotated[int, Field(ge=0, le=86_400)] | None = None

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        sources = (self.has_source, self.between is not None, self.value is not None)
        if sum(sources) != 1:
            raise ValueError("it comes from `from`, `first_of`, `between` or `value`, one of them")
        if not self.has_source:
            for key in ("format", "decimal", "minus"):
                self._refuse_idle(key, "no field is read")
        return self

    def field_names(self) -> Iterator[str]:
        """Yield the fields that it reads."""
        yield from super().field_names()
        if self.minus is not None:
            yield self.minus


class NumberReading(Source):
    """How a number is read: exact, never by way of floating point.

    Attributes:
        decimal: the decimal sign.
        thousands: what stands between groups of three digits, if anything.
        divide_by: cents are 100 of the currency, and so on.
        value: a constant.
    """

    decimal: Literal[".", ","] = "."
    thousands: Literal["", " ", ".", ",", "'"] = ""
    divide_by: Literal[1, 10, 100, 1000, 10_000, 100_000, 1_000_000] = 1
    value: Annotated[int, Field(ge=0, le=1_000_000)] | None = None

    @field_validator("divide_by", mode="before")
    @classmethod
    def _number_of_text(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if (self.value is not None) == self.has_source:
            raise ValueError("it comes from `from`, `first_of` or `value`, one of them")
        if not self.has_source:
            for key in ("decimal", "thousands", "divide_by"):
                self._refuse_idle(key, "no field is read")
        if self.thousands == self.decimal:
            raise ValueError("`thousands` and `decimal` are the same sign")
        return self


class FlagReading(Source):
    """How a truth value is read: true where the text is one of ``true_when``, else false.

    Attributes:
        true_when: texts that mean true.
        when: a condition instead, on any field.
        value: a constant.
    """

    true_when: Texts = ()
    when: Condition | None = None
    value: bool | None = None

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if [self.has_source, self.when is not None, self.value is not None].count(True) != 1:
            raise ValueError("it comes from `from`, `first_of`, `when` or `value`, one of them")
        if self.has_source != bool(self.true_when):
            raise ValueError("`true_when` lists the texts of its field that mean true")
        return self

    def field_names(self) -> Iterator[str]:
        """Yield the fields that it reads."""
        yield from super().field_names()
        if self.when is not None:
            yield from self.when.field_names()


def _full_reading(value: Any) -> Any:
    """A field's name alone stands for reading that field."""
    return {"from": [value]} if isinstance(value, str) else value


TextColumn = Annotated[TextReading, BeforeValidator(_full_reading)]
TimeColumn = Annotated[TimeReading, BeforeValidator(_full_reading)]
DurationColumn = Annotated[DurationReading, BeforeValidator(_full_reading)]
NumberColumn = Annotated[NumberReading, BeforeValidator(_full_reading)]
FlagColumn = Annotated[FlagReading, BeforeValidator(_full_reading)]
