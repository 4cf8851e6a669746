"""What the code imports is asked for by name, and each package that is asked for has its reason."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions

import pytest

from tollhouse.settings import PROJECT

FOLDERS = ("plugins", "dags", "lab", "tests")
OWN = {"tollhouse", "lab", "scripts", "tests"}


def test_every_package_that_the_code_imports_is_asked_for_by_name() -> None:
    distributions = packages_distributions()
    asked_for = names_in("requirements.in")
    asked_for_by_tests = asked_for | names_in("requirements-dev.in")

    for folder in FOLDERS:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            names = asked_for_by_tests if folder == "tests" else asked_for
            for module in imported_modules(path.read_text(encoding="utf-8")):
                installed_by = {normalised(name) for name in distributions.get(module, [])}
                assert installed_by & names, f"{path.relative_to(PROJECT)} imports {module}"


@pytest.mark.parametrize("file", ["requirements.in", "requirements-dev.in"])
def test_every_package_that_is_asked_for_has_its_reason(file: str) -> None:
    guide = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    reasons = guide.split("## Dependencies", 1)[1].lower()
    for name in names_in(file):
        provider = name.removeprefix("apache-airflow-providers-")
        named = rf"(?<![\w-])({re.escape(name)}|{re.escape(provider)})(?![\w-])"
        assert re.search(named, reasons), f"{file}: {name}"


def names_in(file: str) -> set[str]:
    lines = (PROJECT / file).read_text(encoding="utf-8").splitlines()
    return {
        normalised(re.split(r"[\[<>=]", line, maxsplit=1)[0])
        for line in lines
        if line and not line.startswith(("#", "-"))
    }


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def imported_modules(source: str) -> set[str]:
    """Return the third-party top-level modules that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules.add(str(node.module).split(".")[0])
    return modules - sys.stdlib_module_names - OWN
