"""`history`: every version of one profile, from the event log."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gitops_profile.config import Config
from gitops_profile.eventlog import LogCorrupt, LogUnavailable
from gitops_profile.presentity import InvalidKey, ProfileHistory, ProfileKey, UnknownEvent, Variant, Version, difference
from gitops_profile.reconcile import read_history
from gitops_profile.state import StateFolder

from .deliveries import Deliveries
from .options import ConfigFile, Output, State, configured
from .output import PROBLEM, Format, emit_json, emit_table, fail, printable, say

Key = Annotated[str, typer.Argument(help="user/DOMAIN/USER, device/DOMAIN/ID, local-network/DOMAIN or sip:USER@DOMAIN")]
_COLUMNS = (
    *("POSITION", "TIME", "WHAT", "BYTES", "ETAG", "COMMIT", "AUTHOR", "SIGNER", "REQUEST"),
    *("NOTIFIED", "FIRST", "ACKNOWLEDGED", "LAST", "FAILED", "FETCHED", "SUBJECT"),
)


def history(
    key: Key,
    diff: Annotated[bool, typer.Option("--diff", help="how each version differs from the one before it")] = False,
    reverse: Annotated[bool, typer.Option("--reverse", help="the oldest first")] = False,
    config: ConfigFile = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> None:
    """Every version of one profile: when, by which commit, whose it was, and which phones got it.

    A server may run or not.
    """
    settings = configured(config, state=str(state) if state else None)
    found = read_versions(log_folder(settings), keys_of(key))
    versions = found.versions()
    if not versions:
        fail(f"there never was a profile {key}; gitops-profile events shows all that ever were", PROBLEM)
    facts = Deliveries(settings, found)
    rows = [_row(version, before, facts) for before, version in zip((None, *versions), versions, strict=False)]
    if facts.missing is not None:
        sys.stderr.write(f"nothing is known of phones: {facts.missing}\n")
    if not reverse:
        rows.reverse()
    if output is Format.JSON:
        emit_json([{"key": str(found.owner)} | {k: v for k, v in row.items() if diff or k != "diff"} for row in rows])
        return
    if str(found.owner) != key:
        say(f"{key} is {found.owner}")
    if not diff:
        emit_table(_COLUMNS, map(_cells, rows))
        if any(row["delivery"] and row["delivery"]["shared"] for row in rows):
            say("* the same content as another version, for some phones or all: they count for both")
        return
    for row in rows:
        say(printable("  ".join(str(cell) for cell in _cells(row) if cell is not None)))
        for line in row["diff"]:
            say("  " + printable(line))


def log_folder(settings: Config) -> Path:
    """The event log; ends the command when there is none."""
    folder = StateFolder(settings.state).log
    if not folder.is_dir():
        fail(f"there is no event log in {settings.state}; name the state folder with --state")
    return folder


def keys_of(text: str) -> list[ProfileKey]:
    """What a person means by a key, the likelier first; ends the command when it can be none."""
    try:
        if not text.startswith(("sip:", "sips:")):
            return [ProfileKey.parse(text)]
        user, _, domain = text.partition(":")[2].rpartition("@")
        return [ProfileKey.user(domain, user), ProfileKey.device(domain, user)]
    except InvalidKey as error:
        fail(str(error))


def read_versions(folder: Path, keys: list[ProfileKey]) -> ProfileHistory:
    """The history of the first of the keys that has one."""
    found = ProfileHistory(keys[0])
    try:
        for key in keys:
            found = asyncio.run(read_history(folder, key))
            if found.versions():
                break
    except LogCorrupt as error:
        fail(str(error), PROBLEM)
    except (LogUnavailable, UnknownEvent) as error:
        fail(str(error))
    return found


def _row(version: Version, before: Version | None, facts: Deliveries) -> dict[str, Any]:
    document, revision = version.document, version.revision
    known = before.document if before is not None else None
    return {
        "position": version.position,
        "time": version.time,
        "change": version.change,
        "path": version.path,
        "content_type": document.content_type if document else None,
        "bytes": len(document.body) if document else None,
        # A plain hash of a short secret can be guessed.
        "etag": document.etag if document and not document.sensitive else None,
        "sensitive": document.sensitive if document else None,
        "commit": revision.commit,
        "author": revision.author,
        "committer": revision.committer,
        "committed_at": revision.committed_at,
        "signer": revision.signer,
        "subject": revision.message,
        "request": version.request,
        "delivery": facts.of(version),
        "variants": [_variant(variant, facts) for variant in document.variants] if document else [],
        "diff": difference(known, document),
    }


def _variant(variant: Variant, facts: Deliveries) -> dict[str, Any]:
    """What some kinds of phones got instead, and what became of that."""
    globs = {name: getattr(variant, name) for name in ("vendor", "model", "version")}
    return {
        "when": {name: glob for name, glob in globs.items() if glob is not None},
        "content_type": variant.content_type,
        "bytes": len(variant.body),
        "etag": None if variant.sensitive else variant.etag,
        "sensitive": variant.sensitive,
        "delivery": facts.of_presentation(variant),
    }


def _cells(row: dict[str, Any]) -> list[Any]:
    request = f"#{row['request']}" if row["request"] is not None else None
    etag = row["etag"][:12] if row["etag"] else None
    cells = [row["position"], row["time"], row["change"], row["bytes"], etag, row["commit"][:12], row["author"]]
    return [*cells, row["signer"], request, *_delivered(row["delivery"]), row["subject"]]


def _delivered(delivery: dict[str, Any] | None) -> list[Any]:
    if delivery is None:
        return [None] * 6
    shared = "*" if delivery["shared"] else ""
    notified, acknowledged = (f"{delivery[name]}{shared}" for name in ("notified", "acknowledged"))
    return [
        notified, delivery["first_notified"], acknowledged, delivery["last_acknowledged"], delivery["failed"] or None,
        f"{delivery['fetched']}{shared}" if delivery["fetched"] else None,
    ]  # fmt: skip
