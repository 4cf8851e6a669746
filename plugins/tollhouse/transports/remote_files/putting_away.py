"""What becomes of a file on the PBX once it has landed; nothing, unless the entry asks for it."""

from __future__ import annotations

from tollhouse.transports.dropped_files.listing import READ_SUFFIX
from tollhouse.transports.dropped_files.putting_away import ARCHIVE_FOLDER
from tollhouse.transports.remote_files.copies import FetchedFile
from tollhouse.transports.remote_files.folder import (
    RemoteError,
    RemoteFile,
    RemoteFileError,
    RemoteFolder,
)
from tollhouse.transports.remote_files.session import Session


class PuttingAway:
    """Archives, renames or deletes files on the PBX, over a connection of its own."""

    def __init__(self, session: Session, wish: str) -> None:
        self._session = session
        self._act = {"archive": _archive, "rename": _rename, "delete": _delete}[wish]

    def __call__(self, file: FetchedFile) -> None:
        """Put one file away, unless it has changed since it was fetched.

        Raises:
            OSError: that failed; its tickets are safe all the same.
        """
        try:
            self._session.attempt(lambda folder: self._put_away(folder, file.remote))
        except (RemoteError, RemoteFileError) as error:
            raise OSError(str(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _put_away(self, folder: RemoteFolder, file: RemoteFile) -> None:
        now = folder.look(file.name)
        if now is not None and now.is_as(file) and not file.is_growing:
            self._act(folder, file.name)


def _delete(folder: RemoteFolder, name: str) -> None:
    folder.delete(name)


def _archive(folder: RemoteFolder, name: str) -> None:
    folder.make_folder(ARCHIVE_FOLDER)
    folder.rename(name, _free_name(folder, f"{ARCHIVE_FOLDER}/{name}"))


def _rename(folder: RemoteFolder, name: str) -> None:
    folder.rename(name, _free_name(folder, name, READ_SUFFIX))


def _free_name(folder: RemoteFolder, name: str, suffix: str = "") -> str:
    """Return a name that nothing bears yet: some servers overwrite what is there."""
    free, number = f"{name}{suffix}", 1
    while folder.look(free) is not None:
        number += 1
        free = f"{name}~{number}{suffix}"
    return free
