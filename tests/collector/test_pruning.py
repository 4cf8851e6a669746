"""What is landed and old is deleted from the spool, and nothing else ever."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.installed import bodies
from tests.transports.pulling import Puller
from tollhouse import warehouse as database
from tollhouse.collector.segment import TERMINATED, segment_numbers, segment_path
from tollhouse.collector.spool import read_landed, spool_identity, write_landed
from tollhouse.collector.spool_writer import SpoolWriter, now_us
from tollhouse.installed_pbxs import load_pbxs
from tollhouse.settings import Settings
from tollhouse.spool_pruning import PruningError, prune_spools
from tollhouse.transports import SourceError

pytestmark = pytest.mark.postgres

ENTRIES = """
pbxs:
  - {id: lyon_plant, model: mitel_3300, time_zone: Europe/Paris, country: FR}
  - {id: paris_hq, model: mitel_3300, time_zone: Europe/Paris, country: FR, spool_keep_days: 30}
"""
NOW = datetime.now(UTC)


@pytest.fixture
def here(warehouse: Settings) -> Settings:
    pbx_file = warehouse.var / "pbx.yml"
    pbx_file.write_text(ENTRIES)
    environment = {**warehouse.environment, "TOLLHOUSE_PBX_FILE": str(pbx_file)}
    return Settings(
        project=warehouse.project,
        var=warehouse.var,
        include=warehouse.include,
        environment=environment,
    )


def puller(here: Settings, pbx_id: str = "paris_hq") -> Puller:
    return Puller(here, next(pbx for pbx in load_pbxs(here.pbx_file) if pbx.id == pbx_id))


def spool_of_ages(here: Settings, *days: int, pbx_id: str = "paris_hq") -> Path:
    """A spool with one segment per age, oldest first; each holds one line, its age in days."""
    folder = here.spool / pbx_id
    with SpoolWriter(folder, pbx_id) as spool:
        first = spool.segment + 1
        for age in days:
            spool.begin_connection("192.0.2.1:1752")
            arrived_at_us = now_us() - age * 86_400_000_000
            spool.append([(f"{age} days old\r\n".encode(), TERMINATED)], arrived_at_us)
    for number, age in enumerate(days, start=first):
        instant = NOW.timestamp() - age * 86_400
        os.utime(segment_path(folder, number), (instant, instant))
    return folder


def test_landed_segments_that_are_old_go_and_the_spool_goes_on(here: Settings) -> None:
    folder = spool_of_ages(here, 90, 31, 29, 1)
    identity = spool_identity(folder)
    segment_path(folder, 1).with_suffix(".torn").write_bytes(b"torn")
    mitel = puller(here)
    mitel.pull()
    pruned = prune_spools(here)
    assert pruned["paris_hq"].segment_count == 2
    assert segment_numbers(folder) == [3, 4]
    assert list(folder.glob("*.torn")) == []
    spool_of_ages(here, 0)
    assert spool_identity(folder) == identity
    assert segment_numbers(folder) == [3, 4, 5]
    assert mitel.pull().warnings == ()
    assert bodies(here)[-1] == "0 days old"
    assert len(bodies(here)) == 5


def test_the_newest_segment_stays_whatever_its_age(here: Settings) -> None:
    folder = spool_of_ages(here, 90, 80)
    puller(here).pull()
    prune_spools(here)
    assert segment_numbers(folder) == [2]
    assert prune_spools(here)["paris_hq"].segment_count == 0


def test_what_is_not_landed_is_never_deleted(here: Settings) -> None:
    folder = spool_of_ages(here, 90, 80, 70)
    assert prune_spools(here)["paris_hq"].segment_count == 0
    mitel = puller(here)
    mitel.pull()
    spool_of_ages(here, 60, 50)
    prune_spools(here)
    # The fourth and fifth came after the pull; the third is landed to its end.
    assert segment_numbers(folder) == [4, 5]


def test_a_segment_that_is_landed_in_part_stays(here: Settings) -> None:
    folder = spool_of_ages(here, 90, 80)
    puller(here).pull()
    write_landed(folder, segment=1, offset=0)
    assert prune_spools(here)["paris_hq"].segment_count == 0
    assert segment_numbers(folder) == [1, 2]


def test_a_warehouse_restored_from_before_keeps_the_segments_it_needs(here: Settings) -> None:
    folder = spool_of_ages(here, 90, 80, 70)
    puller(here).pull()
    with database.connect(database.LOADER, settings=here) as connection:
        connection.execute("update raw.batches set idlast_after = '1:0'")
    prune_spools(here)
    assert segment_numbers(folder) == [1, 2, 3]


def test_a_note_about_a_spool_that_was_rebuilt_says_nothing(here: Settings) -> None:
    folder = spool_of_ages(here, 90, 80)
    puller(here).pull()
    assert read_landed(folder) is not None
    note = (folder / "spool.landed").read_text()
    for number in (1, 2):
        segment_path(folder, number).unlink()
    spool_of_ages(here, 70, 60)
    (folder / "spool.landed").write_text(note)
    assert read_landed(folder) is None
    prune_spools(here)
    assert segment_numbers(folder) == [1, 2]


def test_each_pbx_has_its_own_days_and_its_own_faults(here: Settings) -> None:
    for pbx_id in ("lyon_plant", "paris_hq"):
        spool_of_ages(here, 40, 1, pbx_id=pbx_id)
        puller(here, pbx_id).pull()
    (here.spool / "lyon_plant" / "spool.id").write_text("no identity")
    with pytest.raises(PruningError, match=r"lyon_plant: .* holds no identity"):
        prune_spools(here)
    # 40 days are too old for the one with 30 days, whatever befell the other.
    assert segment_numbers(here.spool / "paris_hq") == [2]
    assert segment_numbers(here.spool / "lyon_plant") == [1, 2]


def test_a_backfill_says_what_of_its_interval_is_pruned(here: Settings) -> None:
    spool_of_ages(here, 90, 60, 10, 1)
    mitel = puller(here)
    mitel.pull()
    prune_spools(here)
    with pytest.raises(SourceError, match=r"nothing of it can be read again.*in raw"):
        mitel.pull(NOW - timedelta(days=95), NOW - timedelta(days=85))
    in_part = mitel.pull(NOW - timedelta(days=95), datetime.now(UTC))
    assert "only its rest is read again" in in_part.warnings[0]
    assert in_part.rows_already_there == 2
    assert mitel.pull(NOW - timedelta(days=20), datetime.now(UTC)).warnings == ()
    mitel.watermark.value = "1:0"
    with pytest.raises(SourceError, match="segment 1 is pruned"):
        mitel.pull()
