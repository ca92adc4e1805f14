"""What a store that is slow or fails does to each path (invariant I6): a refusal changes nothing, and says so once."""

import pytest

from gitops_profile.sip import NotifierSettings, Target, commitments
from gitops_profile.sip.batch import Batch
from gitops_profile.sip.syntax import Request
from tests.conftest import Bound

from .harness import FakeAccess, Lab, Phone, parsed, statuses


def held(lab: Lab) -> list[Batch]:
    """Let the store be slow from now on."""
    lab.holding = []
    return lab.holding


def looked_up_before_the_commit(lab: Lab) -> list[Batch]:
    """A SUBSCRIBE from behind a name whose address is known before the store has answered; what the store is held."""
    waiting = held(lab)
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    lab.receive(phone.build())
    [hop] = lab.notifier.lookups()
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    return waiting


def released(lab: Lab, batch: Batch, *, works: bool) -> list[bytes]:
    """The store is fast again, and ends `batch`; what came out."""
    lab.holding = None
    before = len(lab.sent)
    lab.retry(batch, works=works)
    return lab.since(before)


def test_a_subscribe_that_the_store_refuses_is_never_notified() -> None:
    """RFC 6665 §4.1.2.1: a final response other than 2xx, so no subscription and no NOTIFY."""
    lab = Lab()
    lab.store_works = False
    assert statuses(Phone(lab).subscribe()) == [503]
    lab.store_works = True
    lab.change("alice", b"<b/>")
    lab.run_until(lab.now + 700)
    assert len(lab.sent) == 1 and not lab.rows and lab.notifier.is_quiet


def test_a_fetch_that_shares_a_refused_commit_is_never_notified_and_leaves_no_count() -> None:
    lab = Lab()
    waiting = held(lab)
    notifier, now = lab.notifier, lab.now
    notifier.receive(Phone(lab, call_id="fetch").build(0), Phone(lab).flow, now=now)
    notifier.receive(Phone(lab, call_id="stays").build(600), Phone(lab).flow, now=now)
    lab.pump()
    assert statuses([parsed(data) for data in released(lab, waiting[0], works=False)]) == [503, 503]
    lab.run_until(lab.now + 100)
    assert len(lab.sent) == 2 and not lab.notifier._delivery.admission._per_source


def test_a_look_up_that_is_answered_before_the_commit_fails_leaves_no_row_and_no_notify() -> None:
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    waiting = looked_up_before_the_commit(lab)
    [first] = waiting  # its NOTIFY waits: no batch but the one that makes it may write its row
    lab.retry(first, works=False)
    for batch in waiting[1:]:
        lab.retry(batch, works=True)
    lab.holding = None
    lab.run_until(lab.now + 100)
    assert statuses([parsed(data) for data in lab.since(0)]) == [503]
    assert not lab.rows and len(lab.notifier) == 0


def test_a_look_up_that_is_answered_before_the_commit_is_used_after_it() -> None:
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    waiting = looked_up_before_the_commit(lab)
    lab.retry(waiting[0], works=True)
    lab.retry(waiting[1], works=True)
    sent = [(parsed(data), flow.remote[0]) for _, data, flow in lab.sent]
    assert [to for _, to in sent] == ["192.0.2.9", "198.51.100.4"]
    assert isinstance(sent[1][0], Request) and sent[1][0].method == "NOTIFY"


def test_a_refused_refresh_leaves_the_old_contact_condition_and_expiry() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    phone.contact = "<sip:alice@192.0.2.9:7777>"
    lab.store_works = False
    assert statuses(phone.subscribe(3000, Suppress_If_Match="*")) == [503]
    lab.store_works = True
    lab.run_until(lab.now + 5)
    before = len(lab.sent)
    lab.change("alice", b"<b/>")
    assert lab.sent[before][2].remote == ("192.0.2.9", 5062)
    phone.take(lab.since(before))
    [row] = lab.rows.values()
    assert row.expires_at == 1600 and row.suppress is None and row.remote_target == "sip:alice@192.0.2.9:5062"


def test_a_refused_204_unsubscribe_leaves_the_subscription() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    etag = phone.notifies[-1].headers.get("sip-etag")
    lab.store_works = False
    assert statuses(phone.subscribe(0, Suppress_If_Match=etag)) == [503]
    lab.store_works = True
    assert len(lab.notifier) == len(lab.rows) == 1
    phone.take(lab.change("alice", b"<b/>"))
    assert phone.notifies[-1].body == b"<b/>"
    assert statuses(phone.subscribe(0, Suppress_If_Match=phone.notifies[-1].headers.get("sip-etag"))) == [204]
    assert not lab.rows


def test_a_refused_204_takes_no_try_of_a_change_away() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    phone.take(lab.change("alice", b"<b/>"), 500)
    lab.store_works = False
    assert statuses(phone.subscribe(Suppress_If_Match="*")) == [503]
    lab.store_works = True
    before = len(lab.sent)
    lab.run_until(lab.now + lab.settings.store_retry)
    phone.take(lab.since(before))
    assert [notify.body for notify in phone.notifies] == [b"<a/>", b"<b/>", b"<b/>"]


def test_an_older_refusal_does_not_take_back_a_newer_refresh() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    waiting = held(lab)
    lab.receive(phone.build(1000))
    lab.receive(phone.build(2000))
    first, second = waiting
    assert statuses([parsed(data) for data in released(lab, first, works=False)]) == [503]
    assert statuses([parsed(data) for data in released(lab, second, works=True)]) == [200, "NOTIFY"]
    assert next(iter(lab.rows.values())).expires_at == next(iter(lab.notifier.subscriptions())).expires_at == 3000


def test_draining_is_not_taken_back_by_an_older_refusal() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    waiting = held(lab)
    lab.receive(phone.build(1000))
    lab.notifier.drain("deactivated", now=lab.now)
    lab.pump()
    first, second = waiting
    told = released(lab, first, works=False) + released(lab, second, works=True)
    assert statuses([parsed(data) for data in told]) == [503]
    before = len(lab.sent)
    lab.run_until(lab.now + 2)
    notify = parsed(lab.sent[before][1])
    assert isinstance(notify, Request)
    assert notify.headers.get("subscription-state") == "terminated;reason=deactivated"
    assert len(lab.notifier) == 0 and not lab.rows


def test_draining_that_could_not_be_stored_is_told_later() -> None:
    lab = Lab()
    Phone(lab).subscribe()
    lab.store_works = False
    lab.notifier.drain("deactivated", now=lab.now)
    lab.pump()
    assert len(lab.rows) == 1
    lab.store_works = True
    before = len(lab.sent)
    lab.run_until(lab.now + 2)
    assert b"terminated;reason=deactivated" in lab.sent[before][1] and not lab.rows


def test_a_removed_document_whose_end_could_not_be_stored_is_told_later() -> None:
    lab = Lab(NotifierSettings(end_removed=True))
    Phone(lab).subscribe()
    lab.store_works = False
    assert lab.change("alice", None) == [] and len(lab.rows) == 1
    lab.store_works = True
    before = len(lab.sent)
    lab.run_until(lab.now + 2)
    assert b"terminated;reason=noresource" in lab.sent[before][1] and not lab.rows


def test_an_acknowledgement_that_could_not_be_stored_is_stored_later() -> None:
    lab = Lab()
    phone = Phone(lab)
    told = phone.subscribe(answer=None)
    lab.store_works = False
    assert isinstance(told[1], Request)
    lab.receive(phone.answer(told[1]))
    assert next(iter(lab.rows.values())).delivery != "acknowledged"
    lab.store_works = True
    before = len(lab.sent)
    lab.run_until(lab.now + 5)
    assert next(iter(lab.rows.values())).delivery == "acknowledged" and len(lab.sent) == before


@pytest.mark.parametrize("works", [True, False])
def test_a_repeated_subscribe_waits_for_the_first_ones_answer(works: bool) -> None:
    """Checklist row 21: a duplicate before the 200 gets nothing of its own, and the same bytes after it."""
    lab = Lab()
    waiting = held(lab)
    data = Phone(lab).build()
    assert lab.receive(data) == [] == lab.receive(data)
    first = released(lab, waiting[0], works=works)
    assert statuses([parsed(data) for data in first]) == ([200, "NOTIFY"] if works else [503])
    assert len(waiting) == 1 and lab.receive(data) == first[:1]


def test_a_challenge_or_a_failed_flow_does_not_outrun_the_commit() -> None:
    """The NOTIFY that answers a challenge has a new CSeq, which must be durable first (RFC 3261 §12.2.1.1)."""
    lab = Lab(access=FakeAccess())
    phone = Phone(lab)
    notify = phone.subscribe(answer=None, X_Identity="alice")[1]
    assert isinstance(notify, Request)
    waiting = held(lab)
    assert lab.receive(phone.answer(notify, 401)) == []
    row = next(iter(lab.rows.values()))
    [again] = released(lab, waiting[0], works=True)
    assert row.local_cseq == 1 and next(iter(lab.rows.values())).local_cseq == 2
    assert b"Authorization: Digest" in again and b"CSeq: 2 NOTIFY" in again


def test_of_two_refreshes_that_the_store_refuses_neither_counts() -> None:
    """RFC 3261 §8.2: the older one is no more in force for having been followed by another."""
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    [subscription] = lab.notifier.subscriptions()
    before = subscription.terms()
    waiting = held(lab)
    phone.contact = "<sip:alice@203.0.113.66:7000>"
    for _ in range(2):
        lab.receive(phone.build(86400))
    lab.holding = None
    for batch in waiting:
        lab.retry(batch, works=False)
    assert subscription.terms() == before


@pytest.mark.parametrize("refused", [0, 1])
def test_of_two_refreshes_the_one_that_is_durable_counts(refused: int) -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    [subscription] = lab.notifier.subscriptions()
    waiting = held(lab)
    for port in (7000, 7001):
        phone.contact = f"<sip:alice@192.0.2.9:{port}>"
        lab.receive(phone.build(86400))
    lab.holding = None
    for number, batch in enumerate(waiting):
        lab.retry(batch, works=number != refused)
    assert subscription.dialog.remote_target == f"sip:alice@192.0.2.9:{7001 - refused}"


def test_a_row_that_is_there_though_the_store_said_no_is_taken_away() -> None:
    """It may have died between commit and answer: the phone has its 503, and is not to be told after a restart."""
    lab = Lab()
    waiting = held(lab)
    lab.receive(Phone(lab).build(600))
    [batch] = waiting
    lab.rows.update({row.id: row for row in batch.rows})
    assert [parsed(data).status for data in released(lab, batch, works=False)] == [503]  # type: ignore[union-attr]
    assert lab.rows
    lab.run_until(lab.now + 2)
    assert not lab.rows


def test_a_refused_refresh_goes_back_to_the_last_durable_one_and_not_behind_it() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(600)
    [subscription] = lab.notifier.subscriptions()
    waiting = held(lab)
    for expires in (1000, 2000, 3000):
        lab.receive(phone.build(expires))
    lab.holding = None
    for works, batch in zip((False, True, False), waiting, strict=True):
        lab.retry(batch, works=works)
    assert subscription.expires_at == lab.now + 2000


def test_a_look_up_that_is_answered_after_the_refusal_tells_nobody() -> None:
    """RFC 6665 §4.1.2.1: a final response other than 2xx, so no NOTIFY."""
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    waiting = held(lab)
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    lab.receive(phone.build())
    [hop] = lab.notifier.lookups()
    released(lab, waiting[0], works=False)
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    assert statuses([parsed(data) for data in lab.since(0)]) == [503]


def test_of_refused_subscriptions_so_many_rows_are_deleted_until_the_store_works_again(
    bound: Bound,
) -> None:
    """Invariant I9."""
    bound(commitments, "MAX_UNDONE", 3)
    lab = Lab()

    def refused(name: str) -> int:
        """Of five subscriptions, the rows that are to be deleted."""
        waiting = held(lab)
        for number in range(5):
            lab.receive(Phone(lab, call_id=f"{name}{number}").build())
        lab.holding = None
        for batch in waiting:
            lab.retry(batch, works=False)
        return sum(len(batch.deletes) for batch in waiting)

    assert refused("a") == 3
    lab.run_until(lab.now + 5)
    Phone(lab, call_id="works").subscribe()
    assert refused("b") == 3
