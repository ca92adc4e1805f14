"""Deadlines come in the order of their times, once, however often they were set anew."""

from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.alarms import Alarms
from gitops_profile.sip.dialog import Dialog
from gitops_profile.sip.subscription import Subscription

from .harness import UDP


def subscription(number: int) -> Subscription:
    dialog = Dialog(f"c{number}", "t", "r", "sip:a@h", "sip:a@h", 0, 1, "sip:a@h", (), False)
    return Subscription(dialog, "alice", "ua-profile", None, UDP, "id", UDP.source)


TIMES = st.floats(0, 20, allow_nan=False)


@given(st.lists(st.tuples(st.integers(0, 9), TIMES), max_size=60))
def test_each_comes_at_the_earliest_time_it_was_armed_for_and_in_order(steps: list[tuple[int, float]]) -> None:
    alarms, all_of_them = Alarms(), [subscription(number) for number in range(10)]
    earliest: dict[int, float] = {}
    for number, wanted in steps:
        alarms.arm(all_of_them[number], wanted)
        earliest[number] = min(wanted, earliest.get(number, wanted))
    rung: list[tuple[float, str]] = []
    while (at := alarms.next_deadline()) is not None:
        rung += [(at, one.dialog.call_id) for one in alarms.due(at)]
    assert sorted(rung) == sorted((at, f"c{number}") for number, at in earliest.items())
    assert [at for at, _ in rung] == sorted(at for at, _ in rung)
    assert len(alarms) == 0


@given(st.lists(st.tuples(TIMES, TIMES), max_size=40))
def test_what_is_armed_while_time_goes_on_is_neither_early_nor_lost(steps: list[tuple[float, float]]) -> None:
    alarms, now = Alarms(), 0.0
    waiting: dict[str, float] = {}
    for number, (pause, wait) in enumerate(steps):
        now += pause
        one = subscription(number)
        alarms.arm(one, now + wait)
        waiting[one.dialog.call_id] = now + wait
        for rung in alarms.due(now):
            assert waiting.pop(rung.dialog.call_id) <= now
        assert all(at > now for at in waiting.values())


def test_who_has_ended_is_neither_named_nor_kept() -> None:
    """Invariant I9: whoever subscribes for a day and ends it at once, again and again, leaves nothing."""
    alarms, stays = Alarms(), subscription(0)
    alarms.arm(stays, 100.5)
    for number in range(1, 1000):
        ended = subscription(number)
        alarms.arm(ended, 100.0 + number % 3)
        alarms.forget(ended)
        assert len(alarms) <= 4
    assert [one is stays for one in alarms.due(200.0)] == [True]
    assert len(alarms) == 0 and alarms.next_deadline() is None


def test_who_ends_in_the_second_that_has_begun_is_not_named() -> None:
    alarms, ended = Alarms(), subscription(0)
    alarms.arm(ended, 5.9)
    assert list(alarms.due(5.1)) == []
    alarms.forget(ended)
    assert list(alarms.due(6.0)) == [] and len(alarms) == 0
