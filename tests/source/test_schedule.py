"""When a remote is asked, in virtual time."""

import pytest

from gitops_profile.source.schedule import FIRST_RETRY, FLOOR, LAST_RETRY, FetchSchedule


def schedule(interval: float = 60.0, chance: float = 0.5) -> FetchSchedule:
    return FetchSchedule(interval, lambda: chance)


def test_the_first_fetch_is_due_at_once_and_the_next_after_the_interval() -> None:
    plan = schedule()
    assert plan.pause(0.0) == 0.0
    plan.begin(0.0)
    plan.succeeded(2.0)
    assert plan.pause(2.0) == 60.0
    assert plan.pause(50.0) == 12.0


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 54.0), (1.0, 66.0)])
def test_the_interval_is_spread_so_that_servers_do_not_ask_together(chance: float, pause: float) -> None:
    plan = schedule(chance=chance)
    plan.succeeded(0.0)
    assert plan.pause(0.0) == pytest.approx(pause)


def test_failures_are_further_and_further_apart_up_to_a_bound_and_a_success_forgets_them() -> None:
    plan, now, pauses = schedule(), 0.0, []
    for _ in range(10):
        plan.failed(now)
        pauses.append(plan.due - now)
        now = plan.due
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0, 300.0]
    assert (pauses[0], pauses[-1]) == (FIRST_RETRY, LAST_RETRY)
    plan.succeeded(now)
    plan.failed(now)
    assert plan.due - now == FIRST_RETRY


def test_an_interval_longer_than_the_bound_is_the_bound() -> None:
    plan = schedule(3600.0)
    for _ in range(2000):  # no overflow either
        plan.failed(0.0)
    assert plan.due == 3600.0


def test_two_fetches_never_begin_within_the_floor() -> None:
    plan = schedule()
    assert plan.floor(0.0) == 0.0
    plan.begin(10.0)
    plan.succeeded(10.2, more=True)
    assert plan.pause(10.2) == pytest.approx(FLOOR - 0.2)
    assert plan.floor(10.25) == pytest.approx(FLOOR - 0.25)
    assert plan.floor(99.0) == 0.0
