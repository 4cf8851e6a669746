"""A file with an end after its tickets, such as XML, is written anew to grow; the news land."""

from __future__ import annotations

import os

import pytest

from tests.installed import bodies, pbx_of, rows
from tests.transports.pulling import Puller
from tollhouse.settings import Settings

pytestmark = pytest.mark.postgres

NAME = "TicketCollector20260204.xml"
LONG_AGO = 1_770_000_000


def test_an_xml_file_that_is_written_anew_with_more_in_it_has_grown(warehouse: Settings) -> None:
    puller = Puller(warehouse, pbx_of("alcatel_oxo", folder="drop/quimper_office"))
    folder = warehouse.var / "drop" / "quimper_office"
    folder.mkdir(parents=True)

    def pull(*tickets: str) -> tuple[str, ...]:
        content = "<Tickets>" + "".join(f"<T>{ticket}</T>" for ticket in tickets) + "</Tickets>"
        path = folder / NAME
        path.write_text(content)
        os.utime(path, (LONG_AGO, LONG_AGO + len(content)))
        return puller.pull().warnings

    assert pull("a", "b") == ()
    assert pull("a", "b", "c") == ()
    assert bodies(warehouse) == ["<T>a</T>", "<T>b</T>", "<T>c</T>"]
    assert rows(warehouse, "select generation from raw.deliveries") == [(1,)]

    (warning,) = pull("other", "content", "under the same name")
    assert "came again with other content" in warning
    assert len(bodies(warehouse)) == 6
