"""What gets lost on the way, or comes twice: the phone and the server still agree on what there is."""

import pytest

from gitops_profile.sip.syntax import Request
from tests.sip.harness import parsed, statuses

from .handset import Handset, Household, body_of, edit, reply
from .traffic_index import BY_NAME, SUBSCRIBERS, Row

by_row = pytest.mark.parametrize("row", SUBSCRIBERS, ids=[row.name for row in SUBSCRIBERS])

FEW = [BY_NAME[name] for name in ("snom-user", "yealink-device", "pjsip-user")]
by_few = pytest.mark.parametrize("row", FEW, ids=[row.name for row in FEW])


def told(phone: Handset) -> bool:
    """Whether the phone, which has had a 200, is or will be told something: no 200 without a NOTIFY that follows."""
    return phone.held == 1


@by_row
def test_the_200_is_lost_and_the_notify_is_not(row: Row) -> None:
    phone = Handset(Household(), row)
    first = phone.lab.receive(phone.first, phone.flow)
    assert phone.lab.receive(reply(parsed(first[1])), phone.flow) == []  # type: ignore[arg-type]
    phone.lab.run_until(phone.lab.now + 0.5)
    assert phone.lab.receive(phone.first, phone.flow) == first[:1] and told(phone)


@by_row
def test_the_answer_to_the_notify_is_lost(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe(answer=None)
    before = len(phone.lab.sent)
    phone.lab.run_until(phone.lab.now + 0.5)
    [repeated] = phone.lab.since(before)
    assert repeated == phone.lab.sent[1][1]
    answer = reply(phone.notifies[0])
    assert phone.lab.receive(answer, phone.flow) == [] == phone.lab.receive(answer, phone.flow)
    assert phone.delivery == "acknowledged"


@by_row
def test_the_200_of_a_refresh_is_lost(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe()
    refresh = phone.again()
    first = phone.lab.receive(refresh, phone.flow)
    phone.take(first[1:])
    for _ in range(5):
        assert phone.lab.receive(refresh, phone.flow) == first[:1]
    assert len(phone.notifies) == 2 and told(phone)


@by_row
def test_the_200_of_the_end_is_lost(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe()
    end = phone.again(expires=0)
    first = phone.lab.receive(end, phone.flow)
    phone.take(first[1:])
    phone.lab.run_until(phone.lab.now + 4)
    assert phone.lab.receive(end, phone.flow) == first[:1] and phone.held == 0


@by_row
def test_the_old_refresh_comes_after_the_new_one(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe()
    older, newer = phone.again(), phone.again()
    assert statuses(phone.send(newer)) == [200, "NOTIFY"]
    assert statuses(phone.send(older)) == [500] and told(phone)


@by_few
def test_the_200_is_lost_and_the_notify_is_answered_481(row: Row) -> None:
    """As JsSIP does (stacks.md). The repeated SUBSCRIBE must not be told that it has a subscription, or have one."""
    phone = Handset(Household(), row)
    _, notify = phone.lab.receive(phone.first, phone.flow)
    read = parsed(notify)
    assert isinstance(read, Request)
    phone.lab.receive(reply(read, 481), phone.flow)
    phone.lab.run_until(phone.lab.now + 0.5)
    answers = statuses(phone.subscribe())
    assert answers != [200], "a 200, and no NOTIFY will ever follow"


@by_few
def test_the_link_is_dead_for_ten_seconds(row: Row) -> None:
    """A port that a switch opens late: the phone repeats its SUBSCRIBE until somebody hears it, for up to 32 s."""
    phone = Handset(Household(), row)
    for at in (0.0, 0.5, 1.5, 3.5, 7.5):
        phone.lab.run_until(1000.0 + at)
        phone.lab.receive(phone.first, phone.flow)
    phone.lab.run_until(1011.5)
    answers = statuses(phone.subscribe())
    assert told(phone) and answers[0] == 200


@pytest.mark.parametrize("late", [0.02, 0.5, 1.0])
def test_a_refresh_at_the_last_moment_is_in_time(late: float) -> None:
    phone = Handset(Household(), BY_NAME["audiocodes-user"])
    phone.subscribe()
    phone.lab.run_until(phone.lab.now + 3600 + late)
    assert statuses(phone.send(phone.again())) == [200, "NOTIFY"]


def test_a_notify_that_is_lost_for_a_while_carries_what_it_did_and_then_the_newest() -> None:
    phone = Handset(Household(), BY_NAME["yealink-user"])
    phone.subscribe()
    lab, key = phone.lab, phone.row.document
    lost = lab.publish(key, 2)
    lab.publish(key, 3)
    before = len(lab.sent)
    lab.run_until(lab.now + 3.5)
    assert set(lab.since(before)) == set(lost)
    messages = phone.take(lab.since(before)[-1:])
    assert [m.body for m in messages if isinstance(m, Request)] == [body_of(key, 2), body_of(key, 3)]
    assert phone.delivery == "acknowledged"


@pytest.mark.parametrize("name", ["snom-doc-pnp", "yealink-w52p-pnp", "panasonic-ut113-pnp"])
@pytest.mark.xfail(
    reason="F4 for a fetch: its NOTIFY is given up after 7.5 s, and the repeated SUBSCRIBE still answered 200 alone",
    raises=AssertionError,
)
def test_a_fetch_over_a_link_that_is_dead_for_ten_seconds(name: str) -> None:
    phone = Handset(Household(), BY_NAME[name])
    for at in (0.0, 0.5, 1.5, 3.5, 7.5):
        phone.lab.run_until(1000.0 + at)
        phone.lab.receive(phone.first, phone.flow)
    phone.lab.run_until(1011.5)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.notifies[0].body == body_of(phone.row.document)


@pytest.mark.parametrize("name", ["yealink-user", "fanvil-device", "pjsip-user"])
def test_a_second_try_that_does_not_count_its_cseq_up(name: str) -> None:
    """After a 423: RFC 3261 §8.1.3.5 wants the next CSeq, and nothing was made that could be made twice."""
    phone = Handset(Household(), BY_NAME[name])
    phone.last = edit(phone.first, "Expires", "30")
    assert statuses(phone.send(phone.last)) == [423]
    assert statuses(phone.send(phone.again(0, to_tag=False, expires=60))) == [200, "NOTIFY"]
