"""A file with an end after its tickets, XML or JSON, is written anew to grow; the news land."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.installed import bodies, pbx_of, rows
from tests.transports.pulling import Puller
from tollhouse.settings import Settings

pytestmark = pytest.mark.postgres

LONG_AGO = 1_770_000_000


def as_xml(tickets: tuple[str, ...]) -> str:
    return "<Tickets>" + "".join(tickets) + "</Tickets>"


def as_json(tickets: tuple[str, ...]) -> str:
    return '{"data":{"calls":[' + ", ".join(tickets) + "]}}"


@pytest.mark.parametrize(
    ("model", "name", "document", "ticket"),
    [
        ("alcatel_oxo", "TicketCollector20260204.xml", as_xml, "<T>{}</T>"),
        ("exemple_cloud_pbx", "calls.json", as_json, '{{"id":"{}"}}'),
    ],
)
def test_a_file_that_is_written_anew_with_more_in_it_has_grown(
    warehouse: Settings,
    model: str,
    name: str,
    document: Callable[[tuple[str, ...]], str],
    ticket: str,
) -> None:
    pbx = pbx_of(model, folder="drop/quimper_office")
    puller = Puller(warehouse, pbx.model_copy(update={"transport": "dropped_files"}))
    folder = warehouse.var / "drop" / "quimper_office"
    folder.mkdir(parents=True)

    def pull(*texts: str) -> tuple[str, ...]:
        content = document(tuple(map(ticket.format, texts)))
        path = folder / name
        path.write_text(content)
        os.utime(path, (LONG_AGO, LONG_AGO + len(content)))
        return puller.pull().warnings

    assert pull("a", "b") == ()
    assert pull("a", "b", "c") == ()
    assert bodies(warehouse) == [ticket.format(text) for text in "abc"]
    assert rows(warehouse, "select generation from raw.deliveries") == [(1,)]

    (warning,) = pull("other", "content", "under the same name")
    assert "came again with other content" in warning
    assert len(bodies(warehouse)) == 6
