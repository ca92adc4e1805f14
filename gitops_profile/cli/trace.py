"""`trace`: why this phone has this document."""

import asyncio
from typing import Annotated, Any

import typer

from gitops_profile.admin_client import AdminError, AdminUnavailable, call_admin
from gitops_profile.config import Config
from gitops_profile.presentity import Presentation, ProfileDocument, ProfileKey, RevisionStamp, Version, request_number
from gitops_profile.state import StateFolder

from .deliveries import Deliveries
from .history import Key, keys_of, log_folder, read_versions
from .making import made_of
from .moments import logged_table
from .options import ConfigFile, Output, State, configured
from .output import PROBLEM, Format, emit_json, emit_table, fail, printable, say

_OF_DEVICE = ("device", "vendor", "model", "firmware", "address", "contact", "last_seen")


def trace(
    key: Key,
    vendor: Annotated[str | None, typer.Option("--vendor", help="for a phone that says this vendor")] = None,
    model: Annotated[str | None, typer.Option("--model", help="for a phone that says this model")] = None,
    version: Annotated[str | None, typer.Option("--version", help="for a phone that says this version")] = None,
    config: ConfigFile = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> None:
    """Where a document comes from, what a phone gets of it, and, of a running server, who has it."""
    settings = configured(config, state=str(state) if state else None)
    keys = keys_of(key)
    table = logged_table(settings)
    asked, owner = next(((k, o) for k in keys if (o := table.resolve(k)) is not None), (keys[0], None))
    document = table.get(owner) if owner is not None else None
    stamp = table.revision_of(owner) if owner is not None else None
    if document is None or stamp is None:
        fail(f"no profile {key} is in force; gitops-profile history {key} says whether one ever was", PROBLEM)
    folder = table.applied.path if table.applied is not None else settings.repository.path
    facts = _facts(asked, document, stamp) | {
        "made_of": made_of(settings, document, stamp.commit, folder),
        "device": {"vendor": vendor, "model": model, "version": version},
        "gets": _presentation(document.for_device(vendor, model, version)),
        "subscribers": _subscribers(settings, document),
        "devices": _devices(settings, document),
    }
    if output is Format.JSON:
        emit_json(facts)
    else:
        _show(facts)


def _facts(asked: ProfileKey, document: ProfileDocument, stamp: RevisionStamp) -> dict[str, Any]:
    return {
        "asked": str(asked),
        "key": str(document.key),
        "aliases": [str(alias) for alias in document.aliases],
        "path": document.path,
        "commit": stamp.commit,
        "author": stamp.author,
        "committer": stamp.committer,
        "committed_at": stamp.committed_at,
        "signer": stamp.signer,
        "subject": stamp.message,
        "request": request_number(stamp.message),
        "document": _presentation(document),
        "variants": [_presentation(variant) for variant in document.variants],
    }


def _presentation(presentation: Presentation) -> dict[str, Any]:
    when = None
    if not isinstance(presentation, ProfileDocument):
        globs = {name: getattr(presentation, name) for name in ("vendor", "model", "version")}
        when = {name: glob for name, glob in globs.items() if glob is not None}
    return {
        "when": when,
        "content_type": presentation.content_type,
        "bytes": len(presentation.body),
        # A plain hash of a short secret can be guessed.
        "etag": None if presentation.sensitive else presentation.etag,
        "sensitive": presentation.sensitive,
        "effective_by": presentation.effective_by,
    }


def _subscribers(settings: Config, document: ProfileDocument) -> list[dict[str, Any]] | None:
    """Who is subscribed to the document under any of its names; None when no server runs."""
    try:
        rows = asyncio.run(call_admin(StateFolder(settings.state).socket, "subscriptions"))
    except AdminUnavailable:
        return None
    except AdminError as error:
        fail(str(error), PROBLEM)
    names = {str(document.key), *map(str, document.aliases)}
    held = [row for row in rows if row["key"] in names]
    if held:
        found = read_versions(log_folder(settings), [document.key])
        versions, facts = found.versions(), Deliveries(settings, found)
        for row in held:
            row["has"] = _version(facts.version_with(row["acknowledged_etag"], versions))
    if document.sensitive or any(variant.sensitive for variant in document.variants):
        # A plain hash of a short secret can be guessed.
        return [row | {"acknowledged_etag": None} for row in held]
    return held


def _devices(settings: Config, document: ProfileDocument) -> list[dict[str, Any]] | None:
    """The phones that fetch the document, or are to: where they stand with it; None when no server runs."""
    key = str(document.key)
    try:
        rows = asyncio.run(call_admin(StateFolder(settings.state).socket, "devices", {"key": key}))
    except AdminUnavailable:
        return None
    except AdminError as error:
        fail(str(error), PROBLEM)
    found = read_versions(log_folder(settings), [document.key]) if rows else None
    versions, facts = (found.versions(), Deliveries(settings, found)) if found is not None else ([], None)
    return [
        {name: row[name] for name in _OF_DEVICE}
        | {name: one[name] for name in ("rung", "since", "reason", "until", "fetched_at")}
        | {"has": _version(facts.version_with(one["fetched_etag"], versions)) if facts is not None else None}
        for row in rows
        for one in row["documents"]
        if one["key"] == key
    ]


def _version(version: Version | None) -> dict[str, Any] | None:
    """Which version a phone has; None when it has acknowledged none, or one that is none of this profile."""
    if version is None:
        return None
    revision = version.revision
    return {
        "position": version.position,
        "change": version.change,
        "commit": revision.commit,
        "committed_at": revision.committed_at,
        "request": version.request,
    }


def _show(facts: dict[str, Any]) -> None:
    alias = "" if facts["asked"] == facts["key"] else f", by its alias {facts['asked']}"
    lines = [
        f"profile    {facts['key']}{alias}",
        f"file       {facts['path']}",
        f"commit     {facts['commit'][:12]} of {facts['committed_at']}: {facts['subject']}",
        f"author     {facts['author']}, committed by {facts['committer']}",
        *([f"signed by  {facts['signer']}"] if facts["signer"] else []),
        *_made(facts["made_of"]),
        f"document   {_described(facts['document'])}",
        *(f"variant    {_described(variant)}" for variant in facts["variants"]),
    ]
    device = " ".join(f"{name}={text}" for name, text in facts["device"].items() if text is not None)
    lines.append(f"gets       {_described(facts['gets'])}, a phone that says {device or 'nothing of itself'}")
    for line in lines:
        say(printable(line))
    subscribers = facts["subscribers"]
    if subscribers is None:
        say("phones     no server is running")
        return
    say(f"phones     {len(subscribers)} subscribed")
    if subscribers:
        fields = ("key", "contact", "delivery", "delivered_at", "has", "current", "user_agent")
        rows = [{**row, "has": row["has"] and row["has"]["commit"][:12]} for row in subscribers]
        cells = [[{True: "yes", False: "no"}.get(row[f], row[f]) for f in fields] for row in rows]
        emit_table(("KEY", "CONTACT", "DELIVERY", "SINCE", "HAS", "CURRENT", "USER AGENT"), cells)
    _show_devices(facts["devices"])


def _show_devices(devices: list[dict[str, Any]] | None) -> None:
    if not devices:
        return
    say(f"           {len(devices)} fetch it by URL")
    fields = ("device", "vendor", "model", "address", "rung", "since", "has", "reason")
    rows = [{**row, "has": row["has"] and row["has"]["commit"][:12]} for row in devices]
    columns = ("DEVICE", "VENDOR", "MODEL", "ADDRESS", "RUNG", "SINCE", "HAS", "REASON")
    emit_table(columns, [[row[name] for name in fields] for row in rows])


def _made(facts: dict[str, Any] | None) -> list[str]:
    """The lines about what a document is made of."""
    if facts is None:
        return ["made of    not known: the repository, or this commit of it, is not here"]
    lines = [f"{name:<11}{', '.join(facts[name])}" for name in ("defaults", "bases") if facts[name]]
    source = facts["source"]
    if source is not None and source["kind"] != "plain document":
        what = source["file"] or "written out"
        lines.append(f"{source['kind']:<11}{what}, by {source['named_in']}:{source['line']}")
    return lines


def _described(presentation: dict[str, Any]) -> str:
    when = presentation["when"]
    kind = "" if when is None else "for " + " ".join(f"{name}={glob}" for name, glob in when.items()) + ": "
    etag = "sensitive" if presentation["sensitive"] else f"etag {presentation['etag']}"
    return f"{kind}{presentation['content_type']}, {presentation['bytes']} bytes, {etag}"
