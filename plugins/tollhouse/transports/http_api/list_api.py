"""An API that a layout describes: a list of tickets by a growing id, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from tollhouse.bundles import Bundle
from tollhouse.connections import PbxConnection
from tollhouse.framing import decode
from tollhouse.installed_pbxs import Pbx
from tollhouse.json_items import CutShortError, NoListError, items_at, loaded
from tollhouse.landing import says_the_same
from tollhouse.layouts.declaration.collection import ApiCollection
from tollhouse.layouts.declaration.faults import location_of
from tollhouse.layouts.declaration.json_paths import json_path
from tollhouse.layouts.fault_words import words_of
from tollhouse.transports import Interval, SourceError
from tollhouse.transports.http_api.client import Answer, Ask, HttpsClient, cut_short, no_json
from tollhouse.transports.http_api.entry_settings import ids_read_again, rows_of_page
from tollhouse.transports.http_api.failures import Fault
from tollhouse.transports.http_api.id_pages import (
    NumberedItem,
    ids_of_page,
    numbered,
    read_pages,
)

#: Settings of an entry that say how its API is asked, in place of what the layout says.
KEYS = (
    "path", "list", "key", "after_parameter", "size_parameter", "from_parameter", "to_parameter",
    "parameters",
)  # fmt: skip
LONGEST_ID_DIGITS = 19
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
ORDER_REMEDY = (
    "The list must come in order of the id: name the API's parameter for that among the layout's "
    "`parameters`, and see that `after_parameter` means ids above the one that is given."
)


class ListApi:
    """One API, asked as its layout and its entry say."""

    unit = "list"
    changed_later: tuple[str, ...] = ()

    def __init__(self, client: HttpsClient, pbx: Pbx, connection: PbxConnection) -> None:
        self._client = client
        self._pbx = pbx
        self._connection = connection
        self._declared = declared_api(pbx)
        self._list_path = json_path(self._declared.list) if self._declared.list else ()
        self._key_path = json_path(self._declared.key)
        self._headers = {"Accept": "application/json"} | _login(client, connection)
        listing = pbx.known_model.api.listing if pbx.known_model.api else None
        identity = listing.identity if listing else ()
        self._identity = [json_path(path) for path in identity]

    @property
    def path(self) -> str:
        """What is asked for, below the address of the server."""
        return self._declared.path

    def highest_id(self, read_up_to: int = 0) -> int | None:
        """Return the id of a ticket above those that were read, or the highest; None of no ticket.

        Such an API cannot be asked for its highest id. What comes next tells, or else what lies
        right below; a list that has neither was emptied or began anew, and is read through.
        """
        overlap_ids = ids_read_again(self._pbx)
        after = max(read_up_to, 0)
        below = max(after - overlap_ids, 0)
        highest = self._highest_behind(after, 1) or self._highest_behind(below, overlap_ids + 1)
        if highest is not None:
            return highest
        pages = self.pages(after=0, page_rows=rows_of_page(self._pbx))
        return max((max(page.ordinals) for page in pages), default=None)

    def newest_id(self, page_rows: int) -> int | None:
        """Return the highest id of all, sought by halves: behind an empty page nothing comes."""
        newest = self.highest_id()
        if newest is None:
            return None
        step = page_rows
        while (found := self._highest_behind(newest + step, page_rows)) is not None:
            newest, step = found, step * 2
        nothing_above = newest + step
        while newest < nothing_above:
            middle = (newest + nothing_above) // 2
            found = self._highest_behind(middle, page_rows)
            if found is None:
                nothing_above = middle
            else:
                newest = found
        return newest

    def pages(
        self,
        *,
        after: int,
        until: int | None = None,
        interval: Interval | None = None,
        page_rows: int,
    ) -> Iterator[Bundle]:
        """Yield the tickets with an id above ``after``, up to ``until``, in order of id.

        Raises:
            SourceError: an interval is asked for, and the API knows none.
        """
        if interval is not None:
            self._refuse_unless_asked_by_time()
        return read_pages(
            self._client,
            lambda last: self._page(max(last, 0), page_rows, interval),
            after=after,
            until=until,
            remedy=ORDER_REMEDY,
        )

    def is_same_call(self, kept: str, body: str) -> bool:
        """Whether two items under one id are the same ticket: it began when the other did.

        What else the layout reads may be changed of a ticket later, as its price.
        """
        if says_the_same(kept, body):
            return True
        old, new = loaded(kept), loaded(body)
        return bool(self._identity) and all(
            _at(old, path) is not None and _at(old, path) == _at(new, path)
            for path in self._identity
        )

    def _highest_behind(self, after: int, page_rows: int) -> int | None:
        page = self._page(after, page_rows, None)
        return max(ids_of_page(self._client, page, after=after, remedy=ORDER_REMEDY), default=None)

    def _refuse_unless_asked_by_time(self) -> None:
        if self._declared.from_parameter and self._declared.to_parameter:
            return
        raise SourceError(
            f"{self._client.pbx_id}: its API cannot be asked for a stretch of time: the layout "
            "names no `from_parameter` and `to_parameter`. To read again from an earlier ticket, "
            "set IDLAST back to its id; what raw has already is not doubled."
        )

    def _page(self, after: int, page_rows: int, interval: Interval | None) -> list[NumberedItem]:
        declared = self._declared
        parameters = dict(declared.parameters)
        parameters[declared.after_parameter] = str(after)
        if declared.size_parameter:
            parameters[declared.size_parameter] = str(page_rows)
        if interval is not None and declared.from_parameter and declared.to_parameter:
            parameters[declared.from_parameter] = _instant(interval.start)
            parameters[declared.to_parameter] = _instant(interval.end)
        ask = Ask("GET", declared.path, parameters=parameters, headers=self._headers)
        items = self._client.ask(ask, self._read_page)
        page = [numbered(item, self._id_of) for item in items]
        if page and all(ordinal < 0 for ordinal, _ in page):
            raise self._client.error(
                Fault(
                    "tickets",
                    f"none of {len(page)} items of {self._client.reach.place} has a whole number "
                    f"under {declared.key!r}",
                    "Correct `key` of the layout: tickets without a growing id cannot be told from "
                    "one another.",
                )
            )
        return page

    def _id_of(self, item: object) -> object:
        number = _at(item, self._key_path)
        if isinstance(number, str) and number.isascii() and number.isdecimal():
            return int(number) if len(number) <= LONGEST_ID_DIGITS else None
        return number

    def _read_page(self, answer: Answer) -> list[str]:
        client, place, path = self._client, self._client.reach.place, self._declared.path
        if answer.status in (401, 403):
            who = repr(self._connection.login) if self._connection.login else "that token"
            raise client.error(
                client.status_fault(
                    answer,
                    "login",
                    f"GET {path} of {who}",
                    "Correct the connection: login and password, or a token as password without a "
                    "login, of an account that may read that list.",
                )
            )
        if answer.status != 200:
            remedy = "Correct `path` of the layout, or host and port of the connection."
            if answer.status != 404:
                remedy = "The message is the server's: compare `parameters` with its documentation."
            raise client.error(client.status_fault(answer, "tickets", f"GET {path}", remedy))
        text = decode(answer.body, "utf-8")
        try:
            return items_at(text, self._list_path)
        except CutShortError:
            raise client.error(cut_short(place)) from None
        except NoListError:
            if not text.strip():
                raise client.error(cut_short(place)) from None
            fault = no_json(place, client.said(answer.body))
            if text.lstrip()[:1] in ("{", "["):
                path_of_list = self._declared.list or "the answer itself"
                remedy = f"Correct `list` of the layout: no list stands at {path_of_list}."
                fault = fault._replace(step="tickets", remedy=remedy)
            raise client.error(fault) from None


def declared_api(pbx: Pbx) -> ApiCollection:
    """Return how the API of a PBX is asked: what its layout says, and its entry otherwise.

    Raises:
        SourceError: that does not hold, or something is missing; the message names each setting.
    """
    api = pbx.known_model.api
    said: dict[str, Any] = {}
    if api is not None and api.listing is not None:
        said = asdict(api.listing) | {"list": api.listing.list_path, "key": api.key}
    values = {key: said[key] for key in KEYS if key in said}
    values |= {key: pbx.settings[key] for key in KEYS if key in pbx.settings}
    try:
        return ApiCollection.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(
            f"settings.{'.'.join(map(str, location_of(fault)))} {words_of(fault)}"
            for fault in error.errors(include_url=False)
        )
        raise SourceError(
            f"{pbx.id}: its entry in include/pbx.yml, or the layout, does not say how the API is "
            f"asked: {faults}."
        ) from None


def _login(client: HttpsClient, connection: PbxConnection) -> dict[str, str]:
    """Return the headers that say who asks; their secrets are in no message from now on.

    Raises:
        SourceError: the name of a header does not hold.
    """
    header = connection.extra.get("token_header")
    if header is not None:
        if not HEADER_NAME.fullmatch(str(header)):
            raise SourceError(
                f"{client.pbx_id}: extra token_header of connection {connection.connection_id} is "
                "no name of a header, such as X-Api-Key."
            )
        client.hide(connection.password)
        return {str(header): connection.password}
    if connection.login:
        return {"Authorization": client.hide_login(connection.login, connection.password)}
    if not connection.password:
        return {}
    client.hide(connection.password)
    return {"Authorization": f"Bearer {connection.password}"}


def _at(value: object, path: tuple[str | int, ...]) -> Any:
    """Return what stands at a path; None where nothing does."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
