"""Whom a revision concerns of those who fetch, and what became of each."""

import pytest

from gitops_profile.presentity import (
    NotifyPolicy,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    RevisionStamp,
)
from gitops_profile.server.device_rollout import DeviceRollout
from gitops_profile.server.ladder import Ladder
from gitops_profile.server.stage import Stage
from gitops_profile.workers import Subscriptions
from tests.sip.harness import Phone

from .test_ladder import KEY, MAC, Bench

SINCE = 2000.0
CONTACT = "sip:2001@192.0.2.9:5062"


def names(bench: Bench, keys: set[ProfileKey] | None) -> list[str]:
    return [name for name in DeviceRollout(bench.ladder, bench.owing).concerned(keys, SINCE) if name is not None]


def stage(bench: Bench, name: str) -> tuple[Stage, bool]:
    found, phone, told = DeviceRollout(bench.ladder, bench.owing).stage(name, SINCE)
    assert found is Stage.GONE or phone.key == str(KEY)
    return found, told


def behind() -> tuple[Bench, str, str]:
    """A phone that has the version before; its name in the rollout, and the tag of the version in force."""
    bench = Bench()
    bench.see(1000.0, bench.put(b"a=1"), 200, contact=CONTACT)
    etag = bench.put(b"a=2")
    (name,) = names(bench, {KEY})
    assert DeviceRollout.is_one(name) and not DeviceRollout.is_one("call-1;t2")
    return bench, name, etag


def test_a_phone_goes_from_pending_to_fetched() -> None:
    bench, name, etag = behind()
    assert stage(bench, name) == (Stage.PENDING, False)
    bench.inventory.pushed(MAC, str(KEY), etag, 2001.0)
    assert stage(bench, name) == (Stage.NOTIFIED, True)
    bench.inventory.push_answered(MAC, str(KEY), 200, 2002.0)
    assert stage(bench, name) == (Stage.HEARD, True)
    bench.see(2003.0, etag, 200)
    assert stage(bench, name) == (Stage.FETCHED, True)
    bench.put(b"a=3")
    assert stage(bench, name) == (Stage.FETCHED, True), "it had the version of this revision"


@pytest.mark.parametrize("status", [481, 489])
def test_a_phone_that_knows_no_check_sync_is_out_of_reach_until_it_comes_by_itself(status: int) -> None:
    bench, name, etag = behind()
    bench.inventory.pushed(MAC, str(KEY), etag, 2001.0)
    bench.inventory.push_answered(MAC, str(KEY), status, 2002.0)
    assert stage(bench, name) == (Stage.UNREACHABLE, True)
    bench.see(2003.0, etag, 200)
    assert stage(bench, name) == (Stage.FETCHED, True)


def test_a_fault_counts_when_it_is_of_this_revision() -> None:
    bench, name, _ = behind()
    bench.inventory.push_failed(MAC, str(KEY), "offline", 1999.0)
    assert stage(bench, name) == (Stage.PENDING, False)
    bench.inventory.push_failed(MAC, str(KEY), "offline", 2001.0)
    assert stage(bench, name) == (Stage.UNREACHABLE, False)


def test_who_cannot_be_told_is_out_of_reach_from_the_beginning() -> None:
    bench = Bench()
    bench.see(1000.0, bench.put(b"a=1"), 200)  # no contact, and no AoR in the manifest
    bench.put(b"a=2")
    (name,) = names(bench, {KEY})
    assert stage(bench, name) == (Stage.UNREACHABLE, False)
    stamp = RevisionStamp("b" * 40, "A", "C", "1970-01-01T00:16:00Z", "m")
    policy = NotifyPolicy(aor="sip:2001@example.com")
    bench.table.apply(ProfileAdded(ProfileDocument(KEY, "text/plain", b"a=2", "p", notify=policy), stamp))
    assert stage(bench, name) == (Stage.PENDING, False)


def test_a_document_of_many_phones_is_told_to_each_as_its_own_profile_says() -> None:
    bench, common = Bench(), ProfileKey.device("example.com", "y000000000000")
    stamp = RevisionStamp("b" * 40, "A", "C", "1970-01-01T00:16:00Z", "m")

    def put(*documents: ProfileDocument) -> None:
        for document in documents:
            event = ProfileChanged if document.key in bench.table else ProfileAdded
            bench.table.apply(event(document, stamp))

    put(ProfileDocument(KEY, "text/plain", b"a=1", "p", notify=NotifyPolicy(aor="sip:2001@example.com")))
    put(first := ProfileDocument(common, "text/plain", b"c=1", "q"))
    bench.see(1000.0, first.etag, 200, key=str(common))  # no contact
    put(ProfileDocument(common, "text/plain", b"c=2", "q"))
    (name,) = names(bench, {common})
    found, phone, told = DeviceRollout(bench.ladder, bench.owing).stage(name, SINCE)
    assert (found, phone.key, told) == (Stage.PENDING, str(common), False)


def test_a_server_that_pushes_to_nobody_waits_for_nobody_who_must_be_told() -> None:
    bench, name, _ = behind()
    bench.ladder = Ladder(
        bench.table, Subscriptions(bench.lab.notifier), bench.lab.package, bench.inventory, bench.owing, ways=("aor",)
    )
    assert stage(bench, name) == (Stage.UNREACHABLE, False), "its manifest has no AoR"


def test_only_those_are_concerned_who_miss_it_or_fetched_it_since() -> None:
    bench = Bench()
    device = bench.see(1000.0, bench.put(b"a=1"), 200)
    assert names(bench, {KEY}) == names(bench, None) == [], "it has what is in force"
    assert names(bench, {ProfileKey.device("example.com", "lobby")}) == []
    bench.see(2001.0, bench.put(b"a=2"), 200)
    assert len(names(bench, {KEY})) == 1, "it was quicker than whoever looks"
    bench.put(b"a=3")
    Phone(bench.lab, MAC).subscribe()
    assert device.mac == MAC and names(bench, {KEY}) == [], "a subscriber is told by its subscription"


def test_a_phone_that_subscribes_meanwhile_has_it_with_its_acknowledgement() -> None:
    bench, name, _ = behind()
    Phone(bench.lab, MAC).subscribe()
    assert stage(bench, name) == (Stage.ACKNOWLEDGED, True)


def test_a_phone_is_one_whose_documents_came_into_force_one_after_the_other() -> None:
    names = ["call-1;t2", "device\na\nk1", "device\nb\nk1", "device\na\nk2\nk1", "call-1;t2"]
    assert DeviceRollout.merged(names) == ["call-1;t2", "device\na\nk1\nk2", "device\nb\nk1"]


def test_a_phone_or_document_that_is_no_more_is_gone() -> None:
    bench, name, _ = behind()
    assert stage(bench, name.replace(MAC, "001565000000", 1)) == (Stage.GONE, False)
    assert stage(bench, f"device\n{MAC}\ndevice/example.com/lobby") == (Stage.GONE, False)
