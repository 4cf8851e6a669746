"""Drafts of layouts in tests: made from files or texts, and read back as layouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tollhouse.layouts.declaration import Layout
from tollhouse.layouts.drafting.draft import Draft, draft_of
from tollhouse.layouts.reading import read_layout
from tollhouse.settings import PROJECT

SAMPLES = PROJECT / "tests" / "samples"


@dataclass(frozen=True)
class Drafted:
    """A draft, and the layout that it is."""

    draft: Draft
    layout: Layout

    @property
    def doubts(self) -> str:
        return "\n".join(self.draft.doubts)

    def columns(self) -> dict[str, Any]:
        """Return what the draft says of each column, without what it leaves as it is."""
        given = self.layout.columns.given()
        return {
            name: reading.model_dump(by_alias=True, exclude_defaults=True)
            for name, reading in given.items()
        }


def drafted(*paths: Path, folder: Path, country: str = "FR") -> Drafted:
    """Draft a layout, write it down and read it back."""
    draft = draft_of(paths, country=country)
    path = folder / "drafted.yml"
    path.write_text(draft.text, encoding="utf-8")
    return Drafted(draft, read_layout(path))


def drafted_text(
    text: str | bytes, folder: Path, name: str = "feed.txt", country: str = "FR"
) -> Drafted:
    """Draft a layout for a file with this content."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return drafted(path, folder=folder, country=country)
