"""Faults of the directory as people read them."""

from __future__ import annotations

from tollhouse.directory.faults import DirectoryError, Fault


def fault(line: int, value: str) -> Fault:
    return Fault("extensions.csv", line, "pbx_id", value, "is no entry", "correct it")


def test_faults_that_differ_in_their_line_alone_are_told_once_and_counted() -> None:
    error = DirectoryError([*(fault(line, "gone") for line in range(2, 302)), fault(302, "typo")])

    told = str(error).splitlines()

    assert told[0] == "The directory cannot be loaded, 301 faults:"
    assert told[1] == "  extensions.csv, line 2, column pbx_id: 'gone': is no entry; correct it."
    assert told[4] == "  ... and so in 297 more lines of extensions.csv."
    assert told[5:] == [
        "  extensions.csv, line 302, column pbx_id: 'typo': is no entry; correct it."
    ]
    assert len(error.faults) == 301
