"""Who has to wait for a maintenance window, by the table alone and by a clock that may be set."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gitops_profile.presentity import (
    NotifyPolicy,
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    ProfileRemoved,
    RevisionStamp,
    Window,
)
from gitops_profile.server.holding import Held, Holding

ZONE = ZoneInfo("Europe/Berlin")
NIGHT = Window(True, "0 22 * * *", 4 * 3600, "Europe/Berlin")
OFFICE = Window(False, "0 8 * * 1-5", 10 * 3600, "Europe/Berlin")
ALICE = ProfileKey.user("example.com", "alice")
PHONE = ProfileKey.device("example.com", "0004f2a1b2c3")
DEFAULT = ProfileKey.device("example.com", "default")
STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "message")
URGENT = RevisionStamp("b" * 40, "A", "C", "2026-01-01T00:00:00Z", "message", urgent=True)
OUTSIDE = "outside its maintenance windows"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


class Lab:
    """A table, a clock that the test sets, and what was named when it opened."""

    def __init__(self, now: str = "2026-03-04T12:00") -> None:
        self.now = at(now)
        self.table = PresentityTable()
        self.holding = Holding(
            self.table, takes_unknown_devices=lambda domain: domain == "example.com", wall=lambda: self.now
        )
        self.opened: list[ProfileKey] = []
        self.holding.on_open.append(self.opened.extend)

    def add(
        self, key: ProfileKey, *windows: Window, stamp: RevisionStamp = STAMP, aliases: tuple[ProfileKey, ...] = ()
    ) -> None:
        policy = NotifyPolicy(windows=windows)
        self.table.apply(
            ProfileAdded(ProfileDocument(key, "text/xml", b"<a/>", "p", aliases=aliases, notify=policy), stamp)
        )


def test_without_windows_nothing_is_held() -> None:
    lab = Lab()
    lab.add(ALICE)
    assert lab.holding.held(ALICE) is None
    assert lab.holding.held(PHONE) is None


def test_a_held_profile_says_why_and_until_when() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    lab.add(PHONE, OFFICE)
    assert lab.holding.held(ALICE) == Held(at("2026-03-04T22:00"), OUTSIDE)
    assert lab.holding.held(PHONE) == Held(
        at("2026-03-04T18:00"), "in the deny window 0 8 * * 1-5 (Europe/Berlin) for 10h"
    )
    assert lab.holding.opens(PHONE) == at("2026-03-04T18:00")
    held = lab.holding.held(ALICE)
    assert held is not None and held.facts() == {"until": "2026-03-04T21:00:00Z", "why": OUTSIDE}


def test_the_clock_alone_opens_and_shuts() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    found = []
    for now in ("22:00", "23:59", "12:00", "22:30", "21:59"):
        lab.now = at(f"2026-03-04T{now}")
        found.append(lab.holding.held(ALICE) is None)
    assert found == [True, True, False, True, False]


def test_an_open_window_is_seen_to_shut_with_its_minute() -> None:
    lab = Lab("2026-03-05T01:59")
    lab.add(ALICE, NIGHT)
    assert lab.holding.held(ALICE) is None
    lab.now += 59.9
    assert lab.holding.held(ALICE) is None
    lab.now += 0.1
    assert lab.holding.held(ALICE) is not None


def test_an_urgent_change_waits_for_nothing_and_the_next_one_does_again() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT, stamp=URGENT)
    assert lab.holding.held(ALICE) is None
    document = lab.table.get(ALICE)
    assert document is not None
    lab.table.apply(ProfileChanged(document, STAMP))
    assert lab.holding.held(ALICE) is not None


def test_an_alias_and_an_unknown_device_have_the_policy_of_what_they_are_given() -> None:
    lab = Lab()
    other = ProfileKey.user("example.com", "sales")
    lab.add(ALICE, NIGHT, aliases=(other,))
    lab.add(DEFAULT, NIGHT)
    assert lab.holding.held(other) is not None
    assert lab.holding.held(PHONE) is not None
    org = "example.org"
    lab.add(ProfileKey.device(org, "default"), NIGHT)
    assert lab.holding.held(ProfileKey.device(org, "default")) is not None
    assert lab.holding.held(ProfileKey.device(org, "gone")) is None  # it has nothing now, and is told so at once


def test_what_waits_is_named_when_its_windows_open_and_only_then() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    lab.add(PHONE, OFFICE)
    assert lab.holding.holds(str(ALICE))
    assert lab.holding.wait(PHONE)
    lab.holding.open_now()
    assert lab.opened == []
    lab.now = at("2026-03-04T18:00")
    lab.holding.open_now()
    assert lab.opened == [PHONE]
    lab.now = at("2026-03-04T22:00")
    lab.holding.open_now()
    lab.holding.open_now()
    assert lab.opened == [PHONE, ALICE]


def test_who_only_looks_is_not_named() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    assert lab.holding.held(ALICE)
    lab.now = at("2026-03-04T22:00")
    lab.holding.open_now()
    assert lab.opened == []


def test_a_clock_that_is_set_forward_opens_and_one_that_is_set_back_holds_again() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    lab.holding.wait(ALICE)
    lab.now = at("2026-03-04T22:30")
    lab.holding.open_now()
    assert lab.opened == [ALICE]
    lab.now = at("2026-03-04T21:30")
    assert lab.holding.wait(ALICE) == Held(at("2026-03-04T22:00"), OUTSIDE)


def test_the_policy_is_that_of_the_newest_document() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    lab.holding.wait(ALICE)
    lab.add(ALICE)
    assert lab.holding.held(ALICE) is None
    lab.table.apply(ProfileRemoved(ALICE, "p", STAMP))
    assert lab.holding.held(ALICE) is None


def test_a_time_zone_that_is_not_known_here_holds_until_somebody_acts(caplog: pytest.LogCaptureFixture) -> None:
    lab = Lab()
    lab.add(ALICE, Window(True, "0 0 * * *", 60, "Mars/Base"))
    held = lab.holding.wait(ALICE)
    assert held is not None and held.facts()["until"] is None and "'Mars/Base' is no time zone" in held.why
    lab.holding.open_now()
    assert lab.opened == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_the_task_names_what_opens_and_wakes_for_a_clock_that_was_set() -> None:
    lab = Lab()
    lab.add(ALICE, NIGHT)
    opened = asyncio.Event()
    lab.holding.on_open.append(lambda keys: opened.set())
    task = asyncio.create_task(lab.holding.run())
    try:
        lab.holding.wait(ALICE)
        await asyncio.sleep(0)
        lab.now = at("2026-03-04T22:00")
        lab.holding.look()
        async with asyncio.timeout(5):
            await opened.wait()
        assert lab.opened == [ALICE]
    finally:
        task.cancel()


async def test_a_window_that_opens_soon_is_not_looked_at_late() -> None:
    lab = Lab("2026-03-04T21:59:59.900")
    lab.add(ALICE, NIGHT)
    loop = asyncio.get_running_loop()
    begin, start = loop.time(), lab.now
    lab.holding._wall = lambda: start + loop.time() - begin
    opened = asyncio.Event()
    lab.holding.on_open.append(lambda keys: opened.set())
    task = asyncio.create_task(lab.holding.run())
    try:
        await asyncio.sleep(0)
        assert lab.holding.wait(ALICE)
        async with asyncio.timeout(5):
            await opened.wait()
    finally:
        task.cancel()
