"""Frames come out of packets as they went in, whatever their size, and whoever else writes beside."""

from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip import Flow
from gitops_profile.workers.frames import PACKET, Frame, Kind, PacketReader, flow_of, frame_of, packets

ENDPOINTS = st.tuples(st.sampled_from(["192.0.2.1", "::1", "fe80::1%eth0"]), st.integers(1, 65535))
FLOWS = st.builds(
    Flow,
    st.sampled_from(["udp", "tcp", "tls", "ws", "wss"]),
    ENDPOINTS,
    ENDPOINTS,
    st.integers(0, 1 << 46),
    st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
)
SIZES = st.one_of(st.integers(0, 2000), st.sampled_from([PACKET - 1, PACKET, PACKET + 1, 3 * PACKET, 200_000]))
FRAMES = st.lists(st.tuples(st.sampled_from(list(Kind)), SIZES, FLOWS, st.integers(0, 255)), max_size=20)


def built(drawn: list[tuple[Kind, int, Flow, int]]) -> list[Frame]:
    return [frame_of(kind, bytes([byte]) * size, flow) for kind, size, flow, byte in drawn]


@given(FRAMES)
def test_frames_come_back_in_order(drawn: list[tuple[Kind, int, Flow, int]]) -> None:
    frames = built(drawn)
    reader, sent = PacketReader(), list(packets(frames, 1))
    assert [frame for packet in sent for frame in reader.read(packet)] == frames
    assert all(len(packet) < 3 * PACKET for packet in sent)  # below what any socket takes at once
    for frame, (_, _, flow, _) in zip(frames, drawn, strict=True):
        assert flow_of(frame) == flow and flow_of(frame).peer == flow.peer  # the names are no part of equality


@given(FRAMES, FRAMES, st.randoms(use_true_random=False))
def test_packets_of_two_workers_may_be_mixed(one: list, other: list, random) -> None:  # type: ignore[no-untyped-def, type-arg]
    frames = [built(one), built(other)]
    waiting = [list(packets(some, origin)) for origin, some in enumerate(frames)]
    reader, got = PacketReader(), []
    while any(waiting):
        origin = random.choice([origin for origin, left in enumerate(waiting) if left])
        got += reader.read(waiting[origin].pop(0))
    assert sorted(map(repr, got)) == sorted(map(repr, frames[0] + frames[1]))


def test_many_small_frames_share_a_packet() -> None:
    flow = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5062))
    assert len(list(packets([frame_of(Kind.MESSAGE, b"x" * 700, flow)] * 40, 0))) == 1


def test_half_of_a_large_frame_is_forgotten_with_whoever_did_not_finish_it() -> None:
    flow = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.9", 5062), 3)
    frame, next_one = (frame_of(Kind.SEND, byte * (2 * PACKET), flow) for byte in (b"a", b"b"))
    half, whole = list(packets([frame], 1)), list(packets([next_one], 1))
    reader = PacketReader()
    assert len(half) == 3 and reader.read(half[0]) == []
    assert [got for packet in whole for got in reader.read(packet)] == [next_one]
    # And the reader that takes over in the middle hears nothing of it.
    later = PacketReader()
    assert [got for packet in (*half[1:], *whole) for got in later.read(packet)] == [next_one]
