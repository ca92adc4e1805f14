"""`status`: what a running server serves, and how far the newest revision has come."""

from collections.abc import Collection, Iterator
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from .look import ask
from .options import ConfigFile, Output, State
from .output import PROBLEM, Format, emit_json, printable, say

Line = tuple[str, str, str]
"""Heading, text, style."""
GOOD, BAD, NOTE = "green", "bold red", "yellow"
_SHOWN = 10
"""Problems, suspensions and the like that are listed before the rest is counted."""


def status(config: ConfigFile = None, state: State = None, output: Output = Format.TEXT) -> None:
    """What a running server serves, how many phones have it, and what became of the newest revision.

    Exit status 1 when the newest revision waits for a person: it is rejected, or held for approval. It is 0 while one
    is being applied, and when what differs is suspended on purpose; 2 when no server is running.
    """
    facts = ask(config, state, "status")
    if output is Format.JSON:
        emit_json(facts)
    else:
        _show(_lines(facts))
    stalled = any(one["type"] == "Stalled" and one["status"] == "True" for one in facts["conditions"])
    if facts["rejected"] is not None or stalled:
        raise typer.Exit(PROBLEM)


def _show(lines: Iterator[Line]) -> None:
    """Coloured on a terminal, plain elsewhere."""
    console = Console(highlight=False, soft_wrap=True)
    for heading, text, style in lines:
        line = printable(f"{heading:<10} {text}")
        if console.is_terminal:
            console.print(Text(line, style=style), markup=False)
        else:
            say(line)


def _lines(facts: dict[str, Any]) -> Iterator[Line]:
    phones = facts["subscriptions"]
    where = " ".join(facts["listening"]) or "nothing yet"
    yield "ready", f"{'yes' if facts['ready'] else 'no'}, on {where}", GOOD if facts["ready"] else BAD
    yield from _revision(facts)
    yield from _judged("REJECTED", facts["rejected"])
    yield from _judged("HELD", facts.get("held"))
    if facts["waiting"] and not facts["suspended"]:
        yield "waiting", facts["waiting"], NOTE
    yield from _suspended(facts)
    yield from _source(facts)
    yield from _workers(facts.get("workers", ()))
    yield "profiles", str(facts["presentities"]), ""
    counts = f"{phones['held']} subscriptions, {phones['current']} up to date, {phones['behind']} behind"
    yield "phones", counts, NOTE if phones["behind"] else ""
    rungs = {rung: count for rung, count in facts.get("ladder", {}).items() if count}
    if rungs:
        text = ", ".join(f"{count} {rung}" for rung, count in rungs.items())
        yield "ladder", text, BAD if "faulted" in rungs else ""
    for one in facts.get("held_phones", ()):
        until = f"until {one['until']}" if one["until"] else "with no end in sight"
        yield "", f"{one['phones']} held {until}: {one['reason']}", NOTE
    for one in facts["conditions"]:
        good = one["status"] == ("True" if one["type"] == "Ready" else "False")
        text = f"{one['type']}={one['status']} {one['reason']} since {one['lastTransitionTime']}"
        style = BAD if one["type"] == "Alarm" else "" if good else NOTE
        yield "condition", f"{text}: {one['message']}" if one["type"] in ("Ready", "Alarm") else text, style


def _revision(facts: dict[str, Any]) -> Iterator[Line]:
    applied, lag, head = facts["applied"], facts["lag"], facts["head_seen"]
    if applied is None:
        yield "revision", f"none in force yet (ref {facts['ref']})", NOTE
    else:
        yield "revision", f"{applied['commit'][:12]} of {facts['ref']}: {_subject(applied)}", ""
        if applied.get("signer"):
            yield "signed by", applied["signer"], ""
    if head is not None and (applied is None or head != applied["commit"]):
        yield "head", f"{head[:12]} was seen {_seconds(lag['seconds'])} ago and is not in force", NOTE
    if lag["seen_to_applied"] is not None:
        text = f"in force {_seconds(lag['seen_to_applied'])} after it was seen"
        if lag["commit_to_applied"] is not None:
            text += f", {_seconds(lag['commit_to_applied'])} after its commit"
        yield "lag", text, ""
    rewritten, passed = facts["rewritten"], facts["superseded"]
    if rewritten is not None:
        text = f"history was rewritten: {rewritten['new'][:12]} came in the place of {rewritten['old'][:12]}"
        yield "rewritten", text, NOTE
    if passed is not None:
        names = " ".join(commit[:12] for commit in passed["commits"][-3:])
        more = "… " if passed["count"] > 3 else ""
        yield "superseded", f"{passed['count']} by {(passed['by'] or 'a newer one')[:12]}: {more}{names}", ""


def _judged(heading: str, event: dict[str, Any] | None) -> Iterator[Line]:
    """A revision that waits for a person, with its problems."""
    if not event:
        return
    yield heading, f"{event['commit'][:12]}: {_subject(event)}", BAD
    problems = [str(problem) for problem in event.get("problems", ())]
    for problem in problems[:_SHOWN]:
        yield "", problem, ""
    if len(problems) > _SHOWN:
        yield "", f"and {len(problems) - _SHOWN} more problems", ""
    if heading == "HELD":
        yield "", f"to apply it: gitops-profile approve {event['commit'][:12]}", ""


def _suspended(facts: dict[str, Any]) -> Iterator[Line]:
    suspended = facts["suspended"]
    for one in suspended[:_SHOWN]:
        because = f": {one['reason']}" if one["reason"] else ""
        yield "SUSPENDED", f"{one['scope']} since {one['since']} by {one['by']}{because}", NOTE
    if len(suspended) > _SHOWN:
        yield "", f"and {len(suspended) - _SHOWN} more scopes", NOTE
    if facts["held_back"]:
        yield "held back", f"{facts['held_back']} profiles are not as the revision in force has them", NOTE
        for key in facts["held_back_profiles"][:_SHOWN]:
            yield "", key, ""


def _source(facts: dict[str, Any]) -> Iterator[Line]:
    source, webhook, told = facts.get("source"), facts.get("webhook"), facts.get("commit_status")
    if source and (source["remote"] or source["last_fetch_error"]):
        fetched = f"fetched {source['last_fetch']}" if source["last_fetch"] else "not fetched yet"
        yield "source", source["url"] + (f", {fetched}" if source["remote"] else ""), ""
        if source["last_fetch_error"]:
            again = f"; next try {source['next_fetch']}" if source.get("next_fetch") else ""
            yield "", f"cannot be read: {source['last_fetch_error']}{again}", BAD
    if webhook:
        counts = f"{webhook.get('accepted', 0)} accepted, {webhook.get('refused', 0)} refused"
        yield "webhook", f"last {_event(webhook['last'])}, {counts}", ""
        if webhook["last_refused"]:
            yield "", f"last refused {_event(webhook['last_refused'])}", NOTE
    if told:
        yield "statuses", f"{told['pending']} to be told, last {_event(told['last_sent'])}", ""
        if told["last_error"]:
            yield "", f"cannot be told: {told['last_error']}", NOTE


def _workers(others: Collection[dict[str, Any]]) -> Iterator[Line]:
    """Of several workers; the first one is whoever was asked."""
    if not others:
        return
    down, restarts = sum(not one["ready"] for one in others), sum(one["restarts"] for one in others)
    text = f"{len(others) + 1}, {f'{down} of them not serving' if down else 'all serving'}"
    yield "workers", text + (f"; {restarts} died since the start" if restarts else ""), NOTE if down or restarts else ""


def _subject(event: dict[str, Any]) -> str:
    return f"{event.get('message', '')} ({event.get('author', '')})"


def _event(facts: dict[str, Any] | None) -> str:
    """When, and what."""
    if facts is None:
        return "never"
    return " ".join(str(value) for value in facts.values() if value is not None)


def _seconds(number: float) -> str:
    """A duration for people."""
    if number < 1:
        return f"{number * 1000:.0f} ms"
    for unit, length in (("days", 172_800), ("h", 7200), ("min", 120)):
        if number >= length:
            return f"{number / (86_400 if unit == 'days' else length / 2):.0f} {unit}"
    return f"{number:.1f} s"
