"""Tickets from a real spool: wrapped lines, live segments, rebuilt and damaged spools."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.installed import batches, bodies, pbx_of, rows
from tests.transports.pulling import Puller
from tollhouse.collector.segment import PIECE, TERMINATED, segment_path
from tollhouse.collector.spool import read_landed
from tollhouse.collector.spool_writer import Rotation, SpoolWriter, now_us
from tollhouse.settings import Settings
from tollhouse.transports import SourceError

pytestmark = pytest.mark.postgres

START = " 02/04 13:34  00:00:53 T001"
FULL = START.ljust(80)


class Mitel(Puller):
    """A Mitel whose spool the test writes, as the collector would."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pbx_of("mitel_3300"))
        self.folder = settings.spool / "paris_hq"

    def spool(self) -> SpoolWriter:
        return SpoolWriter(self.folder, "paris_hq", Rotation())


def say(spool: SpoolWriter, *lines: str, arrived_at: datetime | None = None) -> None:
    """Spool lines of the present connection and let readers see them."""
    instant = arrived_at or datetime.now(UTC)
    spool.append(
        [(f"{line}\r\n".encode("latin-1"), TERMINATED) for line in lines],
        int(instant.timestamp() * 1_000_000),
    )
    spool.sync()


@pytest.fixture
def mitel(warehouse: Settings) -> Mitel:
    return Mitel(warehouse)


def test_what_is_on_disk_lands_while_the_pbx_goes_on_talking(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "one", "two")
        mitel.pull()
        say(spool, "three")
        mitel.pull()
        assert bodies(mitel.settings) == ["one", "two", "three"]
        assert mitel.pull().batch_id is None
    assert len(batches(mitel.settings)) == 2


def test_the_collector_learns_up_to_where_its_spool_is_landed(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "one")
        mitel.pull()
    segment, offset = (mitel.watermark.value or "").split(":")
    assert read_landed(mitel.folder) == (int(segment), int(offset))


def test_a_ticket_bears_the_time_of_arrival_of_its_line(mitel: Mitel) -> None:
    arrived_at = datetime(2026, 2, 4, 13, 35, 1, 250000, tzinfo=UTC)
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "one", arrived_at=arrived_at)
    mitel.pull()
    assert rows(mitel.settings, "select received_at from raw.tickets") == [(arrived_at,)]


def test_each_connection_is_a_delivery_of_its_own(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        for line in ("one", "one"):
            spool.begin_connection("192.0.2.10:1752")
            say(spool, line)
    mitel.pull()
    units = rows(mitel.settings, "select unit from raw.deliveries order by unit")
    assert units == [("segment-0000000001",), ("segment-0000000002",)]
    assert bodies(mitel.settings) == ["one", "one"]


def test_a_wrapped_line_lands_once_its_rest_is_there(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, START, FULL)
        mitel.pull()
        assert bodies(mitel.settings) == [START]
        say(spool, "    010 M0100376 A")
        mitel.pull()
    assert bodies(mitel.settings) == [START, FULL + "    010 M0100376 A"]


def test_a_full_line_that_nothing_continues_lands_when_it_is_old_enough(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, FULL, arrived_at=datetime.now(UTC) - timedelta(minutes=1))
        mitel.pull()
        assert bodies(mitel.settings) == [FULL]
        say(spool, "no continuation")
        mitel.pull()
        mitel.watermark.value = "0:0"
        assert mitel.pull().rows_conflicting == 0
    assert bodies(mitel.settings) == [FULL, "no continuation"]


def test_a_full_line_at_the_end_of_a_connection_lands_at_once(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, FULL)
    mitel.pull()
    assert bodies(mitel.settings) == [FULL]


def test_idlast_set_back_by_hand_doubles_nothing(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        for line in ("one", FULL, "three"):
            spool.begin_connection("192.0.2.10:1752")
            say(spool, line, START)
    mitel.pull()
    before = mitel.watermark.value
    for value in ("2:0", "0:0", None):
        mitel.watermark.value = value
        assert mitel.pull().rows_inserted == 0
        assert mitel.watermark.value == before
    assert len(bodies(mitel.settings)) == 6


def test_a_rebuilt_spool_is_a_new_generation(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "one", "two", "three")
    mitel.pull()
    shutil.rmtree(mitel.folder)
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "four")
    assert "built anew" in mitel.pull().warnings[0]
    assert mitel.pull().warnings == ()
    assert bodies(mitel.settings) == ["one", "two", "three", "four"]
    found = rows(mitel.settings, "select unit, generation from raw.deliveries order by generation")
    assert found == [("segment-0000000001", 1), ("segment-0000000001", 2)]


def test_a_spool_that_is_gone_stops_the_run_and_idlast_stays(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "one")
    mitel.pull()
    before = mitel.watermark.value
    shutil.rmtree(mitel.folder)
    with pytest.raises(SourceError, match="volume mounted"):
        mitel.pull()
    assert mitel.watermark.value == before


def test_a_collector_that_never_heard_its_pbx_is_no_failure(mitel: Mitel) -> None:
    assert mitel.pull().batch_id is None
    assert mitel.watermark.value is None


def test_what_precedes_a_damage_lands_and_the_next_pull_names_the_way_round(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "one", "two", "three")
    path = segment_path(mitel.folder, 1)
    path.write_bytes(path.read_bytes().replace(b"two", b"2wo"))
    mitel.pull()
    assert bodies(mitel.settings) == ["one"]
    with pytest.raises(SourceError, match="set IDLAST to 1:") as stopped:
        mitel.pull()
    way_round = str(stopped.value).split("set IDLAST to ")[1].split()[0]
    mitel.watermark.value = f"{way_round} confirmed"
    mitel.pull()
    assert bodies(mitel.settings) == ["one", "three"]


def test_an_interval_is_read_by_time_of_arrival_without_touching_idlast(mitel: Mitel) -> None:
    borders = []
    with mitel.spool() as spool:
        for connection in ("first", "second"):
            spool.begin_connection("192.0.2.10:1752")
            for line in ("early", "late"):
                say(spool, f"{connection} {line}")
                borders.append(datetime.now(UTC))
    found = mitel.pull(borders[0], borders[2])
    assert (found.rows_inserted, mitel.watermark.value) == (2, None)
    assert bodies(mitel.settings) == ["first late", "second early"]
    mitel.pull()
    assert bodies(mitel.settings) == ["first early", "first late", "second early", "second late"]


def test_lines_that_the_collector_did_not_split_are_split(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, f"one\rtwo\r{FULL}", arrived_at=datetime.now(UTC))
        mitel.pull()
        say(spool, "rest")
    mitel.pull()
    assert bodies(mitel.settings) == ["one", "two", FULL + "rest"]


def test_connections_that_share_a_segment_are_one_delivery_and_are_not_mixed(mitel: Mitel) -> None:
    with mitel.spool() as spool:
        one, other = (spool.begin_connection(peer, shares_segment=True) for peer in ("a", "b"))
        for connection, line in [(one, START), (other, FULL), (one, FULL), (one, " rest of one")]:
            spool.append([(f"{line}\r\n".encode(), TERMINATED)], now_us(), connection=connection)
        spool.sync()
        mitel.pull()
        assert bodies(mitel.settings) == [START, FULL + " rest of one"]
        spool.append([(b" rest of other\r\n", TERMINATED)], now_us(), connection=other)
        spool.end_connection(other)
        spool.sync()
        # The whole one is read a second time, since the other began before it.
        assert mitel.pull().rows_conflicting == 0
        assert mitel.pull().batch_id is None
    assert bodies(mitel.settings) == [START, FULL + " rest of other", FULL + " rest of one"]
    assert rows(mitel.settings, "select unit from raw.deliveries") == [("segment-0000000001",)]


def test_a_document_in_pieces_lands_whole_though_others_speak_in_between(
    warehouse: Settings,
) -> None:
    grandstream = Puller(warehouse, pbx_of("grandstream_ucm", "tours_shop"))
    first, second = (b'{"AcctId":"%d","src":"4201","dst":"0199001%03d"}' % (n, n) for n in (1, 2))
    with SpoolWriter(warehouse.spool / "tours_shop", "tours_shop", Rotation()) as spool:
        one, other = (spool.begin_connection(peer, shares_segment=True) for peer in ("a", "b"))
        spool.append([(first[:20], PIECE)], now_us(), connection=one)
        spool.append([(second, TERMINATED)], now_us(), connection=other)
        spool.sync()
        grandstream.pull()
        assert bodies(warehouse, "tours_shop") == [second.decode()]
        spool.append([(first[20:], TERMINATED)], now_us(), connection=one)
        spool.sync()
        assert grandstream.pull().rows_conflicting == 0
        assert grandstream.pull().batch_id is None
    assert bodies(warehouse, "tours_shop") == [first.decode(), second.decode()]


def test_spools_of_other_pbxs_are_left_alone(mitel: Mitel, tmp_path: Path) -> None:
    with SpoolWriter(mitel.settings.spool / "other", "other", Rotation()) as spool:
        spool.begin_connection("192.0.2.10:1752")
        say(spool, "not mine")
    assert mitel.pull().rows_read == 0
