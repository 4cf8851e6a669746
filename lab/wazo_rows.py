"""The table of call logs of a simulated Wazo, and what call-logd's API may be asked of it.

Rows come from a feed that the lab writes. As in the real table, a row gets its id when it is
written; generating call logs again deletes rows and writes them anew, under ids of their own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from lab.streams.feed import Feed

Item = dict[str, Any]
ROWS_BY_DEFAULT = 1000
#: Columns that rows can be sorted by.
ORDERS = (
    "id", "tenant_uuid", "answered", "start", "answer", "destination_extension", "duration",
    "call_direction", "call_status", "conversation_id", "requested_extension", "requested_name",
    "source_extension", "source_name",
)  # fmt: skip
CALL_DIRECTIONS = ("internal", "inbound", "outbound")


class InvalidQueryError(Exception):
    """A parameter does not hold; ``details`` says which and why, as the API words it."""

    def __init__(self, name: str, message: str, constraint_id: str, constraint: Any) -> None:
        super().__init__(f"{name}: {message}")
        self.details = {
            name: [{"constraint_id": constraint_id, "constraint": constraint, "message": message}]
        }


@dataclass(frozen=True)
class Query:
    """What a request asks for; unknown parameters are ignored.

    Attributes:
        limit: rows to list; 0 is all of them.
        tenant: the tenant asked for ...
        recurse: ... and whether those below it come too.
    """

    tenant: str
    recurse: bool = False
    from_id: int = 0
    since: datetime | None = None
    until: datetime | None = None
    limit: int = ROWS_BY_DEFAULT
    offset: int = 0
    order: str = "start"
    descending: bool = True
    call_direction: str | None = None
    call_status: str | None = None
    conversation_id: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str], tenant: str, zone: tzinfo) -> Query:
        """Check the parameters of a request.

        Args:
            parameters: by name, as decoded from the address.
            tenant: the tenant that the request speaks for.
            zone: of the server's database, in which a time without an offset is read.

        Raises:
            InvalidQueryError: a parameter does not hold.
        """
        return cls(
            tenant=tenant,
            recurse=_boolean(parameters, "recurse"),
            from_id=_natural_number(parameters, "from_id", 0),
            since=_instant(parameters, "from", zone),
            until=_instant(parameters, "until", zone),
            limit=_natural_number(parameters, "limit", ROWS_BY_DEFAULT),
            offset=_natural_number(parameters, "offset", 0),
            order=_one_of(parameters, "order", ORDERS) or "start",
            descending=_one_of(parameters, "direction", ("asc", "desc")) != "asc",
            call_direction=_one_of(parameters, "call_direction", CALL_DIRECTIONS),
            call_status=parameters.get("call_status"),
            conversation_id=parameters.get("conversation_id"),
        )

    def matches(self, item: Item) -> bool:
        """Whether a row of the tenant is asked for."""
        start = datetime.fromisoformat(item["start"])
        return (
            item["id"] >= self.from_id
            and (self.since is None or start >= self.since)
            and (self.until is None or start < self.until)
            and self.call_direction in (None, item.get("call_direction"))
            and self.conversation_id in (None, item.get("conversation_id"))
            # Blocked calls are counted, and listed only where they are asked for.
            and item.get("call_status") == (self.call_status or item.get("call_status"))
            and (self.call_status == "blocked" or item.get("call_status") != "blocked")
        )


class CallLogs:
    """The rows; several connections may ask at once."""

    def __init__(self, feed: Feed, main_tenant: str) -> None:
        self._feed = feed
        self._main_tenant = main_tenant
        self._position = 0
        self._last_id = 0
        self._rows: list[Item] = []
        self._lock = threading.Lock()

    def listing(self, query: Query) -> dict[str, Any]:
        """Answer a request for rows."""
        with self._lock:
            self._take_up_new_rows()
            visible = [item for item in self._rows if self._is_visible(item, query)]
        found = [item for item in visible if query.matches(item)]
        # Sorted by two keys in turn: equal starts keep the order of ids, whichever way.
        found.sort(key=_sort_key(query.order), reverse=query.descending)
        end = query.offset + query.limit if query.limit else None
        return {
            "items": found[query.offset : end],
            "total": len(visible),
            "filtered": len(found),
        }

    def regenerate(self, is_chosen: Callable[[Item], bool], changes: Item | None = None) -> int:
        """Delete the chosen rows and write them again with new ids; return how many.

        Args:
            is_chosen: says it of a row.
            changes: what the rows written again say otherwise.
        """
        with self._lock:
            self._take_up_new_rows()
            chosen = [item for item in self._rows if is_chosen(item)]
            self._rows = [item for item in self._rows if not is_chosen(item)]
            for item in chosen:
                self._write(item | (changes or {}))
        return len(chosen)

    def _take_up_new_rows(self) -> None:
        for ticket in self._feed.after(self._position):
            self._position = ticket.end
            self._write(json.loads(ticket.text))

    def _write(self, item: Item) -> None:
        self._last_id += 1
        self._rows.append(item | {"id": self._last_id})

    def _is_visible(self, item: Item, query: Query) -> bool:
        # Every other tenant is below the one that the web-services user belongs to.
        is_below = query.recurse and query.tenant == self._main_tenant
        return is_below or item["tenant_uuid"] == query.tenant


def _sort_key(order: str) -> Callable[[Item], Any]:
    def key(item: Item) -> Any:
        value = item.get(order)
        if value is not None and order in ("start", "answer"):
            value = datetime.fromisoformat(value)
        return (value is None, value if value is not None else 0, item["id"])

    return key


def _natural_number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    try:
        number = int(text)
    except ValueError as error:
        raise InvalidQueryError(name, "Not a valid integer.", "type", "integer") from error
    if number < 0:
        raise InvalidQueryError(name, "Must be greater than or equal to 0.", "range", {"min": 0})
    return number


def _boolean(parameters: Mapping[str, str], name: str) -> bool:
    text = parameters.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise InvalidQueryError(name, "Not a valid boolean.", "type", "boolean")
    return text in ("true", "1")


def _one_of(parameters: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    value = parameters.get(name)
    if value is not None and value not in choices:
        message = f"Must be one of: {', '.join(choices)}."
        raise InvalidQueryError(name, message, "enum", {"choices": list(choices)})
    return value


def _instant(parameters: Mapping[str, str], name: str, zone: tzinfo) -> datetime | None:
    """A full date and time: neither a date alone nor a word will do."""
    text = parameters.get(name)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        instant = None
    if instant is None:
        raise InvalidQueryError(name, "Not a valid datetime.", "type", "datetime")
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)
