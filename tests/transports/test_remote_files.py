"""Pulls of files that stay on the PBX: landed once and in order, through cuts and outages."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.collector.certificates import Authority
from tests.installed import batches, bodies, rows
from tests.transports.pulling import Puller
from tests.transports.remote_sites import LONG_AGO, PROTOCOLS, Served, served
from tollhouse.fetched_pruning import prune_fetched
from tollhouse.settings import Settings
from tollhouse.transports import SourceError

pytestmark = pytest.mark.postgres

HEAD = "cdrRecordType,pkid\nINTEGER,VARCHAR(50)\n"
FIRST = "cdr_StandAloneCluster_01_202609211413_1"
SECOND = "cdr_StandAloneCluster_01_202609211414_2"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "authority")


class Remote(Puller):
    """A PBX whose files a server of the lab shows."""

    def __init__(self, there: Served, warehouse: Settings, **wishes: object) -> None:
        environment = {**warehouse.environment, "TOLLHOUSE_SPOOL_RESERVE_MIB": "0"}
        settings = Settings(
            project=warehouse.project,
            var=warehouse.var,
            include=warehouse.include,
            environment=environment,
        )
        super().__init__(settings, there.pbx(**wishes), there.connection())
        self.there = there

    def drop(self, name: str, *lines: str, written: int = LONG_AGO) -> Path:
        return self.there.write(name, HEAD + "".join(f"{line}\n" for line in lines), written)

    def remote_names(self) -> list[str]:
        found = self.there.folder.rglob("*")
        return sorted(str(path.relative_to(self.there.folder)) for path in found if path.is_file())


@pytest.fixture
def sftp(tmp_path: Path, authority: Authority) -> Iterator[Served]:
    (tmp_path / "pbx").mkdir()
    with served("sftp", tmp_path / "pbx", authority) as there:
        yield there


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_files_land_in_order_and_once_whatever_leads_to_them(
    protocol: str, tmp_path: Path, authority: Authority, warehouse: Settings
) -> None:
    (tmp_path / "pbx").mkdir()
    with served(protocol, tmp_path / "pbx", authority) as there:
        cucm = Remote(there, warehouse)
        cucm.drop(SECOND, "1,c")
        cucm.drop(FIRST, "1,a", "1,b")
        assert cucm.pull().rows_inserted == 3
        assert bodies(warehouse) == ["1,a", "1,b", "1,c"]
        assert cucm.pull().batch_id is None
        cucm.drop(FIRST, "1,a", "1,b", "1,later", written=LONG_AGO + 90)
        grown = cucm.pull()
        assert (grown.rows_read, grown.rows_inserted) == (1, 1)
        assert cucm.remote_names() == [FIRST, SECOND]
        modified = rows(warehouse, "select modified_at from raw.deliveries where unit = %s", SECOND)
        assert modified == [(datetime.fromtimestamp(LONG_AGO, UTC),)]
        cucm.watermark.value = None
        assert cucm.pull().rows_inserted == 0


def test_two_weeks_without_us_lose_nothing_of_what_the_pbx_still_has(
    sftp: Served, warehouse: Settings
) -> None:
    cucm = Remote(sftp, warehouse)
    days = [datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=day) for day in range(31)]
    for number, day in enumerate(days[:10]):
        cucm.drop(f"cdr_{day:%m%d}", f"1,{number}", written=int(day.timestamp()))
    assert cucm.pull().rows_inserted == 10
    for number, day in enumerate(days[10:], start=10):
        cucm.drop(f"cdr_{day:%m%d}", f"1,{number}", written=int(day.timestamp()))
    (sftp.folder / "cdr_0901").unlink()
    landed = cucm.pull()
    assert (landed.rows_inserted, landed.warnings) == (21, ())
    assert bodies(warehouse) == [f"1,{number}" for number in range(31)]


def test_a_server_that_cuts_every_transfer_is_read_all_the_same(
    sftp: Served, warehouse: Settings
) -> None:
    cucm = Remote(sftp, warehouse)
    cucm.drop(FIRST, "1,a")
    long = [f"1,{number:05d}" for number in range(30_000)]
    cucm.drop(SECOND, *long)
    sftp.faults.cut_after_bytes, sftp.faults.cuts = 100_000, None
    landed = cucm.pull()
    # A file that comes on a little with every attempt comes whole in the end.
    assert landed.rows_inserted == 30_001
    assert bodies(warehouse)[:2] == ["1,a", "1,00000"]


def test_a_half_written_file_waits_by_two_listings(sftp: Served, warehouse: Settings) -> None:
    cucm = Remote(sftp, warehouse, stable_seconds=0.01)
    cucm.drop(FIRST, "1,a")
    growing = cucm.drop(SECOND, "1,b")
    listings: list[int] = []

    def write_on(path: Path) -> None:
        listings.append(1)
        with growing.open("a") as file:
            file.write("1,")

    sftp.faults.before_listing = write_on
    landed = cucm.pull()
    assert landed.rows_inserted == 1
    assert any(f"are being written, and wait: {SECOND}" in told for told in landed.warnings)
    sftp.faults.before_listing = lambda path: None
    with growing.open("a") as file:
        file.write("z\n")
    cucm.pull()
    assert bodies(warehouse)[0:2] == ["1,a", "1,b"]


def test_a_log_that_never_rests_is_read_to_the_end_of_its_last_line(
    sftp: Served, warehouse: Settings
) -> None:
    log = Remote(sftp, warehouse, model="shoretel", stable_seconds=0.01, pattern="*.log")
    path = sftp.write("CDR-092126.log", "first\n")
    log.pull()

    def write_on(folder: Path) -> None:
        with path.open("a") as file:
            file.write("next\nha")

    sftp.faults.before_listing = write_on
    landed = log.pull()
    assert landed.warnings == ()
    assert bodies(warehouse) == ["first", "next"]
    log.pull()
    assert bodies(warehouse)[:3] == ["first", "next", "hanext"]
    assert rows(warehouse, "select distinct generation from raw.deliveries") == [(1,)]


def test_hostile_names_and_links_are_named_and_the_others_land(
    sftp: Served, warehouse: Settings
) -> None:
    cucm = Remote(sftp, warehouse)
    cucm.drop("cdr_good", "1,good")
    cucm.drop("CDR_GOOD", "1,not of the pattern")
    cucm.drop("cdr_GOOD", "1,clashes")
    (sftp.folder / "cdr_link").symlink_to("/etc/passwd")
    os.mkfifo(sftp.folder / "cdr_pipe")
    sftp.faults.strange_names = ("cdr_/../../../../secret", "cdr_\n", "cdr_" + "x" * 300)
    landed = cucm.pull()
    # Of two names that some disks do not tell apart the first is read.
    assert bodies(warehouse) == ["1,clashes"]
    assert len(landed.warnings) == 6
    assert all("is not fetched" in warning for warning in landed.warnings)
    fetched = cucm.settings.var / "fetched" / "paris_hq"
    assert sorted(path.name for path in fetched.iterdir()) == [".partial", "cdr_GOOD"]
    assert not list(cucm.settings.var.rglob("secret*"))


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        ("keep", [FIRST]),
        ("archive", [f"archive/{FIRST}"]),
        ("rename", [f"{FIRST}.old"]),
        ("delete", []),
    ],
)
@pytest.mark.parametrize("protocol", ["ftp", "sftp"])
def test_files_on_the_pbx_are_put_away_only_if_asked_and_after_they_landed(
    protocol: str,
    wish: str,
    left: list[str],
    tmp_path: Path,
    authority: Authority,
    warehouse: Settings,
) -> None:
    (tmp_path / "pbx").mkdir()
    with served(protocol, tmp_path / "pbx", authority) as there:
        cucm = Remote(there, warehouse, after_landing=wish)
        cucm.drop(FIRST, "1,a")
        assert cucm.pull().warnings == ()
        assert cucm.remote_names() == left
        assert cucm.pull().batch_id is None
        cucm.drop(FIRST, "1,other", written=LONG_AGO + 60)
        cucm.pull()
        assert bodies(warehouse) == ["1,a", "1,other"]
        assert len(cucm.remote_names()) == (2 if wish in ("archive", "rename") else len(left))


def test_a_file_that_grew_after_it_was_fetched_is_not_deleted(
    sftp: Served, warehouse: Settings
) -> None:
    cucm = Remote(sftp, warehouse, after_landing="delete")
    cucm.drop(FIRST, "1,a")
    seen: list[Path] = []

    def grow_at_the_second_look(path: Path) -> None:
        seen.append(path)
        if len(seen) == 2:  # the first was before it was kept here
            cucm.drop(FIRST, "1,a", "1,b", written=LONG_AGO + 60)

    sftp.faults.before_look = grow_at_the_second_look
    cucm.pull()
    assert cucm.remote_names() == [FIRST]
    sftp.faults.before_look = lambda path: None
    cucm.pull()
    assert bodies(warehouse) == ["1,a", "1,b"]
    assert cucm.remote_names() == []


def test_a_server_that_refuses_to_delete_is_a_warning(sftp: Served, warehouse: Settings) -> None:
    cucm = Remote(sftp, warehouse, after_landing="delete")
    cucm.drop(FIRST, "1,a")
    sftp.faults.is_read_only = True
    landed = cucm.pull()
    assert landed.rows_inserted == 1
    assert "refuses to touch" in landed.warnings[0]


def test_an_interval_reads_copies_of_what_the_pbx_keeps_no_longer(
    sftp: Served, warehouse: Settings
) -> None:
    cucm = Remote(sftp, warehouse)
    cucm.drop(FIRST, "1,a")
    cucm.drop(SECOND.replace("21", "22", 1).replace("0921", "0922"), "1,next day")
    cucm.pull()
    before = cucm.watermark.value
    (sftp.folder / FIRST).unlink()
    cucm.drop(SECOND, "1,b")
    day = datetime(2026, 9, 21, tzinfo=UTC), datetime(2026, 9, 22, tzinfo=UTC)
    found = cucm.pull(*day)
    assert (found.rows_inserted, found.rows_already_there) == (1, 1)
    assert cucm.watermark.value == before
    cucm.connection = sftp.connection(port=1)
    away = cucm.pull(*day)
    assert away.rows_already_there == 2
    assert "The copies that are here are read" in away.warnings[0]
    with pytest.raises(SourceError, match="refuses the connection"):
        cucm.pull(day[0] - timedelta(days=9), day[1] - timedelta(days=9))


def test_compressed_files_of_a_web_manager_are_captured(
    tmp_path: Path, authority: Authority, warehouse: Settings
) -> None:
    (tmp_path / "pbx").mkdir()
    with served("http", tmp_path / "pbx", authority, login_kind="digest") as there:
        folder = there.folder / "trf" / "backup" / "pc" / "tickets"
        folder.mkdir(parents=True)
        there.write("trf/backup/pc/tickets/t1.gz", gzip.compress(b"line 1\nline 2\n"))
        a5000 = Remote(there, warehouse, model="aastra_a5000", folder="/trf/backup/pc/tickets/")
        a5000.pull()
        assert bodies(warehouse) == ["line 1", "line 2"]
        assert a5000.pull().batch_id is None


def test_copies_are_pruned_when_they_are_landed_and_old(sftp: Served, warehouse: Settings) -> None:
    cucm = Remote(sftp, warehouse)
    pbx_file = warehouse.var / "pbx.yml"
    pbx_file.write_text(
        "pbxs: [{id: paris_hq, model: cisco_cucm, transport: remote_files, time_zone: UTC, "
        "country: FR, spool_keep_days: 30}]\n"
    )
    cucm.settings.environment["TOLLHOUSE_PBX_FILE"] = str(pbx_file)
    now = datetime.fromtimestamp(LONG_AGO, UTC) + timedelta(days=31)
    cucm.drop(FIRST, "1,a")
    cucm.drop(SECOND, "1,b", written=LONG_AGO + 2 * 86_400)
    cucm.pull()
    folder = cucm.settings.var / "fetched" / "paris_hq"
    (folder / "cdr_not_landed").write_text("1,c\n")
    os.utime(folder / "cdr_not_landed", (LONG_AGO, LONG_AGO))
    left_over = folder / ".partial" / "cut"
    left_over.write_text("1,")
    os.utime(left_over, (LONG_AGO, LONG_AGO))
    pruned = prune_fetched(cucm.settings, now=now)
    assert pruned["paris_hq"].file_count == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        ".partial",
        SECOND,
        "cdr_not_landed",
    ]
    assert not left_over.exists()
    # What is pruned here and still there is not fetched again.
    sent = sftp.faults.sent_bytes
    assert cucm.pull().batch_id is None
    assert sftp.faults.sent_bytes == sent
    assert len(batches(warehouse)) == 1
