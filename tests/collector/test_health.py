"""How people learn that a PBX needs them: the health page and ``tollhouse collector status``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

from tests.collector.collector_process import Installation, installation
from tests.collector.speaking_pbx import say, speaking, wait_until
from tests.conftest import free_port
from tollhouse.collector.health import STATES_IN_WORDS, PbxHealth, backlog_bytes
from tollhouse.collector.pace import Pace
from tollhouse.collector.segment import TERMINATED
from tollhouse.collector.spool import (
    IDENTITY_FILE,
    LANDED_FILE,
    last_records,
    write_landed,
)
from tollhouse.collector.spool_writer import Rotation, SpoolWriter, now_us
from tollhouse.collector.status import State
from tollhouse.collector.stream import PbxStream
from tollhouse.installed_pbxs import load_pbxs

STATUS = "import sys; from tollhouse.cli import main; main()"
TICKETS = b" 02/04 13:34  00:00:53 T001\r\n-02/04 13:40  00:07:12 4216\r\n"


def status(
    here: Installation, *options: str, columns: int = 200
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STATUS, "collector", "status", *options],
        env={**here.settings.environment, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=False,
    )


def health_of(here: Installation) -> PbxHealth:
    """The health of the first PBX, in this process; nothing is connected."""
    pbx = load_pbxs(here.settings.pbx_file)[0]
    return PbxHealth(PbxStream(pbx, here.settings, Pace(), Rotation()))


def test_every_state_has_words() -> None:
    assert set(STATES_IN_WORDS) == set(State.__args__)  # type: ignore[attr-defined]


def test_a_pbx_that_is_well_is_green_for_people_and_programs(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx:
        here = installation(tmp_path, {"paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: here.health("paris_hq")["record_count"] == 2)
            wait_until(lambda: here.health("paris_hq")["unsynced_bytes"] == 0)
            told = json.loads(status(here, "--json").stdout)["paris_hq"]
            answer = status(here)
            narrow = status(here, columns=80)
    assert (told["state_in_words"], told["alarms"], told["notices"]) == ("connected", [], [])
    assert told["tickets_per_minute"] > 0
    assert told["disk_free_bytes"] > 0
    assert told["peer"] == f"127.0.0.1:{pbx.port}"
    assert answer.returncode == 0
    assert f"127.0.0.1:{pbx.port}" in answer.stdout
    assert "alarm" not in answer.stdout
    # In a window of 80 columns no word is torn: one line tells how the PBX is.
    heard_at = datetime.fromisoformat(told["last_ticket_at"]).astimezone(ZoneInfo("Europe/Paris"))
    line = next(line for line in narrow.stdout.splitlines() if "paris_hq" in line)
    assert line.split()[:4] == ["paris_hq", "connected", *f"{heard_at:%Y-%m-%d %H:%M}".split()]
    assert max(len(line) for line in narrow.stdout.splitlines()) <= 80


def test_one_pbx_in_alarm_makes_the_exit_code_and_a_sentence(tmp_path: Path) -> None:
    with speaking(say(TICKETS)) as pbx:
        dead_port = free_port()
        here = installation(tmp_path, {"dead": dead_port, "paris_hq": pbx.port}, free_port())
        with here.running():
            wait_until(lambda: here.health("paris_hq")["record_count"] == 2)
            wait_until(lambda: here.health("dead")["state"] == "retrying")
            answer = status(here)
    assert answer.returncode == 1
    assert (
        f"dead alarm: cannot be reached, tried again and again: 127.0.0.1:{dead_port} "
        in answer.stdout
    )
    assert "paris_hq alarm" not in answer.stdout


def test_no_collector_is_an_alarm_too(tmp_path: Path) -> None:
    answer = status(installation(tmp_path, {"paris_hq": 0}, free_port()))
    assert answer.returncode == 1
    assert "No collector answers" in answer.stderr


def test_silence_in_busy_hours_is_an_alarm_and_a_night_is_none(tmp_path: Path) -> None:
    health = health_of(installation(tmp_path, {"paris_hq": 0}, free_port()))
    heard_at = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)  # Monday 17:00 in Paris
    health.stream.status.state = "connected"
    health.stream.status.last_ticket_at = heard_at
    night = health.describe(datetime(2026, 10, 6, 4, 0, tzinfo=UTC))
    assert (night["is_silent"], night["silent_since"], night["alarms"]) == (False, None, [])
    evening = health.describe(datetime(2026, 10, 6, 13, 30, tzinfo=UTC))
    assert evening["silent_since"] == "2026-10-05T15:00:00+00:00"
    assert evening["alarms"][0].startswith("silent since 2026-10-05T15:00:00+00:00: more than 8 ")


def test_a_pbx_that_never_said_a_word_is_silent_since_the_collector_started(
    tmp_path: Path,
) -> None:
    health = health_of(installation(tmp_path, {"paris_hq": 0}, free_port()))
    health.stream.status.state = "listening"
    assert health.describe()["alarms"] == []
    assert health.describe(datetime.now(UTC) + timedelta(days=14))["is_silent"]


def test_a_clock_that_is_set_back_does_not_hide_a_silence(tmp_path: Path) -> None:
    health = health_of(installation(tmp_path, {"paris_hq": 0}, free_port()))
    now = datetime.now(UTC)
    for last_ticket_at in (None, now + timedelta(days=60)):
        health.stream.status.last_ticket_at = last_ticket_at
        health.sample(now - timedelta(days=14))
        assert health.describe(now)["is_silent"]


def test_the_threshold_and_the_hours_are_those_of_the_entry(tmp_path: Path) -> None:
    here = installation(tmp_path, {"hospital": 0}, free_port())
    entries = yaml.safe_load(here.settings.pbx_file.read_text())
    entries["pbxs"][0] |= {
        "silent_after_hours": 1,
        "busy_hours": {"days": "mon-sun", "from": "00:00", "to": "24:00", "on_holidays": True},
    }
    here.settings.pbx_file.write_text(yaml.safe_dump(entries))
    health = health_of(here)
    sunday_night = datetime(2026, 10, 4, 1, 0, tzinfo=UTC)
    health.stream.status.last_ticket_at = sunday_night
    assert not health.describe(sunday_night + timedelta(minutes=59))["is_silent"]
    assert health.describe(sunday_night + timedelta(minutes=61))["is_silent"]


def test_what_is_lost_refused_or_held_back_is_told_and_is_no_alarm(tmp_path: Path) -> None:
    health = health_of(installation(tmp_path, {"paris_hq": 0}, free_port()))
    told = health.stream.status
    told.state = "connected"
    told.lost_ticket_count, told.last_gap = 12, "after 0417 came 0430"
    told.refused_peer_count, told.last_refusal = 3, "198.51.100.7 is not among allowed_peers"
    told.full_count, told.throttled_count = 2, 1_200
    described = health.describe()
    assert described["alarms"] == []
    assert described["notices"] == [
        "12 tickets lost before they came here, by their numbers: after 0417 came 0430",
        "3 connections refused; the last: 198.51.100.7 is not among allowed_peers",
        "2 times as many connections were open as may be (max_connections): the next waited",
        "1,200 times reading was held back, because tickets came too fast",
    ]


def test_a_spool_that_cannot_be_read_hides_no_pbx(tmp_path: Path) -> None:
    health = health_of(installation(tmp_path, {"paris_hq": 0}, free_port()))
    folder = health.stream.folder
    folder.mkdir(parents=True)
    (folder / IDENTITY_FILE).write_text("no identity")
    (folder / LANDED_FILE).write_text("1:256 no identity")
    assert health.describe()["backlog_bytes"] is None
    shutil.rmtree(folder)
    folder.write_text("no folder")
    assert health.describe()["backlog_bytes"] is None


def test_the_backlog_is_what_lies_between_landed_and_on_disk(tmp_path: Path) -> None:
    health = health_of(installation(tmp_path, {"paris_hq": 0}, free_port()))
    stream = health.stream
    with SpoolWriter(stream.folder, "paris_hq") as spool:
        for _ in range(3):
            spool.begin_connection("192.0.2.1:1752")
            spool.append([(b"line\r\n", TERMINATED)] * 10, now_us())
        spool.sync()
        stream.status.segment, stream.status.offset = spool.segment, spool.data_end_offset
        assert backlog_bytes(stream) is None
        last = last_records(stream.folder, 1)[0]
        write_landed(stream.folder, segment=last.segment, offset=last.next_offset)
        assert backlog_bytes(stream) == 0
        record_bytes = last.next_offset - last.offset
        write_landed(stream.folder, segment=3, offset=last.offset - record_bytes)
        assert backlog_bytes(stream) == 2 * record_bytes
