"""The SQL of staging as dbt reads it: a view together with the staging macros that it calls."""

from __future__ import annotations

import re

from tollhouse.layouts.grouping import compiled, layouts_by_model
from tollhouse.layouts.registry import layouts
from tollhouse.layouts.views import fields_view, tickets_view
from tollhouse.settings import PROJECT

STAGING_MACROS = PROJECT / "dbt_project" / "macros" / "staging"


def views_of_layouts() -> list[tuple[str, str, str]]:
    """Return model, name and SQL of each view that is made of the layouts which are shipped."""
    shipped = layouts(PROJECT / "include" / "layouts")
    return [
        (group.model_id, f"stg_{group.model_id}__{name}.sql", view(group))
        for group in layouts_by_model(shipped, compiled(shipped)).values()
        for name, view in (("tickets", tickets_view), ("fields", fields_view))
    ]


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
