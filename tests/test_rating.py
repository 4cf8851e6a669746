"""Rating by the SQL of the warehouse, held against a second calculation from the rules on paper."""

from __future__ import annotations

import csv
import dataclasses
import random
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.independent_rating import Call, Directory, Rating, invoice_totals, rate
from tollhouse.directory.loading import load_directory
from tollhouse.rate_explanation import RateQuestion, RateQuestionError, explain_rate
from tollhouse.settings import PROJECT, Settings
from tollhouse.warehouse import DBT, connect

pytestmark = pytest.mark.postgres

CALL_COUNT = 3_000

RATE_COLUMNS = (
    "tariff_id", "version", "namespace", "prefix", "destination_id", "connection_fee",
    "first_increment_seconds", "next_increment_seconds", "price_per_minute", "minimum_charge",
    "maximum_charge",
)  # fmt: skip

TARIFFS = """\
tariff_id,tariff_name,currency,country,time_zone,rounding,rounding_decimals
per_line_paris,Per line,EUR,FR,Europe/Paris,per_line,2
per_call_reunion,Per call,EUR,FR,Indian/Reunion,per_call,3
"""
VERSIONS = """\
tariff_id,version,valid_from,valid_to
per_line_paris,first,2026-01-01,2026-08-16
per_line_paris,second,2026-08-16,2026-10-01
per_call_reunion,first,2026-01-01,2026-09-01
per_call_reunion,second,2026-09-01,
"""
ASSIGNMENTS = """\
side,owner_kind,owner_id,tariff_id,valid_from,valid_to
sale,service,atelier_paris,per_line_paris,2026-01-01,2026-09-10
sale,service,atelier_paris,per_call_reunion,2026-09-10,
sale,service,cabinet_paris,per_call_reunion,2026-01-01,
sale,service,support_lyon,per_line_paris,2026-01-01,
cost,carrier,carrier_demo,per_line_paris,2026-01-01,
"""
PREFIXES = (
    "1", "1555", "331", "33199", "331990012", "335", "336", "33639980", "33800", "3389", "32",
    "322551", "262", "262692", "59", "590", "5906", "44", "4411", "44113496",
)  # fmt: skip
SHORT_NUMBERS = ("1", "15", "3949", "3008", "118218", "39")
NUMBERS = (
    "01990012{:02d}", "01990555{:02d}", "06399812{:02d}", "06399801{:02d}", "05364912{:02d}",
    "08001234{:02d}", "08991234{:02d}", "00322551234{:02d}", "00324991234{:02d}", "06921234{:02d}",
    "05901234{:02d}", "06901234{:02d}", "00155512345{:02d}", "004411349601{:02d}",
    "00441419012{:02d}", "0049301234{:02d}", "15", "112", "115", "3949", "3008", "3010", "3175",
    "118218", "118712", "116111", "3939",
)  # fmt: skip


@pytest.fixture
def priced(warehouse: Settings, tmp_path: Path) -> tuple[Settings, Directory]:
    """A warehouse whose tariffs are drawn at random: nested prefixes, limits, odd increments."""
    include = tmp_path / "include"
    shutil.copytree(PROJECT / "include" / "directory", include / "directory")
    shutil.copy(PROJECT / "include" / "pbx.yml", include / "pbx.yml")
    folder = include / "directory"
    (folder / "tariffs.csv").write_text(TARIFFS)
    (folder / "tariff_versions.csv").write_text(VERSIONS)
    (folder / "tariff_assignments.csv").write_text(ASSIGNMENTS)
    with (folder / "rates.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(RATE_COLUMNS)
        writer.writerows(random_rates(random.Random(7), folder))
    settings = dataclasses.replace(warehouse, include=include)
    load_directory(settings)
    return settings, Directory(folder, include / "pbx.yml")


def random_rates(draw: random.Random, folder: Path) -> list[list[str]]:
    with (folder / "destinations.csv").open(encoding="utf-8") as file:
        destinations = [row["destination_id"] for row in csv.DictReader(file)]
    rows = []
    for tariff_id, version in (line.split(",")[:2] for line in VERSIONS.splitlines()[1:]):
        entries = [("e164", prefix) for prefix in PREFIXES if draw.random() < 0.8]
        entries += [("short_FR", number) for number in SHORT_NUMBERS if draw.random() < 0.8]
        for namespace, prefix in entries:
            minimum = f"{draw.randrange(500_000) / 1e6:.6f}" if draw.random() < 0.3 else ""
            maximum = f"{0.5 + draw.randrange(900_000) / 1e6:.6f}" if draw.random() < 0.3 else ""
            rows.append(
                [
                    tariff_id,
                    version,
                    namespace,
                    prefix,
                    draw.choice(destinations),
                    draw.choice(["0", f"{draw.randrange(200_000) / 1e6:.6f}"]),
                    str(draw.choice([1, 1, 6, 30, 60, 180])),
                    str(draw.choice([1, 1, 6, 30, 60])),
                    f"{draw.randrange(700_000) / 1e6:.6f}",
                    minimum,
                    maximum,
                ]
            )
    return rows


def random_calls(draw: random.Random) -> list[Call]:
    first = datetime(2026, 7, 25, tzinfo=UTC)
    calls = []
    for _ in range(CALL_COUNT):
        pbx_id, base = draw.choice([("paris_hq", 4200), ("paris_hq", 4260), ("lyon_support", 6000)])
        calls.append(
            Call(
                pbx_id=pbx_id,
                extension=str(base + draw.randrange(70)),
                number=draw.choice(NUMBERS).format(draw.randrange(100)),
                answered_at=first + timedelta(seconds=draw.randrange(86_400 * 80)),
                talk_seconds=draw.choice([0, 1, 59, 60, 61, draw.randrange(7_200)]),
                is_answered=draw.random() < 0.9,
                account_code="240117" if draw.random() < 0.05 and pbx_id == "paris_hq" else "",
            )
        )
    return calls


def put_calls(connection: psycopg.Connection, calls: list[Call]) -> None:
    """Put calls where `tollhouse rate` puts its question."""
    columns = (
        "ticket_id, call_id, state, pbx_id, model, batch_id, direction, outcome, is_phantom, "
        "caller_number, called_number, extension, account_code, started_at, answered_at, ended_at, "
        "ring_seconds, talk_seconds"
    )
    with connection.cursor().copy(
        f"copy intermediate.int_legs__hypothetical ({columns}) from stdin"
    ) as rows:
        for number, call in enumerate(calls):
            outcome = "answered" if call.is_answered else "no_answer"
            talk_seconds = call.talk_seconds if call.is_answered else 0
            rows.write_row(
                (
                    number, number, "ticket", call.pbx_id, "hypothetical", 0, "outgoing", outcome,
                    False, call.extension, call.number, call.extension, call.account_code or None,
                    call.answered_at, call.answered_at, call.answered_at, 0, talk_seconds,
                )
            )  # fmt: skip


def as_rating(row: dict[str, Any]) -> Rating:
    is_rated = row["rating_state"] == "rated"
    is_free = row["rating_state"] == "free"
    return Rating(
        service_id=row["service_id"],
        state=row["rating_state"],
        month=row["billing_month"],
        destination_class=row["destination_class"] if is_rated or is_free else "",
        prefix=row["matched_prefix"] or "",
        billed_seconds=row["billed_seconds"] or 0,
        amount=row["sale_amount"],
    )


def test_thousands_of_random_calls_are_priced_as_on_paper(
    priced: tuple[Settings, Directory],
) -> None:
    settings, directory = priced
    calls = random_calls(random.Random(11))
    with connect(DBT, settings=settings) as connection:
        put_calls(connection, calls)
        rows = (
            connection.cursor(row_factory=dict_row)
            .execute("select * from intermediate.int_legs__hypothetical_rated order by ticket_id")
            .fetchall()
        )
        connection.rollback()
    assert len(rows) == len(calls)
    wrong = [
        (call, expected, found)
        for call, row in zip(calls, rows, strict=True)
        if (expected := rate(call, directory)) != (found := as_rating(row))
    ]
    assert wrong == []
    states = {row["rating_state"] for row in rows}
    assert states == {"rated", "free", "not_answered", "unrated"}


def test_nothing_is_left_after_a_question(priced: tuple[Settings, Directory]) -> None:
    settings, _ = priced
    question = RateQuestion(
        number="00199001234",
        seconds=61,
        at=datetime(2026, 8, 15, 12, tzinfo=UTC),
        pbx_id="paris_hq",
        extension="4200",
    )
    assert explain_rate(settings, question)["called_e164"] == "+33199001234"
    with connect(DBT, settings=settings) as connection:
        left = connection.execute("select count(*) from intermediate.int_legs__hypothetical")
        assert left.fetchone() == (0,)


def test_a_tariff_asked_for_holds_instead_of_the_service_s_own(
    priced: tuple[Settings, Directory],
) -> None:
    settings, _ = priced
    question = RateQuestion(
        number="+4411349601", seconds=10, at=datetime(2026, 8, 1, tzinfo=UTC), pbx_id="paris_hq"
    )
    asked = dataclasses.replace(question, tariff_id="per_call_reunion", service_id="support_lyon")
    answer = explain_rate(settings, asked)
    assert answer["tariff_id"] == "per_call_reunion"
    assert answer["service_id"] == "support_lyon"
    assert answer["attribution_rule"] == "asked"


def test_a_version_changes_at_midnight_of_the_tariff_s_own_zone(
    priced: tuple[Settings, Directory],
) -> None:
    settings, _ = priced
    midnight_in_reunion = datetime(2026, 8, 31, 20, tzinfo=UTC)
    versions = [
        explain_rate(
            settings,
            RateQuestion(number="+12345678901", seconds=1, at=at, service_id="cabinet_paris"),
        )["tariff_version"]
        for at in (midnight_in_reunion - timedelta(seconds=1), midnight_in_reunion)
    ]
    assert versions == ["first", "second"]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "--pbx, --service, --tariff"),
        ({"pbx_id": "nowhere"}, "no pbx 'nowhere'"),
        ({"service_id": "nobody"}, "no service 'nobody'"),
        ({"tariff_id": "nothing"}, "no tariff 'nothing'"),
    ],
)
def test_a_question_that_names_nothing_known_says_what_is_missing(
    warehouse: Settings, question: dict[str, str], message: str
) -> None:
    with pytest.raises(RateQuestionError, match=message):
        explain_rate(
            warehouse,
            RateQuestion(number="15", seconds=1, at=datetime(2026, 8, 1, tzinfo=UTC), **question),
        )


def test_the_second_calculation_knows_the_example_of_the_rules() -> None:
    row = dict.fromkeys(RATE_COLUMNS, "")
    row |= {"connection_fee": "0.08", "first_increment_seconds": "60", "prefix": "331"}
    row |= {"next_increment_seconds": "30", "price_per_minute": "0.10", "namespace": "e164"}
    directory = Directory(PROJECT / "include" / "directory", PROJECT / "include" / "pbx.yml")
    versions = [
        version for version in directory.versions if version["tariff_id"] == "sale_business"
    ]
    row |= {"tariff_id": "sale_business", "destination_id": "fr_fixed"}
    directory.rates = {
        ("sale_business", version["version"], "e164", "331"): row for version in versions
    }
    call = Call("paris_hq", "4200", "0199001234", datetime(2026, 10, 20, tzinfo=UTC), 61)
    rating = rate(call, directory)
    assert (rating.billed_seconds, rating.amount) == (90, Decimal("0.230000"))
    totals = invoice_totals([call, call], directory)
    assert [total.total_amount for total in totals.values()] == [Decimal("0.55")]
