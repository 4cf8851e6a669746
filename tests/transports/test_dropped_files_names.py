"""Which names in a folder are read, and what is refused whatever its name."""

from __future__ import annotations

import os
import stat

import pytest

from tests.installed import pbx_of
from tollhouse.pbx import FileDefaults
from tollhouse.transports.dropped_files.listing import names_to_read, refusal

CUCM = pbx_of("cisco_cucm")


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("cdr_1", True),
        ("cdr_1.old", True),
        ("cdr_1.log", True),
        ("cdr_1.log.gz", True),
        ("cdr_1.log.tmp", False),
        ("cdr_1.log.FILEPART", False),
        (".cdr_1.log", False),
        ("~cdr_1.log", False),
    ],
)
def test_a_file_that_is_renamed_when_complete_is_not_read_before(name: str, is_read: bool) -> None:
    assert names_to_read(CUCM, FileDefaults("*"))(name) == is_read


def test_a_name_may_bear_the_suffix_of_a_compression_beside_the_pattern() -> None:
    is_read = names_to_read(CUCM, FileDefaults("*.log", ignored_pattern="_*"))
    names = ["a.log", "a.log.gz", "a.log.Z", "a.log.zip", "a.log.gz.old", "a.log.1", "_a.log.gz"]
    assert [name for name in names if is_read(name)] == names[:5]


def test_the_pattern_of_an_entry_counts_instead_of_the_model_s() -> None:
    is_read = names_to_read(pbx_of("cisco_cucm", pattern="Master*.csv"), FileDefaults("cdr_*"))
    assert [name for name in ("cdr_1", "Master.csv", "Master.csv.gz") if is_read(name)] == [
        "Master.csv",
        "Master.csv.gz",
    ]


@pytest.mark.parametrize(
    ("mode", "modified_at", "reason"),
    [
        (stat.S_IFREG, 0, None),
        (stat.S_IFREG, 10**12, "its time is no date"),
        (stat.S_IFREG, -(10**12), "its time is no date"),
        (stat.S_IFDIR, 10**12, None),
        (stat.S_IFLNK, 0, "it is a link"),
        (stat.S_IFIFO, 0, "it is no plain file"),
    ],
)
def test_what_is_no_plain_file_of_a_possible_time_is_refused(
    mode: int, modified_at: int, reason: str | None
) -> None:
    state = os.stat_result((mode, 0, 0, 1, 0, 0, 0, 0, modified_at, 0))
    assert refusal("cdr_1", state) == reason
