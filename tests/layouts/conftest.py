"""A database for tickets on trial: the migrations are enough, no staging view is deployed."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import OWNER_PASSWORD, Cluster
from tollhouse.embedded.postgres import OWNER
from tollhouse.migrations import migrate
from tollhouse.warehouse import LOADER, connect

DATABASE = "tickets_on_trial"


@pytest.fixture(scope="session")
def connection(cluster: Cluster) -> Iterator[psycopg.Connection]:
    """A connection that all tests share: what is tried is rolled back."""
    cluster.postgres.ensure_database(DATABASE, OWNER, OWNER_PASSWORD, may_make_roles=True)
    settings = cluster.settings(DATABASE, cluster.folder / DATABASE)
    migrate(settings)
    with connect(LOADER, settings=settings, autocommit=True) as opened:
        yield opened
