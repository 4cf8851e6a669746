"""A layout, whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from tollhouse.layouts.declaration.collection import (
    Collection,
    possible_transports,
    transport_faults,
)
from tollhouse.layouts.declaration.columns import Columns, conditions_of
from tollhouse.layouts.declaration.conditions import Condition, Declared
from tollhouse.layouts.declaration.faults import KeyFaultError
from tollhouse.layouts.declaration.readings import Source
from tollhouse.layouts.declaration.tickets import LinesOfTickets, Tickets


class Layout(Declared):
    """A layout: what include/layouts/<layout_id>.yml says.

    Attributes:
        layout_id: the name of its file.
        title: what people call it.
        model: the built-in model whose tickets it reads; by default it is a model itself.
        confirmed: whether it has been held against real tickets. Until then every ticket is kept
            and rejected with the reason layout_not_confirmed.
        guide: how to switch the tickets on, in Markdown.
    """

    layout_id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    title: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    model: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")] | None = None
    confirmed: bool = False
    guide: Annotated[str, StringConstraints(max_length=50_000)] = ""
    tickets: Tickets
    collection: Collection = Field(default_factory=Collection)
    columns: Columns = Field(default_factory=Columns)

    @property
    def model_id(self) -> str:
        """The model of the tickets that it reads."""
        return self.model or self.layout_id

    @property
    def transports(self) -> tuple[str, ...]:
        """By what the tickets can come; the first is an entry's transport by default."""
        return self.collection.named or possible_transports(self.tickets)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields that the layout knows: all of a ticket, or with a header those it names."""
        known = list(self.tickets.field_list or self.tickets.named_fields)
        known += [name for name in self.fields_read() if name not in known]
        return tuple(known)

    def fields_read(self) -> list[str]:
        """Return the fields that columns and conditions read, each once."""
        read = [name for rule in self.tickets.ignore for name in rule.field_names()]
        for reading in self.columns.given().values():
            read += reading.field_names()
        return list(dict.fromkeys(read))

    def unmapped_fields(self) -> list[str]:
        """Return the fields that no column and no condition reads; they are kept nevertheless."""
        read = set(self.fields_read())
        return [name for name in self.field_names if name not in read]

    def _parts_that_read(self) -> Iterator[tuple[tuple[str | int, ...], Condition | Source]]:
        """Yield what reads fields, with its place in the layout."""
        for index, rule in enumerate(self.tickets.ignore):
            yield ("tickets", "ignore", index), rule
        for name, reading in self.columns.given().items():
            yield ("columns", name), reading

    @field_validator("collection")
    @classmethod
    def _can_be_collected(cls, value: Collection, info: ValidationInfo) -> Collection:
        tickets = info.data.get("tickets")  # absent where they are at fault themselves
        faults = [] if tickets is None else transport_faults(value, tickets)
        if faults:
            raise ValueError("; ".join(faults))
        return value

    @model_validator(mode="after")
    def _no_field_unknown(self) -> Self:
        listed = self.tickets.field_list
        if listed is None:
            return self
        for place, part in self._parts_that_read():
            for name in part.field_names():
                if name not in listed:
                    raise KeyFaultError(
                        place,
                        f"the field {name!r} is read but not among the fields of a ticket: "
                        f"{', '.join(listed)}",
                    )
        return self

    @model_validator(mode="after")
    def _lines_have_lines(self) -> Self:
        if isinstance(self.tickets, LinesOfTickets):
            return self
        for place, part in self._parts_that_read():
            conditions = (part,) if isinstance(part, Condition) else conditions_of(part)
            if any(condition.looks_at_line() for condition in conditions):
                raise KeyFaultError(
                    place, f"tickets of kind {self.tickets.kind} have no line: name a field"
                )
        return self

    @model_validator(mode="after")
    def _nothing_missing(self) -> Self:
        missing = self.columns.missing() if self.confirmed else []
        if missing:
            raise ValueError(
                f"a layout that is confirmed maps these columns too: {', '.join(missing)}"
            )
        return self
