"""Checking a PBX whose files are fetched: the way to its folder, and the last tickets in there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from tollhouse.connections import find_connection
from tollhouse.file_deliveries import in_order
from tollhouse.installed_pbxs import Pbx
from tollhouse.pbx_check.file_content import check_content, remedy
from tollhouse.pbx_check.network import check_name, check_port
from tollhouse.pbx_check.report import Landed, Report, StepFailedError, age_step
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.dropped_files.listing import names_to_read
from tollhouse.transports.remote_files import open_session
from tollhouse.transports.remote_files.choosing import acceptable
from tollhouse.transports.remote_files.copies import Copies
from tollhouse.transports.remote_files.folder import (
    Listing,
    RemoteError,
    RemoteFile,
    RemoteFileError,
    RemoteFolder,
)
from tollhouse.transports.remote_files.session import Session
from tollhouse.transports.remote_files.site import Site, file_defaults, site_of

#: So many of the newest files are fetched in search of tickets: empty ones are ordinary.
FETCHED_FILES = 10
#: Of a longer file the beginning is looked at.
LARGEST_BYTES = 8 << 20
#: So many names are shown of files that do not match.
SHOWN_NAMES = 3


def check_remote(report: Report, pbx: Pbx, settings: Settings, landed: Landed) -> None:
    """Go from the connection to the tickets of the newest file.

    Raises:
        StepFailedError: a step failed and the next ones need it.
        ConnectionMissingError: the connection is not visible here.
    """
    connection = find_connection(pbx.connection, settings)
    check_name(report, connection.host, connection.connection_id)
    try:
        site = site_of(pbx, connection, settings)
        in_order(pbx, ())
        check_port(report, site.reach.host, site.reach.port, service="the file server of the PBX")
        with open_session(site) as session:
            files = _check_way(report, site, session)
            _check_new(report, files, landed)
            newest_first = sorted(files, key=lambda file: file.modified_at, reverse=True)
            with tempfile.TemporaryDirectory() as place:
                looked_at = newest_first[:FETCHED_FILES]
                check_content(report, pbx, _fetched(session, looked_at, Path(place)))
        report.add(age_step(pbx, newest_first[0].modified_at, remedy(pbx)))
    except RemoteError as error:
        fault = error.fault
        raise StepFailedError(fault.step, fault.found, fault.remedy) from None
    except SourceError as error:
        raise StepFailedError("connection", str(error), "Correct it there.") from error


def _check_way(report: Report, site: Site, session: Session) -> list[RemoteFile]:
    """Log in and list the folder; return its files that are read."""
    is_wanted = names_to_read(site.pbx, file_defaults(site.pbx))
    copies = Copies(site.settings, site.pbx.id)

    def listed(folder: RemoteFolder) -> Listing:
        return folder.list_files(is_wanted, copies.find)

    listing = session.attempt(listed)
    protection = session.attempt(lambda folder: folder.protection)
    if protection.remedy:
        report.warn(protection.step, protection.found, protection.remedy)
    else:
        report.ok(protection.step, protection.found)
    report.ok("login", f"logged in as {site.connection.login!r} by {site.protocol}")
    report.ok("folder", f"{site.folder} may be listed")
    refused: list[str] = []
    files = acceptable(site.pbx, listing.files, refused, rename=site.after_landing == "rename")
    for reason in refused[:SHOWN_NAMES]:
        report.warn("files", reason, "Such a name is no file of tickets: look who put it there.")
    pattern = site.pbx.settings.get("pattern", file_defaults(site.pbx).pattern)
    if not files:
        others = ", ".join(sorted(listing.other_names)[:SHOWN_NAMES])
        raise StepFailedError(
            "files",
            f"no file is named like {pattern!r}" + (f"; there is {others} …" if others else ""),
            "Correct settings.pattern or settings.folder of the entry."
            if others
            else remedy(site.pbx),
        )
    report.ok("files", f"{len(files)} named like {pattern!r}")
    return files


def _check_new(report: Report, files: list[RemoteFile], landed: Landed) -> None:
    if landed.units is not None:
        # A file that has grown since is news too.
        news = [file for file in files if landed.units.get(file.name) != file.size_bytes]
        report.ok("new", f"{len(news)} of them not landed yet")


def _fetched(session: Session, newest_first: list[RemoteFile], folder: Path) -> Iterator[Path]:
    """Yield files as they are asked for, from a folder that is not kept.

    Raises:
        StepFailedError: one cannot be fetched.
    """
    for file in newest_first:
        path = folder / file.name
        try:
            path.write_bytes(session.attempt(partial(_beginning, file)))
        except RemoteFileError as error:
            found = f"{file.name} is not to be had: {error}"
            raise StepFailedError("rights", found, "Correct that on the PBX.") from None
        yield path


def _beginning(file: RemoteFile, folder: RemoteFolder) -> bytes:
    """Return a file, or the first lines of a long one."""
    content = bytearray()
    with closing(folder.blocks(file.name, 0)) as blocks:
        for block in blocks:
            content += block
            if len(content) > LARGEST_BYTES:
                return bytes(content[: content.rfind(b"\n") + 1])
    return bytes(content)
