"""``tollhouse parse``: JSON lines in the contract's columns, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tollhouse.embedded.postgres import EmbeddedPostgres, cluster_home
from tollhouse.settings import Settings
from tollhouse.warehouse import DBT, LOADER, connect

pytestmark = pytest.mark.postgres

SAMPLES = Path(__file__).parent / "samples"
MITEL = SAMPLES / "mitel_3300" / "target_config_131_constructed.txt"
TOLLHOUSE = Path(sys.executable).with_name("tollhouse")

LEFT_BEHIND = """
select
    (select count(*) from raw.tickets),
    (select count(*) from raw.deliveries),
    (select count(*) from raw.batches),
    (select count(*) from directory.pbxs),
    (
        select array_agg(last_value order by sequencename)
        from pg_sequences
        where schemaname = 'raw'
    )
"""


def test_tickets_are_printed_in_the_columns_of_the_contract(warehouse: Settings) -> None:
    done = parse(
        warehouse, "--model", "mitel_3300", "--timezone", "Europe/Paris",
        "--received-at", "2026-02-05T00:00:00Z", str(MITEL),
    )  # fmt: skip

    tickets = printed(done)
    with connect(DBT, settings=warehouse) as connection:
        names = [
            column.name
            for column in connection.execute(
                "select * from intermediate.int_tickets__staged"
            ).description
            or ()
        ]
    assert done.returncode == 0
    assert [list(ticket) for ticket in tickets] == [names] * 4
    assert tickets[1]["called_number"] == "0612345678"
    assert tickets[1]["started_at"] == "2026-02-04T12:40:00+00:00"
    assert tickets[1]["talk_seconds"] == 432
    assert tickets[1]["answered_at"] is None
    assert done.stderr.endswith("target_config_131_constructed.txt: 4 ticket\n")


def test_a_rejected_ticket_says_why_and_where(warehouse: Settings, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.txt"
    damaged.write_bytes(
        b" 02/30 09:00  00:00:30 4216      00199001234               A T003\r\n"
        b"\xff\x00SMDR CLOCK MALFUNCTION\r\n"
    )

    done = parse(warehouse, "--model", "mitel_3300", str(damaged))

    states = [(row["state"], row["state_reason"], row["state_field"]) for row in printed(done)]
    assert done.returncode == 0
    assert states == [("rejected", "no_such_day", "date"), ("ignored", "event", None)]
    assert done.stderr.endswith("damaged.txt: 1 ignored, 1 rejected\n")


def test_trunks_and_settings_are_those_of_the_command(warehouse: Settings, tmp_path: Path) -> None:
    rows = tmp_path / "cdr.jsonl"
    row = {
        "id": 7, "calldate": "2026-03-02 10:00:00", "src": "301", "dst": "0199001234",
        "channel": "SIP/301-00000001", "dstchannel": "PJSIP/carrier-00000003",
        "duration": 20, "billsec": 15, "disposition": "ANSWERED", "amaflags": 3,
    }  # fmt: skip
    # The same key twice: on trial both rows are shown.
    rows.write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n", encoding="utf-8")

    without = parse(warehouse, "--model", "asterisk_mysql", str(rows))
    with_trunk = parse(warehouse, "--model", "asterisk_mysql", "--trunk", "carrier", str(rows))
    with_settings = parse(
        warehouse, "--model", "asterisk_mysql",
        "--settings", '{"amaflags_direction": true}', str(rows),
    )  # fmt: skip

    assert [ticket["direction"] for ticket in printed(without)] == ["unknown"] * 2
    assert [ticket["direction"] for ticket in printed(with_trunk)] == ["outgoing"] * 2
    assert [ticket["direction"] for ticket in printed(with_settings)] == ["incoming"] * 2
    assert [ticket["ordinal"] for ticket in printed(with_trunk)] == [7, 7]


def test_an_archive_is_parsed_file_by_file_and_nothing_is_left_behind(
    warehouse: Settings, tmp_path: Path
) -> None:
    archive = tmp_path / "february.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.write(MITEL, "first")
        files.write(MITEL, "second")

    with connect(LOADER, settings=warehouse, autocommit=True) as connection:
        before = connection.execute(LEFT_BEHIND).fetchall()
        done = parse(warehouse, "--model", "mitel_3300", str(archive))
        after = connection.execute(LEFT_BEHIND).fetchall()

    assert done.stderr.endswith("february.zip: 8 ticket\n")
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "mitel_3301", str(MITEL)], "'mitel_3301' is no model"),
        (["--model", "mitel_3300", "no/such/file.txt"], "no/such/file.txt is no file"),
        (["--model", "mitel_3300", "--timezone", "Mars/Base", str(MITEL)], "'Mars/Base' is no"),
        (["--model", "mitel_3300", "--timezone", "localtime", str(MITEL)], "'localtime' is no"),
        (["--model", "mitel_3300", "--timezone", "Factory", str(MITEL)], "'Factory' is no"),
        (["--model", "mitel_3300", "--received-at", "noon", str(MITEL)], "'noon' is no instant"),
        (["--model", "mitel_3300", "--country", "fr", str(MITEL)], "'fr' is no country code"),
        (["--model", "mitel_3300", "--country", "XX", str(MITEL)], "'XX' is no country code"),
        (["--model", "mitel_3300", "--settings", "[]", str(MITEL)], "no JSON object"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    warehouse: Settings, arguments: list[str], message: str
) -> None:
    done = parse(warehouse, *arguments)

    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_output_that_is_full_is_said_in_one_line(warehouse: Settings) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [TOLLHOUSE, "parse", "--model", "mitel_3300", str(MITEL)],
            env=warehouse.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == ("tollhouse: The output cannot be written: No space left on device.\n")


def test_without_a_warehouse_a_scratch_database_is_made_and_stopped(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOLLHOUSE_", "DBT_"))
    }
    nowhere = environment | {"TOLLHOUSE_VAR": str(tmp_path)}

    first = run(nowhere, "--model", "mitel_3300", str(MITEL))
    second = run(nowhere, "--model", "mitel_3300", str(MITEL))

    scratch = EmbeddedPostgres(cluster_home(tmp_path, "scratch-postgres"), 0)
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(printed(first)) == 4
    assert printed(first)[0]["state"] == printed(second)[0]["state"] == "ticket"
    assert not scratch.is_running()


def parse(warehouse: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(warehouse.environment, *arguments)


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOLLHOUSE), "parse", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def printed(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]
