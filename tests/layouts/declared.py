"""Layouts and entries of the tests: written as a user would, into folders of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollhouse.settings import load_settings

#: A carrier's file: reference; start in UTC; seconds; who called; who was called.
CARRIER = """\
title: A carrier of the tests
confirmed: true
tickets:
  kind: delimited
  separator: ";"
  fields: [reference, start, seconds, caller, called, note]
collection:
  dropped_files: {pattern: "*.csv"}
columns:
  source_call_id: reference
  started_at: {from: start, format: "yyyy-MM-dd HH:mm:ss", zone: utc}
  talk_seconds: {from: seconds, format: seconds}
  direction: {value: outgoing}
  caller_number: caller
  called_number: called
"""

#: The same lines as tickets of a built-in model, which says itself how they come.
A5000 = CARRIER.replace("confirmed: true", "model: aastra_a5000\nconfirmed: true").replace(
    'collection:\n  dropped_files: {pattern: "*.csv"}\n', ""
)

BROKEN = CARRIER.replace("format: seconds", "format: fortnights")


def declare(folder: Path, **texts: str) -> Path:
    """Write layouts, by id, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for layout_id, text in texts.items():
        (folder / f"{layout_id}.yml").write_text(text, encoding="utf-8")
    return folder


def use_layouts(monkeypatch: pytest.MonkeyPatch, folder: Path, **texts: str) -> Path:
    """Make a folder, with layouts by id, the one of this process's installation."""
    declare(folder, **texts)
    monkeypatch.setenv("TOLLHOUSE_LAYOUTS", str(folder))
    load_settings.cache_clear()
    return folder
