"""Conditions from facts, and since when: in virtual time."""

from dataclasses import replace

import pytest

from gitops_profile.server.conditions import Conditions, Facts, conditions, revision_text

A, B = "a" * 40, "b" * 40
GOOD = Facts("main", head=A, applied=A)


def rows(facts: Facts) -> list[tuple[str, str, str]]:
    return [(one.type, one.status, one.reason) for one in conditions(facts)]


def idle(ready: str, reason: str, *, stalled: bool = False) -> list[tuple[str, str, str]]:
    return [("Ready", ready, reason), ("Reconciling", "False", reason), ("Stalled", str(stalled), reason)]


def busy(ready: str, reason: str, retry: bool) -> list[tuple[str, str, str]]:
    why = "ProgressingWithRetry" if retry else reason
    return [("Ready", ready, reason), ("Reconciling", "True", why), ("Stalled", "False", reason)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts("main"), busy("Unknown", "Progressing", False)),
        (GOOD, idle("True", "Succeeded")),
        (replace(GOOD, head=B), busy("Unknown", "Progressing", False)),
        (replace(GOOD, head=B, rejected=B, problem="x.yaml:1: bad"), idle("False", "BuildFailed", stalled=True)),
        (replace(GOOD, head=B, rejected=B, unsigned=True), idle("False", "VerificationError", stalled=True)),
        (replace(GOOD, head=B, held=B), idle("False", "HeldForApproval", stalled=True)),
        (replace(GOOD, head=B, waiting="git failed"), busy("False", "SourceUnavailable", True)),
        (replace(GOOD, head=B, waiting="disk", storage=True), busy("False", "StorageOperationFailed", True)),
        (replace(GOOD, head=B, waiting="no keys", unverified=True), busy("False", "VerificationError", True)),
        (replace(GOOD, trouble="the repository is gone"), busy("Unknown", "SourceUnavailable", True)),
        (replace(GOOD, gone=True), busy("Unknown", "SourceUnavailable", True)),
        (replace(GOOD, head=B, suspended=("all",)), idle("False", "Suspended")),
        (replace(GOOD, suspended=("all",)), idle("True", "Succeeded")),
        (replace(GOOD, suspended=("device/example.com/hq",)), idle("True", "Succeeded")),
        (replace(GOOD, suspended=("device/example.com/hq",), held_back=3), idle("False", "Suspended")),
        # What was rejected before says nothing of a head that came after it.
        (replace(GOOD, head=B, rejected="c" * 40), busy("Unknown", "Progressing", False)),
        (replace(GOOD, head=B, rejected=B, suspended=("all",)), idle("False", "BuildFailed", stalled=True)),
    ],
)
def test_each_state_has_its_conditions(facts: Facts, expected: list[tuple[str, str, str]]) -> None:
    assert rows(facts) == expected


def test_messages_name_what_a_person_needs() -> None:
    def ready(facts: Facts) -> str:
        return conditions(facts)[0].message

    assert ready(replace(GOOD, head=B, rejected=B, problem="x.yaml:1: bad")) == "x.yaml:1: bad"
    assert "3 profiles are held back: device/example.com/hq" in ready(
        replace(GOOD, suspended=("device/example.com/hq",), held_back=3)
    )
    assert "suspended: all" in ready(replace(GOOD, suspended=("all",)))


def test_the_time_is_that_of_the_last_change_of_the_status() -> None:
    known = Conditions()

    def times(facts: Facts, now: int) -> list[str]:
        return [one.last_transition_time[-3:-1] for one in known.update(facts, f"2026-01-01T00:00:{now:02}Z")]

    assert times(Facts("main"), 0) == ["00", "00", "00"]
    assert times(GOOD, 1) == ["01", "01", "00"]
    assert times(GOOD, 2) == ["01", "01", "00"]
    assert times(replace(GOOD, head=B), 3) == ["03", "03", "00"]
    assert times(replace(GOOD, head=B, rejected=B), 4) == ["04", "04", "04"]
    assert times(replace(GOOD, head=B, held=B), 5) == ["04", "04", "04"], "another reason is no transition"
    assert times(GOOD, 6) == ["06", "04", "06"]


def test_revisions_are_written_as_flux_writes_them() -> None:
    assert revision_text("main", A) == f"main@sha1:{A}"
    assert revision_text("main", "c" * 64) == f"main@sha256:{'c' * 64}"
    assert revision_text("main", None) is None
    data = conditions(GOOD)[0].as_data()
    assert data["observedRevision"] == f"main@sha1:{A}" and list(data)[:4] == ["type", "status", "reason", "message"]
