"""How far a revision has come at the phones, for people: from what a server answers to `wait`.

The answer has `revision`, `verdict`, and how many phones were `planned`, `notified`, `acknowledged` and `unreachable`;
`phones` says of each how far it is, `problems` and `reason` why a revision is not in force.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from .markdown import fenced
from .wording import shown

IN_FORCE = ("applied", "unchanged")
FINAL = ("rejected", "held", "superseded")
"""Verdicts after which no phone will get this revision as it is."""
MAX_NAMED = 50
"""Phones and problems that are named."""


def is_reached(answer: Mapping[str, Any], stage: str) -> bool:
    """Whether all phones concerned have come to `stage`: applied (by the server), notified or acknowledged."""
    if answer.get("verdict") not in IN_FORCE:
        return False
    return stage == "applied" or _count(answer, stage) >= _count(answer, "planned")


def is_settled(answer: Mapping[str, Any], stage: str) -> bool:
    """Whether waiting longer changes nothing: it is reached, or will not be."""
    if answer.get("verdict") in FINAL or is_reached(answer, stage):
        return True
    told = _count(answer, "acknowledged") + _count(answer, "unreachable")
    return answer.get("verdict") in IN_FORCE and told >= _count(answer, "planned")


def rollout_sentence(answer: Mapping[str, Any]) -> str:
    """Such as "planned 37, notified 37, acknowledged 35, 2 unreachable"."""
    counts = ", ".join(f"{stage} {_count(answer, stage)}" for stage in ("planned", "notified", "acknowledged"))
    return f"{counts}, {_count(answer, 'unreachable')} unreachable"


def rollout_markdown(answer: Mapping[str, Any], stage: str) -> str:
    """A block for the summary of a workflow's job; whatever somebody chose to write stands in a fence."""
    commit, verdict = str(answer.get("revision", ""))[:12], str(answer.get("verdict", "unknown"))
    word = verdict if verdict.isascii() and verdict.isalpha() else "unknown"
    if is_reached(answer, stage):
        title = f"Rollout of {_hex(commit)}: {stage}"
    else:
        title = f"Rollout of {_hex(commit)}: not {stage}" + ("" if word in IN_FORCE else f", {word}")
    parts = [f"### {title}\n\n{rollout_sentence(answer)}\n"]
    reasons = [shown(str(problem)) for problem in answer.get("problems") or [answer.get("reason")] if problem]
    if reasons and word not in IN_FORCE:
        parts.append(fenced("", _some(reasons)))
    behind = [f"{shown(name)}: {shown(state)}" for name, state in _behind(answer.get("phones"))]
    if behind:
        parts.append(f"\n<details><summary>not acknowledged</summary>\n{fenced('', _some(behind))}\n</details>\n")
    return "".join(parts)


def _behind(phones: Any) -> Iterator[tuple[str, str]]:
    """The phones that have not acknowledged it, and how far each is."""
    if not isinstance(phones, Mapping):
        return
    for name, facts in sorted(phones.items()):
        state = facts.get("state", "") if isinstance(facts, Mapping) else facts
        if state != "acknowledged":
            yield str(name), str(state)


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_NAMED
    return lines[:MAX_NAMED] + ([f"… and {more} more"] if more > 0 else [])


def _count(answer: Mapping[str, Any], name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) else 0


def _hex(commit: str) -> str:
    return commit if commit.isalnum() and commit.isascii() else "?"
