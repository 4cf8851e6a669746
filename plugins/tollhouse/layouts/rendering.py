"""The SQL of a layout without dbt: sources and staging macros rendered by Jinja alone.

For what only tries a layout: a trial takes milliseconds, and dbt seconds to start.
"""

from __future__ import annotations

from functools import cache

import jinja2

from tollhouse.settings import PROJECT

MACROS = PROJECT / "dbt_project" / "macros"


def plain_sql(text: str) -> str:
    """Return SQL of which only sources and staging macros are Jinja as PostgreSQL runs it."""
    return _environment().from_string(text).render()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701 -- SQL is no HTML; texts of layouts are constants already.
        extensions=["jinja2.ext.do"],
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["source"] = _source
    files = [MACROS / "project" / "computed_once.sql", *sorted((MACROS / "staging").glob("*.sql"))]
    # Read as one, so that the macros find each other.
    macros = environment.from_string("\n".join(path.read_text("utf-8") for path in files)).module
    environment.globals |= {
        name: macro for name, macro in vars(macros).items() if not name.startswith("_")
    }
    return environment


def _source(schema: str, table: str) -> str:
    return f'"{schema}"."{table}"'
