"""What becomes of a file once its tickets are safe: nothing is done to one that changed since."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tollhouse.installed_pbxs import Pbx
from tollhouse.transports import SourceError
from tollhouse.transports.dropped_files.listing import READ_SUFFIX, DroppedFile

ARCHIVE_FOLDER = "archive"

PutAway = Callable[[DroppedFile], None]


def put_away_as_wished(pbx: Pbx) -> PutAway | None:
    """Return what is to be done with a file after the commit."""
    wish = str(pbx.settings.get("after_landing", "keep"))
    if wish not in AFTER_LANDING:
        raise SourceError(
            f"{pbx.id}: settings.after_landing is {wish!r}; it can be {', '.join(AFTER_LANDING)}."
        )
    return AFTER_LANDING[wish]


def delete(file: DroppedFile) -> None:
    """Delete a file."""
    if file.is_unchanged() and not file.is_growing:
        Path(file.path).unlink()


def archive(file: DroppedFile) -> None:
    """Move a file to the archive below its folder."""
    if file.is_unchanged() and not file.is_growing:
        folder = Path(file.folder) / ARCHIVE_FOLDER
        folder.mkdir(exist_ok=True)
        # Whoever drops files may drop a link of that name, to where no file of theirs may go.
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.rename(file.path, _free_path(folder, file.name).name, dst_dir_fd=place)
        finally:
            os.close(place)


def rename(file: DroppedFile) -> None:
    """Leave a file where it is, under a name that is not read again."""
    if file.is_unchanged() and not file.is_growing:
        Path(file.path).rename(_free_path(Path(file.folder), file.name, READ_SUFFIX))


def _free_path(folder: Path, name: str, suffix: str = "") -> Path:
    """Return a path that nothing has yet: an older file of that name is never overwritten."""
    path, number = folder / f"{name}{suffix}", 1
    while os.path.lexists(path):
        number += 1
        path = folder / f"{name}~{number}{suffix}"
    return path


AFTER_LANDING: dict[str, PutAway | None] = {
    "keep": None,
    "archive": archive,
    "rename": rename,
    "delete": delete,
}
