"""What `wait` says of an answer: the line of a job's summary, its table, and when it is content."""

from typing import Any

import pytest

from gitops_profile.cli.wait import MAX_ROWS, as_markdown, is_reached, summary

ANSWER: dict[str, Any] = {
    "revision": "4f1c2e9" + "0" * 33, "verdict": "applied", "counted": "4f1c2e9" + "0" * 33, "reasons": [],
    "for": "acknowledged", "reached": False, "final": False, "planned": 37, "notified": 37, "acknowledged": 35,
    "unreachable": 2, "pending": 0, "gone": 0, "phones": {"unreachable": []},
}  # fmt: skip


def phone(name: str, agent: str | None = None) -> dict[str, str | None]:
    return {"key": f"user/example.com/{name}", "contact": f"sip:{name}@192.0.2.1", "user_agent": agent}


def test_the_summary_of_a_job_is_one_line() -> None:
    assert summary(ANSWER) == "planned 37, notified 37, acknowledged 35, 2 unreachable"
    assert as_markdown(ANSWER)[0] == f"**4f1c2e900000**: {summary(ANSWER)}"
    assert summary(ANSWER | {"planned": None, "verdict": "unknown"}) == "the server knows of no such commit yet"
    assert summary(ANSWER | {"planned": None, "verdict": "held"}) == "held"


def test_what_phones_call_themselves_is_only_text_in_the_table() -> None:
    answer = ANSWER | {"phones": {"unreachable": [phone("alice", "a|b <img> [x](y)\n`c`\x1b[2J"), phone("bob")]}}
    lines = as_markdown(answer)
    assert lines[2:4] == ["| phone | contact | user agent | state |", "|---|---|---|---|"]
    assert lines[4] == (
        "| user/example.com/alice | sip:alice\\@192.0.2.1 | "
        "a\\|b \\<img\\> \\[x\\]\\(y\\) \\`c\\`\\\\u001b\\[2J | not reached |"
    )
    assert lines[5].endswith("| - | not reached |") and len(lines) == 6


def test_the_table_is_bounded_and_says_how_many_are_left_out() -> None:
    answer = ANSWER | {"planned": 200, "acknowledged": 20, "phones": {"pending": [phone(f"u{n}") for n in range(100)]}}
    lines = as_markdown(answer)
    assert sum(line.startswith("| user/") for line in lines) == MAX_ROWS and lines[-1] == "and 130 more"


@pytest.mark.parametrize(
    ("changes", "allowed", "reached"),
    [
        ({}, 0, False),
        ({}, 1, False),
        ({}, 2, True),
        ({"reached": True}, 0, True),
        ({"acknowledged": 34, "pending": 1}, 2, False),
        ({"acknowledged": 34, "gone": 1}, 2, True),
        ({"for": "applied"}, 9, False),
        ({"planned": None}, 9, False),
        ({"unreachable": 0, "acknowledged": 30, "pending": 7}, 9, False),
    ],
)
def test_so_many_may_be_out_of_reach(changes: dict[str, Any], allowed: int, reached: bool) -> None:
    assert is_reached(ANSWER | changes, allowed) is reached
