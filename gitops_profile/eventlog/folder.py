"""The folder of segments: list, lock, scan, cut. Blocking; called in a worker thread. It never repairs by guessing."""

from __future__ import annotations

import fcntl
import logging
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .log import LogCorrupt, LogInUse
from .segment import HINT, SegmentScanner, crc_of_line, first_position, is_whole_line, segment_name
from .snapshot import SNAPSHOT_NAME, Ahead, Snapshot, read_snapshot, remove_leftovers, sync_folder

logger = logging.getLogger(__name__)

_SCAN_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    first: int
    """The position of its first record, there or still to come."""
    path: Path
    size: int
    """Bytes that count: durable ones while the log is open, whatever is on disk while it is surveyed."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in a folder. Only a torn tail and a snapshot of another log are survivable, so only they are fields."""

    segments: tuple[Segment, ...]
    head: int
    torn_bytes: int
    """At the end of the last segment, left by an append that did not finish."""
    foreign_snapshot: bool = False
    snapshot: Snapshot | None = None
    """The one that is there, read on the way."""


def lock_folder(folder: Path) -> int:
    """Take the only writer's place; return the handle that holds it. Raises LogInUse, OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise LogInUse(
            f"another process writes the event log in {folder}: stop it, or give this one a state folder of its own"
        ) from error
    except OSError:
        os.close(handle)
        raise
    return handle


def open_folder(folder: Path, ahead: Ahead | None = None) -> Survey:
    """Survey the locked folder, cut a torn tail, leave a last segment to append to. Raises LogCorrupt, OSError.

    With a good snapshot only the last segment is scanned, or what of it came after the snapshot: whoever replays checks
    what it reads.
    """
    remove_leftovers(folder)
    survey = survey_folder(folder, whole=False, ahead=ahead)
    if survey.foreign_snapshot:
        logger.warning("snapshot deleted folder=%s reason=it was made from another log", folder)
        (folder / SNAPSHOT_NAME).unlink()
    if not survey.segments:
        path = folder / segment_name(1)
        path.touch(exist_ok=False)
        sync_folder(folder)
        return Survey((Segment(1, path, 0),), 0, 0)
    last = survey.segments[-1]
    if survey.torn_bytes:
        last = Segment(last.first, last.path, last.size - survey.torn_bytes)
        logger.warning("torn tail cut path=%s bytes=%d head=%d", last.path, survey.torn_bytes, survey.head)
    # Synced even when nothing is cut: a killed process may have written a whole batch that is not on disk yet, and a
    # record is durable before anyone acts on it.
    with last.path.open("r+b") as file:
        file.truncate(last.size)
        os.fdatasync(file.fileno())
    snapshot = survey.snapshot if not survey.foreign_snapshot else None
    return Survey((*survey.segments[:-1], last), survey.head, survey.torn_bytes, snapshot=snapshot)


def survey_folder(folder: Path, *, whole: bool, ahead: Ahead | None = None) -> Survey:
    """Check every record, or, unless `whole` is wanted, what a good snapshot does not vouch for. Changes nothing.

    Raises LogCorrupt, OSError.
    """
    snapshot = (
        read_snapshot(folder) if ahead is None else ahead.take()
    )  # before the segments: a running writer may append and save one meanwhile
    segments = list_segments(folder)
    if not segments:
        if snapshot and snapshot.position:
            raise _records_missing(folder, snapshot.position, 0)
        return Survey((), 0, 0)
    marked = None if whole or snapshot is None else _scan_behind(segments[-1], snapshot)
    last = marked or scan_segments(segments if whole or snapshot is None else segments[-1:])
    head = last.whole_position
    torn_bytes = segments[-1].size - last.whole_offset
    foreign = False
    if snapshot is not None:
        if snapshot.position > head:
            raise _records_missing(folder, snapshot.position, head)
        foreign = marked is None and snapshot.record_crc != record_line(segments, snapshot.position)[1]
        if foreign and not whole:
            scan_segments(segments)
    return Survey(tuple(segments), head, torn_bytes, foreign, snapshot)


def list_segments(folder: Path) -> list[Segment]:
    """In order. Raises LogCorrupt when they do not begin at position 1 or one has a name of its own."""
    segments = []
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".jsonl")):
        path = folder / name
        first = first_position(name)
        if first is None:
            raise LogCorrupt(path, None, "the name is not that of a segment", "move the file out of the folder")
        segments.append(Segment(first, path, path.stat().st_size))
    if segments and segments[0].first != 1:
        raise LogCorrupt(segments[0].path, None, "the segments before this one are missing", HINT)
    return segments


def scan_segments(segments: Sequence[Segment]) -> SegmentScanner:
    """Check every line of some neighbours; return where the last one ends. Only that one may have a torn tail."""
    for segment, following in pairwise(segments):
        scanner = _scan(segment)
        if scanner.whole_offset != segment.size:
            raise scanner.corrupt("the file ends within a batch, and it is not the last segment")
        check_neighbour(following, scanner.position)
    return _scan(segments[-1])


def _scan(segment: Segment, *, position: int | None = None, offset: int = 0) -> SegmentScanner:
    scanner = SegmentScanner(segment.path, segment.first, position=position, offset=offset)
    while block := read_lines(segment.path, scanner.offset, segment.size, _SCAN_BYTES):
        scanner.feed(block)
    with segment.path.open("rb") as file:
        file.seek(scanner.offset)
        scanner.finish(file.read(segment.size - scanner.offset))
    return scanner


def check_neighbour(segment: Segment, position: int) -> None:
    """Raise LogCorrupt unless the segment goes on behind `position`."""
    if segment.first != position + 1:
        raise LogCorrupt(segment.path, None, f"it stands where position {position + 1} is expected", HINT)


def read_lines(path: Path, offset: int, end: int, wanted: int) -> bytes:
    """Whole lines from `offset`, about `wanted` bytes or one longer line; empty when no line ends before `end`."""
    with path.open("rb", buffering=0) as file:
        while True:
            wanted = min(wanted, end - offset)
            block = os.pread(file.fileno(), wanted, offset)
            stop = block.rfind(b"\n") + 1
            if stop or len(block) < wanted or offset + wanted >= end:
                return block if stop == len(block) else block[:stop]
            wanted *= 2


def offset_behind(segment: Segment, position: int) -> int:
    """Where the record at `position` ends; counts lines, checks nothing. Raises LogCorrupt when it is not there."""
    lines = position + 1 - segment.first
    offset = 0
    with segment.path.open("rb", buffering=0) as file:
        while lines and (block := file.read(_SCAN_BYTES)):
            found = block.count(b"\n")
            if found < lines:
                lines -= found
                offset += len(block)
                continue
            at = -1
            for _ in range(lines):
                at = block.index(b"\n", at + 1)
            return offset + at + 1
    if lines:
        raise LogCorrupt(segment.path, None, f"the file ends before position {position}", HINT)
    return offset


def segment_index(segments: Sequence[Segment], position: int) -> int:
    """Which segment has the record at `position`, or will have it."""
    return bisect_right(segments, position, key=lambda segment: segment.first) - 1


def _scan_behind(segment: Segment, snapshot: Snapshot) -> SegmentScanner | None:
    """Check the record that a snapshot was made at, and what follows; None when it is not where the snapshot says.

    Of 100 000 records of 1 kB that saves 0.4 s. Raises LogCorrupt, OSError.
    """
    offset = snapshot.offset
    if offset is None or not segment.first <= snapshot.position or not 0 <= offset < segment.size:
        return None
    line, newline, _ = read_lines(segment.path, offset, segment.size, 1).partition(b"\n")
    if not newline or crc_of_line(line) != snapshot.record_crc or not is_whole_line(line):
        return None
    return _scan(segment, position=snapshot.position - 1, offset=offset)


def record_line(segments: Sequence[Segment], position: int) -> tuple[int, str]:
    """Where in its segment the record at `position` begins, and its checksum, itself checked; empty for position 0.

    Raises LogCorrupt, OSError.
    """
    if not position:
        return 0, ""
    segment = segments[segment_index(segments, position)]
    offset = offset_behind(segment, position - 1)
    scanner = SegmentScanner(segment.path, segment.first, position=position - 1, offset=offset)
    line, newline, _ = read_lines(segment.path, offset, segment.size, 1).partition(b"\n")
    if not newline:
        raise scanner.corrupt("the file ends before the line does")
    scanner.feed(line + newline)
    return offset, crc_of_line(line)


def _records_missing(folder: Path, snapshot: int, head: int) -> LogCorrupt:
    path = folder / SNAPSHOT_NAME
    reason = f"the snapshot was made at position {snapshot}, but the log ends at {head}: records are missing"
    return LogCorrupt(path, None, reason, f"{HINT}; if the log was replaced on purpose, delete {path}")
