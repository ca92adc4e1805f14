"""`get`, `events`, `reconcile`: look at a running server, and at its log."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gitops_profile.admin_client import AdminError, AdminUnavailable, call_admin
from gitops_profile.eventlog import LogCorrupt, LogUnavailable, read_log
from gitops_profile.state import StateFolder

from .options import ConfigFile, Output, State, configured
from .output import PROBLEM, Format, emit_json, emit_table, fail, printable, say

_LADDER = {"RUNG": "rung", "SINCE": "since", "UNTIL": "until", "REASON": "reason"}
get = typer.Typer(help="The tables of a running server.", no_args_is_help=True, add_completion=False)


def ask(config: Path | None, state: Path | None, name: str, **parameters: Any) -> Any:
    """Ask the running server; ends the command when there is none."""
    settings = configured(config, state=str(state) if state else None)
    try:
        return asyncio.run(call_admin(StateFolder(settings.state).socket, name, parameters))
    except AdminUnavailable as error:
        fail(str(error))
    except AdminError as error:
        fail(str(error), PROBLEM)


@get.command("presentities")
def get_presentities(config: ConfigFile = None, state: State = None, output: Output = Format.TEXT) -> None:
    """Every profile document in force."""
    columns = {"KEY": "key", "TYPE": "content_type", "BYTES": "bytes", "COMMIT": "commit"}
    columns |= {"CHANGED": "committed_at", "PATH": "path"}
    _show_rows(ask(config, state, "presentities"), columns, output)


@get.command("subscriptions")
def get_subscriptions(config: ConfigFile = None, state: State = None, output: Output = Format.TEXT) -> None:
    """Every subscription, and whether its phone has the document in force."""
    columns = {"KEY": "key", "CONTACT": "contact", "DELIVERY": "delivery", "CURRENT": "current"}
    columns |= {"EXPIRES": "expires_at", "USER AGENT": "user_agent", **_LADDER}
    _show_rows(ask(config, state, "subscriptions"), columns, output)


@get.command("devices")
def get_devices(
    config: ConfigFile = None,
    state: State = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="only those without a profile; see: gitops-profile import")
    ] = False,
    output: Output = Format.TEXT,
) -> None:
    """Every phone that was seen by plug and play, a subscription or a fetch, and how far its document has come."""
    columns = {"DEVICE": "device", "VENDOR": "vendor", "MODEL": "model", "FIRMWARE": "firmware", "ADDRESS": "address"}
    columns |= {"SEEN": "last_seen", "BY": "how"} | ({} if unknown else {"PROFILE": "key", **_LADDER})
    _show_rows(ask(config, state, "devices", unknown=unknown), columns, output)


def _show_rows(rows: list[dict[str, Any]], columns: dict[str, str], output: Format) -> None:
    """All of the rows for programs; for people the fields under `columns`' headings."""
    if output is Format.JSON:
        emit_json(rows)
    else:
        emit_table(list(columns), ([_short(field, row[field]) for field in columns.values()] for row in rows))


def _short(field: str, value: Any) -> Any:
    if field == "commit" and value:
        return value[:12]
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def reconcile(config: ConfigFile = None, state: State = None, output: Output = Format.TEXT) -> None:
    """Look at git now. Exit status 1 when the head is rejected."""
    facts = ask(config, state, "reconcile")
    if output is Format.JSON:
        emit_json(facts)
    elif facts["verdict"] == "applied":
        counts = f"{facts['added']} added, {facts['changed']} changed, {facts['removed']} removed"
        say(f"applied {facts['commit'][:12]}: {counts}")
    else:
        say(f"{facts['verdict']} {facts['commit'][:12]}")
        for problem in facts.get("problems", [facts.get("reason")]):
            say(f"  {problem}")
    if facts["verdict"] != "applied":
        raise typer.Exit(PROBLEM)


def events(
    config: ConfigFile = None,
    state: State = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what is appended")] = False,
    after: Annotated[int, typer.Option("--after", help="begin behind this position")] = 0,
    output: Output = Format.TEXT,
) -> None:
    """The event log: who changed what, when. It is read from its files; a server may run or not."""
    settings = configured(config, state=str(state) if state else None)
    folder = StateFolder(settings.state).log
    if not folder.is_dir():
        fail(f"there is no event log in {settings.state}; name the state folder with --state")
    try:
        asyncio.run(_events(folder, after, follow, output))
    except LogCorrupt as error:
        fail(str(error), PROBLEM)
    except LogUnavailable as error:
        fail(str(error))
    except KeyboardInterrupt:
        return


async def _events(folder: Path, after: int, follow: bool, output: Format) -> None:
    while True:
        async for record in read_log(folder, after):
            after = record.position
            data = json.loads(record.data)
            if output is Format.JSON:
                line = {"position": record.position, "time": record.time, "stream": record.stream, "type": record.type}
                say(json.dumps({**line, "version": record.version, "data": data}, ensure_ascii=False))
            else:
                text = f"{record.position:>8} {record.time} {record.type:<16} {record.stream} {_detail(data)}"
                say(printable(text.rstrip()))
        if not follow:
            return
        await asyncio.sleep(0.2)


def _detail(data: dict[str, Any]) -> str:
    revision = data.get("revision") or {}
    parts = [(revision.get("commit") or data.get("commit", ""))[:12], revision.get("author", ""), data.get("path", "")]
    parts += [f"signed by {revision['signer']}"] if revision.get("signer") else []
    parts += ["urgent"] if revision.get("urgent") else []
    parts += [f"{name}={data[name]}" for name in ("added", "changed", "removed") if name in data]
    parts += [f"held_back={data['held_back']}"] if data.get("held_back") else []
    # A person, or the commit that went past this one.
    parts += [f"by {data['by'][:12] if 'older' in data else data['by']}"] if data.get("by") else []
    parts += [f"and {data['older']} older"] if data.get("older") else []
    parts += [f"{data['old_commit'][:12]} -> {data['new_commit'][:12]}"] if "old_commit" in data else []
    parts += [data["reason"]] if data.get("reason") else []
    if "problems" in data:
        parts.append(f"{len(data['problems'])} problems, first: {data['problems'][0]['message']}")
    return " ".join(part for part in parts if part)
