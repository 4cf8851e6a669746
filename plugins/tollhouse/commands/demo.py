"""``tollhouse demo``: the lab's demo; the lab lies beside the package, in the checkout."""

from __future__ import annotations

import importlib
import sys

from tollhouse.settings import SettingsError, load_settings


def run() -> None:
    """Play the demo.

    Raises:
        SettingsError: this installation has no checkout with the lab.
    """
    project = load_settings().project
    if not (project / "lab" / "demo.py").exists():
        raise SettingsError(f"The demo needs the folder lab/ of a checkout; {project} has none.")
    sys.path.insert(0, str(project))
    importlib.import_module("lab.demo").run()
