"""PBXs of the tests, and what one may ask about them in raw."""

from __future__ import annotations

from typing import Any

from tollhouse import warehouse
from tollhouse.installed_pbxs import Pbx
from tollhouse.settings import Settings


def pbx_of(model: str, pbx_id: str = "paris_hq", **settings: Any) -> Pbx:
    """Return an installed PBX of a model."""
    return Pbx(id=pbx_id, model=model, time_zone="Europe/Paris", country="FR", settings=settings)


class MemoryWatermark:
    """IDLAST kept by the test itself, which may set it as an operator would."""

    def __init__(self, value: str | None = None) -> None:
        self.value = value

    def get(self) -> str | None:
        return self.value

    def set(self, value: str) -> None:
        self.value = value


def rows(settings: Settings, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query of the warehouse."""
    with warehouse.connect(warehouse.LOADER, settings=settings) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def bodies(settings: Settings, pbx_id: str = "paris_hq") -> list[str]:
    """Return the bodies in raw of a PBX, in order of delivery and ordinal."""
    found = rows(
        settings,
        "select tickets.body from raw.tickets join raw.deliveries using (delivery_id) "
        "where deliveries.pbx_id = %s order by tickets.delivery_id, tickets.ordinal",
        pbx_id,
    )
    return [row[0] for row in found]


def batches(settings: Settings) -> list[tuple[Any, ...]]:
    """Return (read, inserted, already there, conflicting, IDLAST after) of each pull."""
    return rows(
        settings,
        "select rows_read, rows_inserted, rows_already_there, rows_conflicting, idlast_after "
        "from raw.batches order by batch_id",
    )
