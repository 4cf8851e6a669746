"""Tickets in files that a PBX drops in a folder, by FTP, SFTP or a share.

A file is a delivery; the ordinal of a ticket is its byte offset. IDLAST is the number of the last
delivery: a file that is known up to there, of the same size and time, is not opened again. What a
file is that was not read is told by its content, in ``tollhouse.file_deliveries``.

Whoever may drop files is not trusted further: nothing but plain files is opened, no link is
followed, and no name reaches a path or the database that could not be printed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from tollhouse.file_deliveries import deliver, in_order, is_of, not_read
from tollhouse.landing import DeliveryTickets, SmallDeliveries
from tollhouse.transports import FetchRequest, Progress, SourceError
from tollhouse.transports.dropped_files.listing import (
    READ_SUFFIX,
    DroppedFile,
    file_defaults,
    list_files,
    names_to_read,
)
from tollhouse.transports.dropped_files.putting_away import (
    ARCHIVE_FOLDER,
    PutAway,
    put_away_as_wished,
    rename,
)
from tollhouse.transports.dropped_files.resting import at_rest

STABLE_SECONDS = 2.0


def position(idlast: str) -> tuple[int, ...]:
    """Return IDLAST as a number."""
    if not idlast.isdecimal():
        raise ValueError("the number of a delivery is a whole number")
    return (int(idlast),)


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets | SmallDeliveries]:
    """Yield the files of the folder that are new or have grown, or those of an interval."""
    pbx = request.pbx
    folder = drop_folder(request)
    put_away = put_away_as_wished(pbx)
    in_order(pbx, [])  # a wish that does not hold is told at once
    files = list_files(request, folder, progress.warnings)
    if request.interval is not None:
        archive = folder / ARCHIVE_FOLDER
        files += [] if archive.is_symlink() else list_files(request, archive, [])
        files = [_as_dropped(file, put_away) for file in files]
        files = [file for file in files if is_of(pbx, file, request.interval)]
    elif put_away is rename:
        files = [file for file in files if not file.name.endswith(READ_SUFFIX)]
    waiting, read = not_read(request, files)
    if file_defaults(request).complete == "stable":
        stable_seconds = float(pbx.settings.get("stable_seconds", STABLE_SECONDS))
        waiting = at_rest(request, waiting, stable_seconds, progress)
    yield from deliver(request, in_order(pbx, waiting), progress, put_away=put_away)
    if put_away is not None and request.interval is None:
        progress.after_commit += [partial(put_away, file) for file in read]
    newest = request.known.newest()
    progress.idlast = str(newest.delivery_id) if newest else None


def drop_folder(request: FetchRequest) -> Path:
    """Return the folder where the PBX drops its files.

    Raises:
        SourceError: none is configured, or it is not there.
    """
    pbx = request.pbx
    name = pbx.settings.get("folder")
    if not name:
        raise SourceError(f"{pbx.id}: settings.folder of its entry in include/pbx.yml is missing.")
    folder = request.settings.var / str(name)
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir fails where it may not look
        raise SourceError(
            f"{pbx.id}: the folder {folder} does not exist, or lies where it cannot be seen. Make "
            "it, let the account that the PBX delivers with write to it, and the account that "
            "Airflow runs as read it."
        )
    return folder


def _as_dropped(file: DroppedFile, put_away: PutAway | None) -> DroppedFile:
    """Return a file of an interval under the name that it had before it was put away."""
    if put_away is not rename:
        return file
    return replace(file, unit=file.name.removesuffix(READ_SUFFIX))


__all__ = ["ARCHIVE_FOLDER", "READ_SUFFIX", "drop_folder", "fetch", "names_to_read", "position"]
