"""The layouts of an installation, and the models of PBX that it has because of them.

A layout that does not hold is kept as broken, with its faults: it stops its own PBXs and nothing
else. A file is read again when its name, time or size has changed, so that a process that runs for
weeks sees what was edited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from tollhouse.layouts.built_in_models import faults_of_model
from tollhouse.layouts.collecting import model_of
from tollhouse.layouts.compiling import compile_fields, compile_tickets
from tollhouse.layouts.dbt_project import generated_models
from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.reading import (
    LARGEST_FILE_BYTES,
    LayoutError,
    LayoutFault,
    file_bytes,
    read_layout,
)
from tollhouse.pbx import Framing, Model, models
from tollhouse.settings import load_settings

#: What an id is: files that are called otherwise cannot be meant by anything.
LAYOUT_ID = re.compile(r"[a-z][a-z0-9_]{1,39}")

TRANSPORTS = ("dropped_files", "remote_files", "spooled_stream", "sql_table", "http_api")


@dataclass(frozen=True)
class BrokenLayout:
    """A layout that does not hold.

    Attributes:
        path: its file.
        faults: what is wrong with it, and where.
        model_id: the model whose tickets it reads, if the file says so much; a layout that names
            none is a model itself.
        transports: by what its tickets come, the one by default first, if the file says so much.
    """

    path: Path
    faults: tuple[LayoutFault, ...]
    model_id: str | None
    transports: tuple[str, ...] = TRANSPORTS

    @property
    def layout_id(self) -> str:
        """The name of its file."""
        return self.path.stem

    @property
    def explanation(self) -> str:
        """Every fault with the file, its line and its key, for people."""
        return str(LayoutError(self.path, list(self.faults)))


#: What was read of each file, by what would show that it has changed.
_read: dict[Path, tuple[tuple[int, int, int], Layout | BrokenLayout]] = {}


def layouts(folder: Path | None = None) -> dict[str, Layout | BrokenLayout]:
    """Return the layouts of a folder, by default the installation's, by id and in order of it."""
    folder = folder or load_settings().layouts_folder
    return {path.stem: layout_at(path) for path in sorted(folder.glob("*.yml"))}


def find_layout(layout_id: str) -> Layout | BrokenLayout | None:
    """Return a layout of the installation; None where there is none of that id."""
    path = load_settings().layouts_folder / f"{layout_id}.yml"
    return layout_at(path) if LAYOUT_ID.fullmatch(layout_id) and path.exists() else None


def gone_layout(layout_id: str) -> BrokenLayout:
    """Return what stands for a layout that an entry names, and of which there is no file."""
    path = load_settings().layouts_folder / f"{layout_id}.yml"
    return BrokenLayout(path, (LayoutFault(1, "", "there is no such file (any more)"),), None)


def find_model(model_id: str) -> Model | None:
    """Return a model of the installation, or what stands for it where its layout does not hold.

    A layout that was deployed and whose file is gone stops its own PBXs too, and no other; a name
    that was never one is no model.
    """
    if model_id in models():
        return models()[model_id]
    layout = find_layout(model_id)
    if layout is None and model_id in generated_models(load_settings()):
        layout = gone_layout(model_id)
    if isinstance(layout, BrokenLayout):
        return _model_of_broken(layout)
    return model_of(layout) if layout is not None and layout.model is None else None


def working_layouts(folder: Path | None = None) -> dict[str, Layout]:
    """Return the layouts that hold."""
    return {
        layout_id: layout
        for layout_id, layout in layouts(folder).items()
        if isinstance(layout, Layout)
    }


def known_models(folder: Path | None = None) -> dict[str, Model]:
    """Return every model of the installation by id: the built-in ones and the declared ones."""
    declared = {
        layout_id: model_of(layout)
        for layout_id, layout in working_layouts(folder).items()
        if layout.model_id not in models()
    }
    return models() | declared


def layout_read_by(model_id: str, settings: Mapping[str, Any]) -> str | None:
    """Return the id of the layout by which an entry of include/pbx.yml is read, if it needs one.

    A declared model is read by its own layout. A built-in one that has no SQL of its own is read by
    the layout which the entry names, else by the layout that bears the model's name.
    """
    model = models().get(model_id)
    if model is None:
        return model_id
    return str(settings.get("layout", model_id)) if model.read_by_layout else None


def _model_of_broken(layout: BrokenLayout) -> Model:
    """Return what stands for a model whose layout does not hold: nothing can be read by it."""
    return Model(
        model_id=layout.layout_id,
        title=f"{layout.layout_id}, a layout that does not hold",
        transports=layout.transports,
        framing=Framing(kind="lines"),
        guide=indent(layout.explanation, " " * 4),
    )


def layout_at(path: Path) -> Layout | BrokenLayout:
    """Return the layout of a file, wherever it lies; read again only where that has changed."""
    try:
        state = path.stat()
    except OSError:
        stamp = (0, 0, 0)  # gone, or not to be read: the reader says which
    else:
        stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
    known = _read.get(path)
    if known is None or known[0] != stamp:
        known = _read[path] = (stamp, _checked(path))
    return known[1]


def _checked(path: Path) -> Layout | BrokenLayout:
    try:
        layout = read_layout(path)
        if faults := list(faults_of_model(path, layout)):
            raise LayoutError(path, faults)
        _compile(path, layout)
    except LayoutError as error:
        keys = _top_keys(path)
        return BrokenLayout(
            path, tuple(error.faults), _model_named(path, keys), _transports_named(keys)
        )
    return layout


def _compile(path: Path, layout: Layout) -> None:
    try:
        compile_tickets(layout)
        compile_fields(layout)
    except ValueError as error:
        raise LayoutError(path, [LayoutFault(1, "", str(error))]) from error


def _top_keys(path: Path) -> dict[str, Any]:
    """Return what can be read of a file that does not hold; nothing of it is trusted."""
    try:
        data = file_bytes(path)
        found = yaml.load(data.decode("utf-8-sig"), Loader=yaml.BaseLoader)  # noqa: S506 - texts only
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) and len(data) <= LARGEST_FILE_BYTES else {}


def _model_named(path: Path, keys: dict[str, Any]) -> str | None:
    if not keys:
        return None
    named = keys.get("model", path.stem)
    built_in = models().get(named) if isinstance(named, str) else None
    if built_in is not None:
        return built_in.model_id if built_in.read_by_layout else None
    return path.stem if "model" not in keys else None


def _transports_named(keys: dict[str, Any]) -> tuple[str, ...]:
    collection = keys.get("collection")
    if not isinstance(collection, dict):
        return TRANSPORTS
    named = [name for name in collection if name in TRANSPORTS]
    return (*named, *(name for name in TRANSPORTS if name not in named))
