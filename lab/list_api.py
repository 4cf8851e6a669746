"""A simulated web API that lists tickets by a growing id, as a layout says that it does.

Its address, parameters and answers are those of ``collection.http_api`` of a layout; it is asked
with basic authentication, or with its password as a bearer token. It can be told to misbehave, each
fault once, at the next request: see ``FaultKind``.

    python -m lab.list_api --layout include/layouts/….yml --port … --feed … --certificate … \
        --key … --login … --password-file … [--fault cut]
"""

from __future__ import annotations

import argparse
import base64
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args
from urllib.parse import parse_qs, urlsplit

from lab.https_listener import HttpsListener
from lab.streams.feed import Feed
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.declaration.collection import ApiCollection
from tollhouse.layouts.declaration.json_paths import json_path
from tollhouse.layouts.declaration.readings import INSTANTS
from tollhouse.layouts.declaration.tickets import JsonTickets
from tollhouse.layouts.reading import read_layout

#: ``429``, ``500`` and ``503`` are answered instead of a page; ``truncate`` sends half a document
#: as if it were whole, ``cut`` closes the connection within the answer.
FaultKind = Literal["429", "500", "503", "truncate", "cut"]
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)
MOST_ROWS = 1_000


@dataclass
class ListServer:
    """The server; a context manager that answers on a thread of its own.

    Attributes:
        layout: says how it is asked and what it answers.
        feed: the tickets to list, an object of JSON each; it may grow at any time.
        certificate: with its key in ``key``.
        port: 0 takes a free one; ``port`` is it once the server runs.
        login, password: of whoever may ask; the password alone is a token.
        asking_header: where who asks is said; in one of its own the token stands alone.
        most_rows: so many tickets are in a page, whatever is asked for.
        faults: what goes wrong, in order.
        asked: the parameters of each request that was let in, oldest first.
    """

    layout: Layout
    feed: Path
    certificate: Path
    key: Path
    port: int = 0
    login: str = "tollhouse"
    password: str = "a long password"  # noqa: S105 - of a simulated server
    asking_header: str = "Authorization"
    most_rows: int = MOST_ROWS
    faults: list[FaultKind] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> ListServer:
        self._server = _Listener(self)
        self.port = self._server.port
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @cached_property
    def api(self) -> ApiCollection:
        """How it is asked."""
        declared = self.layout.collection.http_api
        if declared is None:
            raise ValueError(f"{self.layout.layout_id} has no collection.http_api")
        return declared

    def lets_in(self, authorization: str) -> bool:
        """Whether whoever asks may."""
        if self.asking_header != "Authorization":
            return authorization == self.password
        pair = base64.b64encode(f"{self.login}:{self.password}".encode()).decode("ascii")
        return authorization in (f"Basic {pair}", f"Bearer {self.password}")

    def page(self, parameters: dict[str, str]) -> str:
        """Return a page as its parameters ask for it.

        Raises:
            ValueError: a parameter does not hold.
        """
        api = self.api
        for name, value in api.parameters.items():
            if parameters.get(name) != value:
                raise ValueError(f"{name} must be {value}")
        after = int(parameters.get(api.after_parameter, 0))
        rows = int(parameters.get(api.size_parameter or "", self.most_rows))
        start = _instant(parameters.get(api.from_parameter or ""))
        end = _instant(parameters.get(api.to_parameter or ""))
        found = [
            (number, text)
            for number, began_at, text in self._tickets()
            if number > after
            and (start is None or (began_at is not None and began_at >= start))
            and (end is None or (began_at is not None and began_at < end))
        ]
        page = ",\n".join(text for _, text in sorted(found)[: max(1, min(rows, self.most_rows))])
        names = [json.dumps(step) for step in json_path(api.list)] if api.list else []
        opened = "".join(f'{{"count": {len(found)}, {name}: ' for name in names)
        return f"{opened}[{page}]{'}' * len(names)}"

    def _tickets(self) -> list[tuple[int, datetime | None, str]]:
        tickets = []
        for ticket in Feed(self.feed).after(0):
            item = json.loads(ticket.text)
            number = int(_at(item, self.api.key))
            tickets.append((number, _instant(_at(item, self._path_of_start)), ticket.text))
        return tickets

    @cached_property
    def _path_of_start(self) -> str:
        """Where in a ticket its instant stands, by which it is chosen."""
        readings = (getattr(self.layout.columns, name) for name in INSTANTS)
        reading = next(reading for reading in readings if reading is not None)
        assert isinstance(self.layout.tickets, JsonTickets)
        return self.layout.tickets.fields[next(iter(reading.field_names()))]


class _Listener(HttpsListener):
    def __init__(self, api: ListServer) -> None:
        self.api = api
        super().__init__(api.port, _Handler, certificate=api.certificate, key=api.key)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    disable_nagle_algorithm: ClassVar[bool] = True

    def do_GET(self) -> None:
        api = self.server.api
        if not api.lets_in(self.headers.get(api.asking_header, "")):
            self._answer(401, '{"error": "who are you?"}')
            return
        address = urlsplit(self.path)
        if address.path != api.api.path:
            self._answer(404, '{"error": "nothing is here"}')
            return
        query = parse_qs(address.query, keep_blank_values=True)
        parameters = {name: values[-1] for name, values in query.items()}
        api.asked.append(parameters)
        fault = api.faults.pop(0) if api.faults else None
        if fault is not None and fault.isdecimal():
            self._answer(int(fault), '{"error": "not now"}')
            return
        try:
            self._answer(200, api.page(parameters), fault)
        except ValueError as error:
            self._answer(400, json.dumps({"error": str(error)}))

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in ``ListServer.asked``."""

    def _answer(self, status: int, text: str, fault: FaultKind | None = None) -> None:
        body = text.encode()
        half = body[: len(body) // 2]
        if fault == "truncate":
            body = half
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(half if fault == "cut" else body)
        self.close_connection = fault == "cut"


def _at(item: Any, path: str) -> Any:
    for step in json_path(path):
        item = item[step]
    return item


def _instant(value: str | int | None) -> datetime | None:
    """Return an instant: ISO 8601, or seconds or milliseconds since 1970."""
    if value is None:
        return None
    text = str(value)
    if text.isdecimal():
        seconds = int(text) / (1000 if len(text) > 11 else 1)
        return datetime.fromtimestamp(seconds, UTC)
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _fault(text: str) -> FaultKind:
    for fault in FAULTS:
        if fault == text:
            return fault
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(FAULTS)}")


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A simulated API that a layout describes.")
    parser.add_argument("--layout", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--feed", type=Path, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--login", default="tollhouse")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--fault", action="append", default=[], type=_fault)
    options = parser.parse_args()
    with ListServer(
        layout=read_layout(options.layout),
        feed=options.feed,
        certificate=options.certificate,
        key=options.key,
        port=options.port,
        login=options.login,
        password=options.password_file.read_text(encoding="utf-8").strip(),
        faults=options.fault,
    ):
        threading.Event().wait()


if __name__ == "__main__":
    main()
