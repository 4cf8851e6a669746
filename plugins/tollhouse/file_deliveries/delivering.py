"""Files become deliveries: many small ones at a time, each large one by itself."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import BinaryIO, Generic, NamedTuple, cast

from tollhouse.bundles import Bundle
from tollhouse.declared_lines import ends_a_line
from tollhouse.decompression import LONGEST_MAGIC_BYTES, Member, is_compressed, unpacked
from tollhouse.file_deliveries.listing import File, FileToDeliver
from tollhouse.file_deliveries.recognition import (
    Content,
    Reading,
    digest,
    former_names,
    recognise,
)
from tollhouse.framing import frame_file
from tollhouse.framing_in_bundles import frame_in_bundles
from tollhouse.landing import Delivery, DeliveryTickets, KnownDelivery, SmallDeliveries
from tollhouse.transports import FetchRequest, Progress
from tollhouse.windows import Window

#: A file up to this size is read into memory ...
SMALL_FILE_BYTES = 1 << 20
#: ... and handed over with others, up to so many of them or so many bytes.
GROUP_FILES = 1_000
GROUP_BYTES = 8 << 20
#: So long a file whose last line has no end may still get it.
WAIT_FOR_LINE_END = timedelta(minutes=10)
KINDS_OF_LINES = frozenset({"lines", "header_lines"})
#: Formats with something after the last ticket: a file of theirs that grows is not what it was and
#: more, but its tickets are.
KINDS_WITH_AN_END = frozenset({"elements", "items"})
#: So many generations of a log are looked at to see whether it was renamed: the newest may be what
#: was begun in its place.
ROTATED_GENERATIONS = 3

logger = logging.getLogger(__name__)

HandedOver = DeliveryTickets | SmallDeliveries


def deliver(
    request: FetchRequest,
    files: Iterable[File],
    progress: Progress,
    *,
    put_away: Callable[[File], None] | None = None,
) -> Iterator[HandedOver]:
    """Yield the deliveries that files are, in order, with the tickets that may be new.

    Args:
        request: what is read, and what raw knows.
        files: in the order in which they are to land; read as the deliveries are asked for.
        progress: gets a warning for each file that waits, and what is to be done after the commit.
        put_away: what is to be done with a file that has landed, after the commit; an OSError of it
            is a warning.
    """
    files_of_model = request.pbx.known_model.files_of(request.pbx.transport)
    are_whole = files_of_model is not None and files_of_model.complete == "renamed"
    delivering = _Delivering(request, progress, put_away, are_whole)
    for chunk in _chunks(files):
        yield from delivering.deliver(chunk)


def _chunks(files: Iterable[File]) -> Iterator[list[File]]:
    """Yield files in portions, in none of which a name comes twice."""
    chunk: dict[str, File] = {}
    for file in files:
        if file.unit in chunk or len(chunk) >= GROUP_FILES:
            yield list(chunk.values())
            chunk = {}
        chunk[file.unit] = file
    if chunk:
        yield list(chunk.values())


class _Past(NamedTuple):
    """What raw knows of a file's name.

    Attributes:
        before: the newest generation of it.
        rotated: the newest generations of the names that it may have had before.
    """

    before: KnownDelivery | None = None
    rotated: Sequence[KnownDelivery] = ()

    @property
    def earlier(self) -> list[KnownDelivery]:
        """What the file may go on from."""
        return [*self.rotated] if self.before is None else [self.before, *self.rotated]


class _SmallFile(NamedTuple):
    """A file that was read into memory."""

    file: FileToDeliver
    data: bytes
    content: Content
    past: _Past


@dataclass
class _Delivering(Generic[File]):
    request: FetchRequest
    progress: Progress
    put_away: Callable[[File], None] | None = None
    #: Whether files are known to be whole, as what was in an archive is.
    are_whole: bool = False
    small: list[_SmallFile] = field(default_factory=list)
    small_bytes: int = 0
    #: Files that landing has, and that are put away after the commit.
    landed: list[File] = field(default_factory=list)

    def deliver(self, files: list[File]) -> Iterator[HandedOver]:
        """Yield the deliveries of a portion of files."""
        pasts = self._pasts([file.unit for file in files])
        for file in files:
            try:
                yield from self._deliver_file(file, pasts[file.unit])
            except OSError as error:
                self._let_wait(file, error)
        yield from self._hand_over_small()
        if self.landed and self.put_away is not None and self.request.interval is None:
            step = partial(_put_all_away, self.put_away, self.landed, self.request, self.progress)
            self.progress.after_commit.append(step)
        self.landed = []

    def _pasts(self, units: list[str]) -> dict[str, _Past]:
        known = self.request.known
        current = known.current(units)
        names = {unit: former_names(unit) for unit in units}
        wanted = sorted(set(chain.from_iterable(names.values())))
        rotated = known.newest_generations(wanted, ROTATED_GENERATIONS)
        return {
            unit: _Past(
                current.get(unit),
                [one for name in names[unit] for one in rotated.get(name, ())],
            )
            for unit in units
        }

    def _deliver_file(self, file: File, past: _Past) -> Iterator[HandedOver]:
        with closing(file.open()) as opened:
            if file.size_bytes <= SMALL_FILE_BYTES:
                data = opened.read(file.size_bytes)
                if not is_compressed(data):
                    content = self._digest(io.BytesIO(data), file, past.earlier)
                    if self._is_as_listed(file, content) and self._is_whole(file, content):
                        self.small.append(_SmallFile(file, data, content, past))
                        self.small_bytes += len(data)
                        self.landed.append(file)
                    if self.small_bytes >= GROUP_BYTES:
                        yield from self._hand_over_small()
                    return
                opened = io.BytesIO(data)
            yield from self._hand_over_small()
            stream = cast("BinaryIO", Window(opened, file.size_bytes))
            head = stream.read(LONGEST_MAGIC_BYTES)
            stream.seek(0)
            deliver = self._deliver_compressed if is_compressed(head) else self._deliver_large
            yield from deliver(file, stream, past)

    def _digest(
        self, stream: BinaryIO, file: FileToDeliver, earlier: Iterable[KnownDelivery]
    ) -> Content:
        return digest(stream, file.size_bytes, earlier, ends_a_line(self.request.pbx.known_model))

    def _is_as_listed(self, file: FileToDeliver, content: Content) -> bool:
        """Whether a file can land: nobody wrote to it meanwhile."""
        if content.size_bytes == file.size_bytes and file.is_unchanged():
            return True
        self._let_wait(file, "it changed while it was read")
        return False

    def _is_whole(self, file: FileToDeliver, content: Content) -> bool:
        """Whether a file ends as one that was written to its end does.

        A transfer that broke off leaves half a line, which may read as a whole ticket. The line is
        completed when the PBX tries again; if it never does, half is all that there is.
        """
        kind = self.request.pbx.known_model.framing.kind
        if self.are_whole or content.ends_a_line or kind not in KINDS_OF_LINES:
            return True
        if not timedelta(0) <= datetime.now(UTC) - file.modified_at < WAIT_FOR_LINE_END:
            return True
        minutes = WAIT_FOR_LINE_END // timedelta(minutes=1)
        self._let_wait(
            file, f"it ends within a line; if it stays so it is read after {minutes} min"
        )
        return False

    def _let_wait(self, file: FileToDeliver, reason: object) -> None:
        self.progress.warnings.append(
            f"{self.request.pbx.id}: {file.unit} cannot be read, and waits: {reason}"
        )

    def _hand_over_small(self) -> Iterator[SmallDeliveries]:
        """Yield the files that were read into memory since, as one group."""
        small, self.small, self.small_bytes = self.small, [], 0
        if not small:
            return
        holders = self.request.known.with_contents([one.content.sha256 for one in small])
        deliveries = []
        for one in small:
            same = holders.setdefault(one.content.sha256, [])
            stream = io.BytesIO(one.data)
            reading = self._recognise(one.file, stream, one.content, one.past, same)
            delivery, bundles = self._as_delivery(one.file, stream, one.content, reading)
            deliveries.append((delivery, tuple(bundles)))
            # A file further on may be the same once more.
            same.append(KnownDelivery(delivery.unit, delivery.generation))
        yield SmallDeliveries(deliveries)

    def _deliver_large(
        self, file: File, stream: BinaryIO, past: _Past
    ) -> Iterator[DeliveryTickets]:
        content = self._digest(stream, file, past.earlier)
        if not (self._is_as_listed(file, content) and self._is_whole(file, content)):
            return
        same = self.request.known.with_contents([content.sha256]).get(content.sha256, [])
        reading = self._recognise(file, stream, content, past, same)
        yield DeliveryTickets(*self._as_delivery(file, stream, content, reading))
        self.landed.append(file)

    def _deliver_compressed(
        self, file: File, stream: BinaryIO, past: _Past
    ) -> Iterator[HandedOver]:
        """Yield a compressed file, which has no tickets of its own, and then the files in it."""
        content = self._digest(stream, file, ())
        same = self.request.known.with_contents([content.sha256]).get(content.sha256, [])
        own = next((known for known in same if known.unit == file.unit), None)
        generation = own.generation if own else (past.before.generation if past.before else 0) + 1
        is_repeated = bool(same) and (own is None or own.repeated_bytes == content.size_bytes)
        repeated_bytes = content.size_bytes if is_repeated else 0
        itself = _delivery(file, content, Reading(generation, repeated_bytes=repeated_bytes), None)
        if is_repeated:
            if self._is_as_listed(file, content):
                yield SmallDeliveries([(itself, ())])
                self.landed.append(file)
            return
        with unpacked(stream, file.unit, folder=self.request.settings.var) as members:
            if not self._is_as_listed(file, content):
                return
            yield SmallDeliveries([(itself, ())])
            inner = [_MemberFile(file, member) for member in members]
            delivering = _Delivering[_MemberFile](self.request, self.progress, are_whole=True)
            for chunk in _chunks(inner):
                yield from delivering.deliver(chunk)
        self.landed.append(file)

    def _recognise(
        self,
        file: FileToDeliver,
        stream: BinaryIO,
        content: Content,
        past: _Past,
        same: list[KnownDelivery],
    ) -> Reading:
        pbx_id = self.request.pbx.id
        has_end = self.request.pbx.known_model.framing.kind in KINDS_WITH_AN_END
        reading = recognise(
            file.unit,
            content,
            past.before,
            same,
            past.rotated,
            idlast=self.request.idlast,
            is_interval=self.request.interval is not None,
            at_line_end=not has_end,
        )
        before = past.before if has_end and reading.is_replaced else None
        if before is not None and self._holds_last_ticket(before, stream):
            start = before.repeated_bytes
            return Reading(before.generation, start, start, before.header)
        if reading.repeats is not None:
            logger.info("%s: %s repeats %s", pbx_id, file.unit, reading.repeats)
        if reading.is_replaced:
            self.progress.warnings.append(
                f"{pbx_id}: {file.unit} came again with other content; it is read as "
                f"generation {reading.generation}."
            )
        return reading

    def _holds_last_ticket(self, before: KnownDelivery, stream: BinaryIO) -> bool:
        """Whether a file still has, where it stood, the last ticket of what it was."""
        last = self.request.known.last_ticket(before.delivery_id)
        if last is None:
            return False
        tickets = frame_file(stream, self.request.pbx.known_model).tickets
        found = next((one for one in tickets if one.ordinal >= last[0]), None)
        stream.seek(0)
        return found is not None and (found.ordinal, found.body) == last

    def _as_delivery(
        self, file: FileToDeliver, stream: BinaryIO, content: Content, reading: Reading
    ) -> tuple[Delivery, Iterable[Bundle]]:
        framed = frame_in_bundles(
            stream,
            self.request.pbx.known_model,
            start_offset=reading.start_offset,
            header=reading.header,
            received_at=min(file.modified_at, datetime.now(UTC)),
            name=f"{self.request.pbx.id}: {file.unit}",
        )
        is_repeated = reading.repeated_bytes == content.size_bytes
        return (
            _delivery(file, content, reading, framed.header),
            () if is_repeated else framed.bundles,
        )


@dataclass(frozen=True)
class _MemberFile:
    """A file in a compressed one: its name is a label, never a path."""

    archive: FileToDeliver
    member: Member

    @property
    def unit(self) -> str:
        return f"{self.archive.unit}/{self.member.name}"

    @property
    def size_bytes(self) -> int:
        return self.member.size_bytes

    @property
    def modified_at(self) -> datetime:
        return self.archive.modified_at

    def open(self) -> BinaryIO:
        return self.member.open()

    def is_unchanged(self) -> bool:
        return True


def _delivery(
    file: FileToDeliver, content: Content, reading: Reading, header: str | None
) -> Delivery:
    return Delivery(
        unit=file.unit,
        generation=reading.generation,
        header=header,
        content_sha256=content.sha256,
        size_bytes=content.size_bytes,
        modified_at=file.modified_at,
        repeated_bytes=reading.repeated_bytes,
    )


def _put_all_away(
    put_away: Callable[[File], None], files: list[File], request: FetchRequest, progress: Progress
) -> None:
    for file in files:
        try:
            put_away(file)
        except OSError as error:
            progress.warnings.append(
                f"{request.pbx.id}: {file.unit} landed, but is not put away: {error}"
            )
