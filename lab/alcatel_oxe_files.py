"""The accounting files of a simulated Alcatel OXE: compressed, the columns named in the first line.

The tickets are those that it sends over TCP too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.truth import TicketTruth
from lab.unix_compress import compress

#: As it is set up by default.
KEPT = timedelta(days=31)
LETTERS = 5

#: Columns of version ED5.2, in order, and their widths.
COLUMNS = (
    ("TicketVersion", 5), ("CalledNumber", 30), ("ChargedNumber", 30), ("ChargedUserName", 20),
    ("ChargedCostCenter", 10), ("ChargedCompany", 16), ("ChargedPartyNode", 5), ("Subaddress", 20),
    ("CallingNumber", 30), ("CallType", 2), ("CostType", 1), ("EndDateTime", 17),
    ("ChargeUnits", 5), ("CostInfo", 10), ("Duration", 10), ("TrunkIdentity", 5),
    ("TrunkGroupIdentity", 5), ("TrunkNode", 5), ("PersonalOrBusiness", 1), ("AccessCode", 16),
    ("SpecificChargeInfo", 7), ("BearerCapability", 1), ("HighLevelComp", 2), ("DataVolume", 10),
    ("UserToUserVolume", 5), ("ExternalFacilities", 40), ("InternalFacilities", 40),
    ("CallReference", 10), ("SegmentsRate1", 10), ("SegmentsRate2", 10), ("SegmentsRate3", 10),
    ("ComType", 1), ("X25IncomingFlowRate", 2), ("X25OutgoingFlowRate", 2), ("Carrier", 2),
    ("InitialDialledNumber", 30), ("WaitingDuration", 5), ("EffectiveCallDuration", 10),
    ("RedirectedCallIndicator", 1), ("StartDateTime", 17), ("ActingExtensionNumber", 30),
    ("CalledNumberNode", 5), ("CallingNumberNode", 5), ("InitialDialledNumberNode", 5),
    ("ActingExtensionNumberNode", 5), ("TransitTrunkGroupIdentity", 5), ("NodeTimeOffset", 6),
    ("TimeDlt", 6),
)  # fmt: skip


def close_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a file for each day on which there were tickets; old ones go."""
    place.forget(KEPT, datetime.now(UTC))

    def end_of_day(ticket: TicketTruth) -> datetime:
        wall = writing_time(ticket).astimezone(place.time_zone)
        return wall.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    for first, closed_at, portion in place.portions(tickets, end_of_day):
        lines = [header(), *(ticket.ticket for ticket in portion)]
        content = compress("".join(f"{line}\n" for line in lines).encode("latin-1"))
        place.put(f"TAX{_letters(first)}.DAT", content, closed_at)


def header() -> str:
    """Return the line that names the columns: of each the name, first and last place, width."""
    return "#" + ",".join(_named_columns())


def _named_columns() -> Iterator[str]:
    first = 1
    for name, width in COLUMNS:
        yield f"{name},{first},{first + width - 1},{width}"
        first += width


def _letters(number: int) -> str:
    """Return a number as letters that sort as the numbers do."""
    digits = []
    for _ in range(LETTERS):
        number, digit = divmod(number, 26)
        digits.append(chr(ord("A") + digit))
    return "".join(reversed(digits))


FILES = FileSimulator(deliver=close_files, fetched_by="ftp", remote_folder="/usr4/account")
