"""`blame`: who wrote a value that a phone has, where, and what it stands over."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from gitops_profile.loader import Device, Origin, Provenance, UnreadableProfile, did_you_mean, masked, provenance
from gitops_profile.presentity import request_number
from gitops_profile.source import SourceUnavailable

from .history import Key, keys_of
from .moments import revision_at
from .opening import open_repository
from .options import ConfigFile, Output, Path_, Repo, State, configured
from .output import PROBLEM, Format, emit_json, emit_table, fail, printable, say
from .sources import Sources

SECRET = "<secret>"
_COLUMNS = ("VALUE", "IS", "PLACE", "COMMIT", "DATE", "AUTHOR", "REQUEST", "SUBJECT")
_LONGEST = 60
"""Characters of a value in a table; JSON has all of it."""


def blame(
    key: Key,
    value_path: Annotated[
        str | None, typer.Argument(help="such as values.time.zone; by default every value", metavar="[VALUE-PATH]")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="a revision or date; by default the files as they are now")
    ] = None,
    vendor: Annotated[str | None, typer.Option("--vendor", help="for a phone that says this vendor")] = None,
    model: Annotated[str | None, typer.Option("--model", help="for a phone that says this model")] = None,
    version: Annotated[str | None, typer.Option("--version", help="for a phone that says this version")] = None,
    repo: Repo = None,
    path: Path_ = None,
    state: State = None,
    config: ConfigFile = None,
    output: Output = Format.TEXT,
) -> None:
    """Where each final value of a manifest was written, who changed that line last, and what it overrides."""
    settings = configured(config, repository__url=repo, repository__path=path, state=str(state) if state else None)
    said = (vendor, model, version)
    device = said if any(text is not None for text in said) else None
    with open_repository(settings) as repository:
        revision = at if at is None else revision_at(repository, settings.repository.ref, at)
        sources = Sources.at(settings, repository, revision)
        file = sources.path_of(keys_of(key), key)
        found = _provenance(file, sources, device)
        chosen = _chosen(file, found, value_path)
        rows = _rows(sources, found, chosen)
        if (repository.common_dir / "shallow").exists():
            sys.stderr.write(
                "this clone is shallow: what is older than its oldest commit is said to be that commit's\n"
            )
    if output is Format.JSON:
        emit_json({"file": file, "commit": sources.commit, "layers": list(found.layers), "values": rows})
    elif value_path is None:
        emit_table(_COLUMNS, map(_cells, rows))
    else:
        for row in rows:
            _show(row)


def _provenance(file: str, sources: Sources, device: Device | None) -> Provenance:
    if not file.endswith((".yaml", ".yml")):
        hint = "git log and git blame say who wrote it"
        fail(f"{file} is a plain document, delivered as it is: it has no values; {hint}", PROBLEM)
    try:
        return provenance(file, sources.read(), device)
    except UnreadableProfile as error:
        fail("; ".join(map(str, error.problems)) or f"{file} extends a base that cannot be used", PROBLEM)
    except SourceUnavailable as error:
        fail(str(error))


def _chosen(file: str, found: Provenance, value_path: str | None) -> list[Origin]:
    """The values at a path, or all that are below it; a path may leave out the `values.` that most begin with."""
    if value_path is None:
        return list(found.origins)
    for wanted in (value_path, f"values.{value_path}"):
        chosen = [o for o in found.origins if _dotted(o) == wanted or _dotted(o).startswith(f"{wanted}.")]
        if chosen:
            return chosen
    known = [_dotted(origin) for origin in found.origins]
    hints = [did_you_mean(name, known, "values") for name in (value_path, f"values.{value_path}")]
    hint = next((hint for hint in hints if hint.startswith("did you mean")), hints[0])
    fail(f"{file} has no value {value_path} ({hint})", PROBLEM)


def _dotted(origin: Origin) -> str:
    return ".".join(map(str, origin.path))


def _rows(sources: Sources, found: Provenance, chosen: list[Origin]) -> list[dict[str, Any]]:
    """What is told of each value; one git process for each file that has lines of it."""
    hidden = any(origin.path[-1] == "sensitive" and origin.value is True for origin in found.origins)
    lines: dict[str, set[int]] = {}
    for origin in _flat(chosen):
        lines.setdefault(origin.file, set()).add(origin.line)
    try:
        commits = {
            file: sources.repository.blame(sources.commit, f"{sources.prefix}{file}", numbers)
            for file, numbers in lines.items()
        }
        known = {commit for file in commits.values() for commit in file.values() if commit is not None}
        told = {commit: _told(sources, commit) for commit in known}
    except SourceUnavailable as error:
        fail(str(error))

    def row(origin: Origin) -> dict[str, Any]:
        commit = commits[origin.file].get(origin.line)
        place = {"file": origin.file, "line": origin.line, "column": origin.column}
        value = {"path": _dotted(origin), "value": _masked(origin.path, origin.value, hidden)}
        return value | place | {"commit": commit} | (told[commit] if commit is not None else _NOBODY)

    return [row(origin) | {"overrode": [row(below) for below in origin.overrode]} for origin in chosen]


_NOBODY = dict.fromkeys(("author", "committer", "committed_at", "subject", "request"))


def _told(sources: Sources, commit: str) -> dict[str, Any]:
    revision = sources.repository.revision(commit)
    return {
        "author": revision.author,
        "committer": revision.committer,
        "committed_at": revision.committed_at,
        "subject": revision.message,
        "request": request_number(revision.message),
    }


def _flat(origins: Iterable[Origin]) -> Iterable[Origin]:
    for origin in origins:
        yield origin
        yield from origin.overrode


def _masked(path: tuple[str | int, ...], value: Any, hidden: bool) -> Any:
    """The value, or `<secret>`: in a sensitive document, and wherever a name on the way says that it is one."""
    if isinstance(value, dict):
        return {name: _masked((*path, name), inner, hidden) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked((*path, number), inner, hidden) for number, inner in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if hidden and any(name in ("values", "body") for name in path):
        return SECRET
    if any(SECRET in masked(f"{name}: x") for name in path if isinstance(name, str)):
        return SECRET
    return masked(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cells(row: dict[str, Any]) -> list[Any]:
    value = _text(row["value"]).replace("\n", " ")
    shown = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    request = f"#{row['request']}" if row["request"] is not None else None
    commit = row["commit"][:12] if row["commit"] else "not committed"
    return [row["path"], shown, _place(row), commit, row["committed_at"], row["author"], request, row["subject"]]


def _place(row: dict[str, Any]) -> str:
    return f"{row['file']}:{row['line']}:{row['column']}"


def _show(row: dict[str, Any]) -> None:
    say(printable(f"{row['path']} = {_text(row['value'])}"))
    say(printable(f"  written    {_place(row)}, {_by(row)}"))
    for below in row["overrode"]:
        name = "" if below["path"] == row["path"] else f"{below['path']} = "
        say(printable(f"  instead of {name}{_text(below['value'])}, {_place(below)}, {_by(below)}"))


def _by(row: dict[str, Any]) -> str:
    if row["commit"] is None:
        return "not committed yet"
    request = (
        f" (#{row['request']})" if row["request"] is not None and f"#{row['request']}" not in row["subject"] else ""
    )
    return f"{row['commit'][:12]} of {row['committed_at']} by {row['author']}: {row['subject']}{request}"
