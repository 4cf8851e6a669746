"""By what the tickets of a layout come, and what its entries take for granted."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from tollhouse.layouts.declaration.conditions import (
    LONGEST_TEXT,
    Declared,
    FieldName,
    Text,
    as_list,
)
from tollhouse.layouts.declaration.faults import KeyFaultError
from tollhouse.layouts.declaration.json_paths import json_path
from tollhouse.layouts.declaration.tickets import (
    DelimitedTickets,
    JsonTickets,
    LinesOfTickets,
    TicketsOfAnyKind,
    XmlTickets,
)

FILE_TRANSPORTS = ("dropped_files", "remote_files")
#: Transports whose tickets are rows: an object of JSON each.
ROW_TRANSPORTS = ("sql_table", "http_api")


class StreamCollection(Declared):
    """Tickets over TCP: who connects, to which port."""

    direction: Literal["dial", "listen"]
    port: Annotated[int, Field(ge=1, le=65_535)]
    connections: Literal["one", "many"] = "one"


class DroppedFilesCollection(Declared):
    """Files in a folder: which names, and when they are complete."""

    pattern: Text = "*"
    ignored_pattern: Text | None = None
    complete: Literal["stable", "renamed"] = "stable"


class RemoteFilesCollection(DroppedFilesCollection):
    """Files that are fetched: by what, and from which folder."""

    protocol: Literal["ftp", "ftps", "sftp", "http", "https"] = "sftp"
    folder: Text = ""


class TableCollection(Declared):
    """Rows of a table in MySQL or MariaDB."""

    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,63}$")]
    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,63}$")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 3306
    time_columns: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,63}$")], ...],
        BeforeValidator(as_list),
        Field(max_length=10),
    ] = ()


class ApiCollection(Declared):
    """A web API that lists tickets by a growing id, page by page.

    Attributes:
        path: below the address of the connection: ``/v1/calls``.
        list: path to the list in an answer; empty where the answer is the list.
        key: the growing id of an item.
        after_parameter: query parameter of the id after which items are wanted.
        size_parameter: ... of how many items are wanted, if the API knows one.
        from_parameter: ... of the first instant of an interval, if it knows one.
        to_parameter: ... of the first instant behind it.
        parameters: more of them, constant.
        page_rows: items that a request asks for.
        port: where it answers.
    """

    path: Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$", max_length=LONGEST_TEXT)]
    list: Annotated[str, StringConstraints(max_length=LONGEST_TEXT)] = ""
    key: FieldName
    after_parameter: Text
    size_parameter: Text | None = None
    from_parameter: Text | None = None
    to_parameter: Text | None = None
    parameters: dict[Text, Text] = Field(default_factory=dict, max_length=50)
    page_rows: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    port: Annotated[int, Field(ge=1, le=65_535)] = 443

    @field_validator("list")
    @classmethod
    def _path_of_list(cls, value: str) -> str:
        if value:
            json_path(value)
        return value

    @model_validator(mode="after")
    def _asked_for_as_it_can_be(self) -> Self:
        if "page_rows" in self.model_fields_set and self.size_parameter is None:
            raise KeyFaultError(
                ("page_rows",), "has no effect here: no `size_parameter` tells the server of it"
            )
        if (self.from_parameter is None) != (self.to_parameter is None):
            raise KeyFaultError(
                ("from_parameter" if self.from_parameter is not None else "to_parameter",),
                "`from_parameter` and `to_parameter` come together: an interval has two ends",
            )
        return self


class Collection(Declared):
    """By what the tickets come, and what a new entry of include/pbx.yml takes for granted.

    A transport that is named is possible; the first that is named is an entry's transport by
    default. Without any, every transport that can carry the kind of tickets is possible.
    """

    dropped_files: DroppedFilesCollection | None = None
    remote_files: RemoteFilesCollection | None = None
    spooled_stream: StreamCollection | None = None
    sql_table: TableCollection | None = None
    http_api: ApiCollection | None = None

    _named: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("*", mode="before")
    @classmethod
    def _named_alone(cls, value: Any) -> Any:
        """A transport that is named with nothing behind it has what it has by default."""
        return {} if value == "" else value

    @model_validator(mode="wrap")
    @classmethod
    def _in_order(cls, value: Any, validated: ModelWrapValidatorHandler[Self]) -> Self:
        collection = validated(value)
        if isinstance(value, dict):
            collection._named = tuple(value)
        return collection

    @property
    def named(self) -> tuple[str, ...]:
        """The transports that are named, in the order in which they are."""
        return self._named


def possible_transports(tickets: TicketsOfAnyKind) -> tuple[str, ...]:
    """Return the transports that can carry tickets of a kind, the likeliest first."""
    streams = () if _fault_of_stream(tickets) else ("spooled_stream",)
    rows = () if _fault_of_rows(tickets) else ROW_TRANSPORTS
    return (*FILE_TRANSPORTS, *streams, *rows)


def transport_faults(collection: Collection, tickets: TicketsOfAnyKind) -> list[str]:
    """Return why transports that are named cannot carry the tickets; nothing where all can."""
    faults = []
    for name in collection.named:
        fault = None
        if name == "spooled_stream":
            fault = _fault_of_stream(tickets)
        elif name in ROW_TRANSPORTS:
            fault = _fault_of_rows(tickets)
        if fault:
            possible = ", ".join(possible_transports(tickets))
            faults.append(f"{name} cannot carry these tickets: {fault}; possible are {possible}")
    return faults


def _fault_of_rows(tickets: TicketsOfAnyKind) -> str | None:
    if isinstance(tickets, JsonTickets):
        return None
    return "its rows are objects of JSON, which is `kind: json`"


def _fault_of_stream(tickets: TicketsOfAnyKind) -> str | None:
    if isinstance(tickets, XmlTickets):
        return "a stream is cut into lines, and an element may have several"
    if isinstance(tickets, JsonTickets) and tickets.list is not None:
        return "a stream has an object a line, and no document with a `list`"
    if isinstance(tickets, DelimitedTickets) and tickets.header:
        return "a stream has no first line: name the `fields`, and leave `header` out"
    if isinstance(tickets, LinesOfTickets) and tickets.skip_lines:
        return "a stream has no top of which lines could be skipped: leave `skip_lines` out"
    if tickets.encoding == "utf-16":
        return "a stream of utf-16 is not cut into lines"
    return None
