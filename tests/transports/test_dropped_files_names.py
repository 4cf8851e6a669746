"""Which names in a folder are read."""

from __future__ import annotations

import pytest

from tests.installed import pbx_of
from tollhouse.pbx import FileDefaults
from tollhouse.transports.dropped_files.listing import names_to_read

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
