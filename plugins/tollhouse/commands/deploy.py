"""``tollhouse deploy``: the dbt project into the warehouse, as `make up` does it."""

from __future__ import annotations

from rich.console import Console

from tollhouse.building import deploy
from tollhouse.settings import load_settings


def run() -> None:
    """Bring seeds, views, tables and the documentation site into the warehouse.

    Raises:
        BuildError: a node of the project fails.
    """
    deploy(load_settings())
    Console().print("The dbt project is deployed.")
