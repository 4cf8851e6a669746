"""A simulated carrier, "Opérateur Modèle": a CSV of itemised calls a day, each with its price.

A carrier sees lines and not extensions, bills what was answered and nothing else, and lists
messages among the calls. Its conventions are French: semicolons, decimal commas, Windows-1252.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.traffic import Call, Site, in_e164
from lab.truth import TicketTruth

COLUMNS = (
    "Référence", "Date", "Heure", "Ligne", "Code client", "Type", "Numéro appelé", "Destination",
    "Durée", "Montant HT", "Devise",
)  # fmt: skip
ENCODING = "windows-1252"

#: What the carrier charges a minute, by destination; the price of a call has four decimals.
PRICES_PER_MINUTE = {
    "national_fixed": Decimal("0.0050"),
    "national_mobile": Decimal("0.0215"),
    "international": Decimal("0.0800"),
    "special": Decimal("0.1500"),
}
#: Every so-many-th call is followed by a message of the same line.
CALLS_PER_MESSAGE = 9


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the lines that the carrier writes for a call, with their truth: none for most."""
    if call.direction != "outgoing" or not call.talk_seconds:
        return []
    answered_at = call.started_at + timedelta(seconds=call.ring_seconds)
    line_number = site.public_number(call.extension)
    wall = answered_at.astimezone(site.time_zone)
    price = PRICES_PER_MINUTE.get(call.destination, Decimal(0)) * call.talk_seconds / 60
    common = [f"{wall:%d/%m/%Y}", f"{wall:%H:%M:%S}", line_number, call.account_code]
    called = in_e164(call.outside_number)
    reference = f"M{answered_at.astimezone(UTC):%y%m}-{number:05d}"
    values = [
        reference, *common, "Voix", called, call.destination.replace("_", " "),
        _clock_length(call.talk_seconds), _price(price), "EUR",
    ]  # fmt: skip
    truth = TicketTruth(
        call_id=call.call_id,
        source_call_id=reference,
        state="ticket",
        direction="outgoing",
        outcome="answered",
        # The line tells the answer and nothing of what came before.
        started_at=answered_at.astimezone(UTC).isoformat(),
        ring_seconds=None,
        talk_seconds=call.talk_seconds,
        extension="",
        outside_number=call.outside_number,
        destination=call.destination,
        account_code=call.account_code,
        written_at=call.ended_at.isoformat(),
        ticket=";".join(values),
        line_number=line_number,
    )
    if number % CALLS_PER_MESSAGE:
        return [truth]
    message = [
        f"{reference}S",
        *common,
        "SMS",
        called,
        "message",
        "",
        _price(Decimal("0.04")),
        "EUR",
    ]
    return [truth, truth.beside(ticket=";".join(message))]


def drop_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a file for each day's lines since the last time."""

    def day_of(ticket: TicketTruth) -> date:
        return writing_time(ticket).astimezone(place.time_zone).date()

    for first, day, members in place.portions(tickets, day_of):
        lines = [f"Opérateur Modèle;relevé détaillé;{day:%d/%m/%Y}", ";".join(COLUMNS)]
        lines += [ticket.ticket for ticket in members]
        content = "".join(f"{line}\r\n" for line in lines).encode(ENCODING)
        place.put(f"releve_{day:%Y%m%d}_{first:06d}.csv", content, writing_time(members[-1]))


def _price(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)).replace(".", ",")


def _clock_length(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


FILES = FileSimulator(deliver=drop_files, fetched_by="sftp", remote_folder="/releves")
