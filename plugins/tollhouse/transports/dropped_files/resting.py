"""Which files are written to their end: the rest wait for the next pull."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from tollhouse.file_deliveries.growing import end_of_last_ticket
from tollhouse.transports import FetchRequest, Progress
from tollhouse.transports.dropped_files.listing import DroppedFile

#: Framings of logs that only ever get more lines.
LOG_KINDS = ("lines", "header_lines")
#: So many names of files that wait are told.
TOLD_NAMES = 5


def at_rest(
    request: FetchRequest, files: list[DroppedFile], seconds: float, progress: Progress
) -> list[DroppedFile]:
    """Return the files that are not being written: older than this, or the same after a wait."""
    now_ns = time.time_ns()
    young = {file for file in files if (now_ns - file.modified_ns) / 1e9 < seconds}
    if young:
        time.sleep(seconds)
    written = {file for file in young if not file.is_unchanged()}
    growing = _growing(request, list(written))
    if waiting := written - growing.keys():
        names = sorted(file.name for file in waiting)
        told = ", ".join(names[:TOLD_NAMES]) + (" …" if len(names) > TOLD_NAMES else "")
        progress.warnings.append(
            f"{request.pbx.id}: {len(names)} files are being written, and wait: {told}"
        )
    return [growing.get(file, file) for file in files if file not in waiting]


def _growing(request: FetchRequest, files: list[DroppedFile]) -> dict[DroppedFile, DroppedFile]:
    """Return the logs among files that change, each up to the last line that is whole by now.

    A log of a busy PBX may never rest. If raw has its beginning, and lines are all that it is made
    of, it is no half-written file: it is read as far as it goes.
    """
    model = request.pbx.known_model
    if not files or model.framing.kind not in LOG_KINDS:
        return {}
    states = request.known.states([file.unit for file in files])
    growing = {}
    for file in files:
        state = states.get(file.unit)
        if state is None or not state.size_bytes:
            continue
        try:
            with closing(file.open()) as stream:
                end = end_of_last_ticket(stream, model, start=state.size_bytes)
        except OSError:
            continue  # taken away, or not readable: if it comes again, that will be told
        if end > state.size_bytes:
            growing[file] = replace(file, size_bytes=end, is_growing=True)
    return growing
