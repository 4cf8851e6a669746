"""Tickets in files that stay on the PBX, fetched by FTP, FTPS, SFTP or from a web server's listing.

New files and those that have grown are fetched into ``var/fetched/<pbx>/``, continued where an
earlier attempt was cut, and then delivered as any file of tickets is. IDLAST is the number of the
last delivery: a file that is known up to there, of the same size and time, is not fetched again.
The copies stay for backfills until the DAG ``prune_spool`` deletes them.

Whoever runs the server is not trusted further than for tickets: names are data, links and devices
are not followed, and nothing on the server is changed unless the entry asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from tollhouse.file_deliveries import deliver, in_order, is_of, not_read
from tollhouse.landing import DeliveryTickets, SmallDeliveries
from tollhouse.transports import FetchRequest, Progress
from tollhouse.transports.dropped_files import position
from tollhouse.transports.dropped_files.listing import names_to_read
from tollhouse.transports.remote_files.choosing import acceptable, complete
from tollhouse.transports.remote_files.copies import Copies, FetchedFile
from tollhouse.transports.remote_files.fetching import Fetching
from tollhouse.transports.remote_files.folder import Listing, RemoteError
from tollhouse.transports.remote_files.putting_away import PuttingAway
from tollhouse.transports.remote_files.session import Session
from tollhouse.transports.remote_files.site import Site, file_defaults, site_of

__all__ = ["fetch", "open_session", "position"]


def fetch(request: FetchRequest, progress: Progress) -> Iterator[DeliveryTickets | SmallDeliveries]:
    """Yield the files of the PBX that are new or have grown, or those of an interval."""
    site = site_of(request.pbx, request.find_connection(), request.settings)
    copies = Copies(request.settings, request.pbx.id)
    with open_session(site) as session:
        if request.interval is None:
            yield from _what_is_new(request, site, session, copies, progress)
        else:
            yield from _interval(request, site, session, copies, progress)


def open_session(site: Site) -> Session:
    """Return the way to the files of a PBX; nothing is connected yet."""
    return Session(site.pbx.id, site.open, site.patience)


def _what_is_new(
    request: FetchRequest, site: Site, session: Session, copies: Copies, progress: Progress
) -> Iterator[DeliveryTickets | SmallDeliveries]:
    pbx, warnings = request.pbx, progress.warnings
    in_order(pbx, ())  # a wish that does not hold is told before anything is fetched
    listing = _list(site, session, copies)
    listed = acceptable(pbx, listing.files, warnings, rename=site.after_landing == "rename")
    waiting, read = not_read(request, map(copies.copy_of, listed))
    ready = complete(
        request,
        [file.remote for file in waiting],
        listing,
        site.stable_seconds,
        lambda: _list(site, session, copies),
        warnings,
    )
    put_away = None
    if site.after_landing != "keep":
        put_away = PuttingAway(open_session(site), site.after_landing)
    files = _fetched(site, session, copies, map(copies.copy_of, ready), warnings)
    yield from deliver(request, files, progress, put_away=put_away)
    if put_away is not None:
        progress.after_commit += [partial(put_away, file) for file in read]
        progress.after_commit.append(put_away.close)
    newest = request.known.newest()
    progress.idlast = str(newest.delivery_id) if newest else None


def _interval(
    request: FetchRequest, site: Site, session: Session, copies: Copies, progress: Progress
) -> Iterator[DeliveryTickets | SmallDeliveries]:
    """Yield the files of an interval: those on the PBX, and copies of what it keeps no longer."""
    assert request.interval is not None
    pbx, interval, warnings = request.pbx, request.interval, progress.warnings
    is_wanted = names_to_read(pbx, file_defaults(pbx))
    here = map(copies.copy_of, (file for file in copies.all() if is_wanted(file.name)))
    found = {file.unit: file for file in here if is_of(pbx, file, interval)}
    try:
        listing = _list(site, session, copies)
    except RemoteError as error:
        if not found:
            raise
        warnings.append(f"{error} The copies that are here are read.")
        listing = Listing([])
    listed = acceptable(pbx, listing.files, warnings, rename=site.after_landing == "rename")
    there = map(copies.copy_of, listed)
    found |= {file.unit: file for file in there if is_of(pbx, file, interval)}
    files = _fetched(site, session, copies, found.values(), warnings)
    yield from deliver(request, files, progress)


def _list(site: Site, session: Session, copies: Copies) -> Listing:
    is_wanted = names_to_read(site.pbx, file_defaults(site.pbx))
    return session.attempt(lambda folder: folder.list_files(is_wanted, copies.find))


def _fetched(
    site: Site,
    session: Session,
    copies: Copies,
    files: Iterable[FetchedFile],
    warnings: list[str],
) -> Iterator[FetchedFile]:
    """Yield files in their order, each as soon as its copy is here."""
    fetching = Fetching(
        site.pbx.id,
        session,
        copies,
        warnings,
        model=site.pbx.known_model,
        reserve_bytes=site.reserve_bytes,
    )
    return fetching.fetched(file.remote for file in in_order(site.pbx, files))
