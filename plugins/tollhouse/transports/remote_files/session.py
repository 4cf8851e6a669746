"""The connection to a folder: opened when it is needed, and again when it was lost."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from tollhouse.transports.http_api.client import Patience
from tollhouse.transports.remote_files.folder import RemoteError, RemoteFolder

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Session:
    """Carries work out on a folder, again where a connection was lost on the way."""

    def __init__(
        self, pbx_id: str, open_folder: Callable[[], RemoteFolder], patience: Patience
    ) -> None:
        self._pbx_id = pbx_id
        self._open_folder = open_folder
        self._patience = patience
        self._folder: RemoteFolder | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        folder, self._folder = self._folder, None
        if folder is not None:
            # What a server answers to a farewell changes nothing.
            with suppress(OSError, RemoteError):
                folder.close()

    def attempt(
        self, work: Callable[[RemoteFolder], T], progress: Callable[[], int] = lambda: 0
    ) -> T:
        """Return what work on the folder gives.

        Args:
            work: may be called again, on a new connection.
            progress: rises as work gets on; only failures that got nowhere are counted.

        Raises:
            RemoteError: it failed for good, or too often.
        """
        failures, reached = 0, progress()
        while True:
            try:
                if self._folder is None:
                    self._folder = self._open_folder()
                return work(self._folder)
            except RemoteError as error:
                self.close()
                fault = error.fault
            if not fault.may_pass:
                raise RemoteError(self._pbx_id, fault)
            if progress() > reached:
                failures, reached = 0, progress()
            failures += 1
            if failures >= self._patience.attempts:
                found = f"{fault.found} (tried {failures} times)"
                raise RemoteError(self._pbx_id, fault._replace(found=found))
            wait = self._patience.wait_seconds(failures, random.random())  # noqa: S311 - no secret
            logger.info("%s: %s; trying again in %.1f s", self._pbx_id, fault.found, wait)
            time.sleep(wait)
