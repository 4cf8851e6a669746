"""The entries of pbx.yml keep their past: the table is dated, the file is not."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from tests.directory.directory_files import PBX_FILE, DirectoryFiles
from tollhouse.directory.loading import load_directory
from tollhouse.settings import Settings

pytestmark = pytest.mark.postgres

LYON = PBX_FILE[PBX_FILE.index("  - id: lyon_support") :]


@pytest.fixture
def installation(files: DirectoryFiles, warehouse: Settings) -> Settings:
    """Two PBXs, loaded once."""
    files.replace("extensions.csv", "lyon_support,6000,legal,,,2026-01-01,\n", "")
    settings = files.settings(warehouse)
    load_directory(settings)
    return settings


def history(installation: Settings, pbx_id: str) -> list[tuple[str, str, str]]:
    with psycopg.connect(installation.owner_url, options="-c timezone=UTC") as owner:
        return owner.execute(
            "select time_zone, valid_from::text, valid_to::text from directory.pbxs "
            "where pbx_id = %s order by valid_from",
            [pbx_id],
        ).fetchall()


def pretend_loaded_on(installation: Settings, day: str) -> None:
    """Move what began today back to an earlier day, as if time had passed."""
    with psycopg.connect(installation.owner_url, options="-c timezone=UTC") as owner:
        owner.execute(
            "update directory.pbxs set valid_to = %s where valid_to = current_date", [day]
        )
        owner.execute(
            "update directory.pbxs set valid_from = %s where valid_from = current_date", [day]
        )


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_an_entry_as_before_changes_nothing(files: DirectoryFiles, installation: Settings) -> None:
    files.pbx_file.write_text(f"# the same PBXs\n{PBX_FILE}", encoding="utf-8")
    result = load_directory(installation)
    assert result.load_id == 2
    assert result.changed_by_table == {}
    assert history(installation, "paris_hq") == [("Europe/Paris", "-infinity", "infinity")]


def test_a_changed_entry_ends_today_and_begins_anew(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.pbx_file.write_text(
        PBX_FILE.replace("Europe/Paris", "Europe/London", 1), encoding="utf-8"
    )
    load_directory(installation)
    assert history(installation, "paris_hq") == [
        ("Europe/Paris", "-infinity", today()),
        ("Europe/London", today(), "infinity"),
    ]
    assert history(installation, "lyon_support") == [("Europe/Paris", "-infinity", "infinity")]


def test_a_second_change_on_the_same_day_replaces_the_first(
    files: DirectoryFiles, installation: Settings
) -> None:
    for time_zone in ("Europe/London", "Europe/Madrid"):
        files.pbx_file.write_text(PBX_FILE.replace("Europe/Paris", time_zone, 1), encoding="utf-8")
        load_directory(installation)
    assert history(installation, "paris_hq") == [
        ("Europe/Paris", "-infinity", today()),
        ("Europe/Madrid", today(), "infinity"),
    ]


def test_a_removed_entry_is_closed_and_a_returning_one_begins_again(
    files: DirectoryFiles, installation: Settings
) -> None:
    files.replace("pbx.yml", LYON, "")
    load_directory(installation)
    assert history(installation, "lyon_support") == [("Europe/Paris", "-infinity", today())]

    pretend_loaded_on(installation, "2026-06-01")
    files.append("pbx.yml", LYON)
    load_directory(installation)
    assert history(installation, "lyon_support") == [
        ("Europe/Paris", "-infinity", "2026-06-01"),
        ("Europe/Paris", today(), "infinity"),
    ]
