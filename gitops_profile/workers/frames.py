"""What workers hand to each other, as packets (pure): many small frames in one, or a large one in pieces.

A packet is `0` and a list of frames, or `1` and a piece. Packets of one origin arrive in order and whole, for they go
through sockets of SOCK_SEQPACKET; two origins' are mixed.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum

import msgspec

from gitops_profile.sip import Flow

PACKET = 32 * 1024
"""Bytes of a packet, about: some thirty messages, which a worker handles in one turn of its loop."""
_WHOLE, _PIECE = b"\0", b"\1"


class Kind(IntEnum):
    """What the receiver is to do."""

    MESSAGE = 0
    """Take it as if it had come to him: it belongs to one of his dialogs."""
    SEND = 1
    """Send it on a connection of his."""
    FAILED = 2
    """Note that a request of his could not be sent."""
    OFFER = 3
    """Send it if he has a connection with that peer, else let the next worker try; whoever made it opens one."""


Frame = tuple[int, str, tuple[str, int], tuple[str, int], int, tuple[str, ...], bytes]
"""Kind, the flow's fields, and the bytes."""
_encode = msgspec.msgpack.Encoder().encode
_frames = msgspec.msgpack.Decoder(list[Frame])
_piece = msgspec.msgpack.Decoder(tuple[int, bool, bool, bytes])


def frame_of(kind: Kind, data: bytes, flow: Flow) -> Frame:
    """One frame."""
    return (int(kind), flow.transport, flow.local, flow.remote, flow.connection, flow.peer, data)


def flow_of(frame: Frame) -> Flow:
    """The flow of a frame."""
    return Flow(*frame[1:6])


def packets(frames: Iterable[Frame], origin: int) -> Iterator[bytes]:
    """Some frames of worker `origin`, in order."""
    some: list[Frame] = []
    size = 0
    for frame in frames:
        length = len(frame[6])
        if some and size + length > PACKET:
            yield _WHOLE + _encode(some)
            some, size = [], 0
        if length > PACKET:
            yield from _pieces(_encode([frame]), origin)
            continue
        some.append(frame)
        size += length
    if some:
        yield _WHOLE + _encode(some)


def _pieces(data: bytes, origin: int) -> Iterator[bytes]:
    for start in range(0, len(data), PACKET):
        end = start + PACKET
        yield _PIECE + _encode((origin, start == 0, end >= len(data), data[start:end]))


class PacketReader:
    """Packets back into frames."""

    def __init__(self) -> None:
        self._begun: dict[int, bytearray] = {}
        """By origin: what has come of a large frame; one whose origin died in the middle goes with the next."""

    def read(self, packet: bytes) -> list[Frame]:
        """The frames that a packet completes."""
        if packet[:1] == _WHOLE:
            return _frames.decode(memoryview(packet)[1:])
        origin, is_first, is_last, data = _piece.decode(memoryview(packet)[1:])
        begun = bytearray() if is_first else self._begun.pop(origin, None)
        if begun is None:
            return []  # its beginning was lost with the worker before us
        begun += data
        if is_last:
            return _frames.decode(begun)
        self._begun[origin] = begun
        return []
