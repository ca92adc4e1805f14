"""How fast changes are told: kind to the network, and deaf to nobody because of somebody else (design.md section 7)."""

from dataclasses import replace

import pytest

from gitops_profile.sip import Flow, NotifierSettings
from gitops_profile.sip import pacing as pacing_module
from gitops_profile.sip.delivery import LOOKS_AT_ONCE
from gitops_profile.sip.pacing import MIN_WINDOW, PROBES, SAMPLE, Pacing, peer_of
from gitops_profile.sip.syntax import Request
from tests.conftest import Bound

from .harness import TCP, UDP, FakePackage, Lab, Phone, parsed

EDGE_TCP = TCP
EDGE_UDP = UDP
PEER = peer_of(UDP)


def behind(lab: Lab, flow: Flow, count: int) -> None:
    """So many phones that are all reached by one flow."""
    for number in range(count):
        Phone(lab, call_id=f"behind-{number}", flow=flow).subscribe()


def own(lab: Lab, count: int) -> None:
    """So many phones, each with its own address."""
    for number in range(count):
        Phone(lab, call_id=f"own-{number}", flow=replace(UDP, remote=(f"198.51.100.{number}", 5060))).subscribe()


def told(lab: Lab, start: int, *, by: str) -> list[Request]:
    """The NOTIFYs since `start` to the phones whose Call-ID begins so, each once."""
    found: dict[tuple[str, int], Request] = {}
    for data in lab.since(start):
        message = parsed(data)
        if isinstance(message, Request) and message.call_id.startswith(by):
            found[message.call_id, message.cseq] = message
    return list(found.values())


def answering(lab: Lab, seconds: float, since: int, *, by: str = "", lost: int = 0) -> None:
    """Time passes; whoever's Call-ID begins so answers what was sent since, but for the first `lost` of ten."""
    heard: dict[str, int] = {}
    seen, until = since, lab.now + seconds
    while lab.now < until:
        for _, data, flow in lab.sent[seen:]:
            seen += 1
            message = parsed(data)
            if not isinstance(message, Request) or not message.call_id.startswith(by):
                continue
            branch = message.via.branch or ""
            heard[branch] = heard.get(branch, 0) + 1
            if heard[branch] > 1 or seen % 10 >= lost:
                lab.receive(Phone.answer(message), flow)
        lab.run_until(lab.now + 0.01)


@pytest.mark.parametrize("edge", [EDGE_TCP, EDGE_UDP], ids=["tcp", "udp"])
def test_a_peer_that_is_dead_holds_up_nobody_but_those_behind_him(edge: Flow) -> None:
    lab = Lab(NotifierSettings(notify_in_flight=20))
    behind(lab, edge, 200)
    own(lab, 50)
    start = len(lab.sent)
    lab.change("alice", b"<b/>")
    answering(lab, 1.5, start, by="own")
    assert len(told(lab, start, by="own")) == 50
    assert len(told(lab, start, by="behind")) == 20  # what was on its way when he fell silent


def test_of_those_behind_a_silent_peer_all_are_told_when_he_is_heard_again() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=20))
    behind(lab, EDGE_TCP, 100)
    start = len(lab.sent)
    lab.change("alice", b"<b/>")
    lab.run_until(lab.now + 5)
    waiting = told(lab, start, by="behind")
    assert len(waiting) == 20
    again = len(lab.sent)
    lab.receive(Phone.answer(waiting[-1]), EDGE_TCP)
    answering(lab, 2, again)
    assert len(told(lab, start, by="behind")) == 100


def test_a_silent_peer_is_probed_until_nobody_is_left_behind_him() -> None:
    """Each NOTIFY runs into Timer F in the end, and lets the next one go: none waits for ever."""
    lab = Lab(NotifierSettings(notify_in_flight=5))
    behind(lab, EDGE_UDP, 40)
    start = len(lab.sent)
    lab.change("alice", b"<b/>")
    lab.run_until(lab.now + 40)
    assert 5 + PROBES <= len(told(lab, start, by="behind")) < 40
    lab.run_until(lab.now + 200)
    assert len(told(lab, start, by="behind")) == 40
    assert lab.notifier.is_quiet


def test_loss_makes_fewer_go_at_once_and_its_end_as_many_as_before() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=100, notify_rate=1e6))
    own(lab, 250)
    pacing = lab.notifier._delivery._pacing
    for number in range(8):
        start = len(lab.sent)
        lab.change("alice", b"<%d/>" % number)
        answering(lab, 4, start, lost=5)
    assert MIN_WINDOW <= pacing.window < 60
    for number in range(12):
        start = len(lab.sent)
        lab.change("alice", b"<again-%d/>" % number)
        answering(lab, 1, start)
    assert pacing.window == 100


def test_phones_that_are_off_make_it_no_slower_for_the_others() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=50, notify_rate=1e6))
    own(lab, 100)
    behind(lab, EDGE_UDP, 1)
    pacing = lab.notifier._delivery._pacing
    start = len(lab.sent)
    lab.change("alice", b"<b/>")
    answering(lab, 20, start, by="own")
    assert pacing.window == 50


def test_whoever_waits_behind_a_silent_peer_is_told_though_those_before_him_need_nothing_any_more() -> None:
    """Invariant I3: they were taken back to what they have, so that no probe goes out in their place."""
    lab = Lab(package=FakePackage({"alice": b"<a/>", "bob": b"<b/>", "carol": b"<c/>"}))
    for number in range(40):
        Phone(lab, call_id=f"a{number}").subscribe(86400)
    for user in ("bob", "carol"):
        Phone(lab, user, call_id=user).subscribe(86400)
    for user, body in (("carol", b"<c2/>"), ("alice", b"<a2/>"), ("bob", b"<b2/>"), ("alice", b"<a/>")):
        lab.change(user, body)  # nobody answers
        lab.run_until(lab.now + 1)
    lab.run_until(lab.now + 200)
    assert [parsed(data).call_id for data in lab.since(0) if b"<b2/>" in data][:1] == ["bob"]  # type: ignore[union-attr]
    assert lab.notifier.is_quiet


def test_whoever_asks_while_a_change_waits_for_its_turn_is_told_once() -> None:
    lab = Lab(NotifierSettings(notify_in_flight=1))
    first, second = Phone(lab, call_id="first"), Phone(lab, call_id="second")
    first.subscribe()
    second.subscribe()
    one = lab.change("alice", b"<b/>")
    second.subscribe(answer=None)  # has it at once, and its turn is still to come
    start = len(lab.sent)
    first.take(one)
    lab.run_until(lab.now + 0.4)
    assert told(lab, start, by="second") == []


def test_a_large_change_is_told_in_turns_and_none_of_them_waits() -> None:
    """Invariant I8: between them others are heard."""
    lab = Lab(NotifierSettings(notify_rate=1e6))
    own(lab, 200)
    start = len(lab.sent)
    lab.change("alice", b"<b/>")
    assert len(told(lab, start, by="own")) == LOOKS_AT_ONCE and lab.notifier.next_deadline() == 0
    for _ in range(3):
        lab.notifier.handle_deadline(now=lab.now)
    lab.pump()
    assert len(told(lab, start, by="own")) == 200


def test_loss_slows_it_down_once_a_second() -> None:
    """What was on its way when it did so is no more loss."""
    pacing = Pacing(1e6, 1000)

    def lose(now: float) -> float:
        for _ in range(SAMPLE):
            pacing.heard(PEER, now, late=True)
        return pacing.window

    slower = lose(5.0)
    assert slower < 1000 and lose(5.9) >= slower > lose(6.1)


def test_a_silent_peer_stays_silent_while_one_of_his_is_unanswered() -> None:
    pacing = Pacing(1e6, 100)
    for branch in ("a", "b"):
        pacing.take_slot(branch, PEER)
        pacing.is_silent(branch)
    pacing.free_slot("a", PEER)
    assert pacing._silent[PEER].probes == {"b"}
    pacing.free_slot("b", PEER)
    assert not pacing._silent


def test_a_silent_peer_is_forgotten_when_his_last_one_needs_nothing(bound: Bound) -> None:
    bound(pacing_module, "PROBES", 1)
    lab = Lab()
    behind(lab, UDP, 1)
    [last] = lab.notifier.subscriptions()
    pacing = Pacing(1e6, 100)
    pacing.take_slot("a", PEER)
    pacing.is_silent("a")
    pacing.append(last)
    assert pacing.pop(0.0) is None and len(pacing) == 1
    pacing.free_slot("a", PEER)
    assert pacing.pop(0.0) is last
    pacing.passed(last)
    assert not pacing._silent


def test_whoever_waits_behind_a_silent_peer_is_told_when_the_one_before_him_goes_another_way(
    bound: Bound,
) -> None:
    """Invariant I3: a NOTIFY that goes by TCP, for its size, is no probe of the UDP port."""
    bound(pacing_module, "PROBES", 1)
    lab = Lab(package=FakePackage({"alice": b"<a/>", "bob": b"<b/>", "carol": b"<c/>"}))
    for user in ("alice", "bob", "carol"):
        Phone(lab, user, call_id=user).subscribe(86400)
    lab.change("alice", b"<a2/>")  # nobody answers
    lab.run_until(lab.now + 1)
    start = len(lab.sent)
    for user in ("bob", "carol"):
        assert lab.change(user, b"x" * 1400) == []
    lab.run_until(lab.now + 40)
    assert [len(told(lab, start, by=user)) for user in ("bob", "carol")] == [1, 1]
