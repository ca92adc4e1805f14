"""Whatever happens, in whatever order: at quiet nothing is left over, and what is held is stored (I3, I6, I9)."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.sip import Flow, NotifierSettings, Target
from gitops_profile.sip.batch import Batch
from gitops_profile.sip.syntax import Request, Response

from .harness import SERVER, TCP, UDP, FakeAccess, FakePackage, Lab, Phone, parsed

USERS = ("alice", "bob")
PROXY = Flow("udp", SERVER, ("192.0.2.50", 5060))
TLS = Flow("tls", ("192.0.2.1", 5061), ("192.0.2.9", 40001), 8)
FLOWS = (UDP, TCP, PROXY, TLS)
CONTACTS = (
    "<sip:a@192.0.2.9:5062>", "<sip:a@192.0.2.9:5062;transport=tcp>", "<sip:a@phone.example.net>",
    "<sip:a@10.0.0.1;ob>", "<sips:a@192.0.2.9>",
)  # fmt: skip
ANSWERS = (200, 200, 401, 407, 404, 481, 500, 503, 603)
SETTINGS = NotifierSettings(
    max_per_source=4, max_per_resource=5, max_fetches=2, unverified_rate=0.5, notify_in_flight=2, datagram_bytes=600,
    unlimited_sources=(ip_network("192.0.2.50"),),
)  # fmt: skip


def branch_of(data: bytes) -> str:
    """Of the top Via of a NOTIFY; nothing for a response."""
    if not data.startswith(b"NOTIFY "):
        return ""
    return data.partition(b"\r\nVia: ")[2].partition(b";branch=")[2].partition(b";")[0].decode()


class World:
    """A laboratory, and everything that can happen to it; `n` chooses how."""

    def __init__(self, *, end_removed: bool) -> None:
        documents = dict.fromkeys(USERS, b"<1/>")
        self.access = FakeAccess(proxies={"192.0.2.50"})
        self.lab = Lab(replace(SETTINGS, end_removed=end_removed), FakePackage(documents), self.access)
        self.phones: list[Phone] = []
        self.told = 0
        self.number = 0

    def subscribe(self, n: int) -> None:
        flow, user = FLOWS[n % 4], USERS[n // 4 % 2]
        phone = Phone(self.lab, user, flow, f"c{len(self.phones)}")
        phone.contact = CONTACTS[n // 8 % 5]
        if n // 40 % 2:
            phone.target = f"sips:{user}@example.com"
        self.phones.append(phone)
        self.again(phone, n, (0, 86400)[n // 80 % 2])

    def again(self, phone: Phone, n: int, expires: int) -> None:
        condition = (None, "*", "other", self.tag(phone))[n // 160 % 4]
        accept = ("text/xml", "text/xml, message/external-body")[n // 640 % 2]
        identity = (None, phone.user)[len(phone.call_id) + n % 2 > 2]
        data = phone.build(expires, Suppress_If_Match=condition, Accept=accept, X_Identity=identity)
        phone.take(self.lab.receive(data, phone.flow), None)

    def tag(self, phone: Phone) -> str | None:
        return phone.notifies[-1].headers.get("sip-etag") if phone.notifies else None

    def refresh(self, n: int) -> None:
        if self.phones:
            self.again(self.phones[n % len(self.phones)], n, 86400)

    def unsubscribe(self, n: int) -> None:
        if self.phones:
            self.again(self.phones[n % len(self.phones)], n, 0)

    def sent(self) -> list[tuple[bytes, Flow]]:
        """NOTIFYs that are unanswered, as they were sent."""
        open_ones = self.lab.notifier._layer._clients
        return [
            (data, flow)
            for branch, (data, flow) in {branch_of(data): (data, flow) for _, data, flow in self.lab.sent}.items()
            if branch in open_ones
        ]

    def waiting(self) -> list[tuple[Request, Flow]]:
        """The same as messages."""
        found = [(parsed(data), flow) for data, flow in self.sent()]
        return [(message, flow) for message, flow in found if isinstance(message, Request)]

    def answer(self, n: int) -> None:
        if waiting := self.waiting():
            notify, flow = waiting[n % len(waiting)]
            self.lab.receive(Phone.answer(notify, ANSWERS[n // 8 % len(ANSWERS)], (None, 3)[n % 2]), flow)

    def fail(self, n: int) -> None:
        if sent := self.sent():
            self.lab.fail(*sent[n % len(sent)])

    def change(self, n: int) -> None:
        body = (None, b"<1/>", b"<2/>", b"x" * 900, b"y" * 70_000)[n // 2 % 5]
        self.lab.change(USERS[n % 2], body)

    def wait(self, n: int) -> None:
        self.lab.run_until(self.lab.now + (0.3, 1, 5, 33, 700)[n % 5])

    def look_up(self, n: int) -> None:
        for hop in self.lab.notifier.lookups():
            targets = [Target(("udp", "tcp", "tls")[n % 3], f"198.51.100.{k}", 5060) for k in range(n // 3 % 3)]
            self.lab.notifier.looked_up(hop, targets, now=self.lab.now)
            self.lab.pump()

    def break_store(self, n: int) -> None:
        self.lab.store_works = bool(n % 2)

    def hold(self, n: int) -> None:
        if self.lab.holding is None:
            self.lab.holding = []

    def release(self, n: int) -> None:
        """Some of what is held, in order, with the store's word for each; then no more is held."""
        held: list[Batch] = self.lab.holding or []
        while held:
            works = self.lab.store_works and bool(n % 3)
            n //= 3
            batch = held.pop(0)
            before = self.lab.store_works
            self.lab.store_works = works
            self.lab.finish(batch)
            self.lab.store_works = before
            self.lab.pump()
            if len(held) > 20:
                break
        self.lab.holding = None
        self.lab.pump()

    def drain(self, n: int) -> None:
        if n % 4 == 0:
            self.lab.notifier.drain("deactivated", now=self.lab.now)
            self.lab.pump()

    def forbid(self, n: int) -> None:
        pair = ((None, "alice"), ("alice", "alice"), ("bob", "bob"))[n % 3]
        self.access.forbidden ^= {pair}
        self.lab.notifier.reauthorize(now=self.lab.now)
        self.lab.pump()

    def restart(self, n: int) -> None:
        if self.lab.holding is None and self.lab.store_works:
            self.lab.restart()

    def is_at_rest(self) -> bool:
        """Nothing is under way, and everybody has what he is to have."""
        delivery = self.lab.notifier._delivery
        everybody = all(held.has(delivery.state(held)) for held in self.lab.notifier.subscriptions())
        return everybody and self.lab.notifier.is_quiet and not delivery.lookups._waiting

    def settle(self) -> None:
        """Everything works again, and every phone answers."""
        self.lab.store_works = True
        self.release(1)
        self.lab.run_until(self.lab.now + 3)
        for user in USERS:
            self.lab.change(user, b"<last/>")
        for _ in range(1500):  # the longest pause between two tries is 300 s
            for hop in self.lab.notifier.lookups():
                self.lab.notifier.looked_up(hop, [Target("tls", "198.51.100.1", 5061)], now=self.lab.now)
                self.lab.pump()
            for notify, flow in self.waiting():
                self.lab.receive(Phone.answer(notify), flow)
            if self.is_at_rest():
                return
            self.lab.run_until(self.lab.now + 0.5)
        raise AssertionError("it does not come to rest")


OPERATIONS: tuple[Callable[[World, int], None], ...] = (
    World.subscribe, World.subscribe, World.refresh, World.unsubscribe, World.answer, World.answer, World.fail,
    World.change, World.wait, World.look_up, World.break_store, World.hold, World.release, World.drain, World.forbid,
    World.restart,
)  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1279)), min_size=10, max_size=60)


def check_trace(lab: Lab) -> None:
    """No NOTIFY without a 2xx before it (RFC 6665 §4.1.2.1), and CSeq never goes back (RFC 3261 §12.2.1.1)."""
    accepted: set[tuple[str, str]] = set()
    branches: set[str] = set()
    last: dict[tuple[str, str], int] = {}
    for _, data, _ in lab.sent:
        message = parsed(data)
        if isinstance(message, Response):
            if message.status in (200, 204):
                to, call_id = message.headers.get("to") or "", message.headers.get("call-id") or ""
                accepted.add((call_id, to.partition(";tag=")[2]))
        elif (branch := message.via.branch or "") not in branches:
            branches.add(branch)
            dialog = (message.call_id, message.from_.tag or "")
            assert dialog in accepted
            assert message.cseq >= last.get(dialog, 1)
            last[dialog] = message.cseq


@given(STEPS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_at_quiet_nothing_is_left_over(
    steps: list[tuple[Callable[[World, int], None], int]], end_removed: bool
) -> None:
    world = World(end_removed=end_removed)
    for operation, n in steps:
        operation(world, n)
    world.settle()
    notifier, lab = world.lab.notifier, world.lab
    delivery = notifier._delivery
    held = {subscription.id: subscription for subscription in notifier.subscriptions()}
    assert lab.rows == {id_: one.to_stored() for id_, one in held.items()}
    assert sum(delivery.admission._per_source.values()) == len(held) and delivery.admission._fetches == 0
    assert not notifier._layer._clients and not delivery._pacing._slots
    for one in held.values():
        assert one.in_flight is None and not one.owed and not one.queued
        assert one.has(delivery.state(one))
    lab.run_until(lab.now + 90_000)
    check_trace(lab)
    assert not lab.rows and len(notifier) == 0 and notifier.is_quiet and notifier.next_deadline() is None
    assert not delivery.admission._per_source and not len(delivery.held.alarms) and not notifier._layer._servers
    assert not delivery.admission._fetching and not delivery.fetches._silent and not delivery._pacing._silent
