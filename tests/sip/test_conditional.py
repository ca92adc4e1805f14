"""Conditional notification (RFC 5839)."""

import pytest

from gitops_profile.sip import NotifierSettings, Target
from gitops_profile.sip.syntax import Request, Response

from .harness import UDP, FakeAccess, FakePackage, Lab, Phone, parsed, statuses

LINKS = "text/xml, message/external-body"


def tag_of(notify: Request) -> str:
    return notify.headers.get("sip-etag") or ""


def subscribed(settings: NotifierSettings | None = None) -> tuple[Lab, Phone, str]:
    """A laboratory, a phone that has <a/>, and the entity-tag of <a/>."""
    lab = Lab(settings)
    phone = Phone(lab)
    phone.subscribe()
    return lab, phone, tag_of(phone.notifies[0])


def without_body(notify: Request) -> bool:
    return (
        notify.body == b""
        and notify.headers.get("content-type") is None
        and (notify.headers.get("content-length") == "0")
    )


def test_every_notify_has_a_tag_that_changes_with_the_entity_and_comes_back_with_it() -> None:
    """Checklist row 50: RFC 5839 §4, §6.1."""
    lab, phone, first = subscribed()
    phone.take(lab.change("alice", b"<b/>"))
    phone.take(lab.change("alice", None))
    phone.take(lab.change("alice", b"<a/>"))
    phone.subscribe()
    lab.restart()
    phone.subscribe(0)
    tags = [tag_of(notify) for notify in phone.notifies]
    assert all(tags) and "*" not in tags
    assert tags[0] == first == tags[3] == tags[4] == tags[5]
    assert len(set(tags)) == 3


@pytest.mark.parametrize(("expires", "state"), [(600, "active;expires=600"), (0, "terminated;reason=timeout")])
@pytest.mark.parametrize("star", [True, False])
def test_an_initial_hit_gets_a_notify_without_a_body(expires: int, state: str, star: bool) -> None:
    """Checklist row 51: RFC 5839 §6.2, §6.3: the NOTIFY of a 200 is never suppressed, its body is."""
    _, _, tag = subscribed()
    phone = Phone(Lab(), call_id="call-2")
    seen = phone.subscribe(expires, Suppress_If_Match="*" if star else tag)
    assert statuses(seen) == [200, "NOTIFY"]
    notify = phone.notifies[0]
    assert without_body(notify) and tag_of(notify) == tag
    assert notify.headers.get("subscription-state") == state


@pytest.mark.parametrize("condition", ["other", "", "a b", '"quoted"', "one, two", None])
def test_a_miss_and_a_condition_that_is_none_get_everything(condition: str | None) -> None:
    """RFC 5839 §5.2: a single token; what is malformed is as if it were not there."""
    _, phone, _ = subscribed()
    assert statuses(phone.subscribe(Suppress_If_Match=condition)) == [200, "NOTIFY"]
    assert phone.notifies[-1].body == b"<a/>"


def test_an_initial_condition_never_gets_204() -> None:
    """Checklist row 53: RFC 5839 §7.1."""
    lab, _, tag = subscribed()
    for number, condition in enumerate((tag, "*", "other")):
        for expires in (600, 0):
            phone = Phone(lab, call_id=f"new-{number}-{expires}")
            assert statuses(phone.subscribe(expires, Suppress_If_Match=condition)) == [200, "NOTIFY"]


def test_a_hit_in_the_dialog_gets_204_no_notify_and_a_later_expiry() -> None:
    """Checklist row 52: RFC 5839 §6.3, §5.6."""
    lab, phone, tag = subscribed()
    lab.run_until(lab.now + 500)
    [answer] = phone.subscribe(600, Suppress_If_Match=tag)
    assert isinstance(answer, Response) and answer.status == 204
    assert answer.headers.get("expires") == "600" and answer.headers.get("contact")
    before = len(lab.sent)
    lab.run_until(lab.now + 599)
    assert len(lab.sent) == before and len(lab.rows) == 1
    lab.run_until(lab.now + 4)
    assert b"terminated;reason=timeout" in lab.sent[before][1] and not lab.rows


def test_a_hit_that_unsubscribes_gets_204_and_nothing_more() -> None:
    """Checklist row 52: RFC 5839 §5.7."""
    lab, phone, tag = subscribed()
    assert statuses(phone.subscribe(0, Suppress_If_Match=tag)) == [204]
    assert not lab.rows and len(lab.notifier) == 0 and lab.change("alice", b"<b/>") == []
    assert statuses(phone.subscribe()) == [481]


def test_a_retransmitted_hit_gets_the_same_204() -> None:
    lab, phone, tag = subscribed()
    data = phone.build(600, Suppress_If_Match=tag)
    assert lab.receive(data) == lab.receive(data)


def test_a_condition_stays_in_force_until_the_entity_changes() -> None:
    """RFC 5839 §5.2: it stops being true when the entity changes, and does not come back with it."""
    lab, phone, tag = subscribed()
    phone.subscribe(600, Suppress_If_Match=tag)
    assert lab.change("alice", b"<a/>") == []
    phone.take(lab.change("alice", b"<b/>"))
    phone.take(lab.change("alice", b"<a/>"))
    assert [notify.body for notify in phone.notifies] == [b"<a/>", b"<b/>", b"<a/>"]


def test_a_change_of_state_alone_goes_without_a_body_while_the_condition_is_true() -> None:
    """RFC 5839 §5.2, §6.2: the end of a subscription is told, the document is not told again."""
    lab, phone, tag = subscribed()
    phone.subscribe(600, Suppress_If_Match=tag)
    before = len(lab.sent)
    lab.run_until(lab.now + 603)
    notify = parsed(lab.sent[before][1])
    assert isinstance(notify, Request) and without_body(notify) and tag_of(notify) == tag
    assert notify.headers.get("subscription-state") == "terminated;reason=timeout"


def test_a_refresh_without_a_condition_ends_it() -> None:
    _, phone, _ = subscribed()
    phone.subscribe(Suppress_If_Match="*")
    assert statuses(phone.subscribe()) == [200, "NOTIFY"] and phone.notifies[-1].body == b"<a/>"


def test_star_suppresses_bodies_for_ever() -> None:
    """Checklist row 54: RFC 5839 §5.2."""
    lab = Lab()
    phone = Phone(lab)
    assert statuses(phone.subscribe(Suppress_If_Match="*")) == [200, "NOTIFY"]
    assert without_body(phone.notifies[0])
    for body in (b"<b/>", None, b"<c/>"):
        assert lab.change("alice", body) == []
    lab.restart()
    assert lab.change("alice", b"<d/>") == []
    assert statuses(phone.subscribe(Suppress_If_Match="*")) == [204]
    lab.run_until(lab.now + 603)
    last = parsed(lab.sent[-1][1])
    assert isinstance(last, Request) and without_body(last)
    assert (last.headers.get("subscription-state") or "").startswith("terminated")


@pytest.mark.parametrize("down", [False, True])
def test_star_is_told_that_its_document_is_gone_where_that_ends_the_subscription(down: bool) -> None:
    """Checklist row 62: `noresource` is a change of the subscription's state, which `*` does not suppress."""
    lab = Lab(NotifierSettings(end_removed=True))
    phone = Phone(lab)
    phone.subscribe(Suppress_If_Match="*")
    before = len(lab.sent)
    if down:
        del lab.package.documents["alice"]
        lab.restart()
    else:
        lab.change("alice", None)
    assert b"terminated;reason=noresource" in lab.sent[before][1] and not lab.rows


def test_star_says_nothing_of_what_the_phone_has() -> None:
    """RFC 5839 §5.2: it is true for every entity. The document that it kept back is owed like any other."""
    lab, phone, _ = subscribed()
    phone.subscribe(Suppress_If_Match="*")
    lab.change("alice", b"<b/>")
    assert statuses(phone.subscribe(Suppress_If_Match="*")) == [204]
    assert statuses(phone.subscribe(answer=500)) == [200, "NOTIFY"]
    before = len(lab.sent)
    lab.run_until(lab.now + 2.1)
    phone.take(lab.since(before))
    assert [notify.body for notify in phone.notifies] == [b"<a/>", b"<b/>", b"<b/>"]


def test_a_star_at_first_says_nothing_of_what_the_phone_has() -> None:
    phone = Phone(Lab())
    phone.subscribe(Suppress_If_Match="*")
    phone.subscribe(answer=500)
    before = len(phone.lab.sent)
    phone.lab.run_until(phone.lab.now + 2.1)
    phone.take(phone.lab.since(before))
    assert [notify.body for notify in phone.notifies] == [b"", b"<a/>", b"<a/>"]


def test_the_tag_of_no_document_can_be_a_condition() -> None:
    lab, phone, _ = subscribed()
    phone.take(lab.change("alice", None))
    gone = tag_of(phone.notifies[-1])
    assert statuses(phone.subscribe(Suppress_If_Match=gone)) == [204]
    phone.take(lab.change("alice", b"<a/>"))
    assert phone.notifies[-1].body == b"<a/>"


def test_a_lost_acknowledgement_is_made_good_by_the_condition() -> None:
    """RFC 5839 §6.3: 204 while the NOTIFY that the phone has is unanswered; its retransmissions end with it."""
    lab, phone, _ = subscribed()
    phone.take(lab.change("alice", b"<b/>"), answer=None)
    assert statuses(phone.subscribe(Suppress_If_Match=tag_of(phone.notifies[-1]))) == [204]
    before = len(lab.sent)
    lab.run_until(lab.now + 100)
    assert len(lab.sent) == before and len(lab.rows) == 1
    [row] = lab.rows.values()
    assert row.delivery == "acknowledged" and row.acknowledged_etag == tag_of(phone.notifies[-1])


def test_a_condition_that_crosses_another_document_on_its_way_does_not_hide_it() -> None:
    """I3: <b/> is on its way when <a/> comes back and the phone, which has not seen <b/>, says that it has <a/>."""
    lab, phone, tag = subscribed()
    crossing = [parsed(data) for data in lab.change("alice", b"<b/>")]
    assert lab.change("alice", b"<a/>") == []
    seen = phone.subscribe(Suppress_If_Match=tag)
    assert statuses(seen) == [200, "NOTIFY"] and phone.notifies[-1].body == b"<a/>"
    assert isinstance(crossing[0], Request)
    lab.receive(phone.answer(crossing[0]))  # too late to count
    assert next(iter(lab.rows.values())).acknowledged_etag == tag


def test_a_condition_that_is_true_no_more_is_none() -> None:
    lab, phone, tag = subscribed()
    phone.take(lab.change("alice", b"<b/>"), answer=None)
    assert statuses(phone.subscribe(Suppress_If_Match=tag)) == [200, "NOTIFY"]
    assert phone.notifies[-1].body == b"<b/>"


def test_a_pointer_is_a_presentation_with_a_tag_of_its_own() -> None:
    """RFC 5839 §6.1: one tag is one presentation; the NOTIFY repeats the one that the phone has (§6.2)."""
    lab = Lab(package=FakePackage({"alice": b"x" * 2000}))
    phone = Phone(lab)
    phone.subscribe(Accept=LINKS)
    pointer = tag_of(phone.notifies[0])
    assert phone.notifies[0].body == b"pointer" and pointer.endswith(".url")
    assert statuses(phone.subscribe(Suppress_If_Match=pointer, Accept=LINKS)) == [204]
    again = Phone(lab, call_id="call-2")
    again.subscribe(Suppress_If_Match=pointer, Accept=LINKS)
    assert without_body(again.notifies[0]) and tag_of(again.notifies[0]) == pointer
    whole = pointer.removesuffix(".url")
    third = Phone(lab, call_id="call-3")
    third.subscribe(Suppress_If_Match=whole, Accept=LINKS)
    assert without_body(third.notifies[0]) and tag_of(third.notifies[0]) == whole


def test_a_bodiless_notify_of_a_large_document_stays_on_udp() -> None:
    lab = Lab(package=FakePackage({"alice": b"x" * 5000}))
    phone = Phone(lab)
    phone.subscribe(Suppress_If_Match="*")
    assert lab.sent[-1][2] == UDP and without_body(phone.notifies[0])


@pytest.mark.parametrize("status", [500, 404])
def test_a_conditional_subscription_lives_and_ends_like_any_other(status: int) -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(answer=status, Suppress_If_Match="*")
    assert len(lab.rows) == (1 if status == 500 else 0)


def test_a_refused_condition_goes_on_after_a_restart() -> None:
    lab, phone, tag = subscribed()
    phone.subscribe(600, Suppress_If_Match=tag)
    lab.restart()
    assert next(iter(lab.rows.values())).suppress == tag
    lab.package.documents["alice"] = b"<b/>"
    before = len(lab.sent)
    lab.restart()
    phone.take(lab.since(before))
    assert phone.notifies[-1].body == b"<b/>"
    assert next(iter(lab.rows.values())).suppress is None


@pytest.mark.parametrize("expires", [600, 0])
def test_after_a_204_no_notify_follows_not_even_one_that_waited_for_a_name(expires: int) -> None:
    """Checklist row 52: RFC 5839 §7.1: a NOTIFY that the SUBSCRIBE before it was owed is not owed any more."""
    lab = Lab(access=FakeAccess(proxies={"192.0.2.9"}))
    phone = Phone(lab)
    phone.contact = "<sip:alice@phone.example.net>"
    assert statuses(phone.subscribe()) == [200]
    assert statuses(phone.subscribe(expires, Suppress_If_Match="*")) == [204]
    [hop] = lab.notifier.lookups()
    before = len(lab.sent)
    lab.notifier.looked_up(hop, [Target("udp", "198.51.100.4", 5060)], now=lab.now)
    lab.pump()
    assert lab.since(before) == [] and len(lab.rows) == (1 if expires else 0)
