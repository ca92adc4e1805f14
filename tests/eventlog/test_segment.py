import json
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.eventlog import LogCorrupt, NewRecord
from gitops_profile.eventlog.segment import SegmentScanner, encode_batches, first_position, segment_name
from tests.eventlog.contract import new, new_batch

TIME = "2025-01-31T12:00:00.000Z"
PATH = Path("00000000000000000001.jsonl")


def encoded(*batches: list[NewRecord], first: int = 1) -> bytes:
    return b"".join(encode_batches(batches, first, TIME))


def with_crc(members: dict[str, object]) -> bytes:
    body = json.dumps(members, separators=(",", ":")).encode()
    return b'%b,"crc":"%08x"}\n' % (body[:-1], crc32(body))


def test_a_line_is_json_with_its_data_as_it_was_and_the_crc_of_the_rest() -> None:
    line = encoded([NewRecord("s", "T", 3, b'{"a": [1, 2]}'), new(2)]).split(b"\n")[0]
    assert line.startswith(
        b'{"position":1,"left":1,"time":"2025-01-31T12:00:00.000Z","stream":"s","type":"T","version":3,'
    )
    assert b'"data":{"a": [1, 2]},"crc":"' in line
    body = line[: line.index(b',"crc"')] + b"}"
    assert json.loads(line)["crc"] == f"{crc32(body):08x}"


def test_left_counts_the_batch_down() -> None:
    lines = encoded(new_batch(3), new_batch(1), new_batch(2)).splitlines()
    assert [json.loads(line)["left"] for line in lines] == [2, 1, 0, 0, 1, 0]


def test_a_big_batch_is_encoded_in_slices_of_whole_lines() -> None:
    slices = list(encode_batches([new_batch(5000)], 1, TIME))
    assert len(slices) > 2
    assert all(part.endswith(b"\n") and len(part) < 300_000 for part in slices)
    assert len(SegmentScanner(PATH, 1).feed(b"".join(slices))) == 5000


def test_the_scanner_says_where_the_last_whole_batch_ends() -> None:
    whole = encoded(new_batch(2))
    scanner = SegmentScanner(PATH, 1)
    scanner.feed(whole + encoded(new_batch(3), first=3)[:-200].rpartition(b"\n")[0] + b"\n")
    assert (scanner.whole_position, scanner.whole_offset) == (2, len(whole))
    assert scanner.position > 2


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        (encoded([new(1)])[:-30] + b"\n", 1, "checksum"),
        (encoded([new(1)]) + b"\n", 2, "checksum"),
        (encoded([new(1)]).replace(b"alice", b"bob"), 1, "checksum"),
        (encoded([new(1)]) + encoded([new(3)], first=3), 2, "position 3 stands where 2"),
        (encoded(new_batch(3)).split(b"\n")[0] + b"\n" + encoded([new(2)], first=2), 2, "0 records of the batch"),
        (with_crc({"position": 1, "left": 0}), 1, "no record"),
        (
            with_crc(
                {"position": 1, "left": -1, "time": "", "stream": "s", "type": "T", "version": 1, "data": {}},
            ),
            1,
            "-1 records",
        ),
    ],
)
def test_what_was_not_written_so_is_corrupt_with_its_line(lines: bytes, line: int, reason: str) -> None:
    with pytest.raises(LogCorrupt, match=reason) as corrupt:
        SegmentScanner(PATH, 1).feed(lines)
    assert (corrupt.value.path, corrupt.value.line) == (PATH, line)
    assert "log rebuild" in corrupt.value.hint
    assert str(corrupt.value).startswith(f"{PATH}:{line}: ")


def test_lines_are_numbered_from_the_beginning_of_the_file_wherever_reading_begins() -> None:
    scanner = SegmentScanner(PATH, 101, position=104, offset=1000)
    with pytest.raises(LogCorrupt) as corrupt:
        scanner.feed(b"{}\n")
    assert corrupt.value.line == 5


def test_a_beginning_of_a_line_is_torn_and_a_line_with_a_damaged_newline_is_not() -> None:
    line = encoded([new(1)])
    for length in range(len(line)):
        SegmentScanner(PATH, 1).finish(line[:length])
    SegmentScanner(PATH, 1).finish(line[:50] + bytes(50))  # blocks that a file system had not filled yet
    SegmentScanner(PATH, 1).finish(line[:-1] + bytes(2))
    for behind in (b"\x0b", b"\0", b"\x0b" + line[:1], b"\0" + line[:-1]):
        with pytest.raises(LogCorrupt, match="newline"):
            SegmentScanner(PATH, 1).finish(line[:-1] + behind)


def test_a_crc_member_within_the_data_does_not_end_the_line() -> None:
    line = encoded([NewRecord("s", "T", 1, b'{"a":1,"crc":"00000000"}')])
    for length in range(len(line)):
        SegmentScanner(PATH, 1).finish(line[:length])
    with pytest.raises(LogCorrupt, match="newline"):
        SegmentScanner(PATH, 1).finish(line[:-1] + b"\x0b" + line[:100])


@given(st.integers(0, 10**20 - 1))
def test_segment_names_are_read_back_and_sort_as_numbers(first: int) -> None:
    assert first_position(segment_name(first)) == first
    assert sorted([segment_name(first), segment_name(9)]) == [segment_name(n) for n in sorted([first, 9])]


@pytest.mark.parametrize("name", ["1.jsonl", "snapshot", "0000000000000000000x.jsonl", "00000000000000000001.jsonl~"])
def test_other_names_are_no_segments(name: str) -> None:
    assert first_position(name) is None
