"""What the main process knows of another worker's subscriptions is what that worker knows, as one server."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip import StoredSubscription
from gitops_profile.workers import Mirror, Owners, Subscriptions, pack, unpack
from tests.sip.harness import Lab, Phone

RAW = "caf\udce9"
"""Bytes that are no UTF-8."""


def row_of(lab: Lab, number: int = 0) -> StoredSubscription:
    return next(islice(lab.rows.values(), number, None))


def subscribed(*users: str) -> Lab:
    lab = Lab()
    lab.package.documents |= dict.fromkeys(users, b"<a/>")
    for number, user in enumerate(users):
        Phone(lab, user, call_id=f"call-{number}").subscribe()
    return lab


def test_a_row_comes_back_as_it_was() -> None:
    row = row_of(subscribed("alice"))
    for one in (row, row._replace(route_set=("<sip:p;lr>", "<sip:q>"), delivered_at=None, follows=True)):
        assert unpack(pack(one)[2]) == one


def test_bytes_that_are_no_text_come_back_as_they_came() -> None:
    row = row_of(subscribed("alice"))
    odd = row._replace(id=f"{RAW};t1", resource=RAW, user_agent=RAW, route_set=(RAW, "é"), identity=None)
    id_, resource, packed = pack(odd)
    assert unpack(packed) == odd
    mirror = Mirror()
    mirror.save([(id_, resource, packed)])
    assert list(mirror.ids()) == [f"{RAW};t1"] and mirror.count_to(RAW) == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3))))
def test_the_mirror_is_the_rows_that_are_left(steps: list[tuple[bool, int, int]]) -> None:
    base = row_of(subscribed("alice"))
    mirror, rows = Mirror(), dict[str, StoredSubscription]()
    resources = set[str]()
    for keeps, number, resource in steps:
        # An id has one resource for ever.
        row = base._replace(id=f"c{number};t", call_id=f"c{number}", local_tag="t", resource=f"u{resource}")
        row = rows.get(row.id, row)
        if keeps:
            rows[row.id] = row
            assert mirror.save([pack(row)]) == ([row.resource] if row.resource not in resources else [])
        else:
            rows.pop(row.id, None)
            mirror.delete([row.id])
        resources = {one.resource for one in rows.values()}
        assert set(mirror.ids()) == set(rows) and len(mirror) == len(rows)
        assert set(mirror.resources()) == resources
        for name in (f"u{index}" for index in range(4)):
            ids = {id_ for id_, one in rows.items() if one.resource == name}
            assert set(mirror.ids_to(name)) == ids and mirror.count_to(name) == len(ids)
            assert {held.id for held in mirror.to(name)} == ids


def test_two_workers_are_one_server() -> None:
    labs = []
    for me, users in enumerate((("alice", "bob"), ("alice", "carol", "dave"))):
        lab = subscribed(*users)
        rows = [
            row._replace(id=f"{row.call_id};{me}{row.local_tag}", local_tag=f"{me}{row.local_tag}")
            for row in lab.rows.values()
        ]
        labs.append((lab, rows))
    ours, theirs = Lab(package=labs[0][0].package), Mirror()
    ours.notifier.restore(labs[0][1], now=ours.now)
    theirs.save(map(pack, labs[1][1]))
    told: list[tuple[object, ...]] = []
    held = Subscriptions(ours.notifier, [theirs], Owners(0, 2).of_subscription, lambda *word: told.append(word))
    ids = {row.id for _, rows in labs for row in rows}
    assert len(held) == 5 and set(held.ids()) == {one.id for one in held.subscriptions()} == ids
    assert {found.id for id_ in ids if (found := held.find(id_)) is not None} == ids
    assert held.find("nobody;1x") is held.find("nobody;0x") is None
    assert held.count_to(["alice", "dave"]) == 3
    assert {one.id for one in held.subscriptions_to("alice")} == set(held.ids_to("alice"))
    assert len(held.ids_to("alice")) == 2
    resources = held.resources()
    assert sorted(resources) == ["alice", "bob", "carol", "dave"]
    assert len(resources) == 4 and "carol" in resources and "eve" not in resources
    held.drain("deactivated", now=ours.now)
    assert told == [("drain", "deactivated")] and not held.is_quiet
    held.unquiet.discard(1)
    assert held.is_quiet is ours.notifier.is_quiet
    held.reauthorize(now=ours.now)
    assert told[1:] == [("reauthorize",)]


def test_a_row_tells_of_the_notify_that_left_with_it() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.send(phone.build(), None)  # it does not answer
    mirror = Mirror()
    mirror.save([pack(row_of(lab))])
    (here,) = lab.notifier.subscriptions()
    there = mirror.find(here.id)
    assert there is not None and there.delivery == here.delivery == "notified"
    phone.take([data for _, data, _ in lab.sent if data.startswith(b"NOTIFY ")])
    mirror.save([pack(row_of(lab))])
    there = mirror.find(here.id)
    assert there is not None and there.delivery == here.delivery == "acknowledged"
