"""`import`: manifests for phones that were seen and have no profile, written into the working tree and nowhere else.

What a phone says of itself is a comment, for whoever reviews the pull request; nothing of it becomes a value.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from gitops_profile.presentity import InvalidKey, canonical_domain, mac_of
from gitops_profile.source import NotARepository, Repository

from .look import ask
from .opening import repository_folder
from .options import ConfigFile, Output, State, configured
from .output import PROBLEM, Format, emit_json, fail, printable, say


def adopt(
    macs: Annotated[
        list[str] | None, typer.Argument(help="of the phones; by default all that were seen", metavar="[MAC]...")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="of the new profiles; by default the only one")] = None,
    folder: Annotated[str, typer.Option("--folder", help="group below the domain, such as hq/floor-2")] = "",
    extends: Annotated[
        str | None, typer.Option("--extends", help="the base of all of them; by default bases/VENDOR.yaml")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="say what would be written")] = False,
    config: ConfigFile = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> None:
    """Write a manifest for each phone that was seen and has no profile, to be reviewed and committed.

    Nothing that is there is written over. See them first with: gitops-profile get devices --unknown
    """
    tree = _profiles(config, state)
    rows = _wanted(ask(config, state, "devices", unknown=True), macs or [])
    into = tree / "device" / _domain(tree, domain)
    for part in filter(None, folder.split("/")):
        if part.startswith(".") or not part.isprintable():
            fail(f"--folder {folder!r}: {part!r} cannot be a folder of profiles")
        into /= part
    written, skipped = [], []
    for row in rows:
        path = into / f"{row['mac']}.yaml"
        base = extends or row["vendor"]
        if base is None or not (tree / "bases" / f"{base}.yaml").is_file():
            skipped.append((row["mac"], f"there is no bases/{base or 'VENDOR'}.yaml; name one with --extends"))
        elif _is_there(tree, str(row["mac"])):
            skipped.append((row["mac"], "the working tree has a profile of it already"))
        else:
            written.append(path)
            if not dry_run:
                _write(path, _manifest(row, base))
    _report(written, skipped, dry_run, output)
    if skipped:
        raise typer.Exit(PROBLEM)


def _profiles(config: Path | None, state: Path | None) -> Path:
    """The profiles folder of the working tree; ends the command when there is none."""
    settings = configured(config, state=str(state) if state else None)
    try:
        repository = Repository(repository_folder(settings))
    except NotARepository as error:
        fail(str(error))
    try:
        tree = repository.work_tree
    finally:
        repository.close()
    if tree is None:
        fail("the repository has no working tree: run it in a clone of yours, with --state naming the server's folder")
    return tree / settings.repository.path


def _domain(tree: Path, domain: str | None) -> str:
    if domain is not None:
        try:
            return canonical_domain(domain)
        except InvalidKey as error:
            fail(f"--domain: {error}")
    folder = tree / "device"
    found = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(found) != 1:
        fail(f"--domain: which one? There are {', '.join(found)}" if found else "--domain: there is none yet, name one")
    return found[0]


def _wanted(rows: list[dict[str, Any]], macs: list[str]) -> list[dict[str, Any]]:
    by_mac = {row["mac"]: row for row in rows if row["mac"]}
    if not macs:
        return list(by_mac.values())
    chosen = []
    for text in macs:
        mac = mac_of(text)
        if mac is None:
            fail(f"{text!r} is no MAC")
        if mac not in by_mac:
            fail(f"{mac} was not seen, or has a profile; see: gitops-profile get devices", PROBLEM)
        chosen.append(by_mac[mac])
    return chosen


def _is_there(tree: Path, mac: str) -> bool:
    return any(mac_of(path.name.partition(".")[0]) == mac for path in (tree / "device").rglob("*") if path.is_file())


def _manifest(row: dict[str, Any], base: str) -> str:
    said = " ".join(str(row[name]) for name in ("vendor", "model", "firmware") if row[name])
    seen = f"seen {row['first_seen']} at {row['address']} by {row['how']}"
    comment = " ".join(printable(f"{said}, {seen}" if said else seen).split())
    return f"# {comment}\nextends: {base}\n"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")


def _report(written: list[Path], skipped: list[tuple[str, str]], dry_run: bool, output: Format) -> None:
    if output is Format.JSON:
        facts = {"written": [str(path) for path in written], "dry_run": dry_run}
        emit_json(facts | {"skipped": [{"mac": mac, "reason": reason} for mac, reason in skipped]})
        return
    for path in written:
        say(f"{'would write' if dry_run else 'wrote'} {path}")
    for mac, reason in skipped:
        say(f"left out {mac}: {reason}")
    if not written and not skipped:
        say("no phone was seen that has no profile")
    elif written and not dry_run:
        say("next: gitops-profile check, then commit them")
