"""The API of Wazo: a token from its auth service, then call records of call-logd by their id."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tollhouse.bundles import Bundle
from tollhouse.connections import PbxConnection
from tollhouse.framing import decode
from tollhouse.installed_pbxs import Pbx
from tollhouse.json_items import (
    CutShortError,
    NoListError,
    items_of,
    loaded,
)
from tollhouse.transports import Interval
from tollhouse.transports.http_api.client import Answer, Ask, HttpsClient, cut_short, no_json
from tollhouse.transports.http_api.failures import Fault
from tollhouse.transports.http_api.id_pages import NumberedItem, numbered, read_pages

TOKEN_PATH = "/api/auth/0.1/token"  # noqa: S105 - a path
CDR_PATH = "/api/call-logd/1.0/cdr"
UNIT = "call-logd"

#: How long a token shall last; it is renewed when a tenth of that is left.
TOKEN_SECONDS = 7_200
RENEWED_AT = 0.9
#: So many are looked at for the highest id: a damaged one may be among them.
NEWEST = 10
#: What people change of a call that is over: it is the same call, and no conflict in raw.
CHANGED_LATER = ("tags", "recordings")
#: What stays the same of a call besides its start, whatever is changed of it.
IDENTITY = ("tenant_uuid", "source_extension", "conversation_id")


class Wazo:
    """One Wazo, asked by a web-services user."""

    unit = UNIT
    changed_later: tuple[str, ...] = CHANGED_LATER

    def __init__(self, client: HttpsClient, pbx: Pbx, connection: PbxConnection) -> None:
        self._client = client
        self._login = connection.login
        self._basic = client.hide_login(connection.login, connection.password)
        self._headers = {"Accept": "application/json"}
        if tenant := pbx.settings.get("tenant"):
            self._headers["Wazo-Tenant"] = str(tenant)
        self._recurses = pbx.settings.get("recurse") in (True, "true")
        self._token = ""
        self._renewed_at = 0.0

    def log_in(self) -> None:
        """Fetch a token.

        Raises:
            ApiError: the login is refused, or the service does not answer.
        """
        ask = Ask(
            "POST",
            TOKEN_PATH,
            json={"expiration": TOKEN_SECONDS},
            headers=self._headers | {"Authorization": self._basic},
        )
        self._token, lifetime_seconds = self._client.ask(ask, self._read_token)
        self._client.hide(self._token)
        self._renewed_at = time.monotonic() + lifetime_seconds * RENEWED_AT

    def highest_id(self, read_up_to: int = 0) -> int | None:
        """Return the highest id of a call, or None when there is no call."""
        del read_up_to  # a Wazo can be asked for its newest calls
        newest = self._page({"limit": str(NEWEST), "order": "id", "direction": "desc"})
        ids = [ordinal for ordinal, _ in newest if ordinal >= 0]
        if newest and not ids:
            raise self._client.error(
                Fault(
                    "tickets",
                    f"the newest {len(newest)} items of {self._client.reach.place} have no id",
                    "Is that a Wazo? Tickets without an id cannot be told from one another.",
                )
            )
        return max(ids, default=None)

    def pages(
        self,
        *,
        after: int,
        until: int | None = None,
        interval: Interval | None = None,
        page_rows: int,
    ) -> Iterator[Bundle]:
        """Yield the calls with an id above ``after``, up to ``until``, in order of id."""
        parameters = {"order": "id", "direction": "asc", "limit": str(page_rows)}
        if interval is not None:
            parameters["from"] = interval.start.astimezone(UTC).isoformat()
            parameters["until"] = interval.end.astimezone(UTC).isoformat()
        return read_pages(
            self._client,
            lambda last: self._page(parameters | {"from_id": str(last + 1)}),
            after=after,
            until=until,
            remedy="Pages in order of the id need Wazo 20.0 or newer.",
        )

    def is_same_call(self, kept: str, body: str) -> bool:
        """Whether two items under one id are the same call, whatever was changed of it."""
        if kept == body:
            return True
        old, new = loaded(kept), loaded(body)
        if not isinstance(old, dict) or not isinstance(new, dict):
            return False
        # The offset that a start is written with changes with the zone of the server.
        starts_alike = old.get("start") == new.get("start") or (
            started_at(kept) is not None and started_at(kept) == started_at(body)
        )
        return starts_alike and all(old.get(name) == new.get(name) for name in IDENTITY)

    def _page(self, parameters: dict[str, str]) -> list[NumberedItem]:
        if self._recurses:
            parameters = parameters | {"recurse": "true"}
        if time.monotonic() >= self._renewed_at:
            self.log_in()
        items = self._ask_for_page(parameters)
        if items is None:
            # The token ended early: the service was restarted, or somebody took it back.
            self.log_in()
            items = self._ask_for_page(parameters)
        if items is None:
            raise self._client.error(
                Fault(
                    "rights",
                    f"{self._client.reach.place} takes a new token of {self._login!r} for no call "
                    "records (401)",
                    "Give that web-services user the right call-logd.cdr.read; settings.tenant, if "
                    "set, must be a tenant that it may see.",
                )
            )
        return [numbered(item, _id_of) for item in items]

    def _ask_for_page(self, parameters: dict[str, str]) -> list[str] | None:
        """Return the items of a page, or None when the token is not taken."""
        headers = self._headers | {"X-Auth-Token": self._token}
        ask = Ask("GET", CDR_PATH, parameters=parameters, headers=headers)
        return self._client.ask(ask, self._read_page)

    def _read_page(self, answer: Answer) -> list[str] | None:
        if answer.status == 401:
            return None
        if answer.status != 200:
            remedies = {
                403: ("rights", "Give that web-services user the right call-logd.cdr.read."),
                404: (
                    "tickets",
                    "Are host and port of the connection those of a Wazo, 20.0 or newer?",
                ),
            }
            step, remedy = remedies.get(answer.status, ("tickets", "The message is the PBX's."))
            raise self._client.error(
                self._client.status_fault(answer, step, f"GET {CDR_PATH}", remedy)
            )
        text = decode(answer.body, "utf-8")
        place = self._client.reach.place
        try:
            return items_of(text, "items")
        except CutShortError:
            raise self._client.error(cut_short(place)) from None
        except NoListError:
            fault = (
                no_json(place, self._client.said(answer.body)) if text.strip() else cut_short(place)
            )
            raise self._client.error(fault) from None

    def _read_token(self, answer: Answer) -> tuple[str, float]:
        """Return a token and how many seconds it lasts."""
        place = self._client.reach.place
        if answer.status in (401, 403):
            raise self._client.error(
                Fault(
                    "login",
                    f"{place} refuses the login {self._login!r} ({answer.status})",
                    "Correct login and password of the connection: those of a web-services user of "
                    "Wazo.",
                )
            )
        if answer.status != 200:
            remedy = "Are host and port of the connection those of a Wazo, 20.0 or newer?"
            raise self._client.error(
                self._client.status_fault(answer, "login", f"POST {TOKEN_PATH}", remedy)
            )
        found = loaded(answer.body)
        data = found.get("data") if isinstance(found, dict) else None
        token = data.get("token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
            is_cut = answer.body.lstrip()[:1] in (b"{", b"") and found is None
            fault = cut_short(place) if is_cut else no_json(place)
            raise self._client.error(fault._replace(step="login"))
        return token, _lifetime_seconds(data or {})


def started_at(item: str) -> datetime | None:
    """Return the start of a call; None when the item does not say."""
    found = loaded(item)
    try:
        instant = datetime.fromisoformat(found["start"]) if isinstance(found, dict) else None
    except (KeyError, TypeError, ValueError):
        return None
    return instant if instant is None or instant.tzinfo else None


def _id_of(item: object) -> object:
    return item.get("id") if isinstance(item, dict) else None


def _lifetime_seconds(data: dict[str, Any]) -> float:
    """Return how long a token lasts, by the server's clock alone, which may not be ours."""
    try:
        issued_at = datetime.fromisoformat(data["utc_issued_at"])
        expires_at = datetime.fromisoformat(data["utc_expires_at"])
        seconds = (expires_at - issued_at).total_seconds()
    except (KeyError, TypeError, ValueError):
        return TOKEN_SECONDS
    return min(max(seconds, 0.0), TOKEN_SECONDS)
