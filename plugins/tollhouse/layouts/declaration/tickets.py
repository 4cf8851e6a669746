"""How bytes become tickets and tickets become fields: the kinds of layouts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from tollhouse.layouts import patterns
from tollhouse.layouts.declaration.conditions import (
    LONGEST_TEXT,
    MOST_FIELDS,
    Condition,
    Declared,
    FieldName,
)
from tollhouse.layouts.declaration.json_paths import json_path


class TicketsOfAnyKind(Declared):
    """How bytes become tickets, whatever they look like.

    Attributes:
        encoding: of the text.
        ignore: what is kept and means nothing, such as headings and totals: the state ignored.
    """

    encoding: Literal[
        "utf-8", "latin-1", "windows-1252", "iso-8859-15", "cp437", "cp850", "utf-16", "ascii"
    ] = "utf-8"
    ignore: tuple[Condition, ...] = Field(default=(), max_length=50)

    @property
    @abstractmethod
    def field_list(self) -> tuple[str, ...] | None:
        """Names of the fields in the order of the ticket; None where each file names its own."""

    @property
    def named_fields(self) -> tuple[str, ...]:
        """The fields that the layout itself names."""
        return self.field_list or ()


class LinesOfTickets(TicketsOfAnyKind):
    """A ticket a line.

    Attributes:
        skip_lines: lines at the top of each file that are no tickets.
        record_separator: ``newline`` (CR LF, LF and CR) or one character.
    """

    skip_lines: Annotated[int, Field(ge=0, le=100)] = 0
    record_separator: Annotated[str, StringConstraints(min_length=1, max_length=7)] = "newline"

    @field_validator("record_separator")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if value != "newline" and (len(value) != 1 or not value.isascii()):
            raise ValueError("records end with newline or with one ASCII character")
        return value


class DelimitedTickets(LinesOfTickets):
    """Values with a separator between them.

    Attributes:
        separator: one ASCII character; ``tab`` and ``blank`` for those that cannot be seen.
        quote: ``"`` or ``'`` around values that hold the separator, doubled within; or ``none``.
        header: whether the first line of a file (below ``skip_lines``) names the fields.
        fields: their names, from the left. With a header they need not be given, may come in any
            order in the file, and are found by their names.
    """

    kind: Literal["delimited"]
    separator: str = ","
    quote: Literal['"', "'", "none"] = '"'
    header: bool = False
    fields: Annotated[tuple[FieldName, ...], Field(max_length=MOST_FIELDS)] = ()

    @field_validator("separator")
    @classmethod
    def _separating_character(cls, value: str) -> str:
        sign = {"tab": "\t", "blank": " "}.get(value, value)
        if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in "\"'\r\n\0\\":
            raise ValueError("a separator is one character such as , ; | or tab, or blank")
        return sign

    @model_validator(mode="after")
    def _names_from_somewhere(self) -> Self:
        if not self.header and not self.fields:
            raise ValueError("without a header the fields are named here, from the left")
        _refuse_repeated(self.fields)
        return self

    @property
    def field_list(self) -> tuple[str, ...] | None:
        """Names of the fields in the order of the ticket; None where each file names its own."""
        return None if self.header else self.fields

    @property
    def named_fields(self) -> tuple[str, ...]:
        """The fields that the layout itself names."""
        return self.fields


class CharacterColumns(Declared):
    """Where a field of fixed columns stands: its first column, from 1, and how many it has."""

    start: Annotated[int, Field(ge=1, le=10_000)]
    width: Annotated[int, Field(ge=1, le=1_000)]


class FixedTickets(LinesOfTickets):
    """Fields that stand in columns of characters.

    Attributes:
        fields: where each stands.
        shortest_line: a line of fewer characters is truncated; by default up to the first column
            of the last field.
    """

    kind: Literal["fixed"]
    fields: Annotated[
        dict[FieldName, CharacterColumns], Field(min_length=1, max_length=MOST_FIELDS)
    ]
    shortest_line: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @property
    def field_list(self) -> tuple[str, ...] | None:
        """Names of the fields in the order of the ticket."""
        return tuple(self.fields)


class PatternTickets(LinesOfTickets):
    """Lines that a regular expression takes apart; its named groups are the fields.

    Attributes:
        pattern: of the whole line; the longest match counts, as POSIX has it.
    """

    kind: Literal["pattern"]
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]

    @field_validator("pattern")
    @classmethod
    def _with_named_groups(cls, value: str) -> str:
        if not patterns.checked(value).group_names:
            raise ValueError("no group has a name: fields are written as (?P<name>...)")
        return value

    @property
    def field_list(self) -> tuple[str, ...] | None:
        """Names of the fields in the order of the ticket."""
        return patterns.checked(self.pattern).group_names


class XmlTickets(TicketsOfAnyKind):
    """XML in which an element is a ticket.

    Attributes:
        element: its name, without prefix; by default every element right below the root.
        fields: paths below that element: ``Start/Date``, ``Caller/@number``; namespaces left out.
            A path leads to the first element that it fits; its text is all text within.
    """

    kind: Literal["xml"]
    element: (
        Annotated[str, StringConstraints(pattern=r"^[^\W\d][\w.-]*$", max_length=120)] | None
    ) = None
    fields: Annotated[
        dict[
            FieldName,
            Annotated[
                str,
                StringConstraints(
                    pattern=r"^([^\W\d][\w.-]*/)*(@?[^\W\d][\w.-]*)$", max_length=LONGEST_TEXT
                ),
            ],
        ],
        Field(min_length=1, max_length=MOST_FIELDS),
    ]

    @property
    def field_list(self) -> tuple[str, ...] | None:
        """Names of the fields."""
        return tuple(self.fields)


class JsonTickets(TicketsOfAnyKind):
    """JSON: an object a ticket, one a line or in a list of a document; rows of SQL tables too.

    Attributes:
        list: where a file is one document, the path to its list of tickets; empty for a document
            that is itself the list. Absent: an object a line.
        fields: paths in the object of a ticket: ``call.from.number``, ``legs[0].id``. A name with a
            dot or a bracket in it stands between double quotes. A ticket that has an object or a
            list where a path ends is rejected.
    """

    kind: Literal["json"]
    list: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] | None = None
    fields: Annotated[
        dict[FieldName, Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]],
        Field(min_length=1, max_length=MOST_FIELDS),
    ]

    @field_validator("list")
    @classmethod
    def _path_of_list(cls, value: str | None) -> str | None:
        if value:
            json_path(value)
        return value

    @field_validator("fields")
    @classmethod
    def _paths_of_fields(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for path in value.values():
            json_path(path)
        return value

    @property
    def field_list(self) -> tuple[str, ...] | None:
        """Names of the fields."""
        return tuple(self.fields)


def _refuse_repeated(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{name!r} is there twice: each field has a name of its own")
        seen.add(name)


Tickets = Annotated[
    DelimitedTickets | FixedTickets | PatternTickets | XmlTickets | JsonTickets,
    Field(discriminator="kind"),
]
