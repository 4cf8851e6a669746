"""What the pages serve lies below its folder, whatever the address says."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import HTTPException

from tollhouse.ui.app import file_below


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site" / "deep").mkdir(parents=True)
    (tmp_path / "site" / "deep" / "page.html").write_text("page")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "site" / "circle").symlink_to(tmp_path / "site" / "circle")
    (tmp_path / "site" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return tmp_path / "site"


def test_a_file_below_the_folder_is_served(site: Path) -> None:
    assert file_below(site, "deep/page.html").read_text() == "page"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "deep/../../secret.txt",
        "link.txt",
        "deep",
        "absent",
        "a\0b",
        "",
        "x" * 5000,
        "circle",
    ],
)
def test_nothing_else_is(site: Path, path: str) -> None:
    with pytest.raises(HTTPException) as caught:
        file_below(site, path)
    assert caught.value.status_code == 404


def test_an_absolute_path_is_refused(site: Path) -> None:
    with pytest.raises(HTTPException):
        file_below(site, str(site.parent / "secret.txt"))
