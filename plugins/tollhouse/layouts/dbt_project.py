"""The dbt project as dbt reads it: the one of the checkout, and the views of layouts beside it.

``var/dbt/project`` holds links to dbt_project/ and, in a folder of its own, a folder for each model
that is read by layouts. Files are written only when they change, each in one step, so that a dbt
that runs meanwhile never reads half of one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tollhouse.settings import Settings

#: What dbt looks for first is made last.
LINKED = ("profiles.yml", "models", "macros", "seeds", "tests", "dbt_project.yml")

#: Below the project, as `model-paths` of dbt_project.yml has it.
GENERATED = Path("layouts") / "staging"


def project_folder(settings: Settings) -> Path:
    """Return the folder of the project that dbt is run on."""
    return settings.var / "dbt" / "project"


def link_project(settings: Settings) -> None:
    """Make the links of the project, or make them anew where the checkout was moved."""
    project = project_folder(settings)
    for name in LINKED:
        _link(project / name, settings.project / "dbt_project" / name)


def is_written(settings: Settings) -> bool:
    """Return whether there is a project."""
    return (project_folder(settings) / LINKED[-1]).is_symlink()


def write_project(settings: Settings, models: Mapping[str, Mapping[str, str]]) -> None:
    """Write the project: links, and the files of each model by name.

    Models that are not given any more are removed.
    """
    generated = project_folder(settings) / GENERATED
    generated.mkdir(parents=True, exist_ok=True)
    for model_id, files in models.items():
        folder = generated / model_id
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            _write(folder / name, text)
        for path in folder.iterdir():
            if path.name not in files:
                path.unlink(missing_ok=True)
    for folder in generated.iterdir():
        if folder.name not in models:
            shutil.rmtree(folder)
    link_project(settings)


def generated_models(settings: Settings) -> list[str]:
    """Return the models whose views the project holds, in order."""
    generated = project_folder(settings) / GENERATED
    return sorted(path.name for path in generated.iterdir()) if generated.exists() else []


def _link(path: Path, target: Path) -> None:
    if path.is_symlink() and path.readlink() == target:
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(path)


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
