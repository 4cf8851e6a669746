"""The environment wins over var/tollhouse.env; what is missing is named with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollhouse.settings import Settings, SettingsError, load_settings, read_environment_file


def settings_with(**environment: str) -> Settings:
    return Settings(Path("/"), Path("/var"), Path("/include"), environment)


def test_each_role_reaches_the_same_database_with_its_own_password() -> None:
    settings = settings_with(
        TOLLHOUSE_DATABASE_URL="postgresql://owner:a@db.example:5433/tollhouse?sslmode=require",
        TOLLHOUSE_DBT_PASSWORD="p@ss/word",
    )
    assert settings.role_url("tollhouse_dbt") == (
        "postgresql://tollhouse_dbt:p%40ss%2Fword@db.example:5433/tollhouse?sslmode=require"
    )


@pytest.mark.parametrize("value", ["many", "-5", "70000", "", "1" * 5_000, "\u0663"])
def test_a_number_that_cannot_be_meant_is_named_with_what_can(value: str) -> None:
    settings = settings_with(TOLLHOUSE_COLLECTOR_PORT=value)
    with pytest.raises(SettingsError, match=r"PORT is .*: it is a whole number from 1 to 65535"):
        settings.whole_number("TOLLHOUSE_COLLECTOR_PORT", 17_500, lowest=1, highest=65_535)
    assert settings_with().whole_number("ANY", 3, lowest=1, highest=5) == 3


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    settings = settings_with(
        TOLLHOUSE_DATABASE_URL="postgresql://owner:a@[2001:db8::1]:5433/tollhouse",
        TOLLHOUSE_DBT_PASSWORD="b",
    )
    assert settings.role_url("tollhouse_dbt") == (
        "postgresql://tollhouse_dbt:b@[2001:db8::1]:5433/tollhouse"
    )


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tollhouse.env").write_text(
        "TOLLHOUSE_COLLECTOR_PORT=1\nTOLLHOUSE_SPOOL=spool-of-the-file\n", encoding="utf-8"
    )
    monkeypatch.setenv("TOLLHOUSE_VAR", str(tmp_path))
    monkeypatch.setenv("TOLLHOUSE_COLLECTOR_PORT", "2")
    load_settings.cache_clear()
    try:
        settings = load_settings()
    finally:
        load_settings.cache_clear()
    assert settings.environment["TOLLHOUSE_COLLECTOR_PORT"] == "2"
    assert settings.spool == Path("spool-of-the-file")


def test_a_missing_database_says_how_to_get_one() -> None:
    with pytest.raises(SettingsError, match="make up"):
        _ = settings_with().owner_url


def test_a_missing_password_is_named() -> None:
    settings = settings_with(TOLLHOUSE_DATABASE_URL="postgresql://owner:a@db.example/tollhouse")
    with pytest.raises(SettingsError, match="TOLLHOUSE_LOADER_PASSWORD"):
        settings.role_url("tollhouse_loader")


def test_an_environment_file_may_hold_comments_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "tollhouse.env"
    path.write_text("# ports\n\nA=1\nB = x=y \n", encoding="utf-8")
    assert read_environment_file(path) == {"A": "1", "B": "x=y"}


def test_a_line_without_a_name_is_named_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "tollhouse.env"
    path.write_text("A=1\nnonsense\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"line 2.*'nonsense'"):
        read_environment_file(path)
