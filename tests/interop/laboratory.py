"""One server on every transport, with a domain for each way to authenticate, and Kamailio in front of it."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock

from tests.system.lab import Lab

from .edge import Edge

PASSWORD = "open-sesame"
DOMAINS = {"none": "example.com", "MD5": "md5.example.com", "SHA-256": "sha256.example.com"}
"""Way to authenticate: the domain that wants it. The realm is the domain."""
LISTENERS = tuple(f"{transport}:127.0.0.1:0" for transport in ("udp", "tcp", "tls", "ws", "wss"))


def missing() -> str | None:
    """Why there is no laboratory on this machine."""
    return None if shutil.which("openssl") else "openssl not installed"


def document(aor: str, version: int) -> bytes:
    """A document whose bytes a stack could spoil: both ends of line, an umlaut, no end of line at the end."""
    return f"<profile>\r\n\t<user>{aor} é €</user>\n <version>{version}</version>\n\n</profile>".encode()


def key_of(aor: str) -> str:
    """How the server calls the profile of an AoR."""
    user, _, domain = aor.partition("@")
    return f"user/{domain}/{user}"


def commit(lab: Lab, versions: Mapping[str, int]) -> str:
    """Commit a version of the document of each AoR; the commit id."""
    return lab.git.commit({f"profiles/{key_of(aor)}.xml": document(aor, version) for aor, version in versions.items()})


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


def address(lab: Lab, transport: str) -> str:
    """ADDRESS:PORT of a listener."""
    return next(rest for one in lab.server.listen for name, _, rest in [one.partition(":")] if name == transport)


def serve(lab: Lab, listen: Sequence[str], certificates: Path, aors: Iterable[str], *more: str) -> None:
    """Start the server with the first version of the document of each AoR. `more` are further lines of its settings."""
    users = list(aors)
    settings = ["subscriptions: {min_expires: 1}", *more, "domains:", "  example.com: {auth: none}"]
    for auth in ("MD5", "SHA-256"):
        credentials, domain = lab.folder / f"{auth}.htdigest", DOMAINS[auth]
        lines = [_htdigest(auth, aor) for aor in users if aor.endswith(f"@{domain}")]
        credentials.write_text("".join(lines))
        settings.append(
            f"  {domain}: {{auth: digest, realm: {domain}, credentials: {credentials}, algorithms: [{auth}]}}"
        )
    settings.append(f"tls: {{certificate: {certificates / 'cafile.pem'}, key: {certificates / 'key.pem'}}}")
    config = lab.folder / "config.yaml"
    config.write_text("\n".join(settings) + "\n")
    commit(lab, dict.fromkeys(users, 1))
    lab.server.listen = tuple(listen)
    start_again(lab)


def start_again(lab: Lab) -> None:
    """Start the server with the settings and on the ports that it had before."""
    lab.server.start("--config", str(lab.folder / "config.yaml"))


def _htdigest(auth: str, aor: str) -> str:
    """A line as htdigest writes it: user, realm, H(user:realm:password) (RFC 7616 3.4.2)."""
    user, _, realm = aor.partition("@")
    hashed = hashlib.new(auth.replace("-", ""), f"{user}:{realm}:{PASSWORD}".encode()).hexdigest()
    return f"{user}:{realm}:{hashed}\n"


class Laboratory:
    """What all cells of a matrix share; each has AoRs of its own, so they do not meet."""

    def __init__(self, folder: Path, aors: Iterable[str]) -> None:
        self._open = ExitStack()
        self._writing = Lock()
        with ExitStack() as stack:
            self.folder = folder
            self.certificates = make_certificate(folder / "tls")
            self._lab = stack.enter_context(closing(Lab(folder / "lab")))
            serve(self._lab, LISTENERS, self.certificates, aors)
            self._edge: Edge | None = None
            if Edge.missing() is None:
                edge = Edge(folder / "edge", address(self._lab, "tcp"), self.certificates)
                self._edge = stack.enter_context(closing(edge))
            self._open = stack.pop_all()

    def close(self) -> None:
        """End everything."""
        self._open.close()

    def address(self, transport: str, *, edge: bool) -> str:
        """ADDRESS:PORT of the server, or of Kamailio."""
        if not edge:
            return address(self._lab, transport)
        assert self._edge is not None
        return self._edge.address(transport)

    def change(self, aor: str, version: int) -> None:
        """Commit it, and wait until it is in force."""
        with self._writing:
            head = commit(self._lab, {aor: version})
            assert self._lab.ask("reconcile")["commit"] == head

    def is_subscribed(self, aor: str) -> bool:
        """Whether the server knows of a subscription to the document."""
        return any(row["key"] == key_of(aor) for row in self._lab.ask("subscriptions"))

    def complaints(self) -> str:
        """What the server wrote, if a traceback is in it."""
        errors = self._lab.server.stderr()
        return errors if "Traceback" in errors else ""
