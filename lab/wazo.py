"""A simulated Wazo: a call log per conversation, as call-logd writes it once the call has ended.

The API that lists them is in ``lab.wazo_server``. Call-logd writes one row for a whole
conversation, whatever became of it: transfers and forwards show only in who was asked for and where
the call ended. A call that an extension forwards to an outside number keeps the direction of its
first part, though it goes out through a trunk.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lab.traffic import Call, Site
from lab.truth import TicketTruth

TENANT = "0f6c1de2-5a0b-4c1e-9b7a-3c5d2e8f9a10"
GROUP, GROUP_LABEL = "8001", "accueil"
#: One in so many internal and incoming calls that were answered was forwarded to a mobile.
FORWARD_EVERY = 9
GROUP_EVERY = 8
VOICEMAIL_EVERY = 3

CALL_DIRECTIONS = {"outgoing": "outbound", "incoming": "inbound", "internal": "internal"}


def tickets_of(call: Call, site: Site, number: int) -> list[TicketTruth]:
    """Return the call log of a call, with its truth; rows are numbered as calls end."""
    conversation = _Conversation(call, site, number)
    item: dict[str, Any] = _blank_item(conversation)
    if call.direction == "incoming":
        item |= _received(conversation)
    else:
        item |= _from_inside(conversation)
    if conversation.is_forwarded_outside:
        mobile = conversation.forwarded_to
        item |= _destination(mobile, name=mobile) | {"destination_details": {"type": "unknown"}}
    return [conversation.truth(item)]


@dataclass(frozen=True)
class _Conversation:
    """What became of a call on this PBX."""

    call: Call
    site: Site
    number: int

    @property
    def conversation_id(self) -> str:
        # The instant at which the first channel was made, and a number that counts channels.
        return f"{int(self.call.started_at.timestamp())}.{self.number * 2}"

    @property
    def is_forwarded_outside(self) -> bool:
        return (
            self.call.direction != "outgoing"
            and self.call.outcome == "answered"
            and not self.call.transferred_to
            and self.number % FORWARD_EVERY == 0
        )

    @property
    def is_for_group(self) -> bool:
        return (
            self.call.direction == "incoming"
            and not self.call.transferred_to
            and not self.is_forwarded_outside
            and self.number % GROUP_EVERY == 1
        )

    @property
    def is_taken_by_voicemail(self) -> bool:
        return (
            self.call.direction == "incoming"
            and self.call.outcome == "no_answer"
            and not self.is_for_group
            and self.number % VOICEMAIL_EVERY == 0
        )

    @property
    def forwarded_to(self) -> str:
        """A mobile number of somebody who works here."""
        return f"063998{self.number % 10_000:04d}"

    @property
    def answered_at(self) -> datetime | None:
        if self.call.outcome != "answered":
            return None
        return self.call.started_at + timedelta(seconds=self.call.ring_seconds)

    def time(self, instant: datetime | None) -> str | None:
        """An instant as the server writes it: its own clock, with the offset of that moment."""
        return instant.astimezone(self.site.time_zone).isoformat() if instant else None

    def user(self, extension: str) -> dict[str, str]:
        """The user who has an extension."""
        name = f"{self.site.pbx_id}/{extension}"
        return {
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "name": f"Poste {extension}",
        }

    def truth(self, item: dict[str, Any]) -> TicketTruth:
        call = self.call
        direction: str = call.direction
        extension, outside, destination = call.extension, call.outside_number, call.destination
        if call.transferred_to:
            extension = call.transferred_to
        if self.is_for_group:
            extension = GROUP
        if self.is_forwarded_outside:
            direction = "transit" if call.direction == "incoming" else "outgoing"
            extension = call.extension
            outside, destination = self.forwarded_to, "national_mobile"
        # The API knows no busy and no failed calls: nobody answered.
        outcome = "answered" if call.outcome == "answered" else "no_answer"
        return TicketTruth(
            call_id=call.call_id,
            source_call_id=self.conversation_id,
            state="ticket",
            direction=direction,
            outcome="answered_by_machine" if self.is_taken_by_voicemail else outcome,
            started_at=call.started_at.isoformat(),
            ring_seconds=call.ring_seconds,
            talk_seconds=call.talk_seconds,
            extension=extension,
            outside_number=outside,
            destination=destination,
            account_code="",
            written_at=call.ended_at.isoformat(),
            ticket=json.dumps(item, ensure_ascii=False),
        )


def _blank_item(conversation: _Conversation) -> dict[str, Any]:
    """A call log with what every direction tells."""
    call = conversation.call
    is_answered = call.outcome == "answered"
    status = "answered" if is_answered else "unknown"
    return {
        "id": conversation.number + 1,
        "tenant_uuid": TENANT,
        "start": conversation.time(call.started_at),
        "end": conversation.time(call.ended_at),
        "answered": is_answered,
        "answer": conversation.time(conversation.answered_at),
        "duration": call.talk_seconds if is_answered else None,
        "call_direction": CALL_DIRECTIONS[call.direction],
        "call_status": "voicemail" if conversation.is_taken_by_voicemail else status,
        "conversation_id": conversation.conversation_id,
        "destination_details": {"type": "unknown"},
        **_destination(None),
        **_requested(None),
        "source_extension": None,
        "source_internal_context": None,
        "source_internal_name": None,
        "source_internal_extension": None,
        "source_line_id": None,
        "source_name": None,
        "source_user_uuid": None,
        "tags": [],
        "recordings": [],
    }


def _from_inside(conversation: _Conversation) -> dict[str, Any]:
    """Who called, and whom: an extension or a number outside."""
    call = conversation.call
    caller = conversation.user(call.extension)
    source = {
        "source_extension": call.extension,
        "source_internal_context": "default",
        "source_internal_name": caller["name"],
        "source_internal_extension": call.extension,
        "source_line_id": int(call.extension),
        "source_name": caller["name"],
        "source_user_uuid": caller["uuid"],
    }
    if call.direction == "outgoing":
        number = call.outside_number
        return source | _requested(number, context="to-extern") | _destination(number)
    called = conversation.user(call.other_extension)
    return (
        source
        | _requested(call.other_extension, call.other_extension, user=called)
        | _at_user(conversation, call.other_extension, call.other_extension)
    )


def _received(conversation: _Conversation) -> dict[str, Any]:
    """Who called from outside, which of our numbers, and where that led."""
    call = conversation.call
    own_number = conversation.site.public_number(call.extension)
    source = {
        "source_extension": call.outside_number,
        "source_internal_name": call.outside_number,
        "source_name": call.outside_number,
    }
    if conversation.is_for_group:
        details = {"type": "group", "group_label": GROUP_LABEL, "group_id": 1}
        return (
            source
            | _requested(own_number, GROUP, context="from-extern")
            | _destination(own_number, GROUP, name=GROUP_LABEL)
            | {"destination_details": details}
        )
    asked = conversation.user(call.extension)
    taker = call.transferred_to or call.extension
    answer = (
        source
        | _requested(own_number, call.extension, user=asked, context="from-extern")
        | _at_user(conversation, taker, call.transferred_to or own_number)
    )
    if conversation.is_taken_by_voicemail:
        voicemail = {"type": "voicemail", "voicemail_id": 1, "voicemail_name": asked["name"]}
        answer["destination_details"] = voicemail
    return answer


def _at_user(conversation: _Conversation, extension: str, reached_as: str) -> dict[str, Any]:
    user = conversation.user(extension)
    details = {"type": "user", "user_uuid": user["uuid"], "user_name": user["name"]}
    return _destination(reached_as, extension, name=user["name"], user_uuid=user["uuid"]) | {
        "destination_details": details
    }


def _destination(
    number: str | None,
    extension: str | None = None,
    *,
    name: str = "",
    user_uuid: str | None = None,
) -> dict[str, Any]:
    return {
        "destination_extension": number,
        "destination_internal_context": "default" if extension else None,
        "destination_internal_extension": extension,
        "destination_line_id": int(extension) if user_uuid and extension else None,
        "destination_name": name,
        "destination_user_uuid": user_uuid,
    }


def _requested(
    number: str | None,
    extension: str | None = None,
    *,
    user: dict[str, str] | None = None,
    context: str = "default",
) -> dict[str, Any]:
    return {
        "requested_name": user["name"] if user else "",
        "requested_context": context,
        "requested_extension": number,
        "requested_internal_context": "default" if extension else None,
        "requested_internal_extension": extension,
        "requested_user_uuid": user["uuid"] if user else None,
    }
