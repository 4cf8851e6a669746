"""Checking a PBX that drops files in a folder of this machine."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from tollhouse.decompression import DecompressionError
from tollhouse.framing import NAMES_LINE, frame_file
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import FileDefaults
from tollhouse.pbx_check.report import (
    SHOWN_TICKETS,
    Landed,
    LastTickets,
    Report,
    StepFailedError,
    age_step,
)
from tollhouse.settings import Settings
from tollhouse.transports.dropped_files.listing import names_to_read
from tollhouse.transports.dropped_files.putting_away import ARCHIVE_FOLDER

#: Only so many of the newest files are opened in search of tickets: empty ones are ordinary.
OPENED_FILES = 50

NOTHING_NEW = (
    "Make a call and look again. If no file comes: in Cisco Unified Serviceability, Tools > "
    "CDR Management, the billing server must show this machine and no failed delivery; CDR Enabled "
    "Flag must be True on every node."
)


def check_folder(report: Report, pbx: Pbx, settings: Settings, landed: Landed) -> None:
    """Go from the folder to the tickets of its newest file.

    Raises:
        StepFailedError: a step failed and the next ones need it.
    """
    defaults = pbx.known_model.files or FileDefaults(pattern="*")
    named = pbx.settings.get("folder")
    if not named:
        raise StepFailedError(
            "folder",
            "the entry names no folder",
            "Add `settings: {folder: …}` to the entry in include/pbx.yml.",
        )
    folder = settings.var / str(named)
    files = _files_of(report, folder)
    pattern = str(pbx.settings.get("pattern", defaults.pattern))
    is_named = names_to_read(pbx, defaults)
    matching = [path for path in files if is_named(path.name)]
    archived = [path for path in _archived_files(folder) if is_named(path.name)]
    if not matching and not archived:
        others = ", ".join(sorted(path.name for path in files)[:3])
        raise StepFailedError(
            "files",
            f"no file is named like {pattern!r}" + (f"; there is {others} …" if others else ""),
            NOTHING_NEW if not others else "Correct settings.pattern of the entry.",
        )
    report.ok(
        "files",
        f"{len(matching)} named like {pattern!r}"
        + (f", {len(archived)} more in the archive" if archived else ""),
    )
    if landed.units is not None:
        # A file that has grown since is news too.
        news = [path for path in matching if landed.units.get(path.name) != path.stat().st_size]
        report.ok("new", f"{len(news)} of them not landed yet")
    newest_first = sorted([*matching, *archived], key=_modified_at, reverse=True)
    _check_content(report, pbx, newest_first)
    report.add(age_step(pbx, _modified_at(newest_first[0]), NOTHING_NEW))


def _files_of(report: Report, folder: Path) -> list[Path]:
    try:
        # The transport follows no links, and reads plain files alone.
        files = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    except FileNotFoundError as error:
        raise StepFailedError(
            "folder",
            f"{folder} does not exist",
            "Create it, and let the FTP or SFTP account of the PBX write there; or correct "
            "settings.folder of the entry (a relative folder is below var/).",
        ) from error
    except NotADirectoryError as error:
        raise StepFailedError(
            "folder", f"{folder} is a file", "Correct settings.folder of the entry."
        ) from error
    except PermissionError as error:
        raise StepFailedError(
            "rights",
            f"{folder} may not be read by this account",
            "Give the account that runs Tollhouse read and execute rights on the folder: put it in "
            "the group of the FTP account and chmod 2770 the folder.",
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        report.warn(
            "folder",
            f"{folder} may be read and not written to",
            "Files cannot be archived or deleted after landing: give write rights, or set "
            "after_landing: keep.",
        )
    else:
        report.ok("folder", f"{folder}, {len(files)} files")
    return files


def _archived_files(folder: Path) -> list[Path]:
    archive = folder / ARCHIVE_FOLDER
    try:
        return [path for path in archive.iterdir() if path.is_file() and not path.is_symlink()]
    except OSError:
        return []  # the folder itself could be read: an archive that cannot is no fault of the PBX


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _check_content(report: Report, pbx: Pbx, newest_first: list[Path]) -> None:
    """Look for the newest file that holds tickets, and see that its header names columns."""
    for path in newest_first[:OPENED_FILES]:
        try:
            with path.open("rb") as stream:
                framed = frame_file(stream, pbx.known_model)
                tickets = tuple(framed.tickets)[-SHOWN_TICKETS:]
        except PermissionError as error:
            raise StepFailedError(
                "rights",
                f"{path.name} may not be read by this account",
                "Let the FTP account create files that its group may read (umask 007 or 027).",
            ) from error
        except DecompressionError as error:
            raise StepFailedError(
                "files",
                f"{path.name} cannot be decompressed: {error}",
                "The other files land; this one waits until it is whole, or is taken away.",
            ) from error
        if pbx.known_model.framing.kind == "header_lines":
            _require_header(path, framed.header)
        if tickets:
            report.last = LastTickets(tickets, framed.header)
            columns = len((framed.header or "").split(","))
            report.ok("header", f"{path.name} names {columns} columns")
            return
    raise StepFailedError(
        "tickets",
        f"the {min(len(newest_first), OPENED_FILES)} newest files hold no ticket",
        "Files with the two header lines alone are ordinary on a quiet system. Make a call and "
        "wait for CDR File Time Interval; check that CDR Enabled Flag is True on every node.",
    )


def _require_header(path: Path, header: str | None) -> None:
    names = re.findall(r"[A-Za-z_]\w*", header or "")
    if header is None or not NAMES_LINE.match(header) or len(names) < 2:
        raise StepFailedError(
            "header",
            f"the first line of {path.name} names no columns: {(header or '')[:60]!r}",
            "The columns of a ticket are found by that line alone. Was the file cut or edited on "
            "its way? Send the PBX's files as they are (FTP in binary mode).",
        )
