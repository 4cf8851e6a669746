"""Records pulled by both forms of a UCM's CDR API into raw: nothing lost, nothing doubled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from lab.grandstream_api import GrandstreamApi, Record, grouped
from lab.grandstream_ucm import tickets_of
from lab.traffic import Call, Site
from tests.collector.certificates import Authority
from tests.installed import bodies, pbx_of, rows
from tests.transports.https_server import HttpsServer, Reply
from tests.transports.pulling import Puller
from tollhouse.connections import PbxConnection
from tollhouse.documents import legs, split
from tollhouse.settings import Settings
from tollhouse.transports import SourceError
from tollhouse.transports.http_api import grandstream
from tollhouse.transports.http_api.by_time import ordinal_of
from tollhouse.transports.http_api.digest import DigestLogin
from tollhouse.watermark import IdlastError

SITE = Site("sete_harbour", 2000, 2049, "0465710000", 60)
LOGIN, PASSWORD = "cdrapi", "a pass phrase: é/@"
CALL = Call(
    pbx_id="sete_harbour",
    day=date(2026, 10, 6),
    number=0,
    direction="incoming",
    outcome="answered",
    started_at=datetime(2026, 10, 6, 8, tzinfo=UTC),
    ring_seconds=7,
    talk_seconds=100,
    extension="2016",
    destination="",
    outside_number="0536490123",
)
TRANSFERRED = replace(CALL, transferred_to="2020", transferred_after_seconds=30)


def records_of(hours: int, call: Call = CALL, number: int | None = None) -> list[Record]:
    """Return the records of a call that began so many hours after the first."""
    started_at = call.started_at + timedelta(hours=hours)
    told = tickets_of(
        replace(call, started_at=started_at), SITE, hours if number is None else number
    )
    return [json.loads(ticket.ticket) for ticket in told]


class Ucm(Puller):
    """A UCM whose records the test writes."""

    def __init__(self, settings: Settings, api: GrandstreamApi, authority: Authority) -> None:
        self.api = api
        extra = {"tls_ca": str(authority.file), "proxy": "off"}
        connection = PbxConnection(
            "pbx_paris_hq", "127.0.0.1", api.port, LOGIN, PASSWORD, extra=extra
        )
        super().__init__(settings, pbx_of("grandstream_ucm"), connection)
        self.set()

    def set(self, **values: object) -> None:
        settings = {"retry_seconds": 0, "page_rows": 3} | values
        self.pbx = pbx_of("grandstream_ucm", **settings).model_copy(
            update={"transport": "http_api"}
        )

    def write(self, *records: Record) -> None:
        self.api.records += records

    def numbers(self) -> list[str]:
        """The record numbers in raw; a sum over legs has none."""
        kept = [json.loads(body) for body in bodies(self.settings) if body.startswith("{")]
        return [record["AcctId"] for record in kept]

    def held(self) -> list[str]:
        return [record["AcctId"] for record in self.api.records]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


@pytest.fixture
def api(authority: Authority) -> Iterator[GrandstreamApi]:
    certificate, key = authority.issue("ucm")
    with GrandstreamApi(certificate, key, login=LOGIN, password=PASSWORD) as api:
        yield api


@pytest.fixture
def ucm(warehouse: Settings, api: GrandstreamApi, authority: Authority) -> Ucm:
    return Ucm(warehouse, api, authority)


@pytest.mark.postgres
@pytest.mark.parametrize("form", ["new", "old"])
def test_every_trouble_on_the_way_loses_and_doubles_nothing(
    ucm: Ucm, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(grandstream.BUSY, -45, 0.0)
    ucm.set(cdr_api=form)
    for hours in range(1, 8):
        ucm.write(*records_of(hours, TRANSFERRED if hours % 3 == 0 else CALL))
    ucm.api.faults = ["500", "truncate", "expire", "stale", "cut", "busy"]
    first = ucm.pull()
    assert ucm.api.faults == []
    assert ucm.numbers() == ucm.held()
    ucm.write(*records_of(8))
    second = ucm.pull()
    assert ucm.numbers() == ucm.held()
    assert (second.rows_inserted, first.warnings, second.warnings) == (1, (), ())
    assert ucm.watermark.value == "2026-10-06T16:00:00+00:00"


@pytest.mark.postgres
def test_a_long_call_is_found_by_its_start_when_it_has_ended(ucm: Ucm) -> None:
    ucm.write(*records_of(30))
    ucm.pull()
    ucm.write(*records_of(5))
    assert ucm.pull().rows_inserted == 1
    ucm.write(*records_of(2))
    assert ucm.pull().rows_inserted == 0, "more than the 26 hours that are read again"
    ucm.set(overlap_hours=30)
    assert ucm.pull().rows_inserted == 1
    assert sorted(ucm.numbers()) == sorted(ucm.held())


@pytest.mark.postgres
def test_a_call_that_becomes_a_group_keeps_its_first_leg(ucm: Ucm) -> None:
    first, second = records_of(1, TRANSFERRED)
    ucm.write(first)
    ucm.pull()
    ucm.write(second)
    assert ucm.pull().warnings == ()
    assert ucm.numbers() == [first["AcctId"], second["AcctId"]]
    assert rows(ucm.settings, "select from raw.conflicts") == []


@pytest.mark.postgres
def test_record_numbers_that_begin_anew_in_a_month_are_other_records(ucm: Ucm) -> None:
    ucm.write(*records_of(1, number=4), *records_of(24 * 30, number=4))
    ucm.pull()
    assert ucm.numbers() == ["13", "13"]


@pytest.mark.postgres
def test_an_interval_is_read_by_the_clock_of_the_pbx(ucm: Ucm) -> None:
    ucm.write(*(record for hours in range(0, 50, 10) for record in records_of(hours)))
    day = CALL.started_at + timedelta(hours=15)
    landed = ucm.pull(day, day + timedelta(hours=20))
    assert ucm.numbers() == ["61", "91"]
    assert (ucm.watermark.value, landed.idlast_after) == (None, None)


@pytest.mark.postgres
def test_a_clock_that_once_stood_in_the_future_hides_no_call(ucm: Ucm) -> None:
    ahead = datetime.now(UTC) + timedelta(days=900)
    ucm.write(*records_of(0, replace(CALL, started_at=ahead)))
    ucm.pull()
    assert ucm.watermark.value is not None
    assert datetime.fromisoformat(ucm.watermark.value) <= datetime.now(UTC)
    ucm.write(*records_of(1, replace(CALL, started_at=datetime.now(UTC) - timedelta(hours=2))))
    assert ucm.pull().rows_inserted == 1


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("form", "case", "message"),
    [
        ("new", "password", r"refuses the login 'cdrapi' \(status -37\).*API Configuration"),
        ("old", "password", r"refuses the login 'cdrapi' \(401\).*login and password"),
        ("new", "right", r"'cdrapi' has no right to it \(status -47\)"),
        ("new", "500", "answers 500.*5 times"),
        ("old", "truncate", "half an answer.*5 times"),
        ("other", "", "settings.cdr_api is 'other'"),
    ],
)
def test_what_keeps_records_from_being_read_is_said(
    ucm: Ucm, form: str, case: str, message: str
) -> None:
    ucm.write(*records_of(1))
    ucm.set(cdr_api=form)
    ucm.api.may_read = case != "right"
    if case == "password":
        ucm.api.password = "another"
    if case == "500":
        ucm.api.faults = ["500"] * 5
    if case == "truncate":
        # The first request brings the challenge.
        ucm.api.faults = ["stale"] + ["truncate"] * 5
    with pytest.raises(SourceError, match=message) as refused:
        ucm.pull()
    assert PASSWORD not in str(refused.value)
    assert (bodies(ucm.settings), ucm.watermark.value) == ([], None)


@pytest.mark.postgres
def test_a_firmware_that_does_not_page_is_named_where_it_may_hold_more(
    ucm: Ucm, authority: Authority
) -> None:
    body = json.dumps({"response": {"cdr_root": records_of(1)}, "status": 0}).encode()
    with HttpsServer(authority, lambda seen: Reply(body=body)) as server:
        assert ucm.connection is not None
        ucm.connection = replace(ucm.connection, port=server.port)
        ucm.set(cdr_api="old", page_rows=1)
        with pytest.raises(SourceError, match="same page again from record 1 on"):
            ucm.pull()
        ucm.set(cdr_api="old", page_rows=2)
        assert ucm.pull().rows_inserted == 1


@pytest.mark.postgres
def test_a_login_whose_answer_was_lost_is_made_anew_and_not_repeated(ucm: Ucm) -> None:
    """A challenge is good once: repeated, it looks like a guess, and guesses lock the account."""
    ucm.write(*records_of(1))
    ucm.api.faults = ["login"]
    assert ucm.pull().rows_inserted == 1
    logins = ["challenge", "login"] * 2
    assert ucm.api.requests == [*logins, "cdrapi", "cdrapi"]


@pytest.mark.postgres
def test_a_digest_is_counted_on_when_a_request_is_made_again(ucm: Ucm) -> None:
    ucm.write(*records_of(1))
    ucm.set(cdr_api="old")
    ucm.api.faults = ["stale", "500", "500"]
    assert ucm.pull().rows_inserted == 1
    challenged, failed, pages = 1, 2, 2
    assert len(ucm.api.requests) == challenged + failed + pages


@pytest.mark.postgres
def test_an_entry_that_had_another_transport_is_told_to_delete_its_idlast(ucm: Ucm) -> None:
    ucm.write(*records_of(1))
    ucm.pull()
    ucm.pbx = ucm.pbx.model_copy(update={"transport": "spooled_stream"})
    with pytest.raises(IdlastError, match="another transport before: delete it"):
        ucm.pull()
    ucm.set()
    ucm.watermark.set("12")
    with pytest.raises(SourceError, match=r"'12', an id and no time. Delete"):
        ucm.pull()


def test_legs_of_a_group_are_those_that_a_file_of_the_same_answer_gives() -> None:
    elements = list(grouped([*records_of(1, TRANSFERRED), *records_of(2)]))
    answer = json.dumps({"cdr_root": elements}).encode()
    (document,) = split(answer)
    from_file = [leg.decode() for _, leg in legs(document, maximum_bytes=1 << 20)]
    asked_for = [
        leg
        for element in elements
        for leg in grandstream.legs_of(json.dumps(element), maximum_bytes=1 << 20)
    ]
    assert len(from_file) == 4
    assert asked_for[0] == from_file[0]
    assert asked_for[0].startswith('"main_cdr"')
    names_taken_off = [
        leg.removeprefix(f'"sub_cdr_{number}": ') for number, leg in enumerate(from_file)
    ]
    assert asked_for[1:] == names_taken_off[1:]


def test_an_ordinal_follows_start_and_number_and_never_clashes() -> None:
    record = {"start": "2026-10-06 10:00:00", "AcctId": "7"}
    later = [record | {"AcctId": "8"}, record | {"start": "2026-10-06 10:00:01", "AcctId": "1"}]
    ordinals = [ordinal_of(json.dumps(each)) for each in [record, *later]]
    assert ordinals == sorted(set(ordinals))
    odd = [{**record, "AcctId": text} for text in ("", "-1", "²", "9" * 40, "x")] + [
        {**record, "start": text} for text in ("", "0000-00-00 00:00:00", "1926-01-01 00:00:00")
    ]
    without = [ordinal_of(json.dumps(each)) for each in odd] + [ordinal_of("["), ordinal_of("[1]")]
    assert all(ordinal < 0 for ordinal in without)
    assert len(set(without)) == len(without)
    assert (
        ordinal_of(json.dumps({"start": "2099-12-31 23:59:59", "AcctId": "2147483647"})) < 1 << 63
    )


@pytest.mark.parametrize(
    "challenge",
    ["Basic realm=x", "Digest realm=x", 'Digest nonce="1", algorithm=ROT13', "", "Digest ,=,"],
)
def test_a_challenge_that_cannot_be_answered_safely_is_not_answered(challenge: str) -> None:
    assert not DigestLogin("tollhouse", "secret").take(challenge)


def test_a_digest_is_the_one_that_the_standard_shows() -> None:
    """The login of RFC 2617, 3.5, answered as to a server that asks for no quality."""
    digest = DigestLogin("Mufasa", "Circle Of Life")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert digest.take(f'Digest realm="testrealm@host.com", nonce="{nonce}"')
    header = digest.header("GET", "/dir/index.html")["Authorization"]
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in header
    assert "Circle" not in header + repr(digest)
