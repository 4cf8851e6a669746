"""Rendering of Tollhouse's pages: text of tickets and directory is always escaped (I16)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(default=True),
)


def render_page(name: str, **values: Any) -> str:
    """Return a page of ``templates/`` as HTML."""
    return TEMPLATES.get_template(name).render(**values)
