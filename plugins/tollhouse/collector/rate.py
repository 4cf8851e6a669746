"""How fast one PBX may send tickets before reading waits."""

from __future__ import annotations


class TicketRate:
    """A second's worth of tickets may come at once; what is beyond makes reading wait.

    Nothing is dropped: while nothing is read, TCP holds the sender back, and memory and disk hold
    no more than what the other PBXs leave room for.
    """

    def __init__(self, tickets_per_second: int) -> None:
        self._tickets_per_second = tickets_per_second
        #: By when, at that rate, all that was taken would have come.
        self._due = 0.0

    def seconds_to_wait(self, ticket_count: int, now: float) -> float:
        """Note tickets just taken; return for how long nothing more is to be read.

        Args:
            ticket_count: how many were taken.
            now: seconds of a clock that never goes back.
        """
        self._due = max(self._due, now - 1) + ticket_count / self._tickets_per_second
        return max(0.0, self._due - now)
