"""Where phones stand: real subscriptions in virtual time, a real inventory, a real table."""

import math
from dataclasses import dataclass
from typing import Any

from gitops_profile.devices import How, Rung, Sighting
from gitops_profile.inventory import Device, Inventory
from gitops_profile.presentity import (
    NotifyPolicy,
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    RevisionStamp,
    Variant,
)
from gitops_profile.server.device_rollout import DeviceRollout
from gitops_profile.server.ladder import Ladder
from gitops_profile.server.owing import Owing
from gitops_profile.sip import NotifierSettings
from gitops_profile.sip.syntax import EventHeader, Request
from gitops_profile.workers import Subscriptions
from tests.sip.harness import PHONE, FakePackage, Lab, Phone

MAC = "001565aabbcc"
KEY = ProfileKey.device("example.com", MAC)
STAMP = RevisionStamp("a" * 40, "A", "C", "1970-01-01T00:15:00Z", "m")
"""Committed at 900."""


class DevicePackage(FakePackage):
    """Device profiles."""

    def resource(self, request: Request, event: EventHeader) -> str:
        return f"device/example.com/{request.uri.partition(':')[2].partition('@')[0]}"


@dataclass
class Closed:
    until: float
    why: str = "outside its maintenance windows"


class Bench:
    """One phone's world."""

    def __init__(self) -> None:
        self.lab = Lab(NotifierSettings(), DevicePackage({str(KEY): b"a=1"}))
        self.table = PresentityTable()
        self.inventory = Inventory()
        self.closed: Closed | None = None
        self.owing = Owing(self.table, Subscriptions(self.lab.notifier), lambda shown: shown.etag, self.key_of)
        self.ladder = Ladder(
            self.table,
            Subscriptions(self.lab.notifier),
            self.lab.package,
            self.inventory,
            self.owing,
            lambda key: self.closed,
        )
        self.put(b"a=1")

    def key_of(self, mac: str) -> ProfileKey | None:
        return self.table.resolve(ProfileKey.device("example.com", mac))

    def put(self, body: bytes, *variants: Variant) -> str:
        document = ProfileDocument(KEY, "text/plain", body, "device/example.com/x.yaml", variants=variants)
        event = ProfileChanged if KEY in self.table else ProfileAdded
        self.table.apply(event(document, STAMP))
        return document.etag

    def see(self, at: float, etag: str | None = None, status: int | None = None, **more: Any) -> Device:
        how = How.GET if status is not None else How.PNP
        sighting = Sighting(how, at, PHONE[0], MAC, "yealink", key=str(KEY), etag=etag, status=status)
        device = self.inventory.see(sighting._replace(**more))
        assert device is not None
        return device

    def stands(self, device: Device) -> tuple[Rung, float | None]:
        ((_, _, where),) = self.ladder.of_device(device)
        return where.rung, where.at


def test_a_phone_that_fetches_climbs_each_rung_with_its_time() -> None:
    bench = Bench()
    device = bench.see(1000.0)
    assert bench.stands(device) == (Rung.DESIRED, 900.0)
    bench.see(1001.0, bench.table.get(KEY).etag, 200)  # type: ignore[union-attr]
    assert bench.stands(device) == (Rung.FETCHED, 1001.0)
    bench.see(1100.0)
    assert bench.stands(device) == (Rung.RETURNED, 1100.0)
    etag = bench.put(b"a=2")
    assert bench.stands(device) == (Rung.DESIRED, 900.0), "what it has is another version"
    bench.closed = Closed(5000.0)
    assert bench.stands(device) == (Rung.HELD, 900.0)
    bench.closed = None
    bench.inventory.pushed(MAC, str(KEY), etag, 1200.0)
    assert bench.stands(device) == (Rung.NOTIFIED, 1200.0)
    bench.inventory.push_answered(MAC, str(KEY), 200, 1201.0)
    assert bench.stands(device) == (Rung.ACKNOWLEDGED, 1201.0)
    bench.see(1202.0, etag, 200)
    assert bench.stands(device) == (Rung.FETCHED, 1202.0)
    bench.put(b"a=1")
    assert bench.stands(device) == (Rung.DESIRED, 900.0), "a revert is a version like any other"


def test_what_was_told_of_an_older_version_is_nothing_about_this_one() -> None:
    bench = Bench()
    device = bench.see(1000.0)
    bench.inventory.pushed(MAC, str(KEY), bench.put(b"a=2"), 1001.0)
    bench.inventory.push_answered(MAC, str(KEY), 200, 1002.0)
    assert bench.stands(device)[0] is Rung.ACKNOWLEDGED
    bench.put(b"a=3")
    assert bench.stands(device)[0] is Rung.DESIRED


def test_an_offline_phone_is_faulted_until_it_fetches() -> None:
    bench = Bench()
    device = bench.see(1000.0)
    bench.inventory.push_failed(MAC, str(KEY), "the phone does not answer", 1003.0)
    assert bench.stands(device) == (Rung.FAULTED, 1003.0)
    row = bench.ladder.row(device)
    assert (row["rung"], row["reason"], row["key"]) == ("faulted", "the phone does not answer", str(KEY))
    bench.see(1004.0, bench.table.get(KEY).etag, 200)  # type: ignore[union-attr]
    assert bench.stands(device) == (Rung.FETCHED, 1004.0)


def test_each_phone_is_measured_by_its_own_variant() -> None:
    bench = Bench()
    other = Variant("*yealink*", None, None, "text/plain", b"a=9")
    device = bench.see(1000.0, bench.put(b"a=1", other), 200)
    assert bench.stands(device)[0] is Rung.DESIRED, "it has what others get"
    bench.see(1001.0, other.etag, 200)
    assert bench.stands(device) == (Rung.FETCHED, 1001.0)


def test_a_subscriber_has_it_with_its_acknowledgement() -> None:
    bench = Bench()
    phone = Phone(bench.lab, MAC)
    phone.subscribe()
    (subscription,) = bench.lab.notifier.subscriptions()
    assert bench.ladder.of_subscription(subscription).rung is Rung.ACKNOWLEDGED
    bench.lab.now = 1100.0
    told = bench.lab.change(str(KEY), b"a=2")
    bench.put(b"a=2")
    where = bench.ladder.of_subscription(subscription)
    assert (where.rung, where.at) == (Rung.NOTIFIED, 1100.0)
    bench.lab.now = 1101.0
    phone.take(told)
    where = bench.ladder.of_subscription(subscription)
    assert (where.rung, where.at) == (Rung.ACKNOWLEDGED, 1101.0)


async def test_a_phone_that_is_seen_and_subscribed_is_one_phone_and_stands_where_its_subscription_does() -> None:
    bench = Bench()
    Phone(bench.lab, MAC).subscribe()
    device = bench.see(1000.0)
    assert bench.stands(device)[0] is Rung.ACKNOWLEDGED
    assert {rung: n for rung, n in (await bench.ladder.summary())["ladder"].items() if n} == {"acknowledged": 1}
    bench.inventory.see(Sighting(How.PNP, 1000.0, "192.0.2.77", "000413aabbcc"))  # a stranger has no document
    assert {rung: n for rung, n in (await bench.ladder.summary())["ladder"].items() if n} == {"acknowledged": 1}


async def test_devices_are_told_all_with_a_profile_or_without_one() -> None:
    bench = Bench()
    bench.see(1000.0)
    bench.inventory.see(Sighting(How.PNP, 1000.0, "192.0.2.77", "000413aabbcc"))
    ask = bench.ladder.handlers()["devices"]
    assert [row["device"] for row in await ask({})] == ["000413aabbcc", MAC]
    (unknown,) = await ask({"unknown": True})
    assert (unknown["device"], unknown["mac"], unknown["rung"], unknown["key"]) == (
        "000413aabbcc", "000413aabbcc", None, None,
    )  # fmt: skip
    assert [row["device"] for row in await ask({"key": str(KEY)})] == [MAC]
    bench.closed = Closed(math.inf)
    (held,) = (row for row in await ask({}) if row["device"] == MAC)
    assert (held["rung"], held["until"], held["reason"]) == ("held", None, "outside its maintenance windows")
    bench.closed = Closed(5000.0)
    summary = await bench.ladder.summary()
    assert summary["ladder"]["held"] == 1
    (why,) = summary["held_phones"]
    assert why == {"phones": 1, "reason": "outside its maintenance windows", "until": "1970-01-01T01:23:20Z"}


async def test_a_subscriber_that_left_is_waited_for_no_more() -> None:
    bench = Bench()
    phone = Phone(bench.lab, MAC)
    phone.subscribe()
    bench.see(1000.0, how=How.SUBSCRIBE)
    assert (await bench.ladder.summary())["ladder"]["acknowledged"] == 1
    phone.subscribe(0)
    bench.put(b"a=2")
    assert not any((await bench.ladder.summary())["ladder"].values())
    assert list(DeviceRollout(bench.ladder, bench.owing).concerned({KEY}, 1000.0)) == [None]
    bench.see(1001.0, bench.put(b"a=2"), 200)
    bench.put(b"a=3")
    bench.see(1002.0, how=How.SUBSCRIBE)
    assert (await bench.ladder.summary())["ladder"]["desired"] == 1, "it fetches as well"


async def test_a_subscription_to_an_alias_is_the_phones_own() -> None:
    bench = Bench()
    other = "0004f2aabbcc"
    alias = ProfileKey.device("example.com", other)
    bench.table.apply(ProfileChanged(ProfileDocument(KEY, "text/plain", b"a=1", "p", aliases=(alias,)), STAMP))
    bench.lab.package.documents[str(alias)] = b"a=1"
    Phone(bench.lab, other).subscribe()
    seen = bench.inventory.see(Sighting(How.SUBSCRIBE, 1000.0, PHONE[0], other, key=str(alias)))
    assert seen is not None and bench.stands(seen)[0] is Rung.ACKNOWLEDGED
    assert bench.owing.to(seen) == [], "it needs no check-sync"
    assert (await bench.ladder.summary())["ladder"]["acknowledged"] == 1


async def test_a_phone_that_was_only_expected_counts_until_another_was_seen_with_its_profile() -> None:
    bench = Bench()
    desk = ProfileKey.device("example.com", "desk")
    document = ProfileDocument(
        desk, "text/plain", b"a=1", "p", aliases=(ProfileKey.device("example.com", "00085daabbcc"),),
        notify=NotifyPolicy(aor="sip:2001@example.com"),
    )  # fmt: skip
    bench.table.apply(ProfileAdded(document, STAMP))
    bench.inventory.expect(str(desk), str(desk), None, 1000.0)
    assert (await bench.ladder.summary())["ladder"]["desired"] == 1
    bench.inventory.see(Sighting(How.PNP, 1001.0, "192.0.2.8", "00085daabbcc", key=str(desk)))
    assert (await bench.ladder.summary())["ladder"]["desired"] == 1


async def test_a_phone_that_was_only_expected_and_has_no_aor_any_more_is_none() -> None:
    bench = Bench()
    document = bench.table.get(KEY)
    assert document is not None
    with_aor = document.but(notify=NotifyPolicy(aor="sip:2001@example.com"))
    bench.table.apply(ProfileChanged(with_aor, STAMP))
    bench.inventory.expect(MAC, str(KEY), MAC, 1000.0)
    assert len(bench.ladder.devices([KEY])) == 1
    bench.table.apply(ProfileChanged(document, STAMP))
    assert bench.ladder.devices([KEY]) == [] and bench.ladder.devices(None) == []
    assert sum((await bench.ladder.summary())["ladder"].values()) == 0, "else it would be unreachable for ever"
