"""Checking a PBX that drops files in a folder of this machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx import FileDefaults
from tollhouse.pbx_check.file_content import check_content, remedy
from tollhouse.pbx_check.report import Landed, Report, StepFailedError, age_step
from tollhouse.settings import Settings
from tollhouse.transports.dropped_files.listing import names_to_read
from tollhouse.transports.dropped_files.putting_away import ARCHIVE_FOLDER


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
            remedy(pbx) if not others else "Correct settings.pattern of the entry.",
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
    check_content(report, pbx, newest_first)
    report.add(age_step(pbx, _modified_at(newest_first[0]), remedy(pbx)))


def _files_of(report: Report, folder: Path) -> list[Path]:
    try:
        # The transport follows no links, and reads plain files alone.
        files = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    except FileNotFoundError as error:
        raise StepFailedError(
            "folder",
            f"{folder} does not exist",
            "Create it, and let the account that brings the files write there; or correct "
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
            "the group of the account that brings the files and chmod 2770 the folder.",
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
