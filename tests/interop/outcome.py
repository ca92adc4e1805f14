"""What came of the cells, and the table that shows it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .laboratory import Laboratory, missing
from .matrix import Cell, run
from .stacks import TRANSPORTS

AT_ONCE = 6
"""Cells under way at a time: most of the time they wait."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cell."""

    row: str
    transport: str
    result: str
    """ok, FAILED, missing (a program is not installed) or `-` (cannot be)."""
    seconds: float = 0.0
    why: str = ""

    @property
    def short(self) -> str:
        """For the table."""
        return f"ok {self.seconds:.1f}s" if self.result == "ok" else self.result


def try_out(chosen: Sequence[Cell], folder: Path) -> list[Outcome]:
    """Run the cells that can be run, in one laboratory."""
    if reason := missing():
        return [Outcome(cell.row, cell.transport, "missing", why=reason) for cell in chosen]
    aors = [aor for cell in chosen for aor in (cell.aor, cell.neighbour)]
    with closing(Laboratory(folder, aors)) as laboratory, ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(lambda cell: _try_one(cell, laboratory), chosen))
        if complaints := laboratory.complaints():
            outcomes.append(Outcome("the server", "", "FAILED", why=complaints))
    return outcomes


def _try_one(cell: Cell, laboratory: Laboratory) -> Outcome:
    if reason := cell.impossible():
        return Outcome(cell.row, cell.transport, "-", why=reason)
    if reason := cell.missing():
        return Outcome(cell.row, cell.transport, "missing", why=reason)
    begin = time.monotonic()
    try:
        run(cell, laboratory)
    except Exception as error:  # whatever it is, it is this cell's outcome, and the others go on
        why = f"{type(error).__name__}: {error}"
        return Outcome(cell.row, cell.transport, "FAILED", time.monotonic() - begin, why)
    return Outcome(cell.row, cell.transport, "ok", time.monotonic() - begin)


def table(outcomes: Sequence[Outcome]) -> str:
    """The matrix, and below it why a cell is not ok."""
    found = {(one.row, one.transport): one for one in outcomes}
    rows = list(dict.fromkeys(one.row for one in outcomes if one.transport))
    lines = [["stack-auth", *TRANSPORTS]]
    lines += [[row, *(found[row, t].short if (row, t) in found else "" for t in TRANSPORTS)] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    reasons: dict[str, list[str]] = {}
    for one in outcomes:
        if one.why:
            where = "-".join(part for part in (one.row, one.transport) if part)
            reasons.setdefault(f"{one.result}: {one.why}", []).append(where)
    text += ["", *(f"{', '.join(where)}\n    {why}" for why, where in reasons.items())]
    return "\n".join(text)
