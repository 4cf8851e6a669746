"""Which files an interval is made of, and in which order files land."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from tollhouse.decompression import uncompressed_name
from tollhouse.file_deliveries.listing import File, FileToDeliver
from tollhouse.installed_pbxs import Pbx
from tollhouse.transports import Interval, SourceError

logger = logging.getLogger(__name__)


def in_order(pbx: Pbx, files: Iterable[File]) -> list[File]:
    """Return files in the order in which they are to land.

    Raises:
        SourceError: the entry asks for an order that there is not.
    """
    wish = str(pbx.settings.get("order", "name"))
    if wish == "name":
        return sorted(files, key=lambda file: file.unit)
    if wish == "modified":
        return sorted(files, key=lambda file: (file.modified_at, file.unit))
    raise SourceError(f"{pbx.id}: settings.order is {wish!r}; it can be name or modified.")


def is_of(pbx: Pbx, file: FileToDeliver, interval: Interval) -> bool:
    """Whether a file is of the interval: by the time in its name, or by its own."""
    written_at = file.modified_at
    defaults = pbx.known_model.files_of(pbx.transport)
    pattern = defaults.name_time_pattern if defaults is not None else None
    match = re.search(pattern, uncompressed_name(file.unit)) if pattern else None
    if match:
        try:
            written_at = datetime.strptime(match.group(1), "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError:
            logger.warning("%s: %s holds no time", pbx.id, file.unit)
    return interval.start <= written_at < interval.end
