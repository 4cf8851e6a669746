"""Call logs pulled from Wazo into raw: nothing lost, nothing doubled, whatever goes wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from lab.streams.feed import Feed
from lab.wazo_server import WazoServer
from tests.collector.certificates import Authority
from tests.installed import bodies, pbx_of, rows
from tests.transports.https_server import HttpsServer, Reply, Seen
from tests.transports.pulling import Puller
from tollhouse.connections import PbxConnection
from tollhouse.settings import Settings
from tollhouse.transports import SourceError, http_api
from tollhouse.transports.http_api.wazo import CDR_PATH, TOKEN_PATH

pytestmark = pytest.mark.postgres

LOGIN, PASSWORD = "tollhouse", "a pass phrase: é/@"
START = datetime(2026, 10, 6, 8, tzinfo=UTC)


class CallLogs:
    """The API over call logs that a test writes, as text; each trouble happens once."""

    def __init__(self) -> None:
        self.items: dict[int, str] = {}
        self.seconds = 7200
        self.tokens: set[str] = set()
        self.given = 0
        self.takes_tokens = True
        self.ignores_from_id = self.ignores_order = False
        self.most_rows = 1000
        self.troubles: list[Reply | str] = []

    def call(self, *ids: int, source: str = "") -> None:
        for number in ids:
            start = (START + timedelta(hours=number)).isoformat()
            item = {"id": number, "start": start, "source_extension": source or str(number)}
            self.items[number] = json.dumps(item | {"source_name": "Élise", "tags": []})

    def __call__(self, seen: Seen) -> Reply:
        path = urlsplit(seen.path).path
        if path == TOKEN_PATH:
            return self._token(seen)
        if path != CDR_PATH:
            return Reply(404)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble == "expire":
            self.tokens.clear()
        elif isinstance(trouble, Reply):
            return trouble
        if not self.takes_tokens or seen.headers.get("X-Auth-Token") not in self.tokens:
            return Reply(401, b'{"message": "Unauthorized"}')
        body = self.page({name: values[-1] for name, values in _query(seen).items()})
        if trouble == "truncate":
            return Reply(body=body[: len(body) // 2])
        if trouble == "cut":
            return Reply(body=body[: len(body) // 2], declared_bytes=len(body))
        return Reply(body=body)

    def page(self, query: dict[str, str]) -> bytes:
        first = 0 if self.ignores_from_id else int(query.get("from_id", 0))
        chosen = [
            number
            for number in sorted(self.items)
            if number >= first and self._is_in(number, query)
        ]
        if query["direction"] == "desc" or self.ignores_order:
            chosen.reverse()
        most = min(int(query["limit"]), self.most_rows)
        found = ",\n ".join(self.items[number] for number in chosen[:most])
        return f'{{"total": 1, "items": [{found}], "filtered": 1}}'.encode()

    def _is_in(self, number: int, query: dict[str, str]) -> bool:
        start = START + timedelta(hours=number)
        since, until = query.get("from"), query.get("until")
        return (since is None or start >= datetime.fromisoformat(since)) and (
            until is None or start < datetime.fromisoformat(until)
        )

    def _token(self, seen: Seen) -> Reply:
        wanted = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        if seen.headers.get("Authorization") != f"Basic {wanted}":
            return Reply(401, b'{"reason": ["Authentication Failed"]}')
        self.given += 1
        token = f"token-{self.given}"
        self.tokens.add(token)
        expires_at = START + timedelta(seconds=self.seconds)
        times = {"utc_issued_at": START, "utc_expires_at": expires_at}
        data = {name: at.replace(tzinfo=None).isoformat() for name, at in times.items()}
        return Reply(body=json.dumps({"data": {"token": token, **data}}).encode())


def _query(seen: Seen) -> dict[str, list[str]]:
    return parse_qs(urlsplit(seen.path).query)


class Wazo(Puller):
    """A Wazo whose call logs the test writes."""

    def __init__(self, settings: Settings, server: HttpsServer, authority: Authority) -> None:
        self.server = server
        self.logs = CallLogs()
        server.script = self.logs
        server.seen.clear()
        super().__init__(settings, pbx_of("wazo"), self.connection_to(server.port, authority))
        self.set()

    @staticmethod
    def connection_to(port: int, authority: Authority) -> PbxConnection:
        extra = {"tls_ca": str(authority.file), "proxy": "off"}
        return PbxConnection("pbx_paris_hq", "127.0.0.1", port, LOGIN, PASSWORD, extra=extra)

    def set(self, **settings: object) -> None:
        self.pbx = pbx_of("wazo", **({"retry_seconds": 0, "page_rows": 3} | settings))

    def sources(self) -> list[str]:
        return [json.loads(body)["source_extension"] for body in bodies(self.settings)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[HttpsServer]:
    with HttpsServer(authority, lambda seen: Reply(404)) as server:
        yield server


@pytest.fixture
def wazo(warehouse: Settings, server: HttpsServer, authority: Authority) -> Wazo:
    return Wazo(warehouse, server, authority)


def test_new_calls_land_page_by_page_and_idlast_is_the_highest_id(wazo: Wazo) -> None:
    assert wazo.pull().batch_id is None
    wazo.logs.call(*range(1, 8))
    wazo.pull()
    wazo.logs.call(9)
    again = wazo.pull()
    assert wazo.sources() == ["1", "2", "3", "4", "5", "6", "7", "9"]
    assert (wazo.watermark.value, again.rows_inserted) == ("9", 1)
    assert wazo.pull().batch_id is None


def test_every_trouble_on_the_way_through_the_pages_loses_and_doubles_nothing(wazo: Wazo) -> None:
    wazo.logs.call(*range(1, 12))
    wazo.logs.troubles = [
        Reply(500),
        Reply(500),
        "expire",
        Reply(429, headers={"Retry-After": "0"}),
        "none",
        "truncate",
        "cut",
        "none",
        "expire",
        Reply(body=b""),
    ]
    landed = wazo.pull()
    assert wazo.logs.troubles == []
    assert wazo.sources() == [str(number) for number in range(1, 12)]
    assert (landed.rows_read, landed.warnings, wazo.logs.given) == (11, (), 3)


def test_a_token_is_renewed_before_it_ends(wazo: Wazo) -> None:
    wazo.logs.call(*range(1, 8))
    wazo.logs.seconds = 0
    wazo.pull()
    refused = [seen for seen in wazo.server.seen if seen.headers.get("X-Auth-Token") == ""]
    assert (refused, wazo.logs.given) == ([], 5)
    assert len(wazo.sources()) == 7


@pytest.mark.parametrize(
    ("script", "password", "message"),
    [
        ("logs", "wrong", "refuses the login 'tollhouse'.*web-services user"),
        ("no right", PASSWORD, "new token.*call-logd.cdr.read"),
        ("page", PASSWORD, "web page where JSON was asked for.*check host and port"),
        ("500", PASSWORD, "answers 500.*asked 5 times"),
        ("truncated", PASSWORD, "half an answer.*asked 5 times"),
        ("not found", PASSWORD, "answers 404.*20.0 or newer"),
    ],
)
def test_what_keeps_call_logs_from_being_read_is_said_and_nothing_lands(
    wazo: Wazo, script: str, password: str, message: str
) -> None:
    assert wazo.connection is not None
    wazo.logs.call(1)
    wazo.connection = PbxConnection(**{**vars(wazo.connection), "password": password})
    wazo.logs.takes_tokens = script != "no right"
    wazo.logs.troubles = {
        "page": [Reply(body=b"<html><h1>Log in</h1>")],
        "500": [Reply(500)] * 5,
        "truncated": [Reply(body=b'{"items": [{"id"')] * 5,
        "not found": [Reply(404)],
    }.get(script, [])
    with pytest.raises(SourceError, match=message) as refused:
        wazo.pull()
    assert PASSWORD not in str(refused.value)
    assert (bodies(wazo.settings), wazo.watermark.value) == ([], None)


def test_a_call_that_appears_late_below_idlast_is_found(wazo: Wazo) -> None:
    wazo.logs.call(1, 2, 4)
    wazo.pull()
    wazo.logs.call(3)
    late = wazo.pull()
    assert (late.rows_inserted, wazo.watermark.value) == (1, "4")
    assert wazo.sources() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("ids", [[1, 2], [1, 2, 3, 4]], ids=["below IDLAST", "beyond it"])
def test_ids_that_begin_anew_are_a_new_generation_and_an_alarm(wazo: Wazo, ids: list[int]) -> None:
    wazo.logs.call(1, 2, 3)
    wazo.pull()
    wazo.logs.items.clear()
    assert "is empty" in wazo.pull().warnings[0]
    wazo.logs.call(*ids, source="another")
    assert "began anew" in wazo.pull().warnings[0]
    assert wazo.pull().warnings == ()
    assert wazo.sources() == ["1", "2", "3"] + ["another"] * len(ids)
    assert rows(wazo.settings, "select from raw.conflicts") == []


def test_calls_that_were_tagged_later_are_no_new_beginning(wazo: Wazo) -> None:
    wazo.logs.call(1, 2, 3)
    wazo.pull()
    for number, item in wazo.logs.items.items():
        wazo.logs.items[number] = item.replace('"tags": []', '"tags": ["support"]')
    wazo.logs.call(4)
    assert wazo.pull().warnings == ()
    assert wazo.sources() == ["1", "2", "3", "4"]


def test_calls_that_were_all_corrected_are_conflicts_and_no_new_beginning(wazo: Wazo) -> None:
    wazo.logs.call(1, 2, 3)
    wazo.pull()
    for number, item in wazo.logs.items.items():
        wazo.logs.items[number] = item.replace("lise", "lodie")
    told = wazo.pull()
    assert (told.rows_conflicting, wazo.pull().warnings) == (3, ())
    assert wazo.sources() == ["1", "2", "3"]


def test_a_server_whose_zone_was_changed_is_no_new_beginning(wazo: Wazo) -> None:
    """Each time is then written with another offset; read as others, all calls would double."""
    wazo.logs.call(1, 2, 3)
    wazo.pull()
    for number, item in wazo.logs.items.items():
        start = START + timedelta(hours=number)
        elsewhere = start.astimezone(timezone(timedelta(hours=2)))
        wazo.logs.items[number] = item.replace(start.isoformat(), elsewhere.isoformat())
    wazo.logs.call(4)
    moved = wazo.pull()
    assert (moved.rows_inserted, moved.rows_conflicting) == (1, 3)
    assert not [warning for warning in moved.warnings if "began anew" in warning]
    assert wazo.sources() == ["1", "2", "3", "4"]


def test_an_interval_is_read_by_time_without_touching_idlast(wazo: Wazo) -> None:
    wazo.logs.call(*range(1, 8))
    landed = wazo.pull(START + timedelta(hours=2), START + timedelta(hours=6))
    assert wazo.sources() == ["2", "3", "4", "5"]
    assert (wazo.watermark.value, landed.idlast_after) == (None, None)
    wazo.pull()
    assert wazo.sources() == [str(number) for number in range(1, 8)]


def test_items_are_kept_as_they_were_sent_whatever_they_are(wazo: Wazo) -> None:
    """None of these stops the pull: staging says what is wrong with each."""
    sent = {
        1: '{"id":1,"a":1.50,"b":12345678901234567890123,"c":1e400,"d":-0.0,"é":"\\u00e9\\u0000"}',
        2: '{"id":2,"name":"spaces  stay, \\"so\\" do quotes \\\\"}',
        3: '["no","object"]',
        4: '"text"',
        5: '{"id":99999999999999999999,"x":null}',
        6: '{"id":"6","deep":' + "[" * 3000 + "]" * 3000 + "}",
        7: '{"id":7,"large":"' + "x" * 2_000_000 + '"}',
        8: '{"id":true}',
    }
    wazo.set(page_rows=1000)
    wazo.logs.items = {number: text.replace('":', '" :\n ') for number, text in sent.items()}
    wazo.logs.items[2] = sent[2]
    wazo.pull()
    kept = bodies(wazo.settings)
    assert sorted(kept) == sorted(sent.values())
    assert wazo.watermark.value == "7"
    assert wazo.pull().rows_inserted == 0
    assert len(bodies(wazo.settings)) == len(sent)


def test_a_server_whose_items_have_no_id_is_named_and_nothing_moves(wazo: Wazo) -> None:
    wazo.logs.items = {1: '{"call": 1}'}
    with pytest.raises(SourceError, match=r"newest 1 items of 127.0.0.1:\d+ have no id"):
        wazo.pull()


def test_a_server_that_does_not_page_is_named_and_not_asked_for_ever(wazo: Wazo) -> None:
    wazo.logs.call(1, 2, 3)
    wazo.logs.ignores_from_id = True
    with pytest.raises(SourceError, match=r"id 1 came though ids above 3 were asked for"):
        wazo.pull()


def test_a_server_that_does_not_order_is_named_since_calls_would_be_missed(wazo: Wazo) -> None:
    wazo.logs.call(*range(1, 8))
    wazo.logs.ignores_order = True
    with pytest.raises(SourceError, match=r"ids after -1 come in no order.*20.0"):
        wazo.pull()
    assert (bodies(wazo.settings), wazo.watermark.value) == ([], None)


def test_a_server_that_hands_out_fewer_than_asked_for_is_read_to_the_end(wazo: Wazo) -> None:
    wazo.logs.call(*range(1, 8), *range(10**6, 10**6 + 4))
    wazo.logs.most_rows = 2
    wazo.set(page_rows=1000)
    assert wazo.pull().rows_inserted == 11
    wazo.logs.items.pop(3)
    wazo.logs.call(10**6 - 1)
    late = wazo.pull()
    assert (late.rows_inserted, late.warnings, wazo.watermark.value) == (1, (), str(10**6 + 3))


def test_tenant_and_recursion_are_asked_for_as_the_entry_says(wazo: Wazo) -> None:
    wazo.set(tenant="0f6c1de2", recurse=True)
    wazo.logs.call(1)
    wazo.pull()
    asked = [seen for seen in wazo.server.seen if seen.path.startswith(CDR_PATH)]
    assert {seen.headers.get("Wazo-Tenant") for seen in wazo.server.seen} == {"0f6c1de2"}
    assert all(_query(seen)["recurse"] == ["true"] for seen in asked)


@pytest.mark.parametrize(
    ("setting", "value"), [("page_rows", 0), ("overlap_ids", "many"), ("timeout_seconds", True)]
)
def test_a_setting_that_does_not_hold_is_named(wazo: Wazo, setting: str, value: object) -> None:
    wazo.logs.call(1)
    wazo.set(**{setting: value})
    with pytest.raises(SourceError, match=f"settings.{setting} .* is {value!r}; it can be a numb"):
        wazo.pull()


@pytest.mark.parametrize("value", ["soon", "2026-10-01", "2026-10-01T08:00:00", "-1", "²"])
def test_an_idlast_that_was_mistyped_is_no_place(value: str) -> None:
    with pytest.raises(ValueError, match=r"an id|no zone"):
        http_api.position(value)


def test_the_labs_server_with_all_its_faults_is_read_to_the_end(
    wazo: Wazo, tmp_path: Path, authority: Authority
) -> None:
    feed = Feed(tmp_path / "feed.jsonl")
    held = [
        {
            "tenant_uuid": "0f6c1de2-5a0b-4c1e-9b7a-3c5d2e8f9a10",
            "start": (START + timedelta(minutes=number)).isoformat(),
            "source_extension": str(number),
            "conversation_id": f"{number}.0",
        }
        for number in range(40)
    ]
    feed.write(json.dumps(item) for item in held)
    certificate, key = authority.issue("wazo")
    with WazoServer(feed.path, certificate, key, password=PASSWORD, token_uses=4) as lab:
        lab.misbehave("cut@3", "truncate@5", "500@6", "503@7", "expire@9", "token_503")
        wazo.connection = wazo.connection_to(lab.port, authority)
        wazo.pull()
    assert wazo.sources() == [str(number) for number in range(40)]
