"""A simulated operator of SIP trunks that does not exist, "Exemple Trunk": XML files, in UTC.

It knows a customer by an account and not by extensions, writes minutes with a decimal comma that it
cuts after two digits, and half of its values stand in attributes of two namespaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date
from xml.sax.saxutils import escape, quoteattr

from lab.file_drops import DropPlace, FileSimulator, writing_time
from lab.traffic import Call, Site, in_e164
from lab.truth import TicketTruth

#: Lines of the lower half belong to the first customer, the others to the second.
ACCOUNTS = ("CL-4471", "CL-4472")
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<x:Releve xmlns:x="urn:exemple:releve:2" xmlns:f="urn:exemple:facturation" jour="{day}">\n'
    "<x:Appels>\n"
)
FOOT = "</x:Appels>\n</x:Releve>\n"
OUTCOMES = {
    "answered": "ABOUTI", "no_answer": "SANS REPONSE", "busy": "OCCUPE", "failed": "ECHEC"
}  # fmt: skip


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the element that the operator writes for a call, with its truth."""
    # What stays within a site never reaches the trunk.
    if call.direction == "internal":
        return []
    middle = (site.first_extension + site.last_extension) // 2
    account = ACCOUNTS[int(call.extension) > middle]
    line_number = site.public_number(call.extension)
    return [
        TicketTruth(
            call_id=call.call_id,
            source_call_id=f"T-{number:06d}",
            state="ticket",
            direction=call.direction,
            outcome=call.outcome,
            started_at=call.started_at.astimezone(UTC).isoformat(),
            ring_seconds=call.ring_seconds,
            talk_seconds=call.talk_seconds,
            extension="",
            outside_number=call.outside_number,
            destination=call.destination,
            account_code=account,
            written_at=call.ended_at.isoformat(),
            ticket=_element(call, f"T-{number:06d}", in_e164(line_number), account),
            line_number=line_number,
        )
    ]


def drop_files(place: DropPlace, tickets: Sequence[TicketTruth]) -> None:
    """Write a file for each day's elements since the last time."""

    def day_of(ticket: TicketTruth) -> date:
        return writing_time(ticket).astimezone(UTC).date()

    for first, day, members in place.portions(tickets, day_of):
        elements = "".join(f"{ticket.ticket}\n" for ticket in members)
        content = f"{HEAD.format(day=day)}{elements}{FOOT}".encode()
        place.put(f"releve-{day:%Y%m%d}-{first:06d}.xml", content, writing_time(members[-1]))


def _element(call: Call, reference: str, line_number: str, account: str) -> str:
    outside = in_e164(call.outside_number)
    caller, called = (
        (line_number, outside) if call.direction == "outgoing" else (outside, line_number)
    )
    sense = "S" if call.direction == "outgoing" else "E"
    is_charged = call.direction == "outgoing" and call.talk_seconds
    cost = f"{call.talk_seconds * 75 // 60:04d}"
    charge = f'<f:Cout devise="EUR">{cost[:-4] or 0},{cost[-4:]}</f:Cout>' if is_charged else ""
    return (
        f'<x:Appel ref={quoteattr(reference)} sens="{sense}">'
        f'<x:Debut fuseau="UTC">{call.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}</x:Debut>'
        f"<x:De><x:Numero>{escape(caller)}</x:Numero></x:De>"
        f"<x:Vers numero={quoteattr(called)}/>"
        f'<x:Duree unite="min" sonnerie="{_minutes(call.ring_seconds)}">'
        f"{_minutes(call.talk_seconds)}</x:Duree>"
        f"<x:Issue>{OUTCOMES[call.outcome]}</x:Issue>"
        f"<f:Client compte={quoteattr(account)}/>{charge}</x:Appel>"
    )


def _minutes(seconds: int) -> str:
    """Minutes, cut after the second decimal: 61 seconds are 1,01."""
    hundredths = seconds * 100 // 60
    return f"{hundredths // 100},{hundredths % 100:02d}"


FILES = FileSimulator(deliver=drop_files)
