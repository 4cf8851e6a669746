"""Issues a month in a process that kills itself (SIGKILL) after some SQL statements.

Run as ``python -m tests.invoicing.issuing_process SETTINGS.json MONTH STATEMENTS``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg

from tollhouse.invoicing.drafts import open_billing
from tollhouse.invoicing.issuing import issue_month
from tollhouse.invoicing.months import parse_month
from tollhouse.settings import Settings


class CountingCursor(psycopg.Cursor[Any]):
    """A cursor whose process dies once enough statements have run."""

    left = 0

    def execute(self, *arguments: Any, **options: Any) -> CountingCursor:
        super().execute(*arguments, **options)
        CountingCursor.left -= 1
        if CountingCursor.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self


def main() -> None:
    paths = json.loads(Path(sys.argv[1]).read_text())
    settings = Settings(
        project=Path(paths["project"]),
        var=Path(paths["var"]),
        include=Path(paths["include"]),
        environment=paths["environment"],
    )
    with open_billing(settings) as connection:
        CountingCursor.left = int(sys.argv[3])
        connection.cursor_factory = CountingCursor
        issue_month(connection, parse_month(sys.argv[2]), issued_by="killed")


if __name__ == "__main__":
    main()
