"""The folders keep their promises: who may import whom, who may read whom, where a model lives."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.staging_sql import views_of_layouts, with_staging_macros
from tollhouse.pbx import models
from tollhouse.settings import PROJECT

DBT_MODELS = PROJECT / "dbt_project" / "models"
WITH_OWN_SQL = sorted(model.model_id for model in models().values() if not model.read_by_layout)
READ_BY_LAYOUT = sorted(set(models()) - set(WITH_OWN_SQL))
GRAB_BAGS = re.compile(r"(^|/)(utils?|helpers?|common|misc)(\.py|/)")


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def relations_read(path: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the names a dbt model refers to: other models, and (source, table) pairs."""
    return relations_named(path.read_text(encoding="utf-8"))


def relations_named(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    text = re.sub(r"--.*", "", text)
    references = set(re.findall(r"ref\(\s*['\"](\w+)['\"]", text))
    sources = set(re.findall(r"source\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]", text))
    return references, sources


def sql_files(folder: str) -> list[Path]:
    found = sorted((DBT_MODELS / folder).rglob("*.sql"))
    assert found, f"no model below {folder}"
    return found


def test_nothing_imports_from_the_folder_of_dags() -> None:
    dag_modules = {path.stem for path in (PROJECT / "dags").glob("*.py")}
    for path in python_files("plugins", "dags", "lab", "tests"):
        offending = {
            name for name in imported_modules(path) if name == "dags" or name.startswith("dags.")
        }
        if path.parent.name == "dags":
            offending |= imported_modules(path) & dag_modules
        assert not offending, f"{path.relative_to(PROJECT)} imports {offending}"


def test_the_package_never_imports_the_lab_or_the_tests() -> None:
    allowed = {Path("plugins/tollhouse/commands/demo.py")}
    for path in python_files("plugins"):
        relative = path.relative_to(PROJECT)
        if relative in allowed:
            continue
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert not roots & {"lab", "tests"}, f"{relative} imports {roots & {'lab', 'tests'}}"


def test_only_the_watermark_module_knows_airflow_variables() -> None:
    for path in python_files("plugins", "dags"):
        if path.name == "watermark.py":
            continue
        assert not re.search(r"\bVariable\b\.", path.read_text(encoding="utf-8")), path.name


def test_the_collector_runs_without_airflow() -> None:
    for path in python_files("plugins/tollhouse/collector"):
        assert not any(name.startswith("airflow") for name in imported_modules(path)), path.name


def test_built_in_models_and_framing_know_nothing_of_layouts() -> None:
    package = PROJECT / "plugins" / "tollhouse"
    below = [*python_files("plugins/tollhouse/pbx"), package / "framing.py"]
    below += [package / name for name in ("declared_lines.py", "json_lists.py", "quoted_lines.py")]
    for path in below:
        layouts = {name for name in imported_modules(path) if name.startswith("tollhouse.layouts")}
        assert not layouts, f"{path.name} imports {layouts}"


def test_what_a_layout_may_say_is_declared_without_files_databases_or_sql() -> None:
    read = {"tollhouse.layouts", "tollhouse.layouts.patterns", "tollhouse.layouts.time_formats"}
    for path in python_files("plugins/tollhouse/layouts/declaration"):
        for name in imported_modules(path) - read:
            is_declared = name.startswith("tollhouse.layouts.declaration")
            is_outside = name.split(".")[0] in ("tollhouse", "psycopg", "pathlib", "yaml")
            assert is_declared or not is_outside, f"{path.name} imports {name}"


def test_only_the_command_line_imports_commands() -> None:
    for path in python_files("plugins/tollhouse"):
        names = imported_modules(path)
        commands = {name for name in names if name.startswith("tollhouse.commands")}
        assert path.parent.name == "commands" or not commands, f"{path.name} imports {commands}"


def test_staging_reads_only_sources() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in sql_files("staging")}
    written |= {name: text for _, name, text in views_of_layouts()}
    for name, text in written.items():
        references, sources = relations_named(with_staging_macros(text))
        assert not references, f"{name} refers to {references}"
        assert sources, f"{name} reads nothing"
        assert {schema for schema, _ in sources} <= {"raw", "directory"}, name
        tables = {table for schema, table in sources if schema == "directory"}
        assert tables <= {"current_pbxs", "pbxs"}, f"{name} reads directory.{tables}"


def test_marts_never_read_staging_or_raw() -> None:
    for path in sql_files("marts"):
        references, sources = relations_read(path)
        assert not {name for name in references if name.startswith("stg_")}, path.name
        assert "raw" not in {schema for schema, _ in sources}, path.name


def test_only_the_contract_model_reads_staging() -> None:
    for path in sql_files("intermediate"):
        staging = {name for name in relations_read(path)[0] if name.startswith("stg_")}
        assert not staging or path.stem == "int_tickets__staged", f"{path.name} reads {staging}"


@pytest.mark.parametrize("model_id", WITH_OWN_SQL)
def test_every_model_of_the_registry_has_its_four_places(model_id: str) -> None:
    union, _ = relations_read(DBT_MODELS / "intermediate" / "int_tickets__staged.sql")
    places = {
        f"plugins/tollhouse/pbx/{model_id}.py": bool(models()[model_id].guide),
        f"dbt_project/models/staging/{model_id}/stg_{model_id}__tickets.sql": (
            DBT_MODELS / "staging" / model_id / f"stg_{model_id}__tickets.sql"
        ).exists(),
        f"dbt_project/models/staging/{model_id}/_{model_id}.yml": (
            DBT_MODELS / "staging" / model_id / f"_{model_id}.yml"
        ).exists(),
        f"tests/samples/{model_id}/expected.csv": (
            PROJECT / "tests" / "samples" / model_id / "expected.csv"
        ).exists(),
        f"a ref to stg_{model_id}__tickets in int_tickets__staged": (
            f"stg_{model_id}__tickets" in union
        ),
    }
    assert [place for place, is_there in places.items() if not is_there] == []


@pytest.mark.parametrize("model_id", READ_BY_LAYOUT)
def test_a_model_that_is_read_by_layouts_has_a_view_that_is_made_of_them(model_id: str) -> None:
    assert models()[model_id].guide
    assert (PROJECT / "tests" / "samples" / model_id / "expected.csv").exists()
    assert not (DBT_MODELS / "staging" / model_id).exists()
    assert model_id in {model for model, _, _ in views_of_layouts()}


def test_the_contract_unites_no_model_that_the_registry_does_not_know() -> None:
    union, _ = relations_read(DBT_MODELS / "intermediate" / "int_tickets__staged.sql")
    staged = {name.removeprefix("stg_").removesuffix("__tickets") for name in union}
    staged = {name for name in staged if f"stg_{name}__tickets" in union}
    assert staged == set(WITH_OWN_SQL)


def test_the_contract_unites_each_model_once() -> None:
    text = (DBT_MODELS / "intermediate" / "int_tickets__staged.sql").read_text(encoding="utf-8")
    named = re.findall(r"ref\('(stg_\w+)'\)", text)
    assert sorted(named) == sorted(set(named))


def test_the_plugin_scan_is_kept_out_of_the_package() -> None:
    ignored = (PROJECT / "plugins" / ".airflowignore").read_text(encoding="utf-8")
    assert "tollhouse/**" in ignored.splitlines()


def test_no_module_is_a_grab_bag() -> None:
    files = python_files("plugins", "dags", "lab", "tests")
    names = [path.relative_to(PROJECT).as_posix() for path in files]
    assert [name for name in names if GRAB_BAGS.search(name)] == []
