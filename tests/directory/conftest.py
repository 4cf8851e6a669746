"""The small directory of these tests, fresh for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.directory.directory_files import FILES, PBX_FILE, DirectoryFiles


@pytest.fixture
def files(tmp_path: Path) -> DirectoryFiles:
    include = tmp_path / "include"
    (include / "directory").mkdir(parents=True)
    (include / "pbx.yml").write_text(PBX_FILE, encoding="utf-8")
    for name, text in FILES.items():
        (include / "directory" / name).write_text(text, encoding="utf-8")
    return DirectoryFiles(include)
