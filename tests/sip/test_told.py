"""What a phone was told, when first, and what came of it: one fact for each version, through repeats and restarts."""

import pytest

from gitops_profile.sip import NO_DOCUMENT, StoredSubscription
from gitops_profile.sip.syntax import Request

from .harness import UDP, Lab, Phone

Facts = tuple[float | None, float | None, float | None]


def row(lab: Lab) -> StoredSubscription:
    (found,) = lab.rows.values()
    return found


def facts(lab: Lab) -> Facts:
    found = row(lab)
    return found.told_at, found.got_at, found.failed_at


def subscribed() -> tuple[Lab, Phone]:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe()
    return lab, phone


def test_the_facts_are_durable_before_the_notify_leaves_and_after_its_answer() -> None:
    lab, phone = subscribed()
    first = row(lab).told_etag
    lab.now = 1100.0
    notify = lab.change("alice", b"<b/>")
    assert row(lab).told_etag not in (None, first) and facts(lab) == (1100.0, None, None)
    lab.now = 1101.0
    phone.take(notify)
    assert facts(lab) == (1100.0, 1101.0, None)


def test_a_retransmission_and_a_restart_leave_the_first_time() -> None:
    lab, phone = subscribed()
    lab.now = 1100.0
    lab.change("alice", b"<b/>")
    lab.run_until(1105.0)
    before = len(lab.sent)
    lab.restart()
    assert facts(lab) == (1100.0, None, None) and len(lab.sent) == before + 1, "told again, by a new NOTIFY"
    lab.now = 1106.0
    phone.take(lab.since(before))
    assert facts(lab) == (1100.0, 1106.0, None)
    lab.now = 1200.0
    phone.subscribe()  # a refresh is answered with the same version again
    assert facts(lab) == (1100.0, 1106.0, None)


def test_a_failure_counts_until_the_phone_has_it() -> None:
    lab, phone = subscribed()
    lab.now = 1100.0
    phone.take(lab.change("alice", b"<b/>"), answer=500)
    assert facts(lab) == (1100.0, None, 1100.0)
    before = len(lab.sent)
    lab.run_until(1103.0)
    phone.take(lab.since(before))
    assert facts(lab) == (1100.0, 1103.0, None)
    phone.subscribe(answer=500)
    assert facts(lab) == (1100.0, 1103.0, None), "it has it, whatever it says of a repetition"


def test_a_version_that_never_left_is_no_fact() -> None:
    lab, phone = subscribed()
    lab.now = 1100.0
    notify = lab.change("alice", b"<b/>")
    told = row(lab).told_etag
    assert lab.change("alice", b"<c/>") == [] == lab.change("alice", b"<b/>")  # they wait for the answer to the first
    assert len(phone.take(notify)) == 1 and row(lab).told_etag == told
    assert facts(lab) == (1100.0, 1100.0, None)


@pytest.mark.parametrize("document", [b"<b/>", None])
def test_the_removal_of_a_document_is_a_version_too(document: bytes | None) -> None:
    lab, phone = subscribed()
    lab.now = 1100.0
    phone.take(lab.change("alice", document))
    assert (row(lab).told_etag == NO_DOCUMENT) is (document is None)
    assert facts(lab) == (1100.0, 1100.0, None)


def test_a_notify_whose_transport_fails_was_told_and_missed() -> None:
    lab, _ = subscribed()
    lab.now = 1100.0
    (notify,) = lab.change("alice", b"<b/>")
    lab.fail(notify, UDP)
    assert facts(lab) == (1100.0, None, 1100.0)


@pytest.mark.parametrize("crossing", [False, True])
def test_the_answer_to_a_refreshs_notify_is_written_only_if_it_is_news(crossing: bool) -> None:
    """It was one of the two times that a refresh was written. What is on disk says the same before and after it."""
    lab, phone = subscribed()
    lab.now = 1100.0
    if crossing:  # the NOTIFY of a refresh is under way when the next one comes
        phone.subscribe(answer=None)
    lab.now = 1101.0
    _, notify = phone.subscribe(answer=None)
    written = row(lab)
    assert isinstance(notify, Request) and written.delivery == "acknowledged" and written.acknowledged_etag is not None
    lab.now = 1102.0
    lab.receive(phone.answer(notify))
    assert row(lab) is written
    (held,) = lab.notifier.subscriptions()
    assert (held.delivery, held.delivered_at) == ("acknowledged", 1102.0), "whoever asks is told"
    before = len(lab.sent)
    lab.restart()
    assert lab.since(before) == [], "it has everything"
    phone.take(lab.change("alice", b"<b/>"))
    assert row(lab).delivered_at == 1102.0
    assert [notify.cseq for notify in phone.notifies] == list(range(1, row(lab).local_cseq + 1)), "none comes twice"


def test_the_answer_to_a_refreshs_notify_after_a_failure_is_news() -> None:
    lab, phone = subscribed()
    phone.subscribe(answer=503)
    assert row(lab).delivery == "faulted"
    phone.subscribe()
    assert row(lab).delivery == "acknowledged"
