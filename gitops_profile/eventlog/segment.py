r"""The bytes on disk (docs/event-log.md): one record is one line of JSON, and a segment is a file of lines. Pure.

    {"position":7,"left":0,"time":"…","stream":"…","type":"…","version":1,"data":{…},"crc":"89abcdef"}\n

- `left` is how many records of the same batch follow. A batch is whole when its record with `left` 0 is there.
- `crc` is the CRC-32 of the line without its crc member, that is of `{"position":…,"data":{…}}`.
- An append that did not finish leaves the beginning of what it wrote: whole lines of a batch that is not whole, and
  at the very end of the log at most one line without its newline. Only that is a torn tail. Every other departure
  raises LogCorrupt, first of all a line that has its newline but not its CRC: its write had got past it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

import msgspec

from .log import LogCorrupt
from .record import NewRecord, Record

_CRC_KEY = b',"crc":"'
_CRC_MEMBER = _CRC_KEY + b'%08x"}'
_CRC_LENGTH = len(_CRC_MEMBER % 0)
_SLICE_BYTES = 256 * 1024
"""How much is encoded between two writes, that is between two turns of the event loop: about 1 ms."""

HINT = (
    "put the file back from a backup, or write a new log from git with `gitops-profile log rebuild`;"
    " nothing was changed on disk"
)


class _Envelope(msgspec.Struct):
    """The members of a line in the order they are written. `crc` is checked on the bytes, before they are parsed."""

    position: int
    left: int
    time: str
    stream: str
    type: str
    version: int
    data: msgspec.Raw


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Envelope)


def segment_name(first: int) -> str:
    """Segments are named by their first position, so that `ls` and the shell's `*` give them in order."""
    return f"{first:020}.jsonl"


def first_position(name: str) -> int | None:
    """Inverse of `segment_name`; None for another file."""
    match = re.fullmatch(r"([0-9]{20})\.jsonl", name)
    return int(match[1]) if match else None


def encode_batches(batches: Iterable[Sequence[NewRecord]], first: int, time: str) -> Iterator[bytes]:
    """The lines of some batches, the first record being at position `first`, in slices fit for one write each."""
    lines: list[bytes] = []
    size = 0
    position = first
    for batch in batches:
        left = len(batch)
        for record in batch:
            left -= 1
            line = _encode_line(record, position, left, time)
            position += 1
            size += len(line)
            lines.append(line)
            if size >= _SLICE_BYTES:
                yield b"".join(lines)
                lines.clear()
                size = 0
    if lines:
        yield b"".join(lines)


def _encode_line(record: NewRecord, position: int, left: int, time: str) -> bytes:
    data = msgspec.Raw(record.data)
    body = _ENCODER.encode(_Envelope(position, left, time, record.stream, record.type, record.version, data))
    return b"%b%b\n" % (body[:-1], _CRC_MEMBER % crc32(body))


def is_whole_line(line: bytes) -> bool:
    """Whether a line (without its newline) carries the CRC of its own bytes."""
    return line[-_CRC_LENGTH:] == _CRC_MEMBER % crc32(b"}", crc32(memoryview(line)[:-_CRC_LENGTH]))


def crc_of_line(line: bytes) -> str:
    """The checksum a whole line carries: what a snapshot remembers of the record it was made at."""
    return line[-10:-2].decode("ascii", "replace")


class SegmentScanner:
    """Reads one segment front to back, block by block, and lets nothing pass that was not written so."""

    def __init__(self, path: Path, first: int, *, position: int | None = None, offset: int = 0) -> None:
        """Start at byte `offset`, the end of the record at `position`; by default at the beginning of the file."""
        self._path = path
        self._first = first
        self.position = first - 1 if position is None else position
        """Of the last record read."""
        self.offset = offset
        """Where the next line begins."""
        self.whole_position = self.position
        """Of the last record of the last whole batch."""
        self.whole_offset = offset
        """Where the last whole batch ends."""
        self._left: int | None = 0 if offset == 0 else None  # None: the record before is not known

    @property
    def line(self) -> int:
        """The number of the next line, from 1: positions have no gaps."""
        return self.position - self._first + 2

    def feed(self, block: bytes) -> list[Record]:
        """The records of a block that ends with a newline. Raises LogCorrupt."""
        lines = block.split(b"\n")
        lines.pop()
        return [self._read_line(line) for line in lines]

    def finish(self, tail: bytes) -> None:
        """Only `tail`, which holds no newline, is left of the file. Raises LogCorrupt if no append leaves that."""
        # A torn write is a beginning of one line. When a whole line is there and more behind it, its newline, which is
        # not there, was overwritten, and the batch may have been acknowledged. Only many NULs may stand behind it: they
        # are blocks of the file that were not written yet.
        start = 0
        while (start := tail.find(_CRC_KEY, start)) >= 0:
            end = start + _CRC_LENGTH
            rest = tail[end:]
            if rest and is_whole_line(tail[:end]) and (len(rest) == 1 or rest.strip(b"\0")):
                raise self.corrupt("the newline at the end of the line is damaged")
            start += 1

    def corrupt(self, reason: str) -> LogCorrupt:
        return LogCorrupt(self._path, self.line, reason, HINT)

    def _read_line(self, line: bytes) -> Record:
        if not is_whole_line(line):
            raise self.corrupt("the checksum does not fit the line")
        try:
            new = _DECODER.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise self.corrupt(f"the line is no record: {error}") from error
        if new.position != self.position + 1:
            raise self.corrupt(f"position {new.position} stands where {self.position + 1} is expected")
        if new.left < 0 or (self._left and new.left != self._left - 1):
            raise self.corrupt(f"{new.left} records of the batch are said to follow, and {self._left} one line before")
        self._left = new.left
        self.position = new.position
        self.offset += len(line) + 1
        if not new.left:
            self.whole_position, self.whole_offset = self.position, self.offset
        return Record(new.position, new.time, new.stream, new.type, new.version, bytes(new.data))
