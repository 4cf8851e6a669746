"""A fault of one key that only its whole mapping can see."""

from __future__ import annotations


class KeyFaultError(ValueError):
    """What a key says does not fit what stands elsewhere in the layout.

    Attributes:
        place: the key, from the mapping that was checked: ``("direction", "otherwise")``.
    """

    def __init__(self, place: tuple[str | int, ...], problem: str) -> None:
        """Make the error of a key."""
        super().__init__(problem)
        self.place = place
