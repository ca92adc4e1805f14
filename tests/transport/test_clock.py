"""A clock that jumps, in virtual time."""

import logging

import pytest

from gitops_profile.transport.clock import Clock


class Times:
    """A machine's two clocks."""

    def __init__(self) -> None:
        self.monotonic = 500.0
        self.wall = 1_000_000.0
        self.jumps: list[float] = []
        self.clock = Clock(lambda: self.monotonic, self.jumps.append, wall=lambda: self.wall)

    def pass_(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 2.5])
def test_a_jump_is_told_once_and_not_followed(jump: float, caplog: pytest.LogCaptureFixture) -> None:
    times = Times()
    times.pass_(10)
    times.wall += jump
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            times.clock.check()
            times.pass_(1)
    assert times.jumps == [pytest.approx(jump)]
    assert len(caplog.records) == 1 and f"seconds={jump:.1f}" in caplog.text
    assert times.clock.now() == 1_000_015.0


def test_a_second_jump_is_measured_from_the_first() -> None:
    times = Times()
    for jump in (3600.0, -3600.0):
        times.pass_(2)
        times.wall += jump
        times.clock.check()
    assert times.jumps == [pytest.approx(3600.0), pytest.approx(-3600.0)]


def test_a_small_difference_is_no_jump() -> None:
    times = Times()
    for _ in range(100):
        times.pass_(1)
        times.clock.check()
    times.wall += 1.9
    times.pass_(1)
    times.clock.check()
    assert times.jumps == []


def test_the_clocks_are_compared_at_most_once_a_second() -> None:
    times = Times()
    times.pass_(2)
    times.clock.check()
    times.wall += 60
    times.pass_(0.9)
    times.clock.check()
    assert times.jumps == []
    times.pass_(0.1)
    times.clock.check()
    assert times.jumps == [pytest.approx(60.0)]
