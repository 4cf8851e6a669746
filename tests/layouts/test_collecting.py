"""What a layout says of how its tickets come, as a model of PBX has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed import pbx_of
from tests.layouts.declared import use_layouts
from tollhouse.layouts.collecting import model_of
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.reading import LayoutError, read_layout
from tollhouse.operator_guides import extract_guide
from tollhouse.pbx import FileDefaults, ListApi, Quoting, StreamDefaults
from tollhouse.settings import PROJECT

DELIMITED = "{kind: delimited, fields: [a, b]}"
JSON = "{kind: json, fields: {id: id, start: time.start}}"


def layout_of(folder: Path, tickets: str, *more: str) -> Layout:
    path = folder / "declared.yml"
    path.write_text("\n".join(["title: Declared", f"tickets: {tickets}", *more]), encoding="utf-8")
    return read_layout(path)


@pytest.mark.parametrize(
    ("tickets", "transports"),
    [
        (DELIMITED, ("dropped_files", "remote_files", "spooled_stream")),
        ("{kind: delimited, header: true}", ("dropped_files", "remote_files")),
        ("{kind: fixed, encoding: utf-16, fields: {a: {start: 1, width: 2}}}",
         ("dropped_files", "remote_files")),
        ("{kind: pattern, pattern: '(?P<a>.)', skip_lines: 2}", ("dropped_files", "remote_files")),
        ("{kind: xml, fields: {a: A}}", ("dropped_files", "remote_files")),
        (JSON, ("dropped_files", "remote_files", "spooled_stream", "sql_table", "http_api")),
        ("{kind: json, list: calls, fields: {id: id}}",
         ("dropped_files", "remote_files", "sql_table", "http_api")),
    ],
)  # fmt: skip
def test_a_layout_that_names_no_transport_has_all_that_can_carry_its_tickets(
    tmp_path: Path, tickets: str, transports: tuple[str, ...]
) -> None:
    assert model_of(layout_of(tmp_path, tickets)).transports == transports


def test_the_first_transport_that_is_named_is_the_one_by_default(tmp_path: Path) -> None:
    collection = (
        "collection: {remote_files: {folder: /out}, dropped_files: ,"
        " spooled_stream: {direction: dial, port: 7}}"
    )
    model = model_of(layout_of(tmp_path, DELIMITED, collection))
    assert model.transports == ("remote_files", "dropped_files", "spooled_stream")
    assert model.default_transport == "remote_files"
    assert model.files_of("dropped_files") == FileDefaults(pattern="*")
    assert model.files_of("remote_files") == FileDefaults(pattern="*", remote_folder="/out")
    assert model.stream == StreamDefaults("dial", 7)


@pytest.mark.parametrize(
    ("tickets", "transport", "told"),
    [
        (DELIMITED, "sql_table: {table: a, key: b}", "objects of JSON, which is `kind: json`"),
        ("{kind: xml, fields: {a: A}}", "http_api: {path: /a, key: b, after_parameter: c}", "JSON"),
        ("{kind: xml, fields: {a: A}}", "spooled_stream: {direction: dial, port: 7}", "into lines"),
        ("{kind: delimited, header: true}", "spooled_stream: {direction: dial, port: 7}",
         "name the `fields`, and leave `header` out"),
        ("{kind: delimited, fields: [a], encoding: utf-16}",
         "spooled_stream: {direction: dial, port: 7}", "a stream of utf-16"),
        ("{kind: json, list: calls, fields: {id: id}}",
         "spooled_stream: {direction: dial, port: 7}", "no document with a `list`"),
    ],
)  # fmt: skip
def test_a_transport_that_cannot_carry_the_tickets_is_a_fault_with_its_line(
    tmp_path: Path, tickets: str, transport: str, told: str
) -> None:
    with pytest.raises(LayoutError) as error:
        layout_of(tmp_path, tickets, f"collection: {{{transport}}}")
    (fault,) = error.value.faults
    name = transport.partition(":")[0]
    assert (fault.line, fault.key) == (3, "collection")
    assert fault.problem.startswith(f"{name} cannot carry these tickets: ")
    assert told in fault.problem
    assert "possible are dropped_files, remote_files" in fault.problem


def test_framing_and_encoding_follow_from_the_kind_of_tickets(tmp_path: Path) -> None:
    tickets = (
        '{kind: delimited, separator: tab, quote: "\'", header: true, skip_lines: 3,'
        " encoding: windows-1252, record_separator: '~'}"
    )
    model = model_of(layout_of(tmp_path, tickets))
    framing = model.framing
    assert (framing.kind, framing.skip_lines, framing.header_is_certain) == (
        "header_lines",
        3,
        True,
    )
    assert (framing.record_end, framing.quoting) == (b"~", Quoting(b"'", b"\t"))
    assert model.encoding == "cp1252"
    plain = model_of(layout_of(tmp_path, "{kind: delimited, quote: none, fields: [a]}")).framing
    assert (plain.kind, plain.quoting, plain.has_declared_head) == ("lines", None, False)


def test_an_api_is_asked_as_the_layout_says_and_its_tickets_are_known_by_their_instant(
    tmp_path: Path,
) -> None:
    model = model_of(
        layout_of(
            tmp_path,
            JSON,
            "collection: {http_api: {path: /calls, key: id, after_parameter: after, port: 8443}}",
            "columns: {ended_at: {from: start, format: iso8601}}",
        )
    )
    assert model.api is not None
    assert (model.api.api, model.api.port, model.api.key) == ("list", 8443, "id")
    assert model.api.listing == ListApi("/calls", "after", identity=("time.start",))


def test_every_layout_has_a_guide_its_own_or_one_that_follows_from_it(tmp_path: Path) -> None:
    plain = model_of(layout_of(tmp_path, DELIMITED)).guide
    assert plain.startswith("Declared.\n\n")
    assert "`spooled_stream`: Lines over TCP" in plain
    assert "layout_not_confirmed" in plain
    own = model_of(layout_of(tmp_path, DELIMITED, "guide: Switch it on {here}.")).guide
    assert own == "Declared.\n\nSwitch it on {here}."


def test_the_dag_of_such_a_pbx_shows_the_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_layouts(monkeypatch, tmp_path)
    layout_of(tmp_path, DELIMITED, "guide: Switch it on {here}.")
    guide = extract_guide(pbx_of("declared"))
    assert guide.startswith("# paris_hq: Declared\n")
    assert guide.endswith("Switch it on {here}.\n")


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "include" / "layouts").glob("*.yml")), ids=lambda path: path.stem
)
def test_every_layout_that_is_shipped_is_a_model(path: Path) -> None:
    model = model_of(read_layout(path))
    assert model.transports
    assert model.guide.count("\n") > 2
