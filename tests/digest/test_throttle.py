"""The bound on guessing, in virtual time."""

import pytest

from gitops_profile.digest import Throttle


def fail(throttle: Throttle, times: int, now: float = 0.0, source: str = "s") -> float:
    return [throttle.failed(source, now) for _ in range(times)][-1]


def test_the_tenth_failure_in_a_minute_blocks_for_a_second() -> None:
    throttle = Throttle()
    assert fail(throttle, 9) == 0.0 and throttle.blocked_for("s", 0.0) == 0.0
    assert throttle.failed("s", 59.0) == 1.0
    assert throttle.blocked_for("s", 59.25) == 0.75
    assert throttle.blocked_for("s", 60.0) == 0.0
    assert throttle.blocked_for("another", 59.0) == 0.0


def test_each_further_failure_doubles_the_time_up_to_a_minute() -> None:
    throttle = Throttle()
    now = 0.0
    fail(throttle, 9)
    blocks = []
    for _ in range(9):
        blocks.append(throttle.failed("s", now))
        now += blocks[-1]
    assert blocks == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_ten_failures_in_more_than_a_minute_block_nobody() -> None:
    throttle = Throttle()
    assert [throttle.failed("s", now=7.0 * n) for n in range(100)] == [0.0] * 100


def test_a_success_clears() -> None:
    throttle = Throttle()
    fail(throttle, 12)
    throttle.succeeded("s")
    throttle.succeeded("never failed")
    assert throttle.blocked_for("s", 0.0) == 0.0 and len(throttle) == 0
    assert fail(throttle, 9) == 0.0


def test_a_minute_of_quiet_after_the_block_clears() -> None:
    throttle = Throttle()
    assert fail(throttle, 12) == 4.0
    assert throttle.failed("s", 64.0) == 8.0, "still within a minute of the end of the block"
    assert throttle.failed("s", 64.0 + 8.0 + 60.1) == 0.0


def test_the_table_is_bounded_and_forgets_who_failed_longest_ago() -> None:
    throttle = Throttle(failures=1, capacity=3)
    for n in (1, 2, 3, 1, 4):
        throttle.failed(n, float(n))
    assert len(throttle) == 3
    assert throttle.blocked_for(2, 2.0) == 0.0 and throttle.blocked_for(1, 1.0) > 0


def test_a_clock_that_was_set_back_does_not_block_for_longer() -> None:
    throttle = Throttle()
    fail(throttle, 30, now=10_000.0)
    assert throttle.blocked_for("s", 0.0) == 60.0


def test_failures_without_end_are_no_overflow() -> None:
    throttle = Throttle()
    assert fail(throttle, 5000) == 60.0


@pytest.mark.parametrize("now", [0.0, 1e9])
def test_nobody_is_blocked_to_begin_with(now: float) -> None:
    assert Throttle().blocked_for("s", now) == 0.0
