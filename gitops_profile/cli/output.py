"""How things look in a terminal, and how a command ends."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NoReturn

import typer


class Format(StrEnum):
    """Of `-o`."""

    TEXT = "text"
    JSON = "json"


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

PROBLEM = 1
"""Exit status: a problem was found."""
CANNOT = 2
"""Exit status: it cannot run as asked."""


def fail(message: str, status: int = CANNOT) -> NoReturn:
    """Say in one line what is wrong, and end."""
    sys.stderr.write(f"gitops-profile: {message}\n")
    raise typer.Exit(status)


def say(text: str = "") -> None:
    """One line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def emit_json(data: Any) -> None:
    """JSON for programs."""
    say(printable(json.dumps(data, indent=2, ensure_ascii=False)))


def printable(text: str) -> str:
    """`text` without what a terminal would obey or could not show: phones choose their own names.

    Bytes that were no UTF-8, and control characters other than a line's end, become escapes.
    """
    if _UNPRINTABLE.search(text) is None:
        return text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people, as wide as its text: in a narrow terminal its lines go on in the next one. Nothing is cut."""
    from rich.console import Console  # 0.02 s, which most commands and all of JSON are spared
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="none")
    for column in columns:
        table.add_column(Text.assemble((column, "bold")), no_wrap=True)  # the spaces behind it plain, to be taken off
    for row in rows:
        table.add_row(*(Text("-" if cell is None else printable(str(cell))) for cell in row))
    console = Console(width=10_000)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        say(line.rstrip())
