"""What one worker hands over, another has; and nothing grows when it does not read."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator

import pytest

from gitops_profile.sip import Flow
from gitops_profile.workers import CONNECTIONS, Owners, Post, mailbox
from gitops_profile.workers import post as module

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5062))
ANSWER = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%x;rport\r\nCSeq: 1 NOTIFY\r\n\r\n"
NOTIFY = b"NOTIFY sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK%x;rport\r\n\r\n"


class Office:
    """The endpoint of one worker."""

    def __init__(self) -> None:
        self.handled: list[tuple[bytes, Flow]] = []
        self.sent: list[tuple[bytes, Flow]] = []
        self.failed: list[tuple[bytes, Flow]] = []
        self.pumped = 0
        self.peers: set[Flow] = set()

    def has_connection(self, flow: Flow) -> bool:
        return flow in self.peers

    def handle(self, data: bytes, flow: Flow) -> None:
        self.handled.append((data, flow))

    def send_here(self, data: bytes, flow: Flow) -> None:
        self.sent.append((data, flow))

    def send_failed(self, data: bytes, flow: Flow) -> None:
        self.failed.append((data, flow))

    def pump(self) -> None:
        self.pumped += 1


Boxes = list[tuple[socket.socket, socket.socket]]


@pytest.fixture
def boxes() -> Iterator[Boxes]:
    made = [mailbox() for _ in range(3)]
    yield made
    for pair in made:
        for sock in pair:
            sock.close()


def post_of(me: int, boxes: Boxes) -> tuple[Post, Office]:
    office = Office()
    others = {number: pair[1] for number, pair in enumerate(boxes) if number != me}
    return Post(Owners(me, len(boxes)), boxes[me][0], others, office), office


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # whatever the other worker has done
            await asyncio.sleep(0.001)


async def test_a_message_goes_to_its_owner_with_its_flow(boxes: Boxes) -> None:
    posts = [post_of(me, boxes) for me in range(3)]
    for post, _ in posts:
        post.start()
    flow = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 4711), 9, ("proxy.example.com",))
    assert not posts[1][0].take_message(ANSWER % 1, flow)  # its own
    assert posts[1][0].take_message(ANSWER % 3, flow) and posts[0][0].take_message(ANSWER % 3, UDP)
    await until(lambda: len(posts[2][1].handled) == 2)
    assert sorted(posts[2][1].handled, key=str) == sorted([(ANSWER % 3, flow), (ANSWER % 3, UDP)], key=str)
    assert {found.peer for _, found in posts[2][1].handled} == {flow.peer, ()}
    assert posts[2][1].pumped and not posts[0][1].handled and not posts[1][1].handled
    for post, _ in posts:
        post.close()


async def test_what_leaves_on_anothers_connection_is_sent_there_whatever_its_size(boxes: Boxes) -> None:
    (first, office), (second, _) = post_of(0, boxes), post_of(1, boxes)
    first.start()
    on_first, on_second = (Flow("tcp", UDP.local, UDP.remote, number) for number in (5, CONNECTIONS + 5))
    assert not second.take_to_send(b"x", on_second) and not second.take_to_send(b"x", UDP)
    large = [bytes([byte]) * 3_000_000 for byte in range(3)]  # more than a mailbox holds
    for data in large:
        assert second.take_to_send(data, on_first)
    await until(lambda: len(office.sent) == 3)
    assert office.sent == [(data, on_first) for data in large]
    first.close()
    second.close()


async def test_a_request_without_a_connection_leaves_on_that_of_whoever_has_one_else_where_it_was_made(
    boxes: Boxes,
) -> None:
    posts = [post_of(me, boxes) for me in range(3)]
    for post, _ in posts:
        post.start()
    (first, ours), (_, second), (_, third) = posts
    flow = Flow("tcp", UDP.local, UDP.remote)
    assert not first.take_to_send(ANSWER % 0, flow)  # nobody opens a connection for an answer
    ours.peers = {flow}
    assert not first.take_to_send(NOTIFY % 0, flow)
    ours.peers, third.peers = set(), {flow}
    assert first.take_to_send(NOTIFY % 0, flow)
    await until(lambda: third.sent)
    third.peers = set()
    assert first.take_to_send(NOTIFY % 0, flow)
    await until(lambda: ours.sent)
    assert (ours.sent, second.sent, third.sent) == ([(NOTIFY % 0, flow)], [], [(NOTIFY % 0, flow)])
    for post, _ in posts:
        post.close()


async def test_a_failure_is_told_to_whoever_made_the_request(boxes: Boxes) -> None:
    (first, _), (second, office) = post_of(0, boxes), post_of(1, boxes)
    second.start()
    assert not first.take_failure(NOTIFY % 0, UDP)
    assert not first.take_failure(ANSWER % 1, UDP)  # a response is nobody's to know
    assert first.take_failure(NOTIFY % 1, UDP)
    await until(lambda: office.failed)
    assert office.failed == [(NOTIFY % 1, UDP)] and office.pumped
    first.close()
    second.close()


async def test_for_a_worker_that_does_not_read_a_bounded_amount_waits_and_the_rest_is_dropped(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 1 << 20)
    (first, office), (second, reads) = post_of(0, boxes), post_of(1, boxes)
    flow = Flow("tcp", UDP.local, UDP.remote, CONNECTIONS + 1)
    data = NOTIFY % 0 + bytes(20_000)
    with caplog.at_level(logging.WARNING):
        for _ in range(2000):
            assert first.take_to_send(data, flow) and first.take_message(ANSWER % 1, UDP)
            await asyncio.sleep(0)
        await until(lambda: office.failed)
    assert [record.message for record in caplog.records] == ["worker 1 does not keep up: messages for it are dropped"]
    failed = len(office.failed)
    assert 0 < failed < 2000 and office.failed[0] == (data, flow)
    second.start()  # what waited is not lost
    await until(lambda: len(reads.sent) == 2000 - failed)
    assert first.take_message(ANSWER % 1, UDP)
    handled = len(reads.handled)
    await until(lambda: len(reads.handled) == handled + 1)
    first.close()
    second.close()


async def test_what_came_while_a_worker_was_down_is_read_by_the_next_one(boxes: Boxes) -> None:
    first, _ = post_of(0, boxes)
    assert first.take_message(ANSWER % 1, UDP)
    await asyncio.sleep(0.01)
    second, office = post_of(1, boxes)
    second.start()
    await until(lambda: office.handled)
    assert office.handled == [(ANSWER % 1, UDP)]
    first.close()
    second.close()


async def test_when_nobody_is_left_who_could_write_what_was_written_is_read_and_then_nothing(boxes: Boxes) -> None:
    loop, troubles = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: troubles.append(context))
    (first, _), (second, office) = post_of(0, boxes), post_of(1, boxes)
    assert first.take_message(ANSWER % 2, UDP)
    await asyncio.sleep(0)
    boxes[1][1].shutdown(socket.SHUT_WR)  # as it is for the reader when the main process is killed
    second.start()
    await until(lambda: office.pumped)
    assert office.handled == [(ANSWER % 2, UDP)] and troubles == []
    assert not loop.remove_reader(boxes[1][0]), "it reads on"
    first.close()
