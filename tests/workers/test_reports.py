"""What happens in a worker is counted by the main process as if it had happened there."""

import asyncio
from typing import Any

import msgspec
import pytest

from gitops_profile.metrics import Metrics
from gitops_profile.server.observer import Observer
from gitops_profile.sip import (
    AuthenticationFailed,
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
)
from gitops_profile.transport import Reason, TransportRefused
from gitops_profile.workers import Reports, is_worth_a_line, tell
from gitops_profile.workers import reports as module

HAPPENED: list[SubscriptionEvent] = [
    AuthenticationFailed("192.0.2.9", "caf\udce9", "example.com", "wrong-response"),
    *[MessageRefused("192.0.2.9", status, "x") for status in (481, 481, 0)],
    *[NotifyAnswered("i", "user/x/a", status, "e", seconds) for status, seconds in ((200, 0.01), (200, 0.3), (481, 1))],
    *[SubscriptionEnded("i", "user/x/a", reason) for reason in ("timeout", "NOTIFY answered 481", "timeout")],
    SubscriptionRefreshed("i", "user/x/a", 60),
    SubscriptionStarted("i", "user/x/a", "192.0.2.9", 60),
    SubscriptionStarted("i", "device/x/001122334455", "192.0.2.9", 60),
]


def exposed(metrics: Metrics) -> list[str]:
    """In any order, without the times of making."""
    return sorted(line for line in metrics.exposition().decode().splitlines() if "_created" not in line)


async def told(metrics: Metrics) -> list[SubscriptionEvent]:
    """What the main process is told one by one, and counts."""
    observer, single = Observer(metrics), list[SubscriptionEvent]()
    said: list[Any] = []
    reports = Reports(lambda report: said.append(msgspec.msgpack.encode(report)), is_single=is_worth_a_line)
    for event in HAPPENED:
        reports.sip_event(event)
    for _ in range(3):
        reports.connection_refused(TransportRefused("192.0.2.9", Reason.SLOW))
    await asyncio.sleep(2 * module.EVERY)
    assert len(said) == 1

    def on_event(event: SubscriptionEvent) -> None:
        single.append(event)
        observer.sip_event(event)

    for report in said:
        tell(msgspec.msgpack.decode(report), on_event, observer)
    return single


async def test_the_counts_are_those_of_one_process() -> None:
    there, here = Metrics(), Metrics()
    single = await told(there)
    observer = Observer(here)
    for event in HAPPENED:
        observer.sip_event(event)
    for _ in range(3):
        observer.connection_refused(TransportRefused("192.0.2.9", Reason.SLOW))
    assert exposed(there) == exposed(here)
    assert 'gitops_profile_sip_refused_total{status="481"} 2.0' in exposed(here)
    assert [type(event) for event in single] == [AuthenticationFailed, NotifyAnswered, SubscriptionStarted]
    assert single[0] == AuthenticationFailed("192.0.2.9", "caf\\xe9", "example.com", "wrong-response")


async def test_what_goes_beyond_the_bound_is_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 1)
    there, here = Metrics(), Metrics()
    single = await told(there)
    observer = Observer(here)
    for event in HAPPENED:
        observer.sip_event(event)
    for _ in range(3):
        observer.connection_refused(TransportRefused("192.0.2.9", Reason.SLOW))
    assert len(single) == 1 and exposed(there) == exposed(here)


async def test_a_phone_that_says_who_it_is_is_told_of_in_the_same_turn() -> None:
    said: list[object] = []
    reports = Reports(said.append, is_single=is_worth_a_line)
    reports.sip_event(NotifyAnswered("i", "user/x/a", 200, "e", 0.1))
    await asyncio.sleep(0)
    assert not said
    for _ in range(2):
        reports.sip_event(SubscriptionStarted("i", "device/x/001122334455", "192.0.2.9", 60))
    await asyncio.sleep(0)
    assert len(said) == 1
    await asyncio.sleep(2 * module.EVERY)
    assert len(said) == 1
