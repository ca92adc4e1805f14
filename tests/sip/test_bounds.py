"""Bounds of the core (invariant I9): each has its answer, and what is beyond it leaves nothing behind."""

import pytest

from gitops_profile.sip import Flow, NotifierSettings, source_of
from gitops_profile.sip.subscription_events import MessageRefused, NotifyAnswered
from gitops_profile.sip.transaction import Timers, TransactionLayer, layer
from tests.conftest import Bound

from .harness import TCP, UDP, Lab, Phone, parsed, statuses
from .test_transactions import request


def test_of_too_many_answered_requests_the_oldest_is_forgotten(bound: Bound) -> None:
    bound(layer, "MAX_COMPLETED", 10)
    transactions = TransactionLayer([], Timers())
    for number in range(25):
        transaction = transactions.receive_request(
            request(branch=f"z9hG4bK{number}", call_id=str(number)), UDP, now=0.0
        )
        assert transaction is not None
        transactions.is_merged(transaction)
        transactions.respond(transaction, b"SIP/2.0 403 No", now=0.0)
    assert len(transactions) == 10
    assert transactions.receive_request(request(branch="z9hG4bK24", call_id="24"), UDP, now=0.0) is None
    assert transactions.receive_request(request(branch="z9hG4bK14", call_id="14"), UDP, now=0.0) is not None
    transactions.handle_deadline(now=32.0)
    assert len(transactions) == 1


def test_the_answers_that_are_kept_are_bounded_in_bytes_too(bound: Bound) -> None:
    bound(layer, "MAX_COMPLETED_BYTES", 100_000)
    transactions = TransactionLayer([], Timers())
    for number in range(10):
        transaction = transactions.receive_request(request(branch=f"z9hG4bK{number}"), UDP, now=0.0)
        assert transaction is not None
        transactions.respond(transaction, b"x" * 30_000, now=0.0)
    assert len(transactions) == 3


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize("field", ["User_Agent", "Accept", "Call_ID", "From"])
def test_a_subscription_remembers_no_more_than_some_kilobytes(flow: object, field: str) -> None:
    lab = Lab()
    phone = Phone(lab, flow=flow)  # type: ignore[arg-type]
    value = {"From": f"<sip:alice@example.com;x={'y' * 17_000}>;tag=phone"}.get(field, "y" * 17_000)
    assert statuses(phone.subscribe(600, 200, **{field: value})) == [513]
    assert len(lab.notifier) == 0
    assert [event.status for event in lab.happened if isinstance(event, MessageRefused)] == [513]


def test_a_refresh_cannot_make_it_remember_more() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    (before,) = lab.rows.values()
    assert statuses(phone.subscribe(Accept="text/" + "y" * 17_000)) == [513]
    assert list(lab.rows.values()) == [before]
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]


def test_the_head_of_a_datagram_is_bounded_like_that_of_a_stream() -> None:
    lab = Lab()
    assert statuses(Phone(lab).subscribe(X_Long="y" * 33_000)) == [513]
    assert statuses(Phone(lab, call_id="2").subscribe(X_Long="y" * 30_000)) == [200, "NOTIFY"]


def test_subscriptions_of_one_source_are_bounded_and_told_when_to_come_back() -> None:
    lab = Lab(NotifierSettings(max_per_source=3))
    phones = [Phone(lab, call_id=str(number)) for number in range(5)]
    came = [phone.subscribe() for phone in phones]
    assert [statuses(messages)[0] for messages in came] == [200, 200, 200, 503, 503]
    assert came[4][0].headers.get("retry-after") == "60"
    assert len(lab.notifier) == 3
    phones[0].subscribe(expires=0)
    assert statuses(Phone(lab, call_id="6").subscribe()) == [200, "NOTIFY"]


def test_at_the_bound_of_fetches_a_silent_one_makes_room() -> None:
    lab = Lab(NotifierSettings(max_fetches=2))
    silent = [Phone(lab, call_id=str(number)) for number in range(2)]
    for phone in silent:
        assert statuses(phone.subscribe(0, answer=None)) == [200, "NOTIFY"]
    assert statuses(Phone(lab, call_id="soon").subscribe(0)) == [503]  # they may still answer
    lab.run_until(lab.now + 1)
    for number in range(5):
        assert statuses(Phone(lab, call_id=f"later {number}".replace(" ", "-")).subscribe(0)) == [200, "NOTIFY"]
    before = len(lab.sent)
    assert [event.status for event in lab.happened if isinstance(event, NotifyAnswered)].count(408) == 1
    lab.run_until(lab.now + 40)
    assert {parsed(data).headers.get("call-id") for _, data, _ in lab.sent[before:]} == {"1"}  # the other is given up
    assert lab.receive(Phone.answer(silent[0].notifies[0])) == []  # and its late answer disturbs nobody
    assert [event.status for event in lab.happened if isinstance(event, NotifyAnswered)].count(408) == 2


def test_at_the_bound_of_fetches_a_silent_one_over_tcp_makes_room_too() -> None:
    lab = Lab(NotifierSettings(max_fetches=2))
    for number in range(2):
        phone = Phone(lab, flow=TCP, call_id=str(number))
        assert statuses(phone.subscribe(0, answer=None)) == [200, "NOTIFY"]
    lab.run_until(lab.now + 1)
    assert statuses(Phone(lab, call_id="honest").subscribe(0)) == [200, "NOTIFY"]


def test_one_address_has_no_more_than_its_share_of_the_fetches() -> None:
    lab = Lab(NotifierSettings(max_fetches=80))
    came = [statuses(Phone(lab, call_id=str(n)).subscribe(0, answer=None))[0] for n in range(12)]
    assert came == [200] * 10 + [503] * 2
    other = Flow("udp", UDP.local, ("192.0.2.77", 5060))
    assert statuses(Phone(lab, flow=other, call_id="other").subscribe(0)) == [200, "NOTIFY"]


def test_silent_fetches_leave_nothing_behind() -> None:
    lab = Lab(NotifierSettings(max_fetches=3))
    for number in range(12):
        Phone(lab, call_id=str(number)).subscribe(0, answer=None)
        lab.run_until(lab.now + 0.7)
    lab.run_until(lab.now + 60)
    for number in range(3):
        assert statuses(Phone(lab, call_id=f"new-{number}").subscribe(0, answer=None)) == [200, "NOTIFY"]
    assert statuses(Phone(lab, call_id="over").subscribe(0, answer=None)) == [503]


@pytest.mark.parametrize(
    "fields",
    [
        {"Require": ",".join(["a"] * 15_000)},
        {"Require": ",".join(["a"] * 200) + "\r\nRequire: " + ",".join(["a"] * 200)},
        {"Via": "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKx" + ";a=b" * 7000},
        {"From": "<sip:alice@example.com>;tag=1" + ";a=b" * 400},
    ],
    ids=["items", "items in two fields", "parameters of a Via", "parameters"],
)
def test_lists_and_parameters_are_bounded(fields: dict[str, str]) -> None:
    lab = Lab()
    assert statuses(Phone(lab).subscribe(600, 200, **fields)) == [400]
    (refused,) = [event for event in lab.happened if isinstance(event, MessageRefused)]
    assert refused.reason.startswith("too many ")


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("x", "x"),
        ("::x", "::x"),
    ],
)
def test_a_customers_64_bits_of_ipv6_are_one_source(address: str, source: str) -> None:
    assert source_of(address) == source


def test_another_address_of_the_same_64_has_no_bound_of_its_own() -> None:
    lab = Lab(NotifierSettings(max_per_source=2))
    local = ("2001:db8::1", 5060)
    came = []
    for number in range(4):
        flow = Flow("udp", local, (f"2001:db8:9:9::{number + 1:x}", 5062))
        came += statuses(Phone(lab, flow=flow, call_id=str(number)).subscribe())[:1]
    assert came == [200, 200, 503, 503]
