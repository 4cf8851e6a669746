"""Files that a CUCM drops: repeated, grown, replaced, half written, hostile."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.installed import batches, bodies, pbx_of, rows
from tests.transports.pulling import Puller
from tollhouse.file_deliveries.delivering import GROUP_FILES, SMALL_FILE_BYTES
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.dropped_files.listing import TOLD_REFUSALS

pytestmark = pytest.mark.postgres

HEAD = "cdrRecordType,pkid\nINTEGER,VARCHAR(50)\n"
FIRST = "cdr_StandAloneCluster_01_202602041330_1"
SECOND = "cdr_StandAloneCluster_01_202602041331_2"
LONG_AGO = 1_770_000_000


class CallManager(Puller):
    """A CUCM whose folder the test fills."""

    def __init__(self, settings: Settings, number: int = 0, **wishes: object) -> None:
        folder = f"drop/lille_plant_{number}"
        super().__init__(settings, pbx_of("cisco_cucm", folder=folder, **wishes))
        self.folder = settings.var / folder
        self.folder.mkdir(parents=True)

    def drop(self, name: str, *lines: str, head: str = HEAD, end: str = "\n") -> Path:
        """Put a file in the folder as a finished transfer leaves it."""
        path = self.folder / name
        path.write_bytes((head + "\n".join(lines) + end * bool(lines)).encode())
        os.utime(path, (LONG_AGO, LONG_AGO + path.stat().st_size))
        return path


@pytest.fixture
def cucm(warehouse: Settings) -> CallManager:
    return CallManager(warehouse)


def test_files_land_in_order_of_name_with_the_line_that_names_their_columns(
    cucm: CallManager,
) -> None:
    cucm.drop(SECOND, "1,c")
    cucm.drop(FIRST, "1,a", "1,b")
    assert cucm.pull().rows_inserted == 3
    assert bodies(cucm.settings) == ["1,a", "1,b", "1,c"]
    found = rows(cucm.settings, "select unit, header, generation from raw.deliveries order by unit")
    assert found == [(FIRST, "cdrRecordType,pkid", 1), (SECOND, "cdrRecordType,pkid", 1)]


def test_a_pull_with_nothing_new_writes_no_batch(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a")
    cucm.pull()
    assert cucm.pull().batch_id is None
    assert len(batches(cucm.settings)) == 1


def test_the_same_content_under_another_name_lands_nothing(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a", "1,b")
    cucm.pull()
    cucm.drop(SECOND, "1,a", "1,b")
    assert cucm.pull().rows_inserted == 0
    assert bodies(cucm.settings) == ["1,a", "1,b"]
    assert len(rows(cucm.settings, "select from raw.deliveries")) == 2


def test_two_names_of_one_content_in_one_pull_land_once(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a")
    cucm.drop(SECOND, "1,a")
    assert cucm.pull().rows_inserted == 1


def test_a_file_that_grew_is_read_from_where_it_stood(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a")
    cucm.pull()
    cucm.drop(FIRST, "1,a", "1,b")
    grown = cucm.pull()
    assert (grown.rows_read, grown.rows_inserted) == (1, 1)
    assert bodies(cucm.settings) == ["1,a", "1,b"]
    assert rows(cucm.settings, "select generation from raw.deliveries") == [(1,)]


def test_a_repeated_file_that_grows_lands_what_it_has_more(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a")
    cucm.drop(SECOND, "1,a")
    cucm.pull()
    cucm.drop(SECOND, "1,a", "1,b")
    cucm.pull()
    cucm.watermark.value = "0"
    cucm.pull()
    assert bodies(cucm.settings) == ["1,a", "1,b"]


def test_two_files_that_grow_to_the_same_content_land_it_once(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a")
    cucm.drop(SECOND, "1,a")
    cucm.pull()
    cucm.drop(SECOND, "1,a", "1,b")
    cucm.pull()
    cucm.drop(FIRST, "1,a", "1,b")
    cucm.pull()
    cucm.watermark.value = "0"
    cucm.pull()
    assert bodies(cucm.settings) == ["1,a", "1,b"]


def test_other_content_under_an_old_name_is_a_new_generation(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a", "1,b")
    cucm.pull()
    cucm.drop(FIRST, "1,x")
    assert "other content" in cucm.pull().warnings[0]
    assert bodies(cucm.settings) == ["1,a", "1,b", "1,x"]
    assert cucm.pull().batch_id is None


def test_a_line_that_was_cut_and_then_completed_is_whole_in_a_new_generation(
    cucm: CallManager,
) -> None:
    cucm.drop(FIRST, "1,a", "1,long", end="")
    cucm.pull()
    cucm.drop(FIRST, "1,a", "1,longer")
    cucm.pull()
    assert bodies(cucm.settings) == ["1,a", "1,long", "1,a", "1,longer"]
    assert rows(cucm.settings, "select from raw.conflicts") == []


def test_idlast_set_back_by_hand_doubles_nothing(cucm: CallManager) -> None:
    cucm.drop(FIRST, "1,a")
    cucm.drop(SECOND, "1,b")
    cucm.pull()
    for value in ("1", "0", None):
        cucm.watermark.value = value
        assert cucm.pull().rows_inserted == 0
        assert cucm.watermark.value == "2"
    assert bodies(cucm.settings) == ["1,a", "1,b"]


def test_a_file_that_is_being_written_waits(cucm: CallManager) -> None:
    path = cucm.folder / FIRST
    path.write_text(HEAD + "1,a\n1,")
    stop = threading.Event()

    def write_on() -> None:
        while not stop.wait(0.2):
            with path.open("a") as file:
                file.write("x")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        assert cucm.pull().rows_read == 0
    finally:
        stop.set()
        writer.join()
    with path.open("a") as file:
        file.write("\n")
    assert cucm.pull().rows_inserted == 2


def test_a_file_that_broke_off_within_a_line_waits_for_the_rest(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, stable_seconds=0)
    path = cucm.folder / FIRST
    path.write_text(HEAD + "1,a\n1,b")
    (warning,) = cucm.pull().warnings
    assert FIRST in warning
    assert "ends within a line" in warning
    assert bodies(warehouse) == []
    path.write_text(HEAD + "1,a\n1,bc\n")
    assert cucm.pull().rows_inserted == 2
    path.write_text(HEAD + "1,a\n1,bc\n1,d")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert cucm.pull().rows_inserted == 1


def test_a_log_that_never_rests_is_read_up_to_its_last_whole_line(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, stable_seconds=0.4, after_landing="delete")
    path = cucm.folder / FIRST
    path.write_text(HEAD + "1,0\n")
    os.utime(path, (LONG_AGO, LONG_AGO))
    cucm.pull()
    path.write_text(HEAD + "1,0\n")
    stop = threading.Event()

    def write_on() -> None:
        with path.open("a", buffering=1) as file:
            for number in count(1):
                file.write(f"1,{number}\n1,")
                file.write(f"half of {number}")
                if stop.wait(0.02):
                    return
                file.write("\n")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        first, second = cucm.pull(), cucm.pull()
    finally:
        stop.set()
        writer.join()
    assert first.rows_inserted > 0
    assert second.rows_inserted > 0
    found = bodies(warehouse)
    whole = path.read_text().splitlines()[2:]
    assert found == whole[: len(found)]


def test_header_lines_only_are_normal_and_hold_no_ticket(cucm: CallManager) -> None:
    cucm.drop(FIRST)
    cucm.drop(SECOND, head="")
    assert cucm.pull().rows_read == 0
    assert cucm.pull().batch_id is None


def test_cmr_files_land_beside_the_cdr_files(cucm: CallManager) -> None:
    cucm.drop(FIRST.replace("cdr", "cmr"), "2,a")
    cucm.drop(f"_{FIRST}", "1,open")
    cucm.drop("notes.txt", "1,no")
    cucm.pull()
    assert bodies(cucm.settings) == ["2,a"]


def test_hostile_entries_are_refused_by_name_and_the_others_land(cucm: CallManager) -> None:
    secret = cucm.settings.var / "secret"
    secret.write_text("1,secret\n")
    (cucm.folder / "cdr_link").symlink_to(secret)
    (cucm.folder / "cdr_dangling").symlink_to("/nowhere/at/all")
    os.mkfifo(cucm.folder / "cdr_pipe")
    (cucm.folder / "cdr_folder").mkdir()
    cucm.drop("cdr_line\nbreak", "1,x")
    Path(os.fsdecode(os.fsencode(cucm.folder) + b"/cdr_\xff\xfe")).write_text("1,y\n")
    cucm.drop("cdr_'; drop table raw.tickets; --", "1,quoted")
    cucm.drop("cdr_é €", "1,accents")
    told = cucm.pull()
    assert sorted(bodies(cucm.settings)) == ["1,accents", "1,quoted"]
    assert len(told.warnings) == 5
    assert all("is not read" in warning for warning in told.warnings)


def test_a_folder_full_of_entries_that_are_refused_names_a_few_of_them(cucm: CallManager) -> None:
    for number in range(TOLD_REFUSALS + 3):
        (cucm.folder / f"cdr_{number}").symlink_to("/nowhere/at/all")
    told = cucm.pull().warnings
    assert len(told) == TOLD_REFUSALS + 1
    assert "3 more entries" in told[-1]


def test_hostile_content_lands_escaped(cucm: CallManager) -> None:
    path = cucm.folder / FIRST
    path.write_bytes(HEAD.encode() + b"1,a\0b\xff\n" + b"x" * 300_000 + b"\n1,\\.\n")
    os.utime(path, (LONG_AGO, LONG_AGO))
    cucm.pull()
    found = bodies(cucm.settings)
    assert found[0] == "1,a\\x00b\\xff"
    assert "".join(found[1:-1]) == "x" * 300_000
    assert found[-1] == "1,\\."


def test_files_are_put_away_only_after_they_landed(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, after_landing="archive")
    cucm.drop(FIRST, "1,a")
    cucm.pull()
    assert sorted(path.name for path in cucm.folder.rglob("cdr*")) == [FIRST]
    assert (cucm.folder / "archive" / FIRST).is_file()
    cucm.drop(FIRST, "1,other")
    cucm.pull()
    assert {path.name for path in (cucm.folder / "archive").iterdir()} == {FIRST, f"{FIRST}~2"}
    assert bodies(cucm.settings) == ["1,a", "1,other"]


def test_no_file_is_put_away_where_a_link_leads(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, after_landing="archive")
    elsewhere = warehouse.var / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / SECOND).write_text("1,secret\n")
    (cucm.folder / "archive").symlink_to(elsewhere)
    path = cucm.drop(FIRST, "1,a")
    (warning,) = cucm.pull().warnings
    assert "is not put away" in warning
    assert path.is_file()
    day = datetime(2026, 2, 4, tzinfo=UTC)
    cucm.pull(day, day + timedelta(days=1))
    assert [one.name for one in elsewhere.iterdir()] == [SECOND]
    assert bodies(warehouse) == ["1,a"]


def test_files_can_be_deleted_after_they_landed(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, after_landing="delete")
    cucm.drop(FIRST, "1,a")
    cucm.pull()
    assert list(cucm.folder.iterdir()) == []
    assert bodies(warehouse) == ["1,a"]
    assert cucm.pull().batch_id is None


def test_files_can_be_renamed_after_they_landed(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, after_landing="rename")
    cucm.drop(FIRST, "1,a")
    cucm.pull()
    assert [path.name for path in cucm.folder.iterdir()] == [f"{FIRST}.old"]
    assert cucm.pull().batch_id is None
    cucm.drop(FIRST, "1,other")
    cucm.pull()
    assert {path.name for path in cucm.folder.iterdir()} == {f"{FIRST}.old", f"{FIRST}~2.old"}
    day = datetime(2026, 2, 4, tzinfo=UTC)
    assert cucm.pull(day, day + timedelta(days=1)).rows_inserted == 0
    assert bodies(warehouse) == ["1,a", "1,other"]


def test_a_wish_that_nobody_knows_is_refused_before_anything_is_read(warehouse: Settings) -> None:
    for number, (setting, possible) in enumerate(
        {"after_landing": "keep, archive, rename, delete", "order": "name or modified"}.items()
    ):
        cucm = CallManager(warehouse, number, **{setting: "burn"})
        cucm.drop(FIRST, "1,a")
        with pytest.raises(
            SourceError, match=f"settings.{setting} is 'burn'; it can be {possible}"
        ):
            cucm.pull()
    assert bodies(warehouse) == []


def test_many_small_files_land_in_the_order_that_is_wished(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, order="modified")
    names = [f"cdr_{number % 7}_{number:04d}" for number in range(GROUP_FILES + 50)]
    for second, name in enumerate(names):
        path = cucm.drop(name, f"1,{name}")
        os.utime(path, (LONG_AGO + second, LONG_AGO + second))
    cucm.drop("cdr_repeated", f"1,{names[0]}")
    cucm.pull()
    assert bodies(warehouse) == [f"1,{name}" for name in names]
    ledger = "select count(*), sum(rows_read), sum(rows_inserted) from raw.batch_deliveries"
    assert rows(warehouse, ledger) == [(len(names) + 1, len(names), len(names))]


def test_a_file_that_does_not_fit_in_memory_is_treated_like_any_other(cucm: CallManager) -> None:
    lines = [f"1,{number}" + "x" * 1000 for number in range(SMALL_FILE_BYTES // 1000)]
    cucm.drop(FIRST, *lines)
    cucm.drop(SECOND, *lines)
    assert cucm.pull().rows_inserted == len(lines)
    cucm.drop(FIRST, *lines, "1,more")
    grown = cucm.pull()
    assert (grown.rows_read, grown.rows_inserted) == (1, 1)
    cucm.watermark.value = "0"
    assert cucm.pull().rows_inserted == 0
    assert bodies(cucm.settings) == [*lines, "1,more"]


def test_a_log_that_was_rotated_lands_what_it_got_since(cucm: CallManager) -> None:
    cucm.drop("cdr_log", "1,a")
    cucm.pull()
    cucm.drop("cdr_log.1", "1,a", "1,b")
    cucm.drop("cdr_log", "1,new")
    cucm.pull()
    cucm.drop("cdr_log.2", "1,a", "1,b")
    cucm.drop("cdr_log-20260204", "1,new", "1,d")
    cucm.watermark.value = "0"
    cucm.pull()
    assert sorted(bodies(cucm.settings)) == ["1,a", "1,b", "1,d", "1,new"]


def test_an_interval_is_chosen_by_the_names_and_reads_the_archive_too(warehouse: Settings) -> None:
    cucm = CallManager(warehouse, after_landing="archive")
    cucm.drop(FIRST, "1,a")
    cucm.pull()
    cucm.drop(SECOND, "1,b")
    cucm.drop(SECOND.replace("041331", "051331"), "1,tomorrow")
    before = cucm.watermark.value
    found = cucm.pull(datetime(2026, 2, 4, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC))
    assert (found.rows_inserted, found.rows_already_there) == (1, 1)
    assert cucm.watermark.value == before
    cucm.pull()
    assert bodies(warehouse) == ["1,a", "1,b", "1,tomorrow"]


def test_a_missing_folder_says_what_to_make(cucm: CallManager) -> None:
    cucm.folder.rmdir()
    with pytest.raises(SourceError, match="does not exist"):
        cucm.pull()
