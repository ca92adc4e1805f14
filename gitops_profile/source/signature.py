"""Whether a signature is good, and whose: gpgv and ssh-keygen themselves are asked.

git is not: which program it would run, and with what, is up to its configuration, and that of the repository may be
somebody else's.
"""

import os
import re
import subprocess
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .armor import (
    PGP_SIGNATURE,
    SSH_SIGNATURE,
    BadArmor,
    SSHSignature,
    dearmor,
    enarmor_ssh,
    label_of,
    one_pgp_signature,
    parse_ssh_signature,
)
from .errors import VerificationUnavailable
from .keys import GPGV, KRL, SSH_KEYGEN, Keys
from .signed_object import SignedObject
from .trouble import shown

SECONDS = 10.0
"""For one run of a program; it takes some milliseconds."""
NAMESPACE = "git"
MAX_PRINCIPALS = 20
"""Names of one key that are tried."""
_GOOD = re.compile(rb"^Good .* key (SHA256:[A-Za-z0-9+/]{43})$", re.MULTILINE)
NO_SIGNATURE = "it has no signature"
_WEAK = {"1": "MD5", "2": "SHA-1", "3": "RIPEMD-160"}
"""Hash algorithms of OpenPGP for which two texts with one signature can be made."""
_VERDICTS = ("GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG")


@dataclass(frozen=True, slots=True)
class Signed:
    """What became of one signature."""

    signer: str | None = None
    """Who it is, by the name in the file of keys, and the key's fingerprint; None when it does not count."""
    reason: str = ""
    """Why it does not count; empty when it does."""


def verify(
    signed: SignedObject, keys: Keys, *, now: Callable[[], float] = time.time, seconds: float = SECONDS
) -> Signed:
    """Whose the signature is. Blocks; raises VerificationUnavailable when that could not be found out."""
    if signed.signature is None:
        return Signed(reason=NO_SIGNATURE)
    label = label_of(signed.signature)
    try:
        if label == PGP_SIGNATURE:
            if keys.keyring is None:
                return Signed(reason="it is signed with OpenPGP, and there is no trust.keyring")
            binary = one_pgp_signature(dearmor(signed.signature, label))
            return _Asking(signed.payload, seconds).gpgv(binary, keys.keyring)
        if label == SSH_SIGNATURE:
            if keys.allowed_signers is None:
                return Signed(reason="it is signed with SSH, and there is no trust.allowed_signers")
            binary = dearmor(signed.signature, label)
            when = now() if signed.when is None else min(signed.when, now())
            return _Asking(signed.payload, seconds).ssh_keygen(binary, keys.allowed_signers, keys.revoked_keys, when)
    except BadArmor as error:
        return Signed(reason=f"its signature cannot be read: {error}")
    return Signed(reason=f"it has a signature of an unknown kind ({label or 'no block of text'})")


class _Asking:
    """One question about one payload, in a folder that is gone afterwards."""

    def __init__(self, payload: bytes, seconds: float) -> None:
        self._payload = payload
        self._seconds = seconds

    def gpgv(self, signature: bytes, keyring: bytes) -> Signed:
        """By OpenPGP; a key that has expired by now counts as little as one that was revoked."""
        files = {"keyring.gpg": keyring, "signature": signature, "payload": self._payload}
        with _folder(files) as name:
            folder = Path(name)
            done = self._run(
                folder, GPGV, "--homedir", name, "--keyring", str(folder / "keyring.gpg"), "--status-fd", "1", "--",
                str(folder / "signature"), str(folder / "payload"),
            )  # fmt: skip
        return read_status(done.stdout.decode("utf-8", "replace"), done.returncode)

    def ssh_keygen(self, signature: bytes, allowed_signers: bytes, revoked: bytes | None, when: float) -> Signed:
        """By SSH; the lines of the allowed signers count that were valid at `when`, but never what was revoked."""
        outer = parse_ssh_signature(signature)
        if outer.namespace != NAMESPACE.encode():
            other = shown(outer.namespace.decode("utf-8", "replace"))
            return Signed(reason=f"its SSH signature is for {other!r}, not for {NAMESPACE!r}")
        # In the time zone in which the file means its times.
        at = f"-Overify-time={time.strftime('%Y%m%d%H%M%S', time.localtime(when))}"
        files = {"allowed": allowed_signers, "signature": enarmor_ssh(signature)}
        files |= {"revoked": revoked} if revoked is not None else {}
        with _folder(files) as name:
            folder = Path(name)
            given = ("-s", str(folder / "signature"), at)
            allowed = ("-f", str(folder / "allowed"))
            unless = ("-r", str(folder / "revoked")) if revoked is not None else ()
            found = self._run(folder, SSH_KEYGEN, "-Y", "find-principals", *allowed, *given)
            principals = found.stdout.decode("utf-8", "replace").splitlines() if found.returncode == 0 else []
            for principal in principals[:MAX_PRINCIPALS]:
                verify_ = (SSH_KEYGEN, "-Y", "verify", *allowed, "-n", NAMESPACE, "-I", principal, *given)
                done = self._run(folder, *verify_, *unless)
                key = _GOOD.search(done.stdout)
                if done.returncode == 0 and key is not None:
                    return Signed(f"{shown(principal)} {key[1].decode()}")
                # It does not say why; without the list it tells whether that is the reason.
                if unless and self._run(folder, *verify_).returncode == 0:
                    self._check_krl(folder, revoked)
                    return Signed(reason=f"key {outer.fingerprint} was revoked, by trust.revoked_keys")
            is_good = self._run(folder, SSH_KEYGEN, "-Y", "check-novalidate", "-n", NAMESPACE, *given).returncode == 0
        return Signed(reason=_why_not(outer, is_good, bool(principals), allowed_signers))

    def _check_krl(self, folder: Path, revoked: bytes | None) -> None:
        """One that cannot be read lets nobody in, and is nobody's fault who signed."""
        path = str(folder / "revoked")
        if revoked is not None and revoked.startswith(KRL):
            if self._run(folder, SSH_KEYGEN, "-Q", "-l", "-f", path).returncode != 0:
                raise VerificationUnavailable("ssh-keygen cannot read trust.revoked_keys: it is cut off or damaged")

    def _run(self, folder: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
        # Nothing of the user's own is read: neither his keys nor his settings.
        surroundings = {name: os.environ[name] for name in ("PATH", "TZ") if name in os.environ}
        surroundings |= {"LC_ALL": "C", "HOME": str(folder), "GNUPGHOME": str(folder)}
        try:
            done = subprocess.run(
                command, input=self._payload, capture_output=True, check=False, timeout=self._seconds, cwd=folder,
                env=surroundings,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise VerificationUnavailable(
                f"{command[0]} did not check a signature within {self._seconds:g} s"
            ) from error
        except OSError as error:
            raise VerificationUnavailable(f"{command[0]} cannot be started: {error.strerror}") from error
        if done.returncode < 0:
            raise VerificationUnavailable(f"{command[0]} was ended by signal {-done.returncode}")
        return done


def read_status(status: str, returncode: int) -> Signed:
    """What gpgv says (GnuPG's doc/DETAILS), about one signature and no more."""
    lines = [line.split(" ") for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    said = {line[1]: line[2:] for line in lines if len(line) > 1}
    counts = Counter(line[1] for line in lines if len(line) > 1)
    verdicts = [name for name in _VERDICTS if counts[name]]
    if counts["NEWSIG"] > 1 or sum(counts[name] for name in _VERDICTS) != 1:
        return Signed(reason="its signature cannot be checked by gpgv")
    verdict, fields = verdicts[0], said[verdicts[0]]
    valid = said.get("VALIDSIG", [])
    key = valid[-1] if len(valid) >= 10 else (fields[-1] if verdict == "ERRSIG" else fields[0])
    whose = shown(" ".join(fields[1:]))
    match verdict:
        case "BADSIG":
            return Signed(reason=f"bad signature: key {key} ({whose}) did not sign this")
        case "EXPKEYSIG":
            return Signed(reason=f"its key {key} ({whose}) has expired")
        case "REVKEYSIG":
            return Signed(reason=f"its key {key} ({whose}) was revoked")
        case "EXPSIG":
            return Signed(reason=f"its signature by key {key} ({whose}) has expired")
        case "ERRSIG":
            if "NO_PUBKEY" in said:
                return Signed(reason=f"unknown key {key}: it is not in trust.keyring")
            return Signed(reason=f"its signature by key {key} cannot be checked: an algorithm that gpgv does not know")
    if returncode != 0 or counts["VALIDSIG"] != 1 or len(valid) < 10 or valid[8] != "00":
        return Signed(reason="its signature cannot be checked by gpgv")
    if valid[7] in _WEAK:
        return Signed(reason=f"its signature by key {key} ({whose}) uses {_WEAK[valid[7]]}, which can be forged")
    return Signed(f"{whose} {key}")


def _why_not(outer: SSHSignature, is_good: bool, is_listed: bool, allowed_signers: bytes) -> str:
    if not is_good:
        return f"bad signature: key {outer.fingerprint} did not sign this"
    if is_listed:
        return f"key {outer.fingerprint} may not sign for {NAMESPACE!r} by trust.allowed_signers"
    if _is_mentioned(outer.public_key, allowed_signers):
        return f"key {outer.fingerprint} had expired, or was not valid yet, when the commit was made"
    return f"unknown key {outer.fingerprint}: it is not in trust.allowed_signers"


def _is_mentioned(public_key: bytes, allowed_signers: bytes) -> bool:
    return re.search(rb"(^|\s)" + re.escape(b64encode(public_key)) + rb"(\s|$)", allowed_signers) is not None


def _folder(files: dict[str, bytes]) -> "tempfile.TemporaryDirectory[str]":
    """A private folder with these files; raises VerificationUnavailable."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="gitops-profile-")
        for name, data in files.items():
            (Path(folder.name) / name).write_bytes(data)
    except OSError as error:
        raise VerificationUnavailable(
            f"a signature cannot be checked: {error.strerror} in {tempfile.gettempdir()}"
        ) from error
    return folder
