"""The files that say whose signatures count, and the programs that check them."""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .armor import PUBLIC_KEY_PACKET, SECRET_KEY_PACKET, BadArmor, dearmor_all, packet
from .errors import KeysUnusable

MAX_BYTES = 16 << 20
MAX_FILES = 1000
"""Of a folder of keys."""
GPGV, SSH_KEYGEN = "gpgv", "ssh-keygen"
_BLOCK = "PGP PUBLIC KEY BLOCK"
KRL = b"SSHKRL\n\0"
"""How a list of revoked keys begins that ssh-keygen -k wrote."""
_PUBLIC_KEY = re.compile(rb"(ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ +AAAA[A-Za-z0-9+/=]+( .*)?")
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
    revoked_keys: bytes | None = field(repr=False)
    """SSH keys and certificates that do not count whatever else is said: a KRL, or public keys in lines."""
    digest: str
    """Changes when any of it does."""


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the keys are. They are read anew for each revision: a file that is repaired needs no restart."""

    keyring: Path | None = None
    """A file, or a folder of them."""
    allowed_signers: Path | None = None
    revoked_keys: Path | None = None

    def read(self) -> Keys:
        """Raises KeysUnusable when a file or its program is not there, or is of no use. Blocks."""
        for path, program in ((self.keyring, GPGV), (self.allowed_signers, SSH_KEYGEN)):
            if path is not None and shutil.which(program) is None:
                raise KeysUnusable(_NEEDS[program])
        keyring = _keyring(self.keyring) if self.keyring is not None else None
        signers = _allowed_signers(self.allowed_signers) if self.allowed_signers is not None else None
        revoked = _revoked_keys(self.revoked_keys) if self.revoked_keys is not None else None
        digest = hashlib.sha256()
        # The digest is in the log: without a list of revoked keys it is as it was before there could be one.
        for part in (keyring, signers, *([revoked] if revoked is not None else [])):
            digest.update(b"-" if part is None else b"%d:" % len(part) + part)
        return Keys(keyring, signers, revoked, digest.hexdigest())

    def stamp(self) -> tuple[object, ...]:
        """Another one when a file was touched. Blocks, raises nothing."""
        files = (self.keyring, self.allowed_signers, self.revoked_keys)
        stamps = [(path.name, _stamp(path)) for path in files if path is not None]
        if self.keyring is not None and self.keyring.is_dir():
            try:
                stamps += [(path.name, _stamp(path)) for path in _listed(self.keyring)]
            except KeysUnusable as error:
                stamps.append((str(error), None))
        return tuple(stamps)


def _keyring(path: Path) -> bytes:
    if not path.is_dir():
        return _keys_of(path, _read(path))
    files = _listed(path)
    if not files:
        raise KeysUnusable(f"{path} holds no file with a public key; write one for each signer with gpg --export")
    data = b""
    for file in files:
        data += _keys_of(file, _read(file))
        if len(data) > MAX_BYTES:
            raise KeysUnusable(f"the files of {path} are longer than {MAX_BYTES >> 20} MB")
    return data


def _listed(folder: Path) -> list[Path]:
    """Its files, but for hidden ones and what an editor keeps; raises KeysUnusable."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and not entry.name.endswith("~"):
                    names.append(entry.name)
                if len(names) > MAX_FILES:
                    raise KeysUnusable(f"{folder} holds more than {MAX_FILES} files")
    except OSError as error:
        raise KeysUnusable(f"{folder} cannot be read: {error.strerror}") from error
    return [folder / name for name in sorted(names)]


def _keys_of(path: Path, data: bytes) -> bytes:
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


def _revoked_keys(path: Path) -> bytes:
    data = _read(path)
    if data.startswith(KRL):
        return data
    for line in data.splitlines():
        text = line.strip()
        if text and not text.startswith(b"#") and _PUBLIC_KEY.fullmatch(text) is None:
            raise KeysUnusable(f"{path} is neither a list of public SSH keys nor what ssh-keygen -k writes")
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
