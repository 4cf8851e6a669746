"""Rows of a PBX, page by page: a page is a stretch of ids, made on the server, read in one go.

A stretch ends at an id of the table itself, so every id counts as looked at, though the query may
leave its row out; and rows that a join gives twice under one id stand in one page. The server makes
the JSON of the rows and puts the page into one value: what a row costs Python is next to nothing.
While a page is landed, the next one is already on its way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from operator import lt
from typing import Any, NamedTuple, TypeVar

from tollhouse.bundles import BUNDLE_TICKETS, Bundle
from tollhouse.transports.sql_table.session import Session, as_text
from tollhouse.transports.sql_table.source import Source

#: Fewer rows are not asked for at a time, however often the connection is lost.
LEAST_PAGE_ROWS = 50

Item = TypeVar("Item")


@dataclass(frozen=True)
class Stretch:
    """Which rows are wanted.

    Attributes:
        after: only ids above this one ...
        until: ... up to this one; None for all that there are.
        condition: what else must hold for the rows, which are named ``t``.
    """

    after: int = -1
    until: int | None = None
    condition: str = ""


class Page(NamedTuple):
    """The rows of a stretch of ids, in order of id.

    Attributes:
        looked_at: the last id of the stretch.
    """

    looked_at: int
    ids: Sequence[int]
    bodies: Sequence[str]
    received_at: datetime

    def bundles(self) -> Iterator[Bundle]:
        """Return the rows as tickets, in bundles that suit landing."""
        for start in range(0, len(self.ids), BUNDLE_TICKETS):
            ids = self.ids[start : start + BUNDLE_TICKETS]
            bodies = self.bodies[start : start + BUNDLE_TICKETS]
            yield Bundle(ids, bodies, [self.received_at] * len(ids))


class PageReader:
    """Reads pages through a session, smaller ones where the large do not come through."""

    def __init__(
        self, session: Session, source: Source, page_rows: int, warnings: list[str]
    ) -> None:
        """Read nothing yet.

        Args:
            session: used by this reader alone, as long as pages are read.
            source: what is read.
            page_rows: ids that a page looks at, at most.
            warnings: what an operator should know is added to it.
        """
        self._session = session
        self._source = source
        self._most_rows = page_rows
        self._page_rows = page_rows
        self._warnings = warnings
        self._repeated: set[int] = set()
        self._warning = ""

    def pages(self, stretch: Stretch) -> Iterator[Page]:
        """Yield the pages of a stretch; each is read again until it is complete."""
        return _one_ahead(self._pages(stretch))

    def _pages(self, stretch: Stretch) -> Iterator[Page]:
        after = stretch.after
        while True:
            page = self._session.keep_trying(
                partial(self._page, after, stretch), after_loss=self._ask_for_less
            )
            if page is None:
                break
            yield page
            after = page.looked_at
            self._page_rows = min(2 * self._page_rows, self._most_rows)
        if self._repeated:
            self._warn_of_repeated()

    def _warn_of_repeated(self) -> None:
        """Say which ids came twice, in one warning for all stretches."""
        source = self._source
        cause = (
            f"A table that is joined has several rows for one of {source.table}: look there, or set"
            " settings.query."
            if source.has_query
            else f"The key {source.key} must be unique in {source.table}: the others are lost. "
            "Give each row an id of its own, or name another column in settings.key."
        )
        if self._warning:
            self._warnings.remove(self._warning)
        self._warning = (
            f"{self._session.pbx.id}: {source.unit} gives several rows for {len(self._repeated)} "
            f"ids, for one with id {min(self._repeated)}; the first row of each was kept. {cause}"
        )
        self._warnings.append(self._warning)

    def _ask_for_less(self) -> None:
        # A page of a quarter may come through where something ends the connection every so often.
        self._page_rows = max(self._page_rows // 4, min(LEAST_PAGE_ROWS, self._page_rows))

    def _page(self, after: int, stretch: Stretch) -> Page | None:
        last = self._last_id_of_page(after, stretch.until)
        if last is None:
            return None
        source = self._source
        key = f"t.{source.quoted_key}"
        if source.uses_idlast:
            self._session.rows(f"set @IDLAST = {after:d}")
        rows = f"from {source.relation} where {key} > {after:d} and {key} <= {last:d}" + (
            f" and {stretch.condition}" if stretch.condition else ""
        )
        page = self._packed(rows) if source.makes_json else None
        if page is None:
            page = self._column_by_column(rows)
        received_at = datetime.now(UTC)
        ids, bodies = self._in_order(*page)
        return Page(last, ids, bodies, received_at)

    def _last_id_of_page(self, after: int, until: int | None) -> int | None:
        """Return where a page ends that begins behind an id; None if there is nothing left."""
        key = self._source.quoted_key
        bound = "" if until is None else f" and {key} <= {until:d}"
        ((last,),) = self._session.rows(
            f"select max(id) from (select {key} as id from {self._source.full_name} "  # noqa: S608
            f"where {key} > {after:d}{bound} order by {key} limit {self._page_rows:d}) as page"
        )
        return None if last is None else int(last)

    def _packed(self, rows: str) -> tuple[list[int], list[str]] | None:
        """Read a page as one value; None if that value is not whole.

        It is cut at the longest packet of the server; a row whose JSON alone is longer is missing.
        """
        key = f"t.{self._source.quoted_key}"
        ((count, ids, packed),) = self._session.rows(
            f"select count(*), group_concat({key}), "
            f"group_concat({self._source.json} separator '\\n') {rows}"
        )
        if ids is None:
            return [], []
        # No line end is raw within a JSON object.
        bodies = as_text(packed or b"").split("\n")
        numbers = as_text(ids).split(",")
        if int(count) == len(numbers) == len(bodies) and _is_whole(bodies[-1]):
            return list(map(int, numbers)), bodies
        self._most_rows = max(self._page_rows // 2, LEAST_PAGE_ROWS)
        return None

    def _column_by_column(self, rows: str) -> tuple[list[int], list[str]]:
        """Read a page row by row, and make the JSON here."""
        columns = self._source.columns
        expressions = ", ".join(column.alone for column in columns)
        key = f"t.{self._source.quoted_key}"
        found = self._session.rows(f"select {key}, {expressions} {rows}")
        return [int(row[0]) for row in found], [self._json(row[1:]) for row in found]

    def _json(self, values: Sequence[Any]) -> str:
        """Return a row as one JSON object."""
        row = {
            column.name: None
            if value is None
            else int(value)
            if column.is_integer
            else as_text(value)
            for column, value in zip(self._source.columns, values, strict=True)
        }
        return json.dumps(row, ensure_ascii=False)

    def _in_order(self, ids: list[int], bodies: list[str]) -> tuple[Sequence[int], Sequence[str]]:
        """Put the rows in order of id, and keep the first of several under one."""
        if all(map(lt, ids, islice(ids, 1, None))):
            return ids, bodies
        first: dict[int, str] = {}
        for number, body in zip(ids, bodies, strict=True):
            if first.setdefault(number, body) is not body:
                self._repeated.add(number)
        ordered = sorted(first)
        return ordered, [first[number] for number in ordered]


def _is_whole(body: str) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items, while a thread already makes the next one: so many are in memory, two."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-page") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
