"""Real keys of gpg and ssh-keygen, and what git signs with them."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.remotes import need
from tests.repositories import Git

OLD = "20200601T000000"
"""When the key that has expired signs."""


class PGP:
    """A GNUPGHOME of its own, in a short path: gpg-agent's socket must fit."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.program = home / "gpg-here"
        self.program.write_text(f'#!/bin/sh\nexec gpg --homedir {home} --batch --quiet "$@"\n')
        self.program.chmod(0o700)

    def __call__(self, *arguments: str, given: bytes = b"", at: str | None = None) -> bytes:
        time = ["--faked-system-time", at] if at else []
        command = [str(self.program), *time, "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        done = subprocess.run(command, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def key(self, name: str, expires: str = "never", at: str | None = None, kind: str = "ed25519") -> str:
        """A new key for `Name <name@example.com>`; its fingerprint."""
        uid = f"{name.title()} <{name}@example.com>"
        self("--quick-gen-key", uid, kind, "sign", expires, at=at)
        listed = self("--list-keys", "--with-colons", f"={uid}").decode()
        return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))

    def revoke(self, fingerprint: str) -> None:
        text = (self.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
        self("--import", given=text.replace("\n:-----BEGIN", "\n-----BEGIN").encode())

    def export(self, *keys: str, armor: bool = False) -> bytes:
        return self(*(["--armor"] if armor else []), "--export", *keys)

    def sign(self, data: bytes, key: str, *options: str, at: str | None = None) -> bytes:
        return self("--local-user", key, "--armor", "--detach-sign", *options, given=data, at=at)

    def commit(self, key: str) -> list[str]:
        """Options of git to sign with a key."""
        return ["-c", "gpg.format=openpgp", "-c", f"gpg.program={self.program}", "-c", f"user.signingkey={key}"]


class SSHKey:
    """One key pair."""

    def __init__(self, folder: Path, name: str, kind: str = "ed25519") -> None:
        self.path = folder / name
        need("ssh-keygen")
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(self.path)], check=True)
        self.public = self.path.with_suffix(".pub").read_text().rpartition(" ")[0]
        listed = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(self.path)], check=True, capture_output=True, text=True
        ).stdout
        self.fingerprint = listed.split()[1]

    def sign(self, data: bytes, namespace: str = "git") -> bytes:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.path)]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def allowed(self, principal: str, options: str = "") -> str:
        """Its line in allowed_signers."""
        return " ".join(part for part in (principal, options, self.public) if part) + "\n"

    def commit(self) -> list[str]:
        """Options of git to sign with it."""
        return ["-c", "gpg.format=ssh", "-c", f"user.signingkey={self.path}"]


@contextmanager
def pgp_home() -> Iterator[PGP]:
    need("gpg")
    need("gpgv")
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    try:
        yield PGP(home)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def signed_commit(
    git: Git, files: dict[str, str | bytes | None], how: list[str], message: str = "change", *options: str
) -> str:
    """Write, add all, commit with a signature; the commit id."""
    git.write(files)
    git("add", "-A")
    git(*how, "commit", "-q", "--allow-empty", "-S", "-m", message, *options)
    return git.head()


def raw(git: Git, object_id: str, kind: str = "commit") -> bytes:
    """The bytes of an object."""
    done = subprocess.run(["git", "cat-file", kind, object_id], cwd=git.folder, capture_output=True, check=True)
    return done.stdout


def store(git: Git, data: bytes, kind: str = "commit") -> str:
    """Write an object, whatever git thinks of it; its id."""
    return git("hash-object", "-w", "-t", kind, "--stdin", "--literally", given=data)


def with_signature(payload: bytes, signature: bytes, header: bytes = b"gpgsig") -> bytes:
    """A commit object as git writes it: the signature is a header."""
    head, _, message = payload.partition(b"\n\n")
    return head + b"\n" + header + b" " + signature.strip().replace(b"\n", b"\n ") + b"\n\n" + message
