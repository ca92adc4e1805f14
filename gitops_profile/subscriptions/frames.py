"""What goes between the server and the process that writes: msgpack behind a length of four bytes."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gitops_profile.processes import Frames, framed

from .rollouts import StoredRollout


class Submission(msgspec.Struct, array_like=True):
    """Something to write."""

    number: int
    """One more than that of the last."""
    saves: Sequence[tuple[Any, ...]] = []
    """What is to be written (`StoredSubscription`); made rows of where they are written, which is not the SIP loop."""
    numbers: list[int] = []
    """Theirs."""
    told: Sequence[tuple[Any, ...]] = []
    """What NOTIFYs changed of rows that are there, or are in here (`StoredDelivery`)."""
    told_numbers: list[int] = []
    deletes: list[int] = []
    """Numbers of rows to be removed, then."""
    rollouts: list[StoredRollout] = []
    ahead: float | None = None
    """Seconds that the wall clock was set ahead since the start, when that is another number now."""


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """What became of every submission up to a number."""

    number: int
    error: str | None = None
    """None: they are durable."""
    is_of_value: bool = False
    """Whether the error is about what was to be written, not about the disk."""


_encode = msgspec.msgpack.Encoder().encode
_submissions = msgspec.msgpack.Decoder(Submission)
_answers = msgspec.msgpack.Decoder(Answer)


def pack(frame: Submission | Answer) -> bytes:
    """One frame."""
    return framed(_encode(frame))


class FrameReader:
    """Submissions or answers out of a byte stream."""

    def __init__(self) -> None:
        self._frames = Frames()

    def submissions(self, data: bytes) -> Iterator[Submission]:
        """Those that `data` completes."""
        return (_submissions.decode(frame) for frame in self._frames.take(data))

    def answers(self, data: bytes) -> Iterator[Answer]:
        """Those that `data` completes."""
        return (_answers.decode(frame) for frame in self._frames.take(data))
