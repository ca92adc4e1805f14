"""The commands, gathered."""

import importlib.metadata
import os
import sys
from typing import Annotated

import typer

from . import look, profiles
from .approve import approve
from .blame import blame
from .check import check
from .demo import demo
from .history import history
from .init import init
from .output import say
from .passwd import passwd
from .phone import phone
from .plan import plan
from .rollback import rollback
from .schema import schema
from .serve import serve
from .status import status
from .suspend import resume, suspend
from .trace import trace
from .wait import wait

app = typer.Typer(
    name="gitops-profile",
    help="SIP phone profiles from git: a merged commit becomes NOTIFYs to exactly the phones it concerns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(demo)
app.command()(phone)
app.command()(check)
app.command()(plan)
app.command()(profiles.render)
app.command()(history)
app.command()(trace)
app.command()(blame)
app.command()(look.events)
app.command()(status)
app.add_typer(look.get, name="get")
app.command()(look.reconcile)
app.command()(wait)
app.command()(rollback)
app.command()(suspend)
app.command()(resume)
app.add_typer(profiles.log, name="log")
app.command()(approve)
app.command()(init)
app.command()(schema)
app.command()(passwd)


@app.callback()
def _about(
    version: Annotated[bool, typer.Option("--version", help="print the version and end", is_eager=True)] = False,
) -> None:
    if version:
        say(importlib.metadata.version("gitops-profile"))
        raise typer.Exit


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
        sys.stderr.write(f"gitops-profile: {error.strerror or error}\n")
        os._exit(2)  # not by way of another flush of the stream that failed
