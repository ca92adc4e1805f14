"""The subscriptions of an earlier life, taken up while the notifier serves (invariants I3, I6, I8)."""

from collections.abc import Sequence
from dataclasses import replace

from gitops_profile.sip import NotifierSettings, StoredSubscription
from gitops_profile.sip.restoring import ROWS_AT_ONCE
from gitops_profile.sip.syntax import Request

from .harness import FakeAccess, FakePackage, Lab, Phone, parsed, statuses

MANY = 3 * ROWS_AT_ONCE
SETTINGS = NotifierSettings(unverified_rate=1e6)
"""All of them are one address, which has not answered yet."""


class Rows:
    """A backlog of rows, and what was asked of it."""

    def __init__(self, rows: Sequence[StoredSubscription]) -> None:
        self._rows = {row.id: row for row in rows}
        self._next = list(rows)
        self.asked: list[str] = []

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, most: int) -> Sequence[StoredSubscription]:
        some, self._next = self._next[:most], self._next[most:]
        return some

    def find(self, id_: str) -> StoredSubscription | None:
        self.asked.append(id_)
        return self._rows.get(id_)


def crowd(lab: Lab, count: int = MANY) -> list[Phone]:
    """Phones that are subscribed to a document each."""
    for number in range(count):
        lab.package.documents[f"u{number}"] = b"<%d/>" % number
    phones = [Phone(lab, user=f"u{number}", call_id=f"c{number}") for number in range(count)]
    for phone in phones:
        phone.subscribe()
    return phones


def begin(lab: Lab) -> Rows:
    """Kill it, and begin another life with nothing taken up."""
    rows = Rows(list(lab.rows.values()))
    lab.restart(rows)
    return rows


def finish(lab: Lab) -> list[Request]:
    """Take up what is left; the NOTIFYs that are sent for it."""
    before = len(lab.sent)
    while lab.notifier.restore_some(now=lab.now):
        lab.pump()
    lab.pump()
    return [message for message in map(parsed, lab.since(before)) if isinstance(message, Request)]


def test_all_are_counted_from_the_first_moment_and_held_at_the_end() -> None:
    lab = Lab(SETTINGS)
    crowd(lab)
    begin(lab)
    assert (len(lab.notifier), lab.notifier.to_come, len(lab.notifier.resources())) == (MANY, MANY, 0)
    assert lab.notifier.restore_some(now=lab.now)
    assert (len(lab.notifier), lab.notifier.to_come) == (MANY, MANY - ROWS_AT_ONCE)
    assert finish(lab) == [], "everybody has what is in force (I3)"
    assert (len(lab.notifier), lab.notifier.to_come, len(lab.notifier.resources())) == (MANY, 0, MANY)


def test_whoever_refreshes_before_his_turn_goes_on_in_his_dialog_and_is_there_once() -> None:
    lab = Lab(SETTINGS)
    last = crowd(lab)[-1]
    rows = begin(lab)
    assert statuses(last.subscribe()) == [200, "NOTIFY"]
    assert len(rows.asked) == 1 and len(lab.notifier) == MANY
    assert statuses(last.subscribe()) == [200, "NOTIFY"]
    assert len(rows.asked) == 1, "it is in memory by now"
    cseq = last.notifies[-1].cseq
    assert finish(lab) == [] and len(lab.notifier) == MANY
    last.take(lab.change(f"u{MANY - 1}", b"<new/>"))
    assert last.notifies[-1].cseq == cseq + 1


def test_what_has_ended_does_not_come_back() -> None:
    lab = Lab(SETTINGS)
    phones = crowd(lab)
    begin(lab)
    lab.notifier.restore_some(now=lab.now)
    for phone in (phones[0], phones[-1]):  # one that was taken up, and one whose turn is still to come
        assert statuses(phone.subscribe(0)) == [200, "NOTIFY"]
        assert statuses(phone.subscribe()) == [481]
    assert len(lab.notifier) == MANY - 2
    assert finish(lab) == []
    assert len(lab.notifier) == MANY - 2 == len(lab.rows)
    assert statuses(phones[-1].subscribe()) == [481]


def test_a_change_in_the_middle_reaches_each_of_them_once() -> None:
    lab = Lab(SETTINGS)
    crowd(lab)
    begin(lab)
    lab.notifier.restore_some(now=lab.now)
    for number in range(MANY):
        lab.package.documents[f"u{number}"] = b"<other/>"
    before = len(lab.sent)
    lab.notifier.state_changed([f"u{number}" for number in range(MANY)], now=lab.now)
    finish(lab)
    lab.run_until(lab.now)
    told = [message for message in map(parsed, lab.since(before)) if isinstance(message, Request)]
    assert len({message.call_id for message in told}) == len(told) == MANY


def test_a_refused_refresh_before_its_turn_takes_no_news_away() -> None:
    lab = Lab(SETTINGS)
    last = crowd(lab)[-1]
    lab.package.documents[f"u{MANY - 1}"] = b"<news/>"
    begin(lab)
    old = last.build().replace(b"CSeq: 2 ", b"CSeq: 0 ")
    assert statuses(last.send(old)) == [500]
    assert [message.body for message in finish(lab)] == [b"<news/>"]


def test_one_that_is_overdue_is_told_its_end_in_its_turn() -> None:
    lab = Lab(SETTINGS)
    last = crowd(lab)[-1]
    lab.now += 100_000
    begin(lab)
    assert statuses(last.subscribe()) == [481]
    finish(lab)
    before = len(lab.sent)
    lab.run_until(lab.now)
    lab.run_until(lab.now + 1)
    told = [message for message in map(parsed, lab.since(before)) if isinstance(message, Request)]
    assert {message.headers.get("subscription-state") for message in told} == {"terminated;reason=timeout"}
    assert len({message.call_id for message in told}) == MANY and not lab.rows


def test_an_unknown_dialog_is_none() -> None:
    lab = Lab(SETTINGS)
    crowd(lab)
    begin(lab)
    stranger = Phone(lab, user="u0", call_id="nobody's")
    stranger.to_tag = "unknown"
    assert statuses(stranger.subscribe()) == [481]


def test_the_bound_on_all_of_them_holds_meanwhile() -> None:
    lab = Lab(replace(SETTINGS, max_subscriptions=MANY))
    crowd(lab)
    begin(lab)
    assert statuses(Phone(lab, user="u1", call_id="one-more").subscribe()) == [503]


def test_whoever_may_no_more_is_told_that_and_not_the_news() -> None:
    access = FakeAccess()
    lab = Lab(package=FakePackage({"alice": b"<a/>"}), access=access)
    phone = Phone(lab)
    phone.subscribe(X_Identity="alice")
    lab.package.documents["alice"] = b"<secret/>"
    access.forbidden.add(("alice", "alice"))
    begin(lab)
    [told] = finish(lab)
    assert told.headers.get("subscription-state") == "terminated;reason=rejected" and told.body == b""
