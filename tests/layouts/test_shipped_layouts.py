"""The layouts that ship: they hold, what is confirmed was shown, and what is not claims nothing."""

from __future__ import annotations

import pytest

from tollhouse.layouts.compiling import compile_fields, compile_tickets
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.reading import read_layout
from tollhouse.settings import PROJECT

SHIPPED = {path.stem: read_layout(path) for path in (PROJECT / "include/layouts").glob("*.yml")}
CONFIRMED = [layout for layout in SHIPPED.values() if layout.confirmed]
TEMPLATES = [layout for layout in SHIPPED.values() if not layout.confirmed]

#: How a template becomes a layout, in this order.
STEPS = ("**Capture.**", "**Look.**", "layout draft", "layout check", "**Confirm**", "replay --pbx")


def test_what_the_replaced_product_reads_and_nobody_publishes_is_here() -> None:
    assert {layout.layout_id for layout in TEMPLATES} == {
        "aastra_a5000_v1", "aastra_a5000_v2", "md_evolution_cal3", "md_evolution_cal4",
        "alcatel_oxo", "alcatel_oxe_ahl", "alcatel_4200",
    }  # fmt: skip


@pytest.mark.parametrize("layout", CONFIRMED, ids=lambda layout: layout.layout_id)
def test_a_confirmed_layout_was_held_against_samples(layout: Layout) -> None:
    samples = PROJECT / "tests" / "samples" / layout.layout_id
    assert (samples / "expected.csv").read_text(encoding="utf-8").count("\n") > 10
    assert "## Pitfalls" in layout.guide
    assert "## Test" in layout.guide
    assert "hold no price" in layout.guide


@pytest.mark.parametrize("layout", TEMPLATES, ids=lambda layout: layout.layout_id)
def test_a_template_says_what_is_known_and_how_to_go_on(layout: Layout) -> None:
    for known in ("Confirmed", "Unknown"):
        assert known in layout.guide
    places = [layout.guide.find(step) for step in STEPS]
    assert min(places) > 0
    assert places == sorted(places)
    assert f"layout check {layout.layout_id} " in layout.guide


@pytest.mark.parametrize(
    "layout",
    [layout for layout in TEMPLATES if layout.layout_id != "alcatel_oxo"],
    ids=lambda layout: layout.layout_id,
)
def test_a_template_of_an_unknown_layout_maps_nothing_and_shows_the_whole_ticket(
    layout: Layout,
) -> None:
    assert not layout.columns.given()
    assert layout.tickets.field_list in (("line",), ("frame_type", "frame"))


@pytest.mark.parametrize("layout", SHIPPED.values(), ids=lambda layout: layout.layout_id)
def test_a_shipped_layout_compiles_confirmed_or_not(layout: Layout) -> None:
    tried = layout.model_copy(update={"confirmed": True})
    for compiled in (compile_tickets(layout), compile_fields(layout), compile_tickets(tried)):
        assert "source('raw', 'tickets')" in compiled


def test_every_key_of_the_likely_oxo_layout_says_how_much_is_known() -> None:
    path = PROJECT / "include" / "layouts" / "alcatel_oxo.yml"
    columns = path.read_text(encoding="utf-8").partition("\ncolumns:\n")[2]
    for column in ("started_at", "ring_seconds", "talk_seconds", "direction", "pbx_charge_amount"):
        line = next(line for line in columns.splitlines() if line.strip().startswith(column))
        assert any(word in line for word in ("# format:", "# codes:", "unknown", "inferred")), line
