"""Fixtures of the transports."""

from tests.mariadb_server import mariadb

__all__ = ["mariadb"]
