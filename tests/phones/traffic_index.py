"""What traffic/INDEX.md says of the messages beside it."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "traffic"
_ROW = re.compile(r"\| ([\w-]+) \| ([\d, -]+) \| (row|quirk|composed|stacks\.md) \| (\d+) \| (\S+) \| (.+) \|")


@dataclass(frozen=True, slots=True)
class Row:
    """One SUBSCRIBE and what must come of it."""

    name: str
    line: str
    basis: str
    status: int
    document: str
    """The key of the profile it gets; `-` for none."""
    why: str
    data: bytes

    @property
    def is_pnp(self) -> bool:
        """Whether it is one that is meant for the multicast group."""
        return self.name.endswith("-pnp")


def read_index() -> list[Row]:
    """Every row of the table."""
    rows = []
    for line in (FOLDER / "INDEX.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| file"):
            match = _ROW.fullmatch(line)
            assert match, line
            name, source, basis, status, document, why = match.groups()
            data = (FOLDER / f"{name}.sip").read_bytes()
            rows.append(Row(name, source, basis, int(status), document, why, data))
    return rows


INDEX = read_index()
BY_NAME = {row.name: row for row in INDEX}
SUBSCRIBERS = [row for row in INDEX if not row.is_pnp]
"""Those that hold a subscription, by user and by device."""
