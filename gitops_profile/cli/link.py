"""`link`: a URL under which one phone or user finds its documents, for as long as it is good."""

from typing import Annotated

import typer

from .look import ask
from .options import ConfigFile, Output, State, duration
from .output import Format, emit_json, say


def link(
    subject: Annotated[str, typer.Argument(help="a MAC, or a key such as user/example.com/alice", metavar="MAC|KEY")],
    expires: Annotated[str, typer.Option("--expires", help="how long it is good, such as 12h or 30d")] = "7d",
    config: ConfigFile = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> None:
    """Print a URL that opens the documents of one phone, or of one user, to whoever has it."""
    facts = ask(config, state, "link", subject=subject, seconds=duration(expires, "--expires"))
    if output is Format.JSON:
        emit_json(facts)
    else:
        say(facts["url"])
