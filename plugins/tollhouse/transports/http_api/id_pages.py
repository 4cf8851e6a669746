"""Pages of an API that numbers its calls: each asks for what comes after the last id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from tollhouse.bundles import Bundle
from tollhouse.json_items import loaded, stable_ordinal
from tollhouse.transports.http_api.client import HttpsClient
from tollhouse.transports.http_api.failures import Fault

HIGHEST_ORDINAL = (1 << 63) - 1

#: An item as it was sent, behind its ordinal: the id, or a number below zero where it has none.
NumberedItem = tuple[int, str]


def numbered(item: str, id_of: Callable[[object], object]) -> NumberedItem:
    """Return an item with its ordinal; one without an id gets a number of its own, below zero.

    Args:
        item: one object of JSON.
        id_of: takes the id out of what that is.
    """
    number = id_of(loaded(item))
    if isinstance(number, bool) or not isinstance(number, int):
        return stable_ordinal(item), item
    return number if 0 <= number <= HIGHEST_ORDINAL else stable_ordinal(item), item


def read_pages(
    client: HttpsClient,
    ask_for_page: Callable[[int], list[NumberedItem]],
    *,
    after: int,
    until: int | None = None,
    remedy: str,
) -> Iterator[Bundle]:
    """Yield the calls with an id above ``after``, up to ``until``, in order of id.

    A page of no call ends them, so that a server which hands out fewer than asked for loses none.

    Args:
        client: who is asked.
        ask_for_page: returns what comes after an id.
        after: read what has a higher id.
        until: read no more than up to this id.
        remedy: what to do about a server that does not number its pages as it should.

    Raises:
        ApiError: the server cannot be read, or its pages are no pages by id.
    """
    while until is None or after < until:
        page = ask_for_page(after)
        received_at = datetime.now(UTC)
        ids = ids_of_page(client, page, after=after, remedy=remedy)
        wanted = sorted(item for item in page if until is None or item[0] <= until)
        if wanted:
            ordinals, bodies = zip(*wanted, strict=True)
            yield Bundle(ordinals, bodies, [received_at] * len(wanted))
        if not ids:
            return
        after = max(ids)


def ids_of_page(
    client: HttpsClient, page: list[NumberedItem], *, after: int, remedy: str
) -> list[int]:
    """Return the ids of a page, which rise, and all of which come after the one that was given.

    Raises:
        ApiError: they do not.
    """
    ids = [ordinal for ordinal, _ in page if ordinal >= 0]
    if ids and min(ids) <= after:
        found = f"id {min(ids)} came though ids above {after} were asked for"
        raise client.error(Fault("tickets", found, remedy))
    if ids != sorted(ids):
        found = f"the ids after {after} come in no order, so some would be missed"
        raise client.error(Fault("tickets", found, remedy))
    return ids
