"""Which of the listed files are fetched: those with acceptable names, once they are complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from tollhouse.installed_pbxs import Pbx
from tollhouse.transports import FetchRequest
from tollhouse.transports.dropped_files.listing import READ_SUFFIX
from tollhouse.transports.dropped_files.resting import LOG_KINDS, TOLD_NAMES
from tollhouse.transports.remote_files.folder import Listing, RemoteFile
from tollhouse.transports.remote_files.names import clashing, refusal
from tollhouse.transports.remote_files.site import file_defaults


def acceptable(
    pbx: Pbx, files: Iterable[RemoteFile], warnings: list[str], *, rename: bool
) -> list[RemoteFile]:
    """Return the files whose names may be names here; the others are named in the warnings.

    Args:
        pbx: whose files they are.
        files: as listed.
        warnings: gets a line for each that is refused.
        rename: files that bear the suffix of those that have landed are left out.
    """
    listed = [file for file in files if file.kind != "folder"]
    clashes = clashing(listed)
    found: dict[str, RemoteFile] = {}
    for file in listed:
        reason = refusal(file)
        if reason is None and file.name in clashes:
            reason = f"{clashes[file.name]!r} is the same name to disks that know no case"
        if reason is not None:
            warnings.append(f"{pbx.id}: {file.name!r} on the PBX is not fetched: {reason}")
        elif not (rename and file.name.endswith(READ_SUFFIX)):
            found.setdefault(file.name, file)
    return list(found.values())


def complete(
    request: FetchRequest,
    files: list[RemoteFile],
    listing: Listing,
    seconds: float,
    list_again: Callable[[], Listing],
    warnings: list[str],
) -> list[RemoteFile]:
    """Return the files that are not being written, by what the server says and never our clock.

    Where it tells the time, a file is complete that was old enough then. Any other is looked at
    twice, and complete if nothing has changed. A log that grows all the time, and of which raw has
    the beginning, is read as far as it goes.

    Args:
        request: whose files they are.
        files: some of the listing.
        listing: in which they stand.
        seconds: for how long a file must not have changed.
        list_again: lists once more.
        warnings: gets a line with the names of those that wait.
    """
    pbx = request.pbx
    if file_defaults(pbx).complete == "renamed":
        return files
    now = listing.server_time
    young = [file for file in files if now is None or not _is_old(file, now, seconds)]
    if not young:
        return files
    time.sleep(seconds)
    later = {file.name: file for file in list_again().files}
    # One that is gone by now is asked for all the same: fetching names it.
    changed = {
        file.name: file for file in young if file.name in later and not file.is_as(later[file.name])
    }
    growing = _growing(request, changed, later)
    if waiting := sorted(changed.keys() - growing):
        told = ", ".join(waiting[:TOLD_NAMES]) + " …" * (len(waiting) > TOLD_NAMES)
        warnings.append(f"{pbx.id}: {len(waiting)} files are being written, and wait: {told}")
    return [
        replace(file, is_growing=file.name in growing)
        for file in files
        if file.name not in changed or file.name in growing
    ]


def _growing(
    request: FetchRequest, changed: dict[str, RemoteFile], later: dict[str, RemoteFile]
) -> set[str]:
    """Return the names of the logs among files that change."""
    if not changed or request.pbx.known_model.framing.kind not in LOG_KINDS:
        return set()
    states = request.known.states(list(changed))
    return {
        name
        for name, file in changed.items()
        if name in states
        and 0 < (states[name].size_bytes or 0) <= file.size_bytes <= later[name].size_bytes
    }


def _is_old(file: RemoteFile, now: datetime, seconds: float) -> bool:
    return file.time_step < timedelta.max and now - file.modified_at >= file.time_step + timedelta(
        seconds=seconds
    )
