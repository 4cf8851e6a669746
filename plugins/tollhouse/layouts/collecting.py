"""What a layout says of how its tickets come, as a model: everything of one but its SQL."""

from __future__ import annotations

from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.collection import (
    DroppedFilesCollection,
    RemoteFilesCollection,
    StreamCollection,
)
from tollhouse.layouts.declaration.json_paths import json_path
from tollhouse.layouts.declaration.readings import INSTANTS
from tollhouse.layouts.declaration.tickets import (
    DelimitedTickets,
    JsonTickets,
    LinesOfTickets,
    Tickets,
    TicketsOfAnyKind,
    XmlTickets,
)
from tollhouse.layouts.guides import guide_of
from tollhouse.pbx import (
    ApiDefaults,
    FileDefaults,
    Framing,
    ListApi,
    Model,
    Quoting,
    StreamDefaults,
    TableDefaults,
)

#: Encodings that Python knows by another name than people do.
PYTHON_NAMES = {"windows-1252": "cp1252"}


def model_of(layout: Layout) -> Model:
    """Return the model that a layout declares."""
    transports = layout.transports
    files, remote_files = _files_of(layout)
    return Model(
        model_id=layout.layout_id,
        title=layout.title,
        transports=transports,
        framing=framing_of(layout.tickets),
        encoding=python_encoding(layout.tickets),
        stream=_stream_of(layout) if "spooled_stream" in transports else None,
        table=_table_of(layout) if "sql_table" in transports else None,
        api=_api_of(layout) if "http_api" in transports else None,
        files=files,
        remote_files=remote_files,
        guide=guide_of(layout),
    )


def python_encoding(tickets: TicketsOfAnyKind) -> str:
    """Return the encoding of tickets by the name that models have it by."""
    return PYTHON_NAMES.get(tickets.encoding, tickets.encoding)


def framing_of(tickets: Tickets) -> Framing:
    """Return how bytes become tickets of this kind."""
    if isinstance(tickets, XmlTickets):
        return Framing("elements", ticket_element=tickets.element)
    if isinstance(tickets, JsonTickets):
        if tickets.list is None:
            return Framing("lines")
        return Framing("items", list_path=json_path(tickets.list) if tickets.list else ())
    has_header = isinstance(tickets, DelimitedTickets) and tickets.header
    return Framing(
        "header_lines" if has_header else "lines",
        skip_lines=tickets.skip_lines,
        header_is_certain=has_header,
        record_end=_record_end(tickets),
        quoting=_quoting_of(tickets),
    )


def _record_end(tickets: LinesOfTickets) -> bytes | None:
    is_newline = tickets.record_separator in ("newline", "\n")
    return None if is_newline else tickets.record_separator.encode("ascii")


def _quoting_of(tickets: LinesOfTickets) -> Quoting | None:
    if not isinstance(tickets, DelimitedTickets) or tickets.quote == "none":
        return None
    return Quoting(tickets.quote.encode("ascii"), tickets.separator.encode("ascii"))


def _files_of(layout: Layout) -> tuple[FileDefaults | None, FileDefaults | None]:
    """Return which files are dropped, and which are fetched where those are named otherwise."""
    dropped, remote = layout.collection.dropped_files, layout.collection.remote_files
    if dropped is None and remote is None:
        is_of_files = "dropped_files" in layout.transports
        return FileDefaults(pattern="*") if is_of_files else None, None
    if dropped is None or remote is None:
        return _file_defaults(dropped or remote), None
    return _file_defaults(dropped), _file_defaults(remote)


def _file_defaults(declared: DroppedFilesCollection | None) -> FileDefaults:
    declared = declared or DroppedFilesCollection()
    remote = declared if isinstance(declared, RemoteFilesCollection) else RemoteFilesCollection()
    return FileDefaults(
        pattern=declared.pattern,
        ignored_pattern=declared.ignored_pattern,
        complete=declared.complete,
        remote_protocol=remote.protocol,
        remote_folder=remote.folder,
    )


def _stream_of(layout: Layout) -> StreamDefaults:
    declared = layout.collection.spooled_stream
    # Without a word about it the entry says who connects, and its connection to which port.
    said = declared or StreamCollection.model_construct(
        direction="listen", port=0, connections="one"
    )
    record_end = framing_of(layout.tickets).record_end
    return StreamDefaults(
        direction=said.direction,
        port=said.port,
        connections=said.connections,
        line_end=record_end or b"\n",
    )


def _table_of(layout: Layout) -> TableDefaults:
    declared = layout.collection.sql_table
    columns = tuple(path.strip('"').lower() for path in _identity_of(layout))
    if declared is None:
        return TableDefaults("", "", 3306, time_columns=(), identity_columns=columns)
    return TableDefaults(
        declared.table,
        declared.key,
        declared.port,
        time_columns=tuple(column.lower() for column in declared.time_columns),
        identity_columns=columns,
    )


def _api_of(layout: Layout) -> ApiDefaults:
    declared = layout.collection.http_api
    if declared is None:
        return ApiDefaults("list", port=443)
    return ApiDefaults(
        "list",
        port=declared.port,
        key=declared.key,
        page_rows=declared.page_rows,
        listing=ListApi(
            path=declared.path,
            list_path=declared.list,
            after_parameter=declared.after_parameter,
            size_parameter=declared.size_parameter,
            from_parameter=declared.from_parameter,
            to_parameter=declared.to_parameter,
            parameters=dict(declared.parameters),
            identity=_identity_of(layout),
        ),
    )


def _identity_of(layout: Layout) -> tuple[str, ...]:
    """Return the paths of what tells a ticket from another under its id: when its call was.

    Not all that the layout reads: a price or a name may be filled in later.
    """
    if not isinstance(layout.tickets, JsonTickets):
        return ()
    instants = (getattr(layout.columns, name) for name in INSTANTS)
    first = next((reading for reading in instants if reading is not None), None)
    names = dict.fromkeys(first.field_names()) if first is not None else ()
    return tuple(layout.tickets.fields[name] for name in names)
