"""What an INDEX.md says of the messages beside it, and how a stream is fed with one."""

import re
from dataclasses import dataclass
from pathlib import Path

from gitops_profile.sip.syntax import MessageReader, SIPSyntaxError
from tests.sip.harness import TCP, Lab

ROW = re.compile(r"\| (\w+) \| ([^|]+) \| ([\d/ -]+) \| ([\d/ -]+) \| (open|closed|waits) \| (.+) \|")


@dataclass(frozen=True)
class Row:
    """One message and what must come of it."""

    name: str
    rule: str
    datagram: list[set[int]]
    """The answers over UDP, in order: for each the statuses that are right."""
    stream: list[set[int]]
    ending: str
    """What becomes of the stream: "open", "closed" or "waits"."""
    why: str
    data: bytes


def read_index(folder: Path) -> list[Row]:
    """Every row of the table in `folder`."""
    rows = []
    for line in (folder / "INDEX.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| file"):
            match = ROW.fullmatch(line)
            assert match, line
            name, rule, datagram, stream, ending, why = match.groups()
            data = (folder / f"{name}.dat").read_bytes()
            rows.append(Row(name, rule, _answers(datagram), _answers(stream), ending, why, data))
    return rows


def _answers(cell: str) -> list[set[int]]:
    return [] if cell == "-" else [{int(code) for code in one.split("/")} for one in cell.split()]


def feed(lab: Lab, reader: MessageReader, data: bytes) -> tuple[list[bytes], bool]:
    """What a stream's bytes, one at a time, are answered with, and whether the stream is lost."""
    sent: list[bytes] = []
    for at in range(len(data)):
        try:
            messages, _ = reader.feed(data[at : at + 1])
        except SIPSyntaxError as error:
            assert error.messages == []
            before = len(lab.sent)
            lab.notifier.refuse(error, TCP)
            lab.pump()
            return sent + [message for _, message, _ in lab.sent[before:]], True
        for message in messages:
            sent += lab.receive(message, TCP)
    return sent, False
