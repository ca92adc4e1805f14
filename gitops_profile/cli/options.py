"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from gitops_profile.config import Config, ConfigError, load_config, read_duration

from .output import Format, fail

Output = Annotated[Format, typer.Option("-o", "--output", help="text for people, json for programs")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="settings file (gitops-profile.yaml)", metavar="FILE")
]
State = Annotated[Path | None, typer.Option("--state", help="state folder of the server", metavar="DIR")]
Repo = Annotated[str | None, typer.Option("--repo", help="the git repository: a path or URL", metavar="PATH|URL")]
Ref = Annotated[str | None, typer.Option("--ref", help="branch, tag or commit")]
Path_ = Annotated[str | None, typer.Option("--path", help="the profiles folder in the repository; . for its root")]


def duration(text: str, option: str) -> float:
    """Seconds, from a number and a unit; ends the command when it is none."""
    try:
        return read_duration(text)
    except ValueError as error:
        fail(f"{option} {error}")


def configured(file: Path | None, **flags: object) -> Config:
    """The settings; ends the command when they are wrong. Flags are named as keys with `__` for dots."""
    try:
        return load_config(file, flags={name.replace("__", "."): value for name, value in flags.items()})
    except ConfigError as error:
        fail(str(error))
