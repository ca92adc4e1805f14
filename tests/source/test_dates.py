"""A date is what git takes for one, and nothing else is: a mistyped revision must not become a moment."""

from datetime import UTC, datetime, timedelta

import git
import pytest

from gitops_profile.source import parse_date


@pytest.fixture(autouse=True)
def local_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)),
        ("2026-03-01T12:30", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01 12:30:15", datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)),
        ("2026-03-01T12:30:15Z", datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)),
        ("2026-03-01T12:30:15+02:00", datetime(2026, 3, 1, 10, 30, 15, tzinfo=UTC)),
        ("2026-03-01 12:30:15 -0130", datetime(2026, 3, 1, 14, 0, 15, tzinfo=UTC)),
        ("@1000000000", datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)),
    ],
)
def test_a_moment_is_exact(text: str, moment: datetime) -> None:
    assert parse_date(text) == moment


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", timedelta()),
        ("today", timedelta()),
        ("yesterday", timedelta(days=1)),
        ("3 days ago", timedelta(days=3)),
        ("2 hours ago", timedelta(hours=2)),
    ],
)
def test_words_count_from_now(text: str, ago: timedelta) -> None:
    found = parse_date(text)
    assert found is not None and abs(datetime.now(UTC) - ago - found) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    [
        "main", "HEAD~3", "main~9", "v1.2.3", "4f1c2e9", "deadbeef", "fnord 3", "refs/heads/main", "release-2026", "5",
        "", "2026-13-45", "2026-02-30", "2026", "@12", "--help", "2026-03-01; id", "día 3", "１２ days ago",
        "@99999999999999999999",
    ],
)  # fmt: skip
def test_what_may_be_a_revision_or_is_nonsense_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize("text", ["2026-03-01T12:30:15+02:00", "2026-03-01 12:30", "nov 5 2026", "last friday"])
def test_git_agrees(text: str) -> None:
    """`rev-parse --since` is git's own reading of the same text."""
    found = parse_date(text)
    assert found is not None
    of_git = int(str(git.Git().rev_parse(f"--since={text}")).partition("=")[2])
    assert abs(int(found.timestamp()) - of_git) <= 5
