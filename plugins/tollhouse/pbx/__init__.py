"""The models of PBX that Tollhouse knows: one small module each, discovered by name.

A module of this package is a model. Its docstring is the set-up guide of that PBX (it becomes the
DAG's ``doc_md`` and a section of docs/pbx.md), and its constant ``MODEL`` says which transports it
can use and how its bytes become tickets. Reading the fields of a ticket is the work of its dbt
staging model, never of this package.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

FramingKind = Literal[
    "lines", "header_lines", "json_rows", "blocks", "documents", "elements", "items"
]
DialogueName = Literal["lines", "login", "oxe_blocks", "documents"]
ApiName = Literal["wazo", "grandstream", "list"]
Completion = Literal["stable", "renamed"]
RemoteProtocol = Literal["ftp", "ftps", "sftp", "http", "https"]

ELEMENT_NAME = re.compile(r"[^\W\d][\w.-]*")


@dataclass(frozen=True)
class Quoting:
    """Values between quotation marks, in which a line may end without ending the ticket.

    Attributes:
        mark: the quotation mark; written twice within a value it does not end it.
        separator: what stands between values: only right behind it, or at the head of a ticket,
            does a mark begin a value.
    """

    mark: bytes
    separator: bytes


@dataclass(frozen=True)
class Framing:
    """How bytes become tickets; carried out by ``tollhouse.framing``, which never reads a field.

    Attributes:
        kind: ``lines`` (a ticket a line), ``header_lines`` (the first line names the columns and is
            kept on the delivery), ``json_rows`` (one JSON object a line: SQL and API rows),
            ``blocks`` (a block of fixed size a ticket), ``documents`` (JSON, XML or CSV documents
            that hold a ticket or several), ``elements`` (one XML document, of which each element
            below the root is a ticket; the root's start tag is kept on the delivery), ``items``
            (JSON documents with a list of tickets).
        header_line_count: lines at the top of a file that are not tickets (CUCM: names and types).
        wrap_columns: a line of exactly this many characters continues on the next one ...
        ticket_start: ... unless the next one matches this pattern (a regular expression on the
            decoded line).
        ticket_element: name, without prefix, of the elements that are tickets, where they are not
            those right below the root.
        answer_list: name of the list that holds the rows where a file is a whole answer of the API
            and not a row a line.
        list_path: names, and places in lists, that lead from a document to its list of items; none
            where the document is the list.
        skip_lines: so many lines at the top of a file, blank ones too, are no tickets; they are
            kept on the delivery, above the names of the columns.
        header_is_certain: the first line names the columns whatever it looks like.
        record_end: the byte that ends a ticket where a line end does not.
        quoting: of tickets that may hold line ends.
        maximum_bytes: a longer line is cut there and kept as a damaged ticket.
    """

    kind: FramingKind
    header_line_count: int = 0
    wrap_columns: int | None = None
    ticket_start: str | None = None
    ticket_element: str | None = None
    answer_list: str | None = None
    list_path: tuple[str | int, ...] = ()
    skip_lines: int = 0
    header_is_certain: bool = False
    record_end: bytes | None = None
    quoting: Quoting | None = None
    maximum_bytes: int = 65_536

    @property
    def has_declared_head(self) -> bool:
        """Whether it is known, and not to be told by its look, what stands above the tickets."""
        return self.skip_lines > 0 or self.header_is_certain


@dataclass(frozen=True)
class SerialNumbers:
    """A number that a PBX counts up in its tickets: a gap means lost tickets.

    Attributes:
        pattern: a regular expression on the bytes of a line; its first group is the number.
        modulus: the number after the highest one is 0.
    """

    pattern: bytes
    modulus: int


@dataclass(frozen=True)
class StreamDefaults:
    r"""A PBX that speaks over TCP.

    Attributes:
        direction: who connects: the collector dials, or it listens and the PBX connects.
        port: the port by default, of the PBX or of the collector.
        dialogue: what is said on the connection beside tickets; ``collector.dialogues`` knows each.
        line_end: the byte that ends a line; what else stands at an end belongs to framing.
        connections: ``one`` (a new connection replaces the one before it) or ``many`` (a PBX that
            opens a connection per ticket, or several at once; they share a segment).
        serial: of a PBX that numbers its tickets.
    """

    direction: Literal["dial", "listen"]
    port: int
    dialogue: DialogueName = "lines"
    line_end: bytes = b"\n"
    connections: Literal["one", "many"] = "one"
    serial: SerialNumbers | None = None


@dataclass(frozen=True)
class TableDefaults:
    """A PBX read from its SQL database.

    Attributes:
        table: the table that has a row per ticket.
        key: its growing key, which IDLAST follows.
        port: where the database server listens by default.
        query: a plain ``select``, without order and limit, that yields each row of that table once
            and its key under the key's own name; ``{table}`` stands for the table's name. Other
            tables are joined here, from the left, so that no ticket is lost. Without it the rows
            are read as they stand.
        joined_columns: columns of the query that other tables fill. A user who is renamed does not
            change the tickets of the past: these are left out when a row is compared with raw.
        time_columns: the columns that may hold the start of a call, the most likely first; an
            interval is chosen by the first that is there.
        identity_columns: columns that tell a call from another under its id, though they choose no
            interval.
        page_rows: rows a query asks for.
        overlap_ids: ids read again below IDLAST, where a late commit may have appeared.
    """

    table: str
    key: str
    port: int
    query: str | None = None
    joined_columns: tuple[str, ...] = ()
    time_columns: tuple[str, ...] = ("calldate", "start")
    identity_columns: tuple[str, ...] = ()
    page_rows: int = 10_000
    overlap_ids: int = 200


@dataclass(frozen=True)
class ListApi:
    """A web API that lists tickets by a growing id, page by page.

    Attributes:
        path: below the address of the server.
        list_path: path to the list in an answer; empty where the answer is the list.
        after_parameter: query parameter of the id after which tickets are wanted.
        size_parameter: ... of how many are wanted, if there is one.
        from_parameter: ... of the first instant of an interval, if there is one.
        to_parameter: ... of the first instant behind it.
        parameters: more of them, constant.
        identity: paths to what stays the same of a ticket, whatever is changed of it later.
    """

    path: str
    after_parameter: str
    list_path: str = ""
    size_parameter: str | None = None
    from_parameter: str | None = None
    to_parameter: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApiDefaults:
    """A PBX that is asked for its tickets over HTTPS.

    Attributes:
        api: what is said; ``transports.http_api`` knows each.
        port: where it answers by default.
        key: the growing id of an item, which IDLAST follows, where the API pages by ids.
        page_rows: items that a request asks for.
        overlap_ids: ids read again below IDLAST, where an item may have appeared since.
        overlap_hours: hours read again before IDLAST, of an API that is asked by time.
        listing: how the API ``list`` is asked; None where each entry says it.
    """

    api: ApiName
    port: int
    key: str | None = None
    page_rows: int = 1_000
    overlap_ids: int = 200
    overlap_hours: int = 26
    listing: ListApi | None = None


@dataclass(frozen=True)
class FileDefaults:
    """A PBX that drops files in a folder: which names, and which never.

    Attributes:
        pattern: shell pattern of the names to read.
        ignored_pattern: shell pattern of names that are not to be read though they match.
        name_time_pattern: a regular expression whose first group is the UTC time in a name, as
            yyyymmddhhmm; a backfill chooses files by it, and by their modification time without it.
        complete: how a file shows that it is written to its end: ``stable`` (its size and time stay
            the same for a while) or ``renamed`` (it bears another name until then: one that ends in
            ``.tmp``, ``.part`` or the like, or begins with a dot or a tilde, is never read, and any
            other at once).
        remote_protocol: by what the files are fetched where they stay on the PBX.
        remote_folder: where they lie there; empty where each site has its own.
        remedy: sentences that say where to look in the PBX when no file comes, or none with a
            ticket in it.
    """

    pattern: str
    ignored_pattern: str | None = None
    name_time_pattern: str | None = None
    complete: Completion = "stable"
    remote_protocol: RemoteProtocol = "sftp"
    remote_folder: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Model:
    """One kind of PBX.

    Attributes:
        read_by_layout: it has no SQL of its own: which fields its tickets have is not public, and a
            declared layout (include/layouts) reads them once somebody has seen real ones.
    """

    model_id: str
    title: str
    transports: tuple[str, ...]
    framing: Framing
    encoding: str = "latin-1"
    stream: StreamDefaults | None = None
    table: TableDefaults | None = None
    api: ApiDefaults | None = None
    files: FileDefaults | None = None
    #: Of files that stay on the PBX, where they are not named like those that it drops.
    remote_files: FileDefaults | None = None
    read_by_layout: bool = False
    guide: str = field(default="", repr=False)

    def files_of(self, transport: str) -> FileDefaults | None:
        """Return which files are read by a transport."""
        return self.remote_files or self.files if transport == "remote_files" else self.files

    @property
    def default_transport(self) -> str:
        """The transport of an entry of include/pbx.yml that names none."""
        return self.transports[0]

    def of_entry(self, settings: Mapping[str, Any]) -> Model:
        """Return the model as the settings of an entry of include/pbx.yml have it.

        Raises:
            ValueError: a setting does not hold; the message says what is expected.
        """
        if self.framing.kind != "elements" or "ticket_element" not in settings:
            return self
        name = settings["ticket_element"]
        if not isinstance(name, str) or not ELEMENT_NAME.fullmatch(name):
            raise ValueError(
                f"settings.ticket_element is {name!r}: expected the name of an XML element, "
                "without its prefix"
            )
        return replace(self, framing=replace(self.framing, ticket_element=name))


@cache
def models() -> dict[str, Model]:
    """Return every model by id, sorted, with its set-up guide."""
    found: dict[str, Model] = {}
    for module_info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        model: Model = module.MODEL
        if model.model_id != module_info.name:
            raise ValueError(
                f"{module.__file__} declares {model.model_id!r}: module and id must agree."
            )
        found[model.model_id] = replace(model, guide=(module.__doc__ or "").strip())
    return found
