"""IDLAST: where it is kept, and when it stops a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed import pbx_of
from tollhouse.settings import Settings
from tollhouse.transports import dropped_files, find_transport, spooled_stream, sql_table
from tollhouse.watermark import FileWatermark, IdlastError, LedgerEntry, starting_point

ASTERISK = pbx_of("asterisk_mysql", "lyon_support")


def start(idlast: str | None, last: LedgerEntry | None) -> str | None:
    return starting_point(ASTERISK, idlast, last, sql_table.position)


def test_a_pbx_that_was_never_read_starts_at_the_beginning() -> None:
    assert start(None, None) is None
    assert start("0", None) == "0"


def test_a_deleted_variable_reads_everything_again() -> None:
    assert start(None, LedgerEntry(7, "100", "200")) is None


@pytest.mark.parametrize("idlast", ["200", " 200\n", "150", "0"])
def test_idlast_at_or_behind_the_last_pull_is_where_reading_starts(idlast: str) -> None:
    assert start(idlast, LedgerEntry(7, "100", "200")) == idlast.strip()


def test_idlast_ahead_of_raw_stops_and_names_the_two_ways_out() -> None:
    with pytest.raises(IdlastError) as stopped:
        start("300", LedgerEntry(7, "100", "200"))
    message = str(stopped.value)
    assert "batch 7" in message
    assert "set idlast__lyon_support to 200" in message
    assert "'300 confirmed'" in message


def test_idlast_ahead_of_an_empty_raw_stops_too() -> None:
    with pytest.raises(IdlastError, match="delete idlast__lyon_support"):
        start("300", None)


def test_an_operator_can_confirm_that_idlast_is_right() -> None:
    assert start("300 confirmed", LedgerEntry(7, "100", "200")) == "300"
    assert start("300 confirmed", None) == "300"


def test_an_idlast_of_another_transport_is_to_be_deleted() -> None:
    with pytest.raises(IdlastError, match="had another transport before: delete it"):
        start("12:345", LedgerEntry(7, "11:0", "12:345"))
    with pytest.raises(IdlastError, match="ahead of raw"):
        start("300", LedgerEntry(7, "11:0", "12:345"))


def test_a_pull_killed_before_it_moved_idlast_back_is_not_taken_for_a_restore() -> None:
    assert start("300", LedgerEntry(7, "300", "20")) == "20"


@pytest.mark.parametrize("idlast", ["", "twelve", "-1", "12:3", "1e3", "½"])
def test_a_mistyped_idlast_stops_and_says_what_it_should_be(idlast: str) -> None:
    with pytest.raises(IdlastError, match="Set it to 200"):
        start(idlast, LedgerEntry(7, "100", "200"))


def test_places_in_the_spool_compare_as_numbers() -> None:
    assert spooled_stream.position("9:900") < spooled_stream.position("10:5")
    with pytest.raises(ValueError, match="segment:offset"):
        spooled_stream.position("12")


def test_every_transport_reads_its_own_idlast() -> None:
    assert find_transport("dropped_files") is dropped_files
    assert dropped_files.position("12") == (12,)


def test_the_file_keeps_the_idlast_of_each_pbx(tmp_path: Path) -> None:
    settings = Settings(project=tmp_path, var=tmp_path / "var", include=tmp_path, environment={})
    paris, lyon = (
        FileWatermark(pbx, settings) for pbx in (pbx_of("mitel_3300", "paris_hq"), ASTERISK)
    )
    assert paris.get() is None
    paris.set("1:256")
    lyon.set("42")
    paris.set("1:300")
    assert (paris.get(), lyon.get()) == ("1:300", "42")
