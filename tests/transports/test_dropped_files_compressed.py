"""Compressed files that a PBX drops: what is in them lands as if it had been dropped itself."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import pytest

from tests.installed import bodies, pbx_of, rows
from tests.transports.pulling import Puller
from tollhouse.settings import Settings

pytestmark = pytest.mark.postgres

LONG_AGO = 1_770_000_000
UNITS = "select unit from raw.deliveries order by unit"


class DailyLogs(Puller):
    """A ShoreTel whose folder the test fills with files of any name."""

    def __init__(self, settings: Settings, **wishes: object) -> None:
        pbx = pbx_of("shoretel", folder="drop/nancy_labs", pattern="*", **wishes)
        super().__init__(settings, pbx.model_copy(update={"transport": "dropped_files"}))
        self.folder = settings.var / "drop" / "nancy_labs"
        self.folder.mkdir(parents=True)
        self._second = LONG_AGO

    def drop(self, name: str, content: bytes) -> Path:
        """Put a file in the folder as a finished transfer leaves it, a second after the last."""
        path = self.folder / name
        path.write_bytes(content)
        self._second += 1
        os.utime(path, (self._second, self._second))
        return path


@pytest.fixture
def logs(warehouse: Settings) -> DailyLogs:
    return DailyLogs(warehouse)


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_each_file_of_an_archive_is_a_delivery_and_lands_once_however_it_comes(
    logs: DailyLogs,
) -> None:
    archive = zipped(monday=b"a\nb\n", tuesday=b"c\n")
    logs.drop("week.zip", archive)
    assert logs.pull().rows_inserted == 3
    assert rows(logs.settings, UNITS) == [
        ("week.zip",),
        ("week.zip/monday",),
        ("week.zip/tuesday",),
    ]
    assert logs.pull().batch_id is None

    logs.drop("again.zip", archive)
    logs.drop("monday", b"a\nb\n")
    logs.drop("tuesday.gz", gzip.compress(b"c\n"))
    assert logs.pull().rows_inserted == 0
    logs.watermark.value = "0"
    assert logs.pull().rows_inserted == 0
    assert bodies(logs.settings) == ["a", "b", "c"]


def test_a_compressed_file_that_grew_lands_what_it_has_more(logs: DailyLogs) -> None:
    logs.drop("monday.gz", gzip.compress(b"a\nb\n"))
    logs.pull()
    logs.drop("monday.gz", gzip.compress(b"a\nb\nc\n"))
    grown = logs.pull()
    assert (grown.rows_read, grown.rows_inserted, grown.warnings) == (1, 1, ())
    assert bodies(logs.settings) == ["a", "b", "c"]


def test_a_log_that_was_rotated_and_compressed_lands_what_it_got_since(logs: DailyLogs) -> None:
    logs.drop("cdr.csv", b"a\nb\n")
    logs.pull()
    logs.drop("cdr.csv.1.gz", gzip.compress(b"a\nb\nc\n"))
    logs.drop("cdr.csv", b"d\n")
    logs.pull()
    logs.drop("cdr.csv.2.gz", gzip.compress(b"a\nb\nc\n"))
    logs.drop("week.zip", zipped(**{"logs/cdr.csv": b"d\ne\n"}))
    logs.drop("cdr.csv", b"f\n")
    logs.pull()
    logs.watermark.value = "0"
    logs.pull()
    assert sorted(bodies(logs.settings)) == ["a", "b", "c", "d", "e", "f"]


def test_a_file_that_cannot_be_decompressed_is_named_and_waits_and_the_others_land(
    logs: DailyLogs,
) -> None:
    whole = gzip.compress(b"a\nb\n")
    logs.drop("cut.gz", whole[:-9])
    logs.drop("nested.zip", zipped(inner=whole))
    logs.drop("plain", b"c\n")
    told = logs.pull()
    assert [warning.split(": ")[1] for warning in told.warnings] == [
        "cut.gz cannot be read, and waits",
        "nested.zip cannot be read, and waits",
    ]
    assert bodies(logs.settings) == ["c"]

    logs.drop("cut.gz", whole)
    assert logs.pull().rows_inserted == 2


def test_a_compressed_file_is_put_away_as_a_whole(warehouse: Settings) -> None:
    logs = DailyLogs(warehouse, after_landing="delete")
    logs.drop("week.zip", zipped(monday=b"a\n", tuesday=b"b\n"))
    logs.drop("cut.gz", gzip.compress(b"c\n")[:-1])
    logs.pull()
    assert [path.name for path in logs.folder.iterdir()] == ["cut.gz"]
    assert bodies(warehouse) == ["a", "b"]
