"""What a workflow says of a rollout."""

from typing import Any

import pytest
from hypothesis import given

from gitops_profile.plan import is_reached, is_settled, rollout_markdown, rollout_sentence

from .test_plan import EVIL, prose_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def answer(
    verdict: str = "applied", counts: tuple[int, int, int, int] = (37, 37, 35, 2), **more: Any
) -> dict[str, Any]:
    names = ("planned", "notified", "acknowledged", "unreachable")
    return {"revision": COMMIT, "verdict": verdict, **dict(zip(names, counts, strict=True)), **more}


def test_the_sentence() -> None:
    assert rollout_sentence(answer()) == "planned 37, notified 37, acknowledged 35, 2 unreachable"


@pytest.mark.parametrize(
    ("found", "stage", "reached", "settled"),
    [
        (answer(), "applied", True, True),
        (answer(), "notified", True, True),
        (answer(), "acknowledged", False, True),
        (answer(counts=(37, 37, 35, 1)), "acknowledged", False, False),
        (answer(counts=(37, 37, 37, 0)), "acknowledged", True, True),
        (answer(counts=(0, 0, 0, 0)), "acknowledged", True, True),
        (answer("unchanged", (0, 0, 0, 0)), "notified", True, True),
        (answer("rejected", (0, 0, 0, 0)), "applied", False, True),
        (answer("held", (0, 0, 0, 0)), "acknowledged", False, True),
        (answer("superseded", (0, 0, 0, 0)), "acknowledged", False, True),
        (answer("waiting", (0, 0, 0, 0)), "applied", False, False),
        ({}, "applied", False, False),
    ],
)
def test_when_it_is_reached_and_when_waiting_is_over(
    found: dict[str, Any], stage: str, reached: bool, settled: bool
) -> None:
    assert (is_reached(found, stage), is_settled(found, stage)) == (reached, settled)


def test_the_summary_names_who_is_behind() -> None:
    phones = {"device/example.com/b": "unreachable", "device/example.com/a": {"state": "notified"}, "c": "acknowledged"}
    text = rollout_markdown(answer(phones=phones), "acknowledged")
    assert text.startswith(
        "### Rollout of 0123456789ab: not acknowledged\n\nplanned 37, notified 37, acknowledged 35, "
    )
    assert "```\ndevice/example.com/a: notified\ndevice/example.com/b: unreachable\n```" in text


def test_the_summary_of_a_revision_that_is_not_in_force_says_why() -> None:
    text = rollout_markdown(answer("rejected", (0, 0, 0, 0), problems=["a.yaml:1:1: `bad` @team"]), "acknowledged")
    assert text.startswith("### Rollout of 0123456789ab: not acknowledged, rejected\n")
    assert "\n```\na.yaml:1:1: `bad` @team\n```\n" in text
    assert "```\n… " not in text and "too many" in rollout_markdown(answer("held", reason="too many"), "applied")


def test_many_phones_are_cut_and_counted() -> None:
    text = rollout_markdown(answer(phones={f"p{n:04}": "notified" for n in range(2000)}), "acknowledged")
    assert "p0049: notified\n… and 1950 more\n" in text and "p0050" not in text


@given(EVIL, EVIL, EVIL)
def test_what_others_wrote_stays_in_its_fence(one: str, other: str, third: str) -> None:
    found = answer(third or "held", revision=other, phones={one: other, other: {"state": third}}, problems=[one, third])
    prose, _ = prose_of(
        rollout_markdown(found, "acknowledged").replace(
            "<summary>not acknowledged</summary>", "<summary>which</summary>"
        )
    )
    assert not set(prose) & set("@#<>[]|`$\\") and prose.isascii(), prose
