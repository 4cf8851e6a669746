"""By what the tickets of a layout come, and what its entries take for granted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from tollhouse.layouts.declaration.conditions import (
    LONGEST_TEXT,
    Declared,
    FieldName,
    Text,
    as_list,
)
from tollhouse.layouts.declaration.json_paths import json_path


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
