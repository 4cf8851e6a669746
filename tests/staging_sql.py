"""The SQL of staging as dbt reads it: a view together with the staging macros that it calls."""

from __future__ import annotations

import re

from tollhouse.settings import PROJECT

STAGING_MACROS = PROJECT / "dbt_project" / "macros" / "staging"


def with_staging_macros(text: str) -> str:
    """Return SQL and that of the staging macros which it calls, and which those call."""
    macros = {
        name: path.read_text(encoding="utf-8")
        for path in STAGING_MACROS.glob("*.sql")
        for name in re.findall(r"macro (\w+)\(", path.read_text(encoding="utf-8"))
    }
    called: set[str] = set()
    while found := {name for name in macros if re.search(rf"\b{name}\(", text)} - called:
        called |= found
        text += "".join(macros[name] for name in found)
    return text
