"""The form of the files: what any spreadsheet writes is read, what cannot be read is named."""

from __future__ import annotations

import pytest

from tests.directory.directory_files import DirectoryFiles
from tollhouse.directory.csv_files import read_csv

COLUMNS = ("pbx_id", "trunk", "service_id")


def read(data: bytes) -> list[tuple[int, dict[str, str]]]:
    rows, faults = read_csv("trunks.csv", data, columns=COLUMNS, required=COLUMNS)
    assert faults == []
    return [(row.line, row.cells) for row in rows]


EXPECTED = [(2, {"pbx_id": "paris_hq", "trunk": "Ligne été", "service_id": "sales"})]


@pytest.mark.parametrize(
    "data",
    [
        "pbx_id,trunk,service_id\nparis_hq,Ligne été,sales\n".encode(),
        "pbx_id,trunk,service_id\nparis_hq,Ligne été,sales\n".encode("utf-8-sig"),
        "pbx_id;trunk;service_id\r\nparis_hq;Ligne été;sales\r\n".encode("utf-8-sig"),
        "service_id,pbx_id,trunk\nsales, paris_hq ,Ligne été".encode(),
        '"pbx_id","trunk","service_id"\r\n"paris_hq","Ligne été","sales"\r\n\r\n,,\r\n'.encode(),
    ],
    ids=["plain", "byte order mark", "semicolons and CRLF", "other order", "quotes and empty rows"],
)
def test_every_usual_form_of_csv_reads_alike(data: bytes) -> None:
    assert read(data) == EXPECTED


def test_a_formula_stays_text_and_a_number_keeps_its_zeros() -> None:
    data = b'pbx_id,trunk,service_id\n=1+1,"00042",@SUM(A1)\n'
    assert read(data) == [(2, {"pbx_id": "=1+1", "trunk": "00042", "service_id": "@SUM(A1)"})]


def test_a_file_in_another_encoding_is_named_with_the_line_and_the_byte(
    files: DirectoryFiles,
) -> None:
    files.path("trunks.csv").write_bytes(
        "pbx_id,trunk,service_id,valid_from\nparis_hq,été,sales,2026-01-01\n".encode("latin-1")
    )
    fault = files.only_fault()
    assert (fault.file, fault.line, fault.value) == ("trunks.csv", 2, "byte 0xE9")
    assert "UTF-8" in fault.remedy


def test_unknown_and_missing_columns_are_named_together(files: DirectoryFiles) -> None:
    files.replace("trunks.csv", "pbx_id,trunk,service_id", "pbx_id,trunc,service,service")
    faults = files.faults()
    assert {(fault.line, fault.column, fault.reason) for fault in faults} == {
        (1, "trunc", "unknown column"),
        (1, "service", "unknown column"),
        (1, "service", "the column is there twice"),
        (1, "trunk", "the column is missing"),
        (1, "service_id", "the column is missing"),
    }


def test_a_row_with_too_many_cells_is_named_by_its_line(files: DirectoryFiles) -> None:
    files.append("trunks.csv", "paris_hq,MODEM,sales,2026-01-01,2027-01-01")
    fault = files.only_fault()
    assert (fault.line, fault.reason) == (3, "has 5 cells, the column line has 4")


def test_lines_are_counted_as_an_editor_counts_them(files: DirectoryFiles) -> None:
    files.append("trunks.csv", "", "", "paris_hq,MODEM,sales,2026-13-01")
    assert files.only_fault().line == 5


def test_control_characters_are_refused_and_named(files: DirectoryFiles) -> None:
    files.append(
        "trunks.csv", "paris_hq,MO\0DEM,sales,2026-01-01", "paris_hq,A\u202eB,sales,2026-01-01"
    )
    assert [(fault.line, fault.column) for fault in files.faults()] == [(3, "trunk"), (4, "trunk")]


def test_a_quote_that_never_ends_is_named(files: DirectoryFiles) -> None:
    files.append("trunks.csv", 'paris_hq,"MODEM,sales,2026-01-01')
    fault = files.only_fault()
    assert fault.file == "trunks.csv"
    assert "is not CSV" in fault.reason


@pytest.mark.parametrize("text", ["", "\n", ",,\n"])
def test_a_file_without_column_names_says_which_it_needs(files: DirectoryFiles, text: str) -> None:
    files.path("trunks.csv").write_text(text)
    fault = files.only_fault()
    assert fault.reason == "has no line of column names"
    assert "pbx_id,trunk,service_id" in fault.remedy


def test_a_missing_file_is_named(files: DirectoryFiles) -> None:
    files.path("trunks.csv").unlink()
    fault = files.only_fault()
    assert (fault.file, fault.line) == ("trunks.csv", None)


def test_a_table_may_be_empty(files: DirectoryFiles) -> None:
    files.path("trunks.csv").write_text("pbx_id,trunk,service_id,valid_from\n")
    assert files.read().count_rows()["trunks"] == 0
