"""`schema`: JSON Schemas for editors."""

from enum import StrEnum
from typing import Annotated

import typer

from gitops_profile import config
from gitops_profile.loader import manifest_schema

from .output import emit_json


class Subject(StrEnum):
    """What a schema describes."""

    CONFIG = "config"
    MANIFEST = "manifest"


def schema(subject: Annotated[Subject, typer.Argument(help="the settings file, or a profile manifest")]) -> None:
    """Print the JSON Schema of the settings file or of a manifest."""
    emit_json(config.schema() if subject is Subject.CONFIG else manifest_schema())
