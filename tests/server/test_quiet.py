"""A flood of failures is a few lines and a number."""

import logging

import pytest

from gitops_profile.server.quiet import WARNINGS, Budget


def test_beyond_its_share_of_a_minute_a_warning_is_counted_and_the_next_minute_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 1000.0
    budget = Budget(logging.getLogger("phones"), "NOTIFY failures", monotonic=lambda: now)
    with caplog.at_level(logging.WARNING):
        for number in range(WARNINGS + 40):
            budget.warn("failed number=%d", number)
        assert [record.getMessage() for record in caplog.records] == [f"failed number={n}" for n in range(WARNINGS)]
        caplog.clear()
        now += 61
        budget.warn("failed again")
        assert [record.getMessage() for record in caplog.records] == [
            "NOTIFY failures not logged count=40",
            "failed again",
        ]
        caplog.clear()
        now += 61
        budget.warn("failed once")
        assert [record.getMessage() for record in caplog.records] == ["failed once"]
