"""The simulated Wazo: call logs of the script's calls, and the API that lists them over HTTPS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.certificates import own_certificate
from lab.streams.feed import Feed
from lab.traffic import PARIS, Call, Site, calls_between
from lab.wazo import TENANT, tickets_of
from lab.wazo_server import CDR_PATH, TOKEN_PATH, Fault, WazoServer
from tests.collector.certificates import Authority
from tests.lab.reading import parsed_beside_truth
from tollhouse.settings import Settings

SITE = Site("arles_museum", 1000, 1049, "0465713000", 60)
OUTGOING = Call(
    pbx_id="arles_museum",
    day=date(2026, 10, 6),
    number=0,
    direction="outgoing",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 9, 30, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="1016",
    destination="national_fixed",
    outside_number="0536490123",
)
INCOMING = replace(OUTGOING, direction="incoming", destination="")
INTERNAL = replace(INCOMING, direction="internal", outside_number="", other_extension="1017")
OTHER_TENANT = "1d2c3b4a-0000-4000-8000-00000000beef"


def item_of(call: Call, number: int = 2) -> dict[str, Any]:
    (ticket,) = tickets_of(call, SITE, number)
    item: dict[str, Any] = json.loads(ticket.ticket)
    return item


class Client:
    """Asks a server as a client of the API does, with a token of its own."""

    def __init__(self, server: WazoServer, authority: Path) -> None:
        self.server = server
        self.session = requests.Session()
        # An authority named in the environment would win over this one.
        self.session.trust_env = False
        self.session.verify = str(authority)
        self.renew()

    def renew(self) -> None:
        answer = self.session.post(
            self.server.url + TOKEN_PATH,
            auth=(self.server.login, self.server.password),
            json={"expiration": 60},
            timeout=5,
        )
        self.token = answer.json()["data"]
        self.session.headers["X-Auth-Token"] = self.token["token"]

    def ask(self, query: str = "", **headers: str) -> requests.Response:
        return self.session.get(f"{self.server.url}{CDR_PATH}?{query}", headers=headers, timeout=5)

    def ids(self, query: str = "", **headers: str) -> list[int]:
        return [item["id"] for item in self.ask(query, **headers).json()["items"]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> tuple[Path, Path]:
    return authority.issue("wazo")


@pytest.fixture
def client(
    tmp_path: Path, authority: Authority, certificate: tuple[Path, Path]
) -> Iterator[Client]:
    """Five calls a minute apart, the fourth of them in a tenant below the user's own."""
    items = [
        item_of(replace(OUTGOING, started_at=OUTGOING.started_at + timedelta(minutes=number)))
        for number in range(5)
    ]
    items[3]["tenant_uuid"] = OTHER_TENANT
    feed = tmp_path / "feed.jsonl"
    Feed(feed).write(json.dumps(item) for item in items)
    with WazoServer(feed, *certificate) as server:
        yield Client(server, authority.file)


def test_a_call_log_has_the_published_fields_in_the_clock_of_the_server() -> None:
    item = item_of(OUTGOING)

    assert item["start"] == "2026-10-06T11:30:00+02:00"
    assert item["answer"] == "2026-10-06T11:30:07+02:00"
    assert (item["duration"], item["call_direction"]) == (100, "outbound")
    assert item["source_internal_extension"] == "1016"
    assert item["conversation_id"] == f"{int(OUTGOING.started_at.timestamp())}.4"


def test_a_change_of_clocks_inside_a_call_changes_its_offset() -> None:
    night = replace(OUTGOING, started_at=datetime(2026, 10, 25, 0, 59, 30, tzinfo=UTC))

    item = item_of(night)

    assert item["start"] == "2026-10-25T02:59:30+02:00"
    assert item["end"] == "2026-10-25T02:01:17+01:00"


def test_a_transfer_is_one_call_log_that_ends_where_the_call_ended() -> None:
    transferred = replace(INCOMING, transferred_to="1020", transferred_after_seconds=30)

    item = item_of(transferred)

    assert item["requested_internal_extension"] == "1016"
    assert item["destination_internal_extension"] == "1020"
    assert item["duration"] == 100


@pytest.mark.parametrize(
    ("call", "label", "direction"),
    [(INTERNAL, "internal", "outgoing"), (INCOMING, "inbound", "transit")],
)
def test_a_call_forwarded_to_a_mobile_keeps_the_label_of_its_first_part(
    call: Call, label: str, direction: str
) -> None:
    (ticket,) = tickets_of(call, SITE, 9)
    item = json.loads(ticket.ticket)

    assert item["call_direction"] == label
    assert item["destination_extension"] == ticket.outside_number == "0639980009"
    assert item["destination_user_uuid"] is None
    assert (ticket.direction, ticket.destination) == (direction, "national_mobile")


def test_a_voicemail_answers_without_an_answer() -> None:
    missed = replace(INCOMING, outcome="no_answer", talk_seconds=0)
    (ticket,) = tickets_of(missed, SITE, 3)
    item = json.loads(ticket.ticket)

    assert (item["call_status"], item["answer"], item["duration"]) == ("voicemail", None, None)
    assert ticket.outcome == "answered_by_machine"


def test_a_token_tells_its_end_by_the_wall_clock_and_in_utc(client: Client) -> None:
    token = client.token

    for prefix, zone in (("", PARIS), ("utc_", UTC)):
        issued, expires = (
            datetime.fromisoformat(token[prefix + name]) for name in ("issued_at", "expires_at")
        )
        assert expires - issued == timedelta(seconds=60)
        age = datetime.now(UTC) - issued.replace(tzinfo=zone)
        assert timedelta() <= age < timedelta(minutes=5)
    assert token["metadata"]["tenant_uuid"] == TENANT


def test_a_wrong_password_and_a_wrong_token_are_refused_in_their_own_words(client: Client) -> None:
    refused = client.session.post(
        client.server.url + TOKEN_PATH, auth=("tollhouse", "wrong"), timeout=5
    )
    unknown = client.ask(**{"X-Auth-Token": "unknown"})

    assert (refused.status_code, refused.json()["reason"]) == (401, ["Authentication Failed"])
    assert (unknown.status_code, unknown.json()["error_id"]) == (401, "unauthorized")
    assert unknown.json()["details"]["required_access"] == "call-logd.cdr.read"


def test_rows_are_listed_newest_first_unless_asked_otherwise(client: Client) -> None:
    assert client.ids() == [5, 3, 2, 1]
    assert client.ids("order=id&direction=asc&limit=2&from_id=2") == [2, 3]
    assert client.ids("order=id&direction=asc&offset=3") == [5]
    assert client.ids("order=id&direction=asc&limit=0&unknown=ignored") == [1, 2, 3, 5]


def test_total_ignores_filters_and_filtered_ignores_the_limit(client: Client) -> None:
    answer = client.ask("from_id=2&limit=1").json()

    assert (answer["total"], answer["filtered"], len(answer["items"])) == (4, 3, 1)


def test_tenants_below_come_with_recurse_or_by_name(client: Client) -> None:
    assert client.ids("recurse=true&order=id&direction=asc") == [1, 2, 3, 4, 5]
    assert client.ids(**{"Wazo-Tenant": OTHER_TENANT}) == [4]
    assert client.ids("recurse=true", **{"Wazo-Tenant": OTHER_TENANT}) == [4]


def test_times_are_full_dates_with_an_encoded_offset(client: Client) -> None:
    # Without an offset they are read by the server's clock; `until` itself is left out.
    assert client.ids("from=2026-10-06T11:32:00&until=2026-10-06T11:34:00%2B02:00") == [3]
    for broken in ("from=2026-10-06", "until=now", "from=2026-10-06T11:32:00+02:00", "limit=-1"):
        answer = client.ask(broken)
        assert (answer.status_code, answer.json()["error_id"]) == (400, "invalid-data")
        assert list(answer.json()["details"]) == [broken.partition("=")[0]]


def test_a_blocked_call_is_counted_and_listed_only_where_it_is_asked_for(client: Client) -> None:
    client.server.call_logs.regenerate(lambda item: item["id"] == 5, {"call_status": "blocked"})

    answer = client.ask("order=id&direction=asc").json()

    assert [item["id"] for item in answer["items"]] == [1, 2, 3]
    assert answer["total"] == 4
    assert client.ids("call_status=blocked") == [6]


def test_generating_again_gives_new_ids_and_the_feed_goes_on_behind_them(client: Client) -> None:
    server = client.server
    assert server.regenerate(item_of(OUTGOING)["conversation_id"], duration=99) == 1
    feed = Feed(server.feed)
    feed.write([*(ticket.text for ticket in feed.after(0)), json.dumps(item_of(INCOMING))])

    items = client.ask("order=id&direction=asc").json()["items"]

    assert [item["id"] for item in items] == [2, 3, 5, 6, 7]
    assert items[3]["start"] == item_of(OUTGOING)["start"]
    assert items[3]["duration"] == 99


def test_a_token_is_good_for_so_many_requests(client: Client) -> None:
    client.server.token_uses = 2

    assert [client.ask().status_code for _ in range(3)] == [200, 200, 401]
    client.renew()
    assert client.ask().status_code == 200


def test_each_fault_happens_once(client: Client) -> None:
    server = client.server
    server.slowness_seconds = 0.01
    server.misbehave("429", "500", "503", "truncate@4", "cut@5", "expire@6", "slow@7")

    assert [client.ask().status_code for _ in range(3)] == [429, 500, 503]
    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.ask().json()
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.ask()
    assert client.ask().status_code == 401
    client.renew()
    assert client.ids() == client.ids() == [5, 3, 2, 1]
    assert server.faults == []
    assert [request.status for request in server.requests if request.method == "GET"] == [
        429, 500, 503, 200, 0, 401, 200, 200,
    ]  # fmt: skip


def test_the_service_of_tokens_can_be_down(client: Client) -> None:
    client.server.misbehave("token_503")

    answer = client.session.post(client.server.url + TOKEN_PATH, timeout=5)

    assert answer.status_code == 503


def test_an_unknown_fault_names_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="unknown fault 'fire'; known are 429, 500"):
        Fault.of("fire")


def test_a_client_that_does_not_trust_the_certificate_gets_nothing(client: Client) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(client.server.url + CDR_PATH, timeout=5)
    assert client.ids("limit=1") == [5]


def test_a_certificate_of_its_own_is_made_once_and_trusted_where_it_is_named(
    tmp_path: Path,
) -> None:
    certificate, key = own_certificate(tmp_path, "arles")
    made = certificate.read_bytes()
    assert own_certificate(tmp_path, "arles") == (certificate, key)
    assert certificate.read_bytes() == made
    assert key.stat().st_mode & 0o077 == 0

    with WazoServer(tmp_path / "feed.jsonl", certificate, key) as server:
        assert Client(server, certificate).ids() == []


@pytest.mark.postgres
def test_staging_reads_every_call_log_as_it_was_meant(warehouse: Settings) -> None:
    calls = calls_between(
        SITE, 1, datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 10, tzinfo=UTC)
    )
    sent = [
        ticket for number, call in enumerate(calls) for ticket in tickets_of(call, SITE, number)
    ]

    parsed, told = parsed_beside_truth(warehouse, "wazo", sent)

    assert parsed == told
    assert {row["direction"] for row in told} == {"outgoing", "incoming", "internal", "transit"}
    assert {row["outcome"] for row in told} == {"answered", "no_answer", "answered_by_machine"}
