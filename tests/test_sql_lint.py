"""What sqlfluff cannot render it skips with a mere warning: no SQL may escape `make lint` so."""

from __future__ import annotations

from pathlib import Path

from sqlfluff.core import FluffConfig, Linter

PROJECT = Path(__file__).resolve().parents[1]


def test_sqlfluff_renders_every_model_and_data_test() -> None:
    linter = Linter(config=FluffConfig.from_path(str(PROJECT / "dbt_project")))
    paths = [
        path
        for folder in ("models", "tests")
        for path in sorted((PROJECT / "dbt_project" / folder).rglob("*.sql"))
    ]

    skipped = [
        path.name
        for path in paths
        if not linter.render_file(str(path), linter.config).templated_variants
    ]

    assert paths
    assert skipped == []
