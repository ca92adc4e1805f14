"""`status` as people read it: from facts to lines."""

from typing import Any

import pytest

from gitops_profile.cli.status import _lines, _seconds

A, B = "a" * 40, "b" * 40
REVISION = {"commit": A, "author": "Ann", "message": "Ring longer"}
GOOD: dict[str, Any] = {
    "ready": True, "listening": ["udp:127.0.0.1:5060"], "ref": "main", "head_seen": A, "applied": REVISION,
    "rejected": None, "waiting": None, "presentities": 3, "suspended": [], "held_back": 0, "held_back_profiles": [],
    "superseded": None, "rewritten": None, "source": {"remote": False, "url": "/srv", "last_fetch_error": None},
    "webhook": None, "commit_status": None, "subscriptions": {"held": 2, "current": 2, "behind": 0},
    "lag": {"seconds": 0.0, "seen_to_applied": 0.25, "commit_to_applied": 3.0, "phones_behind": 0},
    "conditions": [
        {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "in force", "lastTransitionTime": "T"},
    ],
}  # fmt: skip


def lines(**facts: Any) -> list[str]:
    return [f"{heading} {text}".strip() for heading, text, _ in _lines(GOOD | facts)]


def test_a_server_at_rest_says_little() -> None:
    assert lines() == [
        "ready yes, on udp:127.0.0.1:5060",
        "revision aaaaaaaaaaaa of main: Ring longer (Ann)",
        "lag in force 250 ms after it was seen, 3.0 s after its commit",
        "profiles 3",
        "phones 2 subscriptions, 2 up to date, 0 behind",
        "condition Ready=True Succeeded since T: in force",
    ]


def test_the_ladder_names_the_rungs_on_which_somebody_stands() -> None:
    assert "ladder 4 returned, 1 faulted" in lines(ladder={"desired": 0, "held": 0, "returned": 4, "faulted": 1})
    held = [{"phones": 3, "until": "T", "reason": "r"}, {"phones": 1, "until": None, "reason": "s"}]
    said = lines(ladder={"held": 4}, held_phones=held)
    assert {"3 held until T: r", "1 held with no end in sight: s"} <= set(said)
    assert not any(line.startswith("ladder") for line in lines(ladder={"desired": 0, "held": 0}))


def test_several_workers_have_a_line_and_one_has_none() -> None:
    fine, dead = {"ready": True, "restarts": 0}, {"ready": False, "restarts": 3}
    assert "workers 3, all serving" in lines(workers=[fine, fine])
    assert "workers 3, 1 of them not serving; 3 died since the start" in lines(workers=[fine, dead])
    assert not any(line.startswith("workers") for line in lines(workers=[]))


def test_everything_that_a_person_must_know_has_its_line() -> None:
    refused = {"at": "T2", "source": "192.0.2.1", "reason": "signature"}
    said = lines(
        head_seen=B,
        lag=GOOD["lag"] | {"seconds": 200.0},
        rejected={"commit": B, "message": "broken", "author": "Bob", "problems": [f"p{n}" for n in range(12)]},
        held={"commit": B, "message": "many gone", "author": "Bob", "problems": ["would remove 25"]},
        suspended=[{"scope": f"user/x/{n}", "since": "T1", "by": "ann", "reason": "fair"} for n in range(11)],
        held_back=2,
        held_back_profiles=["user/x/1", "user/x/2"],
        superseded={"by": A, "count": 104, "commits": ["c" * 40, "d" * 40, "e" * 40, "f" * 40]},
        rewritten={"old": "9" * 40, "new": A},
        source={"remote": True, "url": "https://git.example/p", "last_fetch": "T0", "last_fetch_error": "no route",
                "next_fetch": "T9"},
        webhook={"accepted": 4, "refused": 1, "last": {"at": "T1", "provider": "github"}, "last_refused": refused},
        commit_status={"pending": 2, "last_sent": None, "last_error": "503"},
    )  # fmt: skip
    for line in (
        "head bbbbbbbbbbbb was seen 3 min ago and is not in force",
        "REJECTED bbbbbbbbbbbb: broken (Bob)", "and 2 more problems",
        "HELD bbbbbbbbbbbb: many gone (Bob)", "to apply it: gitops-profile approve bbbbbbbbbbbb",
        "SUSPENDED user/x/0 since T1 by ann: fair", "and 1 more scopes",
        "held back 2 profiles are not as the revision in force has them", "user/x/2",
        "superseded 104 by aaaaaaaaaaaa: … dddddddddddd eeeeeeeeeeee ffffffffffff",
        "rewritten history was rewritten: aaaaaaaaaaaa came in the place of 999999999999",
        "source https://git.example/p, fetched T0", "cannot be read: no route; next try T9",
        "webhook last T1 github, 4 accepted, 1 refused", "last refused T2 192.0.2.1 signature",
        "statuses 2 to be told, last never", "cannot be told: 503",
    ):  # fmt: skip
        assert line in said, (line, said)
    assert lines(waiting="git failed")[3] == "waiting git failed"
    assert lines(applied=None, head_seen=None)[1] == "revision none in force yet (ref main)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "4 ms"), (1.0, "1.0 s"), (119.0, "119.0 s"), (120.0, "2 min"), (7200.0, "2 h"), (172_800.0, "2 days")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert _seconds(seconds) == text
