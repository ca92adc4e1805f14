"""The files that say whose signatures count, and the programs that check them."""

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .armor import PUBLIC_KEY_PACKET, SECRET_KEY_PACKET, BadArmor, dearmor_all, packet
from .errors import KeysUnusable

MAX_BYTES = 16 << 20
GPGV, SSH_KEYGEN = "gpgv", "ssh-keygen"
_BLOCK = "PGP PUBLIC KEY BLOCK"
_NEEDS = {
    GPGV: "trust.keyring needs gpgv, which is not installed: apt-get install gpgv",
    SSH_KEYGEN: "trust.allowed_signers needs ssh-keygen, which is not installed: apt-get install openssh-client",
}


@dataclass(frozen=True, slots=True)
class Keys:
    """What the files said at one moment."""

    keyring: bytes | None = field(repr=False)
    """OpenPGP public keys in their binary form."""
    allowed_signers: bytes | None = field(repr=False)
    digest: str
    """Changes when any of it does."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the keys are. They are read anew for each revision: a file that is repaired needs no restart."""

    keyring: Path | None = None
    allowed_signers: Path | None = None

    def read(self) -> Keys:
        """Raises KeysUnusable when a file or its program is not there, or is of no use. Blocks."""
        for path, program in ((self.keyring, GPGV), (self.allowed_signers, SSH_KEYGEN)):
            if path is not None and shutil.which(program) is None:
                raise KeysUnusable(_NEEDS[program])
        keyring = _keyring(self.keyring) if self.keyring is not None else None
        signers = _allowed_signers(self.allowed_signers) if self.allowed_signers is not None else None
        digest = hashlib.sha256()
        for part in (keyring, signers):
            digest.update(b"-" if part is None else b"%d:" % len(part) + part)
        return Keys(keyring, signers, digest.hexdigest())

    def stamp(self) -> tuple[object, ...]:
        """Another one when a file was touched. Blocks, raises nothing."""
        return tuple(_stamp(path) for path in (self.keyring, self.allowed_signers) if path is not None)


def _keyring(path: Path) -> bytes:
    data = _read(path)
    try:
        if b"-----BEGIN PGP " in data:
            if b"-----BEGIN PGP PRIVATE" in data:
                raise KeysUnusable(f"{path} holds a private key; keep it elsewhere and write: gpg --export --armor KEY")
            data = dearmor_all(data, _BLOCK)
        tag, _ = packet(data)
    except BadArmor as error:
        raise KeysUnusable(f"{path} is no file that gpg --export writes: {error}") from error
    if tag == SECRET_KEY_PACKET:
        raise KeysUnusable(f"{path} holds a private key; keep it elsewhere and write: gpg --export KEY")
    if tag != PUBLIC_KEY_PACKET:
        raise KeysUnusable(f"{path} holds no public key; write it with gpg --export")
    return data


def _allowed_signers(path: Path) -> bytes:
    data = _read(path)
    lines = [line.strip() for line in data.splitlines()]
    if not any(line and not line.startswith(b"#") for line in lines):
        raise KeysUnusable(f"{path} names no signer; a line is: alice@example.com ssh-ed25519 AAAA…")
    if any(b"PRIVATE KEY-----" in line for line in lines):
        raise KeysUnusable(f"{path} holds a private key; its lines are: alice@example.com ssh-ed25519 AAAA…")
    return data


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeysUnusable(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise KeysUnusable(f"{path} is longer than {MAX_BYTES >> 20} MB")
    return data


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_size, status.st_ino
