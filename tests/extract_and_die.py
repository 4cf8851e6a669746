"""A pull in a process of its own that kills itself between the commit and the move of IDLAST.

Run as ``python extract_and_die.py MODEL FOLDER``; where it lives comes from the environment.
"""

from __future__ import annotations

import os
import signal
import sys

from tests.installed import pbx_of
from tollhouse.extraction import RunContext, extract
from tollhouse.settings import load_settings
from tollhouse.watermark import FileWatermark


class DeadlyWatermark(FileWatermark):
    """Reads IDLAST as ever, and dies before it can be moved."""

    def set(self, value: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    model, folder = sys.argv[1:]
    pbx = pbx_of(model, folder=folder)
    settings = load_settings()
    extract(
        pbx,
        run=RunContext(pbx.dag_id, "scheduled__1", "scheduled"),
        watermark=DeadlyWatermark(pbx, settings),
    )
