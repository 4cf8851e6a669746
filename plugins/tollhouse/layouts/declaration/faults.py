"""Where a fault is, also of one key that only its whole mapping can see."""

from __future__ import annotations

from pydantic_core import ErrorDetails


class KeyFaultError(ValueError):
    """What a key says does not fit what stands elsewhere in the layout.

    Attributes:
        place: the key, from the mapping that was checked: ``("direction", "otherwise")``.
    """

    def __init__(self, place: tuple[str | int, ...], problem: str) -> None:
        """Make the error of a key."""
        super().__init__(problem)
        self.place = place


def location_of(fault: ErrorDetails) -> tuple[str | int, ...]:
    """Return where a fault is, down to the key that a check of a whole mapping found."""
    location = fault["loc"]
    if fault["type"] == "union_tag_invalid":
        return (*location, "kind")
    error = fault.get("ctx", {}).get("error")
    return (*location, *error.place) if isinstance(error, KeyFaultError) else location
