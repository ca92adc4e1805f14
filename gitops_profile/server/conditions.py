"""How far the newest revision has come, in the words of Flux and kstatus: Ready, Reconciling, Stalled (pure).

Ready says whether the head of the ref is in force; whether phones are served is another matter, and `/healthz` says it.
The names are those of Flux where it has one: Succeeded, Progressing, ProgressingWithRetry, BuildFailed, Suspended,
VerificationError, StorageOperationFailed. SourceUnavailable and HeldForApproval are ours, and so is the
condition Alarm, which is there only after somebody asked for a decoy.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the conditions are made of."""

    ref: str
    head: str | None = None
    """The newest commit seen."""
    gone: bool = False
    """The ref does not exist."""
    applied: str | None = None
    """The commit in force."""
    rejected: str | None = None
    problem: str = ""
    """The first problem of the rejected one."""
    unsigned: bool = False
    """Whether it is the signature."""
    held: str | None = None
    """A commit that waits for approval."""
    held_reason: str = ""
    waiting: str = ""
    """Why git or the log could not be used for the head; empty when it could."""
    storage: bool = False
    """Whether that is the log."""
    unverified: bool = False
    """Whether that is what the head's signature is checked with."""
    trouble: str = ""
    """Why git could not be asked for its newest revision; empty when it could."""
    suspended: tuple[str, ...] = ()
    """Scopes; `all` is one."""
    held_back: int = 0
    """Profiles that are not as the commit in force has them."""
    alarm: str = ""
    """Who asked for a decoy; empty when nobody did of late."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, since when it has this status."""

    type: str
    status: Status
    reason: str
    message: str
    observed_revision: str | None
    last_transition_time: str = ""
    """RFC 3339, UTC."""

    def as_data(self) -> dict[str, str | None]:
        """As Kubernetes writes it."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.last_transition_time,
            "observedRevision": self.observed_revision,
        }


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Ready, and why; and whether something is being done about it, or only a person can do it."""

    ready: Status
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


def revision_text(ref: str, commit: str | None) -> str | None:
    """A revision as Flux writes it: `main@sha1:…`."""
    if commit is None:
        return None
    return f"{ref}@{'sha256' if len(commit) == 64 else 'sha1'}:{commit}"


def conditions(facts: Facts) -> tuple[Condition, ...]:
    """Ready, Reconciling and Stalled, and Alarm when there is one; without a time."""
    found = _verdict(facts)
    observed = revision_text(facts.ref, facts.head)
    status: dict[str, Status] = {
        "Ready": found.ready,
        "Reconciling": "True" if found.reconciling else "False",
        "Stalled": "True" if found.stalled else "False",
    }
    reasons = dict.fromkeys(status, found.reason)
    if found.reconciling and found.reason != "Progressing":
        reasons["Reconciling"] = "ProgressingWithRetry"
    usual = tuple(Condition(name, status[name], reasons[name], found.message, observed) for name in status)
    return (*usual, Condition("Alarm", "True", "DecoyRequested", facts.alarm, observed)) if facts.alarm else usual


def _verdict(facts: Facts) -> _Verdict:
    head = facts.head
    if facts.gone:
        return _Verdict("Unknown", "SourceUnavailable", f"the ref {facts.ref} does not exist", reconciling=True)
    if facts.trouble:
        return _Verdict("Unknown", "SourceUnavailable", facts.trouble, reconciling=True)
    if head is None:
        return _Verdict("Unknown", "Progressing", f"{facts.ref} was not looked at yet", reconciling=True)
    if head == facts.held:
        return _Verdict("False", "HeldForApproval", facts.held_reason or "waits for approval", stalled=True)
    if head == facts.rejected:
        reason = "VerificationError" if facts.unsigned else "BuildFailed"
        return _Verdict("False", reason, facts.problem, stalled=True)
    if head == facts.applied:
        return _in_force(facts)
    if "all" in facts.suspended:
        return _Verdict("False", "Suspended", f"{head[:12]} is not applied: everything is suspended")
    if facts.waiting:
        reason = "VerificationError" if facts.unverified else "SourceUnavailable"
        reason = "StorageOperationFailed" if facts.storage else reason
        return _Verdict("False", reason, facts.waiting, reconciling=True)
    return _Verdict("Unknown", "Progressing", f"{head[:12]} is being looked at", reconciling=True)


def _in_force(facts: Facts) -> _Verdict:
    if facts.held_back:
        scopes = ", ".join(facts.suspended[:5]) + (", …" if len(facts.suspended) > 5 else "")
        return _Verdict("False", "Suspended", f"{facts.held_back} profiles are held back: {scopes} suspended")
    also = f"; suspended: {', '.join(facts.suspended[:5])}" if facts.suspended else ""
    return _Verdict("True", "Succeeded", f"{(facts.head or '')[:12]} is in force{also}")


class Conditions:
    """The conditions with the times at which their status changed."""

    def __init__(self) -> None:
        self._known: Mapping[str, Condition] = {}

    def update(self, facts: Facts, now: str) -> tuple[Condition, ...]:
        """What is so now (RFC 3339); a status that is as before keeps its time, as Kubernetes has it."""
        found = tuple(self._timed(conditions(facts), now))
        self._known = {condition.type: condition for condition in found}
        return found

    def _timed(self, fresh: Iterable[Condition], now: str) -> Iterable[Condition]:
        for condition in fresh:
            before = self._known.get(condition.type)
            same = before is not None and before.status == condition.status
            yield replace(condition, last_transition_time=before.last_transition_time if same and before else now)
