"""Numbers in the `settings` of an entry, checked."""

from __future__ import annotations

from tollhouse.installed_pbxs import Pbx
from tollhouse.transports import SourceError
from tollhouse.transports.http_api.client import Patience


def number(pbx: Pbx, name: str, default: float, *, lowest: float, highest: float) -> float:
    """Return a number of the entry's settings.

    Raises:
        SourceError: it is none, or out of bounds.
    """
    value = pbx.settings.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not lowest <= value <= highest:
        raise SourceError(
            f"{pbx.id}: settings.{name} of the entry in include/pbx.yml is {value!r}; it can be a "
            f"number from {lowest:g} to {highest:g}."
        )
    return float(value)


def whole_number(pbx: Pbx, name: str, default: int, *, lowest: int = 0, highest: int) -> int:
    """Return a whole number of the entry's settings.

    Raises:
        SourceError: it is none, or out of bounds.
    """
    return int(number(pbx, name, default, lowest=lowest, highest=highest))


def rows_of_page(pbx: Pbx) -> int:
    """Return how many calls a request asks for."""
    defaults = pbx.known_model.api
    return whole_number(
        pbx, "page_rows", defaults.page_rows if defaults else 1, lowest=1, highest=100_000
    )


def ids_read_again(pbx: Pbx) -> int:
    """Return how many ids below IDLAST are read again."""
    defaults = pbx.known_model.api
    return whole_number(
        pbx, "overlap_ids", defaults.overlap_ids if defaults else 0, highest=1_000_000
    )


def patience_of(pbx: Pbx) -> Patience:
    """Return how long and how often is waited for a PBX."""
    return Patience(
        timeout_seconds=number(
            pbx, "timeout_seconds", Patience.timeout_seconds, lowest=0.05, highest=600
        ),
        retry_seconds=number(pbx, "retry_seconds", Patience.retry_seconds, lowest=0, highest=60),
    )
