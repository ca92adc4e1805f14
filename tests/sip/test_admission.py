"""Who still gets in (invariant I9), and how much somebody gets who may be anybody (RFC 6665 §6.3)."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest

from gitops_profile.sip import Flow, NotifierSettings, admission
from gitops_profile.sip.syntax import Request, Response
from tests.conftest import Bound

from .harness import SERVER, TCP, UDP, FakeAccess, FakePackage, Lab, Phone, parsed, statuses

BURST = 3
"""SUBSCRIBEs at once with a budget of one a second: one, and two seconds' worth in advance."""


def source(number: int, transport: str = "udp") -> Flow:
    return Flow(transport, SERVER, (f"198.51.100.{number}", 5060), 0 if transport == "udp" else number)


def asked(lab: Lab, flow: Flow, call_id: str, expires: int = 600, user: str = "alice") -> int:
    """The status of a SUBSCRIBE whose NOTIFY is not answered."""
    answer = Phone(lab, user, flow, call_id).subscribe(expires, None)[0]
    assert isinstance(answer, Response)
    if answer.status == 503:
        assert int(answer.headers.get("retry-after") or 0) > 0
        assert len(lab.sent[-1][1]) < 1000
    return answer.status


BOUNDS: list[tuple[NotifierSettings, Callable[[int], tuple[Flow, str, int]], int]] = [
    (NotifierSettings(max_per_source=2), lambda n: (UDP, "alice" if n % 2 else "bob", 600), 1),
    (NotifierSettings(max_per_source=2), lambda n: (UDP, "alice", 600 * (n % 2)), 1),
    (NotifierSettings(max_per_resource=2), lambda n: (source(n), "alice", 600), 2),
    (NotifierSettings(max_subscriptions=2), lambda n: (source(n), "alice" if n % 2 else "bob", 600), 3),
    (NotifierSettings(max_fetches=2), lambda n: (source(n), "alice", 0), 4),
]


@pytest.mark.parametrize(("settings", "kind", "_"), BOUNDS)
def test_at_each_bound_there_is_503_and_below_it_there_is_room_again(
    settings: NotifierSettings, kind: Callable[[int], tuple[Flow, str, int]], _: int
) -> None:
    lab = Lab(settings, FakePackage({"alice": b"<a/>", "bob": b"<b/>"}))
    for number in range(1, 5):
        flow, user, expires = kind(number)
        assert asked(lab, flow, f"c{number}", expires, user) == (200 if number <= 2 else 503)
    assert len(lab.rows) == sum(kind(number)[2] > 0 for number in (1, 2))
    for notify in [parsed(data) for _, data, _ in lab.sent if data.startswith(b"NOTIFY")]:
        assert isinstance(notify, Request)
        lab.receive(Phone.answer(notify, 481))
    for number in range(5, 9):
        flow, user, expires = kind(number)
        assert asked(lab, flow, f"c{number}", expires, user) == (200 if number <= 6 else 503)


def test_who_is_in_may_stay_at_every_bound() -> None:
    lab = Lab(NotifierSettings(max_per_source=1, max_per_resource=1, max_subscriptions=1, max_fetches=1))
    phone = Phone(lab)
    phone.subscribe()
    assert asked(lab, source(1), "c2") == 503
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert statuses(phone.subscribe(0)) == [200, "NOTIFY"]
    assert asked(lab, source(1), "c3") == 200


def test_a_phone_that_moves_counts_where_it_subscribed() -> None:
    lab = Lab(NotifierSettings(max_per_source=1))
    phone = Phone(lab)
    phone.subscribe()
    phone.flow, phone.contact = source(1), "<sip:alice@198.51.100.1>"
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert asked(lab, UDP, "c2") == 503 and asked(lab, source(1), "c3") == 200
    assert statuses(phone.subscribe(0)) == [200, "NOTIFY"]
    assert asked(lab, UDP, "c4") == 200


@pytest.mark.parametrize(
    ("flow", "networks"),
    [
        (Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 40000)), ()),
        (Flow("udp", ("::1", 5060), ("::1", 40000)), ()),
        (source(7), (ip_network("198.51.100.0/28"),)),
    ],
)
def test_this_machine_and_a_proxy_are_no_source(flow: Flow, networks: tuple[object, ...]) -> None:
    settings = NotifierSettings(max_per_source=1, unverified_rate=1.0, unlimited_sources=networks)  # type: ignore[arg-type]
    lab = Lab(settings)
    assert [asked(lab, flow, f"c{number}") for number in range(20)] == [200] * 20


def test_an_address_that_may_be_forged_gets_so_many_notifies_a_second() -> None:
    """Checklist row 65: RFC 6665 §6.3: rate-limited per source, and a 503 is no larger than the request."""
    lab = Lab(NotifierSettings(unverified_rate=1.0))
    answers = [asked(lab, UDP, f"c{number}", expires) for number, expires in enumerate([600, 0, 600, 0, 600, 600])]
    assert answers == [200] * BURST + [503] * 3
    assert asked(lab, source(1), "other") == 200  # everybody else is served
    lab.now += 1.1
    assert asked(lab, UDP, "later") == 200 and asked(lab, UDP, "too-soon") == 503
    lab.now += 100
    assert [asked(lab, UDP, f"d{number}") for number in range(BURST + 1)] == [200] * BURST + [503]


def test_whoever_cannot_be_forged_has_no_such_budget() -> None:
    settings = NotifierSettings(unverified_rate=1.0)
    lab = Lab(settings)
    assert [asked(lab, TCP, f"c{number}") for number in range(9)] == [200] * 9
    known = Lab(settings, access=FakeAccess())
    phones = [Phone(known, call_id=f"c{number}") for number in range(9)]
    assert all(statuses(phone.subscribe(X_Identity="alice")) == [200, "NOTIFY"] for phone in phones)
    phone = phones[0]
    assert all(statuses(phone.subscribe(X_Identity="alice")) == [200, "NOTIFY"] for _ in range(9))


def test_refreshes_are_not_charged_for_their_tag_shows_who_sends_them() -> None:
    lab = Lab(NotifierSettings(unverified_rate=1.0))
    phone = Phone(lab)
    phone.subscribe()
    assert all(statuses(phone.subscribe()) == [200, "NOTIFY"] for _ in range(9))


def test_what_is_remembered_of_strangers_is_bounded(bound: Bound) -> None:
    bound(admission, "MAX_SOURCES", 2)
    lab = Lab(NotifierSettings(unverified_rate=1.0))
    for number in range(1, 9):
        for again in range(BURST):
            assert asked(lab, source(number), f"c{number}-{again}") == 200
    assert len(lab.notifier._delivery.admission._spent) == 2
    assert asked(lab, source(8), "too-many") == 503 and asked(lab, source(1), "forgotten") == 200


def transmissions(lab: Lab, text: bytes) -> list[float]:
    start = next(at for at, data, _ in lab.sent if text in data)
    return [at - start for at, data, _ in lab.sent if text in data]


@pytest.mark.parametrize("expires", [600, 0])
def test_nobody_there_gets_four_transmissions(expires: int) -> None:
    """Checklist row 65: RFC 6665 §6.3: a spoofed SUBSCRIBE must not bring eleven NOTIFYs to its victim."""
    lab = Lab()
    asked(lab, UDP, "c1", expires)
    lab.run_until(lab.now + 100)
    assert transmissions(lab, b"NOTIFY sip:") == [0.0, 0.5, 1.5, 3.5]
    assert not lab.rows and not lab.notifier._delivery.admission._per_source


def proven_by_answer(lab: Lab) -> Phone:
    phone = Phone(lab)
    phone.subscribe()
    return phone


def proven_by_refresh(lab: Lab) -> Phone:
    phone = Phone(lab)
    phone.subscribe(answer=500)
    phone.subscribe(answer=500)
    return phone


def proven_before_the_restart(lab: Lab) -> Phone:
    phone = proven_by_answer(lab)
    lab.restart()
    return phone


@pytest.mark.parametrize("proven", [proven_by_answer, proven_by_refresh, proven_before_the_restart])
def test_somebody_who_was_there_gets_all_eleven(proven: Callable[[Lab], Phone]) -> None:
    """Checklist row 18: RFC 3261 §17.1.2.2."""
    lab = Lab()
    proven(lab)
    lab.change("alice", b"<b/>")
    lab.run_until(lab.now + 100)
    assert transmissions(lab, b"<b/>") == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_a_fetch_that_waits_for_a_name_counts() -> None:
    """I9: it holds a document, though no NOTIFY is on its way yet."""
    lab = Lab(NotifierSettings(max_fetches=1), access=FakeAccess(proxies={"192.0.2.9"}))
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    assert statuses(phone.subscribe(0)) == [200] and asked(lab, source(1), "c2", 0) == 503
    [hop] = lab.notifier.lookups()
    lab.notifier.looked_up(hop, [], now=lab.now)
    lab.pump()
    phone.take([lab.sent[-1][1]])
    assert asked(lab, source(1), "c3", 0) == 200


def test_fetches_of_an_address_are_counted_until_they_are_over() -> None:
    lab = Lab(NotifierSettings(max_fetches=8))
    for _ in range(2):
        assert [asked(lab, UDP, f"c{lab.now}-{number}", 0) for number in range(9)] == [200] * 8 + [503]
        lab.run_until(lab.now + 40)
    assert not lab.notifier._delivery.admission._fetching
