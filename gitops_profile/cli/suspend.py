"""`suspend` and `resume`: stop applying revisions, to everything or to some profiles, and go on."""

from typing import Annotated, Any

import typer

from .look import ask
from .options import ConfigFile, Output, State
from .output import Format, emit_json, printable, say

Scope = Annotated[
    str, typer.Argument(help="all, a folder such as device/example.com/hq, or a profile such as user/example.com/alice")
]


def suspend(
    scope: Scope = "all",
    reason: Annotated[str, typer.Option("--reason", help="why, for whoever finds it suspended")] = "",
    config: ConfigFile = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> None:
    """Apply no revision to a scope from now on, also after a restart; phones stay served with what is in force.

    It needs the running server: the event log has one writer. A folder or a profile may be suspended alone; the rest of
    each revision is then applied.
    """
    facts = ask(config, state, "suspend", scope=_scope(scope), reason=reason)
    if output is Format.JSON:
        emit_json(facts)
        return
    what = "suspended" if facts["changed"] else "was suspended already"
    say(printable(f"{facts['scope']} {what}, since {facts['since']} by {facts['by']}{_because(facts)}"))
    if facts["changed"]:
        say(printable(f"to go on: gitops-profile resume {facts['scope']}"))


def resume(scope: Scope = "all", config: ConfigFile = None, state: State = None, output: Output = Format.TEXT) -> None:
    """Apply revisions again: what was held back comes into force, and exactly the phones it concerns are told.

    It needs the running server. Exit status 1 when the scope is not suspended.
    """
    facts = ask(config, state, "resume", scope=_scope(scope))
    if output is Format.JSON:
        emit_json(facts)
        return
    done = f"{facts['released']} profiles that were held back are in force"
    if facts["scope"] == "all":
        done = "the head is being looked at; gitops-profile status says how far it is"
    say(printable(f"{facts['scope']} resumed: {done}"))
    if facts["still_suspended"]:
        say(printable(f"still suspended: {', '.join(facts['still_suspended'])}"))


def _scope(text: str) -> str:
    """A scope as the server knows it; `sip:USER@DOMAIN` is that user's profile."""
    if not text.startswith(("sip:", "sips:")):
        return text
    user, _, domain = text.partition(":")[2].rpartition("@")
    return f"user/{domain}/{user}"


def _because(facts: dict[str, Any]) -> str:
    return f": {facts['reason']}" if facts["reason"] else ""
