"""The commands, gathered. Each one's module is imported when it is asked for: all of them take most of a second."""

import gc
import importlib
import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

COMMANDS = (
    "serve", "demo", "phone", "check", "plan", "profiles:render", "history", "trace", "blame", "look:events",
    "status", "look:get", "adopt:import:adopt", "link", "look:reconcile", "wait", "approve", "rollback", "suspend",
    "suspend:resume", "profiles:log", "init", "schema", "passwd",
)  # fmt: skip
"""In the order of the help: the module in this folder; the command, if its name is another one; the function, if that
has yet another one.
"""

_PLACES = {(parts := place.split(":"))[1 if len(parts) > 1 else 0]: parts for place in COMMANDS}


class Commands(TyperGroup):
    """The commands by name, made when they are asked for."""

    def list_commands(self, ctx: object) -> list[str]:
        return list(_PLACES)

    def get_command(self, ctx: object, cmd_name: str) -> typer.core.TyperCommand | TyperGroup | None:
        place = _PLACES.get(cmd_name)
        if place is None:
            return None
        gc.disable()  # of what is imported nothing is garbage, and looking for it takes a tenth of the time
        try:
            found = getattr(importlib.import_module(f".{place[0]}", __package__), place[-1])
        finally:
            gc.enable()
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command  # type: ignore[return-value]


app = typer.Typer(
    name="gitops-profile",
    help="SIP phone profiles from git: a merged commit becomes NOTIFYs to exactly the phones it concerns.",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        import importlib.metadata

        typer.echo(importlib.metadata.version("gitops-profile"))
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool, typer.Option("--version", help="print the version and end", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What holds for every command."""


def main() -> None:
    """Entry point of `gitops-profile`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with the stream closed: `>&-`
            setattr(sys, name, open(os.devnull, "w"))  # kept for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter gets an escape, never a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nobody is left to be told.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"gitops-profile: {where}{error.strerror or error}\n")
        os._exit(2)  # not by way of another flush of the stream that failed
