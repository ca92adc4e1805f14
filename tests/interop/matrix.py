"""The matrix of stack, transport and authentication: which cells there are, and what is done in each."""

import hashlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.system.lab import Lab, eventually, file_of

from .edge import Edge
from .phone import Call, Notify, Phone, wait_for
from .stacks import AUTHS, STACKS, TRANSPORTS, Stack

USER, OTHER, PASSWORD = "alice", "bob", "open-sesame"
NOT_YET: dict[str, str] = {}
"""What our side lacks. An entry goes when the server has it; nothing else is to be done for its cells."""


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

    def impossible(self) -> str | None:
        """Why this cannot be."""
        theirs = (self.transport, self.auth, *([f"edge-{self.transport}"] if self.edge else []))
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
        for auth in AUTHS:
            for transport in TRANSPORTS:
                yield Cell(stack, transport, auth)
        for transport in TRANSPORTS:
            yield Cell(stack, transport, "none", edge=True)


def document(user: str, version: int) -> bytes:
    """A document whose bytes a stack could spoil: both ends of line, an umlaut, no end of line at the end."""
    return f"<profile>\r\n\t<user>{user} é €</user>\n <version>{version}</version>\n\n</profile>".encode()


def commit(lab: Lab, **versions: int) -> str:
    """Commit a version of each named user's document."""
    return lab.git.commit({file_of(name): document(name, version) for name, version in versions.items()})


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own CA, under the names that sofia-sip wants; its folder."""
    folder.mkdir()
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com,IP:127.0.0.1",
        "-keyout", "key.pem", "-out", "cafile.pem",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "agent.pem").write_bytes((folder / "cafile.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return folder


def _ha1(auth: str, user: str) -> str:
    """H(user:realm:password), as htdigest writes it (RFC 7616 3.4.2)."""
    return hashlib.new(auth.replace("-", ""), f"{user}:example.com:{PASSWORD}".encode()).hexdigest()


def serve(lab: Lab, listen: Sequence[str], auth: str, certificates: Path) -> None:
    """Start the server of a cell, with both documents in their first version."""
    settings = ["subscriptions: {min_expires: 1}"]
    if auth != "none":
        credentials = lab.folder / "users.htdigest"
        credentials.write_text("".join(f"{user}:example.com:{_ha1(auth, user)}\n" for user in (USER, OTHER)))
        domain = f"auth: digest, realm: example.com, credentials: {credentials}, algorithms: [{auth}]"
        settings.append(f"domains: {{example.com: {{{domain}}}}}")
    if any(one.startswith(("tls", "wss")) for one in listen):
        settings.append(f"tls: {{certificate: {certificates / 'cafile.pem'}, key: {certificates / 'key.pem'}}}")
    config = lab.folder / "config.yaml"
    config.write_text("\n".join(settings) + "\n")
    commit(lab, **{USER: 1, OTHER: 1})
    lab.server.listen = tuple(listen)
    lab.server.start("--config", str(config))


def address(lab: Lab, transport: str) -> str:
    """ADDRESS:PORT of a listener."""
    return next(rest for one in lab.server.listen for name, _, rest in [one.partition(":")] if name == transport)


def exercise(lab: Lab, phone: Phone) -> None:
    """Subscribe, refresh, somebody else's commit, the own one, unsubscribe: what must come comes, and nothing else."""
    notifies = wait_for(phone, "the document", accepted=1, notifies=1)
    assert notifies[0] == Notify("active", document(USER, 1)), phone.diary()
    phone.refresh()
    wait_for(phone, "the answer to a refresh", accepted=2, notifies=2)
    other = commit(lab, **{OTHER: 2})
    eventually("the other commit is in force", lambda: lab.ask("reconcile")["commit"] == other)
    commit(lab, **{USER: 2})
    changed = Notify("active", document(USER, 2))
    eventually("the changed document", lambda: phone.has_ended() or changed in phone.notifies())
    phone.unsubscribe()
    eventually("the end", phone.has_ended)
    check(phone)
    assert lab.ask("subscriptions") == []


def check(phone: Phone) -> None:
    """Every SUBSCRIBE brought one NOTIFY and the commit one more: the old document, then the new one, then the end."""
    notifies = phone.notifies()
    old, new = Notify("active", document(USER, 1)), Notify("active", document(USER, 2))
    befores = notifies.count(old)
    assert len(notifies) == phone.accepted() + 1, phone.diary()
    assert 0 < befores < len(notifies) - 1, phone.diary()
    assert notifies[:-1] == [old] * befores + [new] * (len(notifies) - 1 - befores), phone.diary()
    assert notifies[-1].state == "terminated" and notifies[-1].body in (b"", new.body), phone.diary()


def run(cell: Cell, folder: Path) -> None:
    """Do the exercise in a cell. Raises AssertionError with what the phone said."""
    certificates = make_certificate(folder / "tls")
    with closing(Lab(folder / "lab")) as lab:
        serve(lab, [f"{'tcp' if cell.edge else cell.transport}:127.0.0.1:0"], cell.auth, certificates)
        password = "" if cell.auth == "none" else PASSWORD
        if not cell.edge:
            _subscribe(
                lab, cell, Call(cell.transport, address(lab, cell.transport), USER, password, certificates=certificates)
            )
            return
        with closing(Edge(folder / "edge", address(lab, "tcp"), certificates)) as edge:
            _subscribe(lab, cell, Call(cell.transport, edge.address(cell.transport), USER, certificates=certificates))


def _subscribe(lab: Lab, cell: Cell, call: Call) -> None:
    with closing(cell.stack.start(lab.folder / "phone", call)) as phone:
        exercise(lab, phone)
    assert "Traceback" not in lab.server.stderr(), lab.server.stderr()
