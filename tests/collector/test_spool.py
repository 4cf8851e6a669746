"""The spool on disk: what is written is read once, in order, whatever happens to the file."""

from __future__ import annotations

import os
import resource
import shutil
import time
import zlib
from pathlib import Path

import pytest

from tollhouse.collector.segment import (
    CUT_BY_DISCONNECT,
    ENDED,
    HEADER_BYTES,
    PIECE,
    TERMINATED,
    segment_path,
)
from tollhouse.collector.spool import (
    SpoolDamagedError,
    SpoolPositionError,
    SpoolRecord,
    connection_peers,
    last_records,
    read_landed,
    read_spool,
    segment_states,
    spool_identity,
    write_landed,
)
from tollhouse.collector.spool_writer import Rotation, SpoolLockedError, SpoolWriter

ARRIVED_AT_US = 1_772_000_000_123_456


def lines(count: int, *, first: int = 0) -> list[tuple[bytes, int]]:
    return [(f"line {first + number:06d}\r\n".encode(), TERMINATED) for number in range(count)]


def read_all(folder: Path, segment: int = 0, offset: int = 0) -> list[SpoolRecord]:
    return list(read_spool(folder, segment=segment, offset=offset))


def texts(records: list[SpoolRecord]) -> list[bytes]:
    return [record.data for record in records]


def closed_spool(folder: Path, *, counts: tuple[int, ...] = (5,)) -> Path:
    """A spool with one closed segment per count, lines numbered through."""
    with SpoolWriter(folder, "paris_hq") as spool:
        for connection, count in enumerate(counts):
            spool.begin_connection("192.0.2.1:1752")
            spool.append(lines(count, first=sum(counts[:connection])), ARRIVED_AT_US)
    return folder


def killed_spool(folder: Path, count: int, *, synced_count: int) -> Path:
    """A spool as a killed collector leaves it: no footer, a part behind the last sync mark."""
    original = folder.with_name("original")
    with SpoolWriter(original, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append(lines(synced_count), ARRIVED_AT_US)
        spool.sync()
        if count > synced_count:
            spool.append(lines(count - synced_count, first=synced_count), ARRIVED_AT_US)
        shutil.copytree(original, folder)
    return folder


def test_records_come_back_as_they_arrived(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append([(b" 02/04 13:34\r\n", TERMINATED), (b"\x00\xff", PIECE)], ARRIVED_AT_US)
        spool.append([(b"half a li", CUT_BY_DISCONNECT)], ARRIVED_AT_US + 1)
    first, second, third = read_all(tmp_path)
    assert (first.data, first.flags, first.ordinal) == (b" 02/04 13:34\r\n", TERMINATED, 0)
    assert (second.data, second.flags, second.ordinal) == (b"\x00\xff", PIECE, 1)
    assert (third.data, third.flags, third.ordinal) == (b"half a li", CUT_BY_DISCONNECT, 2)
    assert first.arrived_at.isoformat() == "2026-02-25T06:13:20.123456+00:00"
    assert (third.arrived_at - first.arrived_at).microseconds == 1
    assert first.next_offset == second.offset
    assert {record.connection for record in (first, second, third)} == {1}


def test_nothing_is_read_that_is_not_on_disk_yet(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append(lines(3), ARRIVED_AT_US)
        assert read_all(tmp_path) == []
        offset = spool.data_end_offset
        spool.flush_to_disk()
        spool.append(lines(2, first=3), ARRIVED_AT_US)
        spool.mark_synced(offset)
        assert texts(read_all(tmp_path)) == texts_of(lines(3))
        assert spool.unsynced_bytes > 0
        spool.sync()
        assert spool.unsynced_bytes == 0
        assert texts(read_all(tmp_path)) == texts_of(lines(5))


def texts_of(pieces: list[tuple[bytes, int]]) -> list[bytes]:
    return [data for data, _ in pieces]


def test_reading_resumes_after_any_record(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(4, 3))
    everything = read_all(tmp_path)
    assert texts(everything) == texts_of(lines(7))
    for place, record in enumerate(everything):
        rest = read_all(tmp_path, record.segment, record.next_offset)
        assert rest == everything[place + 1 :]


def test_each_connection_has_a_segment_of_its_own_and_counts_from_zero(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(2, 2))
    closed_spool(tmp_path, counts=(1,))
    assert [
        (record.segment, record.connection, record.ordinal) for record in read_all(tmp_path)
    ] == [(1, 1, 0), (1, 1, 1), (2, 2, 0), (2, 2, 1), (3, 3, 0)]
    assert all(state.is_closed for state in segment_states(tmp_path))


def test_a_connection_without_a_word_makes_no_segment(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        for _ in range(3):
            spool.begin_connection("192.0.2.1:1752")
    assert segment_states(tmp_path) == []


def test_a_segment_is_rotated_by_size_and_the_connection_goes_on(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq", Rotation(segment_bytes=1_000)) as spool:
        spool.begin_connection("192.0.2.1:1752")
        for number in range(100):
            spool.append(lines(1, first=number), ARRIVED_AT_US)
    records = read_all(tmp_path)
    assert texts(records) == texts_of(lines(100))
    assert [record.ordinal for record in records] == list(range(100))
    assert {record.connection for record in records} == {1}
    states = segment_states(tmp_path)
    assert len(states) > 3
    assert all(state.size_bytes < 1_200 for state in states)
    assert states[1].header.first_ordinal == records[0].ordinal + sum(
        record.segment == 1 for record in records
    )


def test_a_line_in_pieces_is_not_cut_by_a_rotation_unless_it_has_no_end(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq", Rotation(segment_bytes=1_000)) as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append(lines(18), ARRIVED_AT_US)
        for _ in range(3):
            spool.append([(b"x" * 100, PIECE)], ARRIVED_AT_US)
        spool.append([(b"end\r\n", TERMINATED)], ARRIVED_AT_US)
        spool.append(lines(1, first=18), ARRIVED_AT_US)
        assert {record.segment for record in read_all(tmp_path)} == {1}
        assert spool.segment == 2
        for _ in range(20):
            spool.append([(b"x" * 100, PIECE)], ARRIVED_AT_US)
    assert all(state.size_bytes < 2_200 for state in segment_states(tmp_path))


def shared_spool(folder: Path) -> Path:
    """A spool in which three connections take turns in one segment; the second ends."""
    with SpoolWriter(folder, "tours_shop") as spool:
        first = spool.begin_connection("192.0.2.1:40001", shares_segment=True)
        spool.append(lines(1), ARRIVED_AT_US, connection=first)
        second = spool.begin_connection("192.0.2.2:40002", shares_segment=True)
        spool.append(lines(1, first=1), ARRIVED_AT_US, connection=second)
        spool.append(lines(1, first=2), ARRIVED_AT_US, connection=first)
        spool.begin_connection("192.0.2.9:40009", shares_segment=True)
        spool.append(lines(1, first=3), ARRIVED_AT_US, connection=second)
        spool.end_connection(second)
        spool.append(lines(1, first=4), ARRIVED_AT_US, connection=first)
    return folder


def test_connections_share_a_segment_and_each_record_names_its_own(tmp_path: Path) -> None:
    shared_spool(tmp_path)
    records = read_all(tmp_path)
    assert texts(records) == texts_of(lines(5))
    assert [(record.segment, record.connection, record.ordinal) for record in records] == [
        (1, 1, 0), (1, 2, 0), (1, 1, 1), (1, 2, 1), (1, 1, 2),
    ]  # fmt: skip
    assert connection_peers(tmp_path, 1) == {1: "192.0.2.1:40001", 2: "192.0.2.2:40002"}
    ends = [
        (record.connection, place)
        for place, record in enumerate(read_spool(tmp_path, segment=1, offset=0, with_ends=True))
        if record.flags == ENDED
    ]
    assert ends == [(2, 4), (0, 6)]
    assert texts(last_records(tmp_path, 2)) == texts_of(lines(2, first=3))


def test_a_rotation_introduces_the_connections_of_a_shared_segment_again(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "tours_shop", Rotation(segment_bytes=1_000)) as spool:
        numbers = [
            spool.begin_connection(f"192.0.2.{host}:4000", shares_segment=True) for host in (1, 2)
        ]
        for line in range(60):
            spool.append(lines(1, first=line), ARRIVED_AT_US, connection=numbers[line % 2])
        spool.end_connection(numbers[0])
    assert texts(read_all(tmp_path)) == texts_of(lines(60))
    segments = [state.header.number for state in segment_states(tmp_path)]
    assert len(segments) > 2
    for segment in segments:
        assert connection_peers(tmp_path, segment) == {1: "192.0.2.1:4000", 2: "192.0.2.2:4000"}


def test_no_connection_number_comes_twice_in_a_spool(tmp_path: Path) -> None:
    shared_spool(tmp_path / "closed")
    with SpoolWriter(tmp_path / "closed", "tours_shop") as spool:
        # The third said nothing, so it left no trace but the footer.
        assert spool.begin_connection("192.0.2.1:40010", shares_segment=True) == 4
        spool.append(lines(1, first=5), ARRIVED_AT_US)
        spool.begin_connection("192.0.2.2:40011", shares_segment=True)
        spool.append(lines(1, first=6), ARRIVED_AT_US)
        spool.sync()
        shutil.copytree(tmp_path / "closed", tmp_path / "killed")
    with SpoolWriter(tmp_path / "killed", "tours_shop") as spool:
        assert spool.begin_connection("192.0.2.1:40012", shares_segment=True) == 6
    assert connection_peers(tmp_path / "killed", 2) == {
        4: "192.0.2.1:40010",
        5: "192.0.2.2:40011",
    }


def test_a_hole_in_a_shared_segment_leaves_the_others_their_records_and_peers(
    tmp_path: Path,
) -> None:
    with SpoolWriter(tmp_path / "original", "tours_shop") as spool:
        for connection in range(1, 5):
            spool.begin_connection(f"192.0.2.{connection}:4000", shares_segment=True)
            spool.append(lines(2, first=2 * connection), ARRIVED_AT_US)
        shutil.copytree(tmp_path / "original", tmp_path / "spool")
    folder = tmp_path / "spool"
    path = segment_path(folder, 1)
    data = path.read_bytes()
    hole = data.index(b"192.0.2.2")
    path.write_bytes(data[:hole] + bytes(40) + data[hole + 40 :])
    SpoolWriter(folder, "tours_shop").close()
    found = read_all(folder)
    assert [record.connection for record in found if record.data in texts_of(lines(10))] == [
        1, 1, 2, 3, 3, 4, 4,
    ]  # fmt: skip
    assert connection_peers(folder, 1) == {
        1: "192.0.2.1:4000", 3: "192.0.2.3:4000", 4: "192.0.2.4:4000",
    }  # fmt: skip


def test_a_segment_of_version_1_is_read(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(3,))
    path = segment_path(tmp_path, 1)
    data = path.read_bytes()
    body = data[:8] + b"\x01\x00" + data[10 : HEADER_BYTES - 4]
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "little") + data[HEADER_BYTES:])
    closed_spool(tmp_path, counts=(1,))
    assert [record.connection for record in read_all(tmp_path)] == [1, 1, 1, 2]


def test_a_segment_is_rotated_by_age(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq", Rotation(segment_seconds=0)) as spool:
        spool.begin_connection("192.0.2.1:1752")
        spool.append(lines(1), ARRIVED_AT_US)
        spool.append(lines(1, first=1), ARRIVED_AT_US)
    assert [record.segment for record in read_all(tmp_path)] == [1, 2]


def test_a_second_collector_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        with pytest.raises(SpoolLockedError, match=f"process {os.getpid()}"):
            SpoolWriter(tmp_path, "paris_hq")
        spool.begin_connection("192.0.2.1:1752")
        spool.append(lines(1), ARRIVED_AT_US)
    assert texts(read_all(tmp_path)) == texts_of(lines(1))


@pytest.mark.parametrize("kept_bytes_of_last", range(0, 45, 4))
def test_a_torn_tail_is_cut_off_kept_aside_and_the_segment_closed(
    tmp_path: Path, kept_bytes_of_last: int
) -> None:
    folder = killed_spool(tmp_path / "spool", 5, synced_count=3)
    path = segment_path(folder, 1)
    record_bytes = 32 + len(lines(1)[0][0])
    whole = path.stat().st_size - record_bytes
    os.truncate(path, whole + kept_bytes_of_last)
    SpoolWriter(folder, "paris_hq").close()
    assert texts(read_all(folder)) == texts_of(lines(4))
    assert segment_states(folder)[0].is_closed
    torn = path.with_suffix(".torn")
    assert (torn.stat().st_size if torn.exists() else 0) == kept_bytes_of_last


def test_repair_never_moves_what_a_reader_may_have_seen(tmp_path: Path) -> None:
    folder = killed_spool(tmp_path / "spool", 5, synced_count=3)
    seen = read_all(folder)
    assert texts(seen) == texts_of(lines(3))
    SpoolWriter(folder, "paris_hq").close()
    rest = read_all(folder, seen[-1].segment, seen[-1].next_offset)
    assert texts(rest) == texts_of(lines(2, first=3))


def test_a_hole_in_the_unsynced_part_costs_only_what_stood_there(tmp_path: Path) -> None:
    # After a power cut later pages may be on disk and earlier ones not.
    folder = killed_spool(tmp_path / "spool", 9, synced_count=3)
    path = segment_path(folder, 1)
    data = path.read_bytes()
    hole = data.index(b"line 000004") - 20
    path.write_bytes(data[:hole] + bytes(40) + data[hole + 40 :])
    SpoolWriter(folder, "paris_hq").close()
    found = texts(read_all(folder))
    assert found[:4] == texts_of(lines(4))
    assert found[-3:] == texts_of(lines(3, first=6))
    assert b"line 000008" in path.with_suffix(".torn").read_bytes()


@pytest.mark.parametrize("kept_bytes", [0, 1, 100, 255])
def test_a_torn_header_leaves_an_empty_segment(tmp_path: Path, kept_bytes: int) -> None:
    folder = killed_spool(tmp_path / "spool", 1, synced_count=1)
    os.truncate(segment_path(folder, 1), kept_bytes)
    assert read_all(folder) == []
    closed_spool(folder, counts=(2,))
    assert [(record.segment, record.data) for record in read_all(folder)] == [
        (2, data) for data in texts_of(lines(2))
    ]


def test_a_damaged_byte_is_reported_and_the_way_round_it_named(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(10,))
    path = segment_path(tmp_path, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"line 000004")] ^= 1
    path.write_bytes(data)
    before = read_all(tmp_path)
    assert texts(before) == texts_of(lines(4))
    with pytest.raises(SpoolDamagedError) as caught:
        read_all(tmp_path, 1, before[-1].next_offset)
    assert caught.value.offset == before[-1].next_offset
    assert f"set IDLAST to 1:{caught.value.resume_offset}" in str(caught.value)
    assert texts(read_all(tmp_path, 1, caught.value.resume_offset or 0)) == texts_of(
        lines(5, first=5)
    )


def test_damage_in_what_was_on_disk_survives_a_repair_and_is_reported(tmp_path: Path) -> None:
    folder = killed_spool(tmp_path / "spool", 5, synced_count=5)
    path = segment_path(folder, 1)
    data = bytearray(path.read_bytes())
    data[data.index(b"line 000002")] ^= 1
    path.write_bytes(data)
    SpoolWriter(folder, "paris_hq").close()
    before = read_all(folder)
    assert texts(before) == texts_of(lines(2))
    with pytest.raises(SpoolDamagedError, match="damaged"):
        read_all(folder, 1, before[-1].next_offset)


def test_a_mistyped_offset_is_refused(tmp_path: Path) -> None:
    closed_spool(tmp_path)
    second = read_all(tmp_path)[1]
    with pytest.raises(SpoolDamagedError, match="IDLAST was mistyped"):
        read_all(tmp_path, 1, second.offset + 7)
    with pytest.raises(SpoolPositionError, match="behind its end"):
        read_all(tmp_path, 1, 1_000_000)


def test_a_position_ahead_of_the_spool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolPositionError, match="last segment is none"):
        read_all(tmp_path, 4, 0)
    closed_spool(tmp_path)
    with pytest.raises(SpoolPositionError, match="last segment is 1"):
        read_all(tmp_path, 4, 0)


def test_a_missing_segment_is_reported_after_what_precedes_it(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(2, 2, 2))
    segment_path(tmp_path, 2).unlink()
    before = read_all(tmp_path)
    assert texts(before) == texts_of(lines(2))
    with pytest.raises(SpoolPositionError, match="segment 2 is missing"):
        read_all(tmp_path, before[-1].segment, before[-1].next_offset)
    assert texts(read_all(tmp_path, 3, 0)) == texts_of(lines(2, first=4))


def test_a_pruned_segment_that_was_read_is_not_missed(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(2, 2, 2))
    last_of_first = read_all(tmp_path)[1]
    segment_path(tmp_path, 1).unlink()
    rest = read_all(tmp_path, 1, last_of_first.next_offset)
    assert texts(rest) == texts_of(lines(4, first=2))
    segment_path(tmp_path, 2).unlink()
    with pytest.raises(SpoolPositionError, match="segment 1 is missing"):
        read_all(tmp_path, 1, last_of_first.next_offset)


def test_a_spool_that_starts_again_has_another_identity(tmp_path: Path) -> None:
    assert spool_identity(tmp_path) is None
    closed_spool(tmp_path)
    identity = spool_identity(tmp_path)
    closed_spool(tmp_path)
    assert spool_identity(tmp_path) == identity
    for number in (1, 2):
        segment_path(tmp_path, number).unlink()
    closed_spool(tmp_path)
    assert spool_identity(tmp_path) != identity


def test_a_lost_identity_is_taken_from_the_last_segment(tmp_path: Path) -> None:
    closed_spool(tmp_path)
    identity = spool_identity(tmp_path)
    (tmp_path / "spool.id").unlink()
    closed_spool(tmp_path)
    assert spool_identity(tmp_path) == identity


def test_the_last_records_come_from_several_segments(tmp_path: Path) -> None:
    closed_spool(tmp_path, counts=(4, 1, 2))
    assert texts(last_records(tmp_path, 5)) == texts_of(lines(5, first=2))
    assert texts(last_records(tmp_path, 50)) == texts_of(lines(7))


def test_what_is_landed_is_noted_beside_the_segments(tmp_path: Path) -> None:
    assert read_landed(tmp_path) is None
    write_landed(tmp_path, segment=3, offset=512)
    assert read_landed(tmp_path) == (3, 512)


def test_a_million_records_are_read_in_seconds(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        spool.begin_connection("192.0.2.1:1752")
        block = [(b" 02/04 13:34  00:00:53 T001  000 0199001000 4216" + b" " * 40 + b"\r\n", 1)]
        for _ in range(100):
            spool.append(block * 10_000, ARRIVED_AT_US)
    started = time.monotonic()
    assert sum(1 for _ in read_spool(tmp_path, segment=0, offset=0)) == 1_000_000
    assert time.monotonic() - started < 20


def test_a_lock_that_cannot_be_signed_on_a_full_disk_is_given_back(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            SpoolWriter(tmp_path, "paris_hq")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with SpoolWriter(tmp_path, "paris_hq") as spool:
        assert spool.spool_id == spool_identity(tmp_path)
