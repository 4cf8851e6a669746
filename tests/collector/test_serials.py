"""Serial numbers of tickets: what is a gap, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.collecting import collecting, pbx_of
from tests.collector.speaking_pbx import say, speaking, wait_until
from tests.conftest import free_port
from tollhouse.collector.segment import TERMINATED
from tollhouse.collector.serials import SerialWatch
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.pbx import SerialNumbers

SERIAL = SerialNumbers(pattern=rb"(\d{4})\r?\n\Z", modulus=10_000)


def watched(*numbers: int | bytes) -> tuple[int, list[str]]:
    """Let numbers, or lines without one, go by; return what is lost and what is told."""
    watch = SerialWatch(SERIAL)
    lines = [n if isinstance(n, bytes) else b"\tticket %04d\r\n" % n for n in numbers]
    return_value = watch.watch([(line, TERMINATED) for line in lines])
    return watch.lost_count, return_value


def test_numbers_in_a_row_are_no_news() -> None:
    assert watched(9_997, 9_998, 9_999, 0, 1) == (0, [])


def test_a_gap_is_counted_and_told() -> None:
    assert watched(4_711, 4_712, 4_716) == (3, ["3 tickets lost: number 4716 follows 4712"])


def test_a_gap_over_the_highest_number_is_counted() -> None:
    assert watched(9_990, 5) == (14, ["14 tickets lost: number 5 follows 9990"])


@pytest.mark.parametrize("anew", [0, 1, 7])
def test_a_pbx_that_counts_anew_has_not_lost_thousands(anew: int) -> None:
    lost, told = watched(4_711, anew, anew + 1)
    assert lost == 0
    assert told == [f"the PBX counts anew: number {anew} follows 4711; what was lost is not known"]


def test_tickets_that_are_sent_again_are_not_lost() -> None:
    assert watched(120, 121, 101, 102, 103) == (0, ["numbers sent again: 101 follows 121"])
    assert watched(3, 9_998, 9_999, 0) == (0, ["numbers sent again: 9998 follows 3"])
    assert watched(121, 121) == (0, ["numbers sent again: 121 follows 121"])


def test_a_gap_behind_tickets_that_were_sent_again_is_still_found() -> None:
    assert watched(120, 121, 119, 120, 121, 125)[0] == 3


def test_lines_without_a_number_are_passed_over() -> None:
    assert watched(7, b"*****\r\n", b"\xff\x00", b"", b"9999 then text\r\n", 8) == (0, [])


PC5 = b"\t%12d %9s 321 260402 10:26 00H01M00 %10s %5s 00101 %20s %20s %40s %40s 005 055 %04d\r\n"


def pc5(serial: int) -> bytes:
    """A record of an Aastra 400 with a serial number."""
    line = PC5 % (201, b"", b"", b"", b"0199001234", b"0199001234", b"", b"", serial)
    assert len(line) == 211
    return line


def test_an_aastra_400_s_gap_is_found_also_while_the_collector_was_down(tmp_path: Path) -> None:
    entry = pbx_of("aastra_a400", direction="dial")
    with SpoolWriter(tmp_path / "spool" / "site", "site") as spool:
        spool.begin_connection("192.0.2.1:1080")
        spool.append([(pc5(41), TERMINATED), (b"garbage\r\n", TERMINATED)], now_us())
    said = pc5(44) + pc5(45) + pc5(50) + pc5(1) + pc5(2)
    with (
        speaking(say(said)) as pbx,
        collecting(tmp_path, (entry, {"host": "127.0.0.1", "port": pbx.port})) as site,
    ):
        wait_until(lambda: site.status().record_count == 5)
        assert site.status().lost_ticket_count == 2 + 4
        assert site.status().last_gap.startswith("the PBX counts anew: number 1 follows 50")
    with (
        speaking(say(pc5(6))) as pbx,
        collecting(tmp_path, (entry, {"host": "127.0.0.1", "port": pbx.port})) as site,
    ):
        wait_until(lambda: site.status().record_count == 1)
        assert site.status().lost_ticket_count == 3
        assert site.status().last_gap.startswith("3 tickets lost: number 6 follows 2 (2")


def test_garbage_that_looks_like_tickets_does_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = b"".join(pc5(serial * 17 % 10_000) for serial in range(1_000))
    entry = pbx_of("aastra_a400", direction="dial")
    with (
        speaking(say(said)) as pbx,
        collecting(tmp_path, (entry, {"host": "127.0.0.1", "port": pbx.port})) as site,
    ):
        wait_until(lambda: site.status().record_count == 1_000)
        assert site.status().lost_ticket_count > 10_000
    assert len([record for record in caplog.records if "lost" in record.message]) == 1


def test_an_empty_spool_expects_no_number(tmp_path: Path) -> None:
    entry = (pbx_of("aastra_a400", direction="dial"), {"host": "127.0.0.1", "port": free_port()})
    with speaking(say(pc5(8_000)), entry[1]["port"]), collecting(tmp_path, entry) as site:
        wait_until(lambda: site.status().record_count == 1)
        assert (site.status().lost_ticket_count, site.status().last_gap) == (0, "")
