"""The matrix of stack, authentication and transport: which cells there are, and what is done in each."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from tests.system.lab import eventually

from .edge import Edge
from .laboratory import DOMAINS, PASSWORD, Laboratory, document
from .phone import Call, Notify, Phone, wait_for
from .stacks import STACKS, TRANSPORTS, Stack

NOT_YET: dict[str, str] = {}
"""What our side lacks, by transport or authentication, with the reason."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination."""

    stack: Stack
    transport: str
    auth: str
    edge: bool = False
    """Behind Kamailio: `transport` is spoken outside, TCP inside."""

    def __str__(self) -> str:
        return f"{self.row}-{self.transport}"

    @property
    def row(self) -> str:
        return f"{self.stack.name}{'+kamailio' if self.edge else ''}-{self.auth}"

    @property
    def aor(self) -> str:
        """Whose phone it is."""
        return f"{self.stack.name}.{self.transport}{'.edge' if self.edge else ''}@{DOMAINS[self.auth]}"

    @property
    def neighbour(self) -> str:
        """Whose document changes without this phone being told."""
        return f"other.{self.aor}"

    def impossible(self) -> str | None:
        """Why this cannot be."""
        theirs = [self.transport, self.auth]
        theirs += [f"edge-{what}" for what in theirs if self.edge]
        ours = ("tcp" if self.edge else self.transport, self.auth)
        return next(
            (
                lacks[what]
                for lacks, wanted in ((self.stack.lacks, theirs), (NOT_YET, ours))
                for what in wanted
                if what in lacks
            ),
            None,
        )

    def missing(self) -> str | None:
        """What is not installed here."""
        return self.stack.missing() or (Edge.missing() if self.edge else None)


def cells() -> Iterator[Cell]:
    """Every combination, whether it can be or not."""
    for stack in STACKS:
        for edge in (False, True):
            for auth in DOMAINS:
                for transport in TRANSPORTS:
                    yield Cell(stack, transport, auth, edge)


def run(cell: Cell, laboratory: Laboratory) -> None:
    """Do the exercise in a cell. Raises AssertionError with what the phone said."""
    call = Call(
        cell.transport,
        laboratory.address(cell.transport, edge=cell.edge),
        cell.aor,
        "" if cell.auth == "none" else PASSWORD,
        laboratory.certificates,
    )
    with closing(cell.stack.start(laboratory.folder / f"phone-{cell}", call)) as phone:
        exercise(cell, laboratory, phone)


def exercise(cell: Cell, laboratory: Laboratory, phone: Phone) -> None:
    """Subscribe, refresh, somebody else's commit, the own one, unsubscribe: what must come comes, and nothing else."""
    notifies = wait_for(phone, "the document", accepted=1, notifies=1)
    assert notifies[0] == Notify("active", document(cell.aor, 1)), phone.diary()
    phone.refresh()
    wait_for(phone, "the answer to a refresh", accepted=2, notifies=2)
    laboratory.change(cell.neighbour, 2)
    laboratory.change(cell.aor, 2)
    changed = Notify("active", document(cell.aor, 2))
    eventually("the changed document", lambda: phone.has_ended() or changed in phone.notifies())
    phone.unsubscribe()
    eventually("the end", phone.has_ended)
    check(cell.aor, phone)
    assert not laboratory.is_subscribed(cell.aor)


def check(aor: str, phone: Phone) -> None:
    """Every SUBSCRIBE brought one NOTIFY and the commit one more: the old document, then the new one, then the end."""
    notifies = phone.notifies()
    old, new = Notify("active", document(aor, 1)), Notify("active", document(aor, 2))
    befores = notifies.count(old)
    assert len(notifies) == phone.accepted() + 1, phone.diary()
    assert 0 < befores < len(notifies) - 1, phone.diary()
    assert notifies[:-1] == [old] * befores + [new] * (len(notifies) - 1 - befores), phone.diary()
    assert notifies[-1].state == "terminated" and notifies[-1].body in (b"", new.body), phone.diary()
