"""Check a log without opening it: changes nothing, takes no lock, may run beside the server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from .folder import survey_folder
from .log import LogUnavailable


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What is there, all of it checked."""

    records: int
    """In whole batches."""
    segments: int
    head: int
    torn_bytes: int
    """What the next opening will cut, or what a running server is just writing."""


async def verify(folder: Path) -> VerifyReport:
    """Check every record in the folder. Raises LogCorrupt at the first damaged one, LogUnavailable without a folder."""
    try:
        survey = await asyncio.to_thread(survey_folder, folder, whole=True)
    except OSError as error:
        raise LogUnavailable(f"cannot read the event log in {folder}: {error.strerror or error}") from error
    return VerifyReport(survey.head, len(survey.segments), survey.head, survey.torn_bytes)
