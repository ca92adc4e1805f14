"""`wait`: until a revision is in force, and its phones are told or have acknowledged it."""

import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gitops_profile.admin_client import AdminError, AdminUnavailable, call_admin
from gitops_profile.server import Goal
from gitops_profile.source import NotARepository, Repository, SourceUnavailable
from gitops_profile.state import StateFolder

from .options import ConfigFile, State, configured, duration
from .output import PROBLEM, emit_json, emit_table, fail, printable, say

STEP = 5.0
"""Seconds that one question to the server waits: so often, at least, there is a look at how far it is."""
PAUSE = 0.5
"""Seconds before a server that is restarting is asked again."""
MAX_ROWS = 50
"""Phones that are named; all are counted."""
_VERDICTS = {
    "unknown": "the server knows of no such commit yet",
    "waiting": "not in force yet",
    "applied": "in force",
    "superseded": "in force with a newer revision",
}
_STAGES = {"unreachable": "not reached", "pending": "not told yet", "notified": "told, no answer yet"}
_STAGES |= {"heard": "has not fetched yet", "gone": "gone"}


class WaitFormat(StrEnum):
    """Of `-o`."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def wait(
    revision: Annotated[
        str,
        typer.Option("--revision", help="the commit: its id or the start of it, or a name in this folder's repository"),
    ],
    goal: Annotated[
        Goal, typer.Option("--for", help="in force; every phone told; acknowledged by every phone; fetched")
    ] = Goal.ACKNOWLEDGED,
    timeout: Annotated[str, typer.Option("--timeout", help="such as 60s or 5m")] = "60s",
    allow_unreachable: Annotated[
        int, typer.Option("--allow-unreachable", min=0, help="so many phones may be out of reach")
    ] = 0,
    url: Annotated[
        str | None, typer.Option("--url", help="a server elsewhere, https://HOST; by default the one of --state")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="for --url: the token of its http.token_file", metavar="FILE")
    ] = None,
    config: ConfigFile = None,
    state: State = None,
    output: Annotated[
        WaitFormat, typer.Option("-o", "--output", help="markdown is for the summary of a job")
    ] = WaitFormat.TEXT,
) -> None:
    """Wait until a revision has come so far. Exit status 1 when it has not in time, or was rejected or is held."""
    seconds, revision = duration(timeout, "--timeout"), _meant_here(revision)
    if url is None:
        ask = partial(
            call_admin, StateFolder(configured(config, state=str(state) if state else None).state).socket, "wait"
        )
    else:
        from gitops_profile.http import ask_revision  # 0.1 s, which asking the server here is spared

        ask = partial(ask_revision, url, _token(token_file))
    answer = asyncio.run(_answer(ask, revision, goal, seconds, allow_unreachable, is_far=url is not None))
    reached = is_reached(answer, allow_unreachable)
    match output:
        case WaitFormat.JSON:
            emit_json(answer | {"reached": reached})
        case WaitFormat.MARKDOWN:
            say("\n".join(as_markdown(answer)))
        case WaitFormat.TEXT:
            _show(answer, reached)
    if not reached:
        raise typer.Exit(PROBLEM)


def _meant_here(revision: str) -> str:
    """The commit that a name such as HEAD means in the repository around the current folder: the server's clone has its
    own HEAD. What is an id, or means nothing here, is left to the server.
    """
    if re.fullmatch(r"[0-9a-fA-F]{4,64}", revision):
        return revision
    try:
        repository = Repository(Path())
    except NotARepository:
        return revision
    try:
        return repository.rev_parse(revision) or revision
    except SourceUnavailable:
        return revision
    finally:
        repository.close()


def is_reached(answer: dict[str, Any], allow_unreachable: int) -> bool:
    """Whether the goal is reached, but for so many phones that are out of reach."""
    if answer["reached"]:
        return True
    if answer["for"] == Goal.APPLIED or answer["planned"] is None:
        return False
    if not 0 < answer["unreachable"] <= allow_unreachable:
        return False
    waited_for = answer["planned"] - answer["unreachable"] - answer["gone"]
    if answer["for"] in (Goal.ACKNOWLEDGED, Goal.FETCHED):
        return bool(answer[answer["for"]] >= waited_for)
    return not answer["phones"].get("pending")


def summary(answer: dict[str, Any]) -> str:
    """How far it is, in one line."""
    if answer["planned"] is None:
        verdict = str(answer["verdict"])
        return _VERDICTS.get(verdict, verdict)
    parts = [f"{name} {answer[name]}" for name in ("planned", "notified", "acknowledged")]
    if _fetched(answer) != answer["acknowledged"]:
        parts.append(f"fetched {_fetched(answer)}")
    parts += [f"{answer[name]} {name}" for name in ("unreachable", "pending", "gone") if answer[name]]
    return ", ".join(parts)


def as_markdown(answer: dict[str, Any]) -> list[str]:
    """The summary of a job: one line, and a table of the phones that do not have it."""
    lines = [f"**{answer['revision'][:12]}**: {summary(answer)}"]
    lines += [f"- {_cell(reason)}" for reason in answer["reasons"]]
    rows = _unfinished(answer)
    if rows:
        lines += ["", "| phone | contact | user agent | state |", "|---|---|---|---|"]
        lines += ["| " + " | ".join(_cell(cell or "-") for cell in row) + " |" for row in rows]
    omitted = _omitted(answer, len(rows))
    return [*lines, *(["", f"and {omitted} more"] if omitted else [])]


async def _answer(
    ask: Callable[[dict[str, Any]], Awaitable[Any]],
    revision: str,
    goal: Goal,
    seconds: float,
    allow_unreachable: int,
    *,
    is_far: bool,
) -> dict[str, Any]:
    """The last answer. A server that is away for a moment is asked again: one here, only if it was there before."""
    end, answer, told = time.monotonic() + seconds, None, ""
    while True:
        left = max(0.0, end - time.monotonic())
        asked = {"revision": revision, "for": str(goal), "timeout": min(STEP if answer else 0.0, left)}
        try:
            answer = await ask(asked)
        except AdminUnavailable as error:
            if not left or (answer is None and not is_far):
                fail(str(error))
            await asyncio.sleep(min(PAUSE, left))
            continue
        except AdminError as error:
            fail(str(error), PROBLEM)
        if answer["final"] or is_reached(answer, allow_unreachable) or not left:
            return dict(answer)
        line = f"{answer['revision'][:12]}: {summary(answer)}"
        if line != told:
            told = line
            sys.stderr.write(printable(line) + "\n")


def _show(answer: dict[str, Any], reached: bool) -> None:
    verdict = "" if reached or answer["verdict"] != "applied" else f", not {answer['for']} in time"
    say(printable(f"{answer['revision'][:12]} {answer['verdict']}: {summary(answer)}{verdict}"))
    for reason in answer["reasons"]:
        say(f"  {printable(reason)}")
    rows = _unfinished(answer)
    if rows:
        emit_table(("PHONE", "CONTACT", "USER AGENT", "STATE"), rows)
    omitted = _omitted(answer, len(rows))
    if omitted:
        say(f"and {omitted} more; gitops-profile get subscriptions has all that are held")


def _unfinished(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The phones that do not have it, the worst first."""
    phones = answer["phones"] or {}
    rows = [
        (phone["key"], phone["contact"], phone["user_agent"], _held(phone) or text)
        for stage, text in _STAGES.items()
        for phone in phones.get(stage, ())
        if phone["key"]  # else nothing is known of it any more
    ]
    return [*rows[:MAX_ROWS]]


def _held(phone: dict[str, Any]) -> str:
    """That it waits for a maintenance window; a server elsewhere may be one that knows none."""
    held = phone.get("held")
    return f"held until {held['until'] or 'its windows change'}: {held['why']}" if held else ""


def _omitted(answer: dict[str, Any], shown: int) -> int:
    if answer["planned"] is None:
        return 0
    return max(0, int(answer["planned"] - _fetched(answer) - shown))


def _fetched(answer: dict[str, Any]) -> int:
    """A server elsewhere may be one that knows no phones that fetch."""
    return int(answer.get("fetched", answer["acknowledged"]))


def _cell(text: str) -> str:
    """Text that a phone or an author chose, as a cell of a table and nothing else."""
    plain = printable(text).replace("\n", " ").replace("\t", " ")
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~@&])", r"\\\1", plain)


def _token(file: Path | None) -> bytes:
    if file is None:
        fail("--url needs --token-file, the file with the token of the server's http.token_file")
    from gitops_profile.http import read_token  # as above

    try:
        return read_token(file)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except ValueError as error:
        fail(str(error))
