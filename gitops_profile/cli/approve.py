"""`approve`: let a revision pass that is held."""

from typing import Annotated

import typer

from .look import ask
from .options import ConfigFile, Output, State
from .output import PROBLEM, Format, emit_json, printable, say


def approve(
    revision: Annotated[
        str, typer.Argument(help="the commit that is held: its id, or its first characters, seven at least")
    ],
    config: ConfigFile = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> None:
    """Apply a revision that is held: it removes many profiles, all of them, or rewrites history.

    It needs the running server, and is recorded in the event log with who did it. It opens what the commit is held for,
    and nothing else: problems and signatures are judged as ever. Exit status 1 when that commit is not held, or does
    not come into force.
    """
    facts = ask(config, state, "approve", revision=revision)
    if output is Format.JSON:
        emit_json(facts)
    elif facts["verdict"] == "applied":
        counts = f"{facts['added']} added, {facts['changed']} changed, {facts['removed']} removed"
        say(printable(f"approved by {facts['by']}, applied {facts['commit'][:12]}: {counts}"))
    else:
        say(printable(f"approved by {facts['by']}; {facts['verdict']} {facts['commit'][:12]}"))
        for problem in facts.get("problems", ["it is applied as soon as that can be; see: gitops-profile status"]):
            say(printable(f"  {problem}"))
    if facts["verdict"] != "applied":
        raise typer.Exit(PROBLEM)
