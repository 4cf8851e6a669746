"""``tollhouse layout list``: the declared layouts, and which PBXs each of them reads."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tollhouse.commands.layout_report import report_console
from tollhouse.commands.pbx_check import printable
from tollhouse.installed_pbxs import Pbx, PbxFileError, load_pbxs
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.registry import BrokenLayout, layout_read_by, layouts
from tollhouse.settings import Settings, load_settings

STATE_STYLES = {"confirmed": "green", "not confirmed": "yellow", "broken": "bold red"}


@dataclass(frozen=True)
class ListedLayout:
    """A layout of the folder, as the list shows it.

    Attributes:
        state: ``confirmed``, ``not confirmed`` or ``broken``.
        title: what people call it; empty where the layout is broken, as is the next.
        kind: of its tickets.
        model: the model of PBX whose tickets it reads: itself, unless it says otherwise.
        fault: the first that a broken layout has.
        pbxs: the entries of include/pbx.yml that it reads.
    """

    layout_id: str
    state: str
    title: str = ""
    kind: str = ""
    model: str = ""
    fault: str = ""
    pbxs: tuple[str, ...] = ()


def run(*, as_json: bool = False) -> int:
    """Print the layouts of the installation.

    Returns:
        The exit code: 0 unless a layout is broken.
    """
    settings = load_settings()
    try:
        pbxs, unknown = load_pbxs(settings.pbx_file), ""
    except PbxFileError as error:
        pbxs, unknown = [], str(error).splitlines()[0]
    listed = listed_layouts(settings, pbxs)
    if as_json:
        json.dump([asdict(layout) for layout in listed], sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        _show(report_console(), settings, listed)
    remarks = [f"Which PBXs they read is not known: {unknown}"] if unknown else []
    remarks += [
        f"{name} is passed over: the file of a layout ends in .yml."
        for name in _named_otherwise(settings)
    ]
    for remark in remarks:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(printable(remark)))
    return 1 if any(layout.state == "broken" for layout in listed) else 0


def listed_layouts(settings: Settings, pbxs: list[Pbx]) -> list[ListedLayout]:
    """Return every layout of the folder, in order of id."""
    read_by = {pbx.id: layout_read_by(pbx.model, pbx.settings) for pbx in pbxs}
    return [
        _listed(layout, tuple(pbx_id for pbx_id, read in read_by.items() if read == layout_id))
        for layout_id, layout in layouts(settings.layouts_folder).items()
    ]


def _named_otherwise(settings: Settings) -> list[str]:
    """Return files that were meant as layouts, and are none for the end of their name."""
    if not settings.layouts_folder.is_dir():
        return []
    return sorted(
        path.name
        for path in settings.layouts_folder.iterdir()
        if path.suffix.lower() in (".yaml", ".yml") and path.suffix != ".yml"
    )


def _listed(layout: Layout | BrokenLayout, pbx_ids: tuple[str, ...]) -> ListedLayout:
    if isinstance(layout, BrokenLayout):
        fault = str(layout.faults[0])
        return ListedLayout(
            layout.layout_id, "broken", model=layout.model_id or "", fault=fault, pbxs=pbx_ids
        )
    return ListedLayout(
        layout.layout_id,
        "confirmed" if layout.confirmed else "not confirmed",
        title=layout.title,
        kind=layout.tickets.kind,
        model=layout.model_id,
        pbxs=pbx_ids,
    )


def _show(console: Console, settings: Settings, listed: list[ListedLayout]) -> None:
    if not listed:
        console.print(Text(f"No layout is declared in {printable(str(settings.layouts_folder))}."))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Layout", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for heading in ("Kind", "Model", "PBXs", "What it is"):
        table.add_column(heading, overflow="fold")
    for layout in listed:
        about = layout.fault or layout.title
        table.add_row(
            Text(printable(layout.layout_id)),
            Text(layout.state, style=STATE_STYLES[layout.state]),
            layout.kind,
            "" if layout.model == layout.layout_id else layout.model,
            Text("\n".join(layout.pbxs)),
            Text(printable(about)),
        )
    console.print(table)
