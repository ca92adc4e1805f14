"""A certificate authority of the openssl command: certificates that another implementation made."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SETTINGS = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates in a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings").write_text(SETTINGS)
        made = self._make(name, "authority")
        self.certificate = made.certificate
        self._key = made.key

    def issue(self, name: str, alternatives: str = "", common_name: str = "") -> Issued:
        """One for `alternatives`, in openssl's words: `DNS:a.example.com,IP:127.0.0.1,URI:sip:example.com`."""
        signed = ["-CA", str(self.certificate), "-CAkey", str(self._key)]
        names = ["-addext", f"subjectAltName={alternatives}"] if alternatives else []
        return self._make(name, "leaf", *signed, *names, subject=common_name)

    def _make(self, name: str, extensions: str, *more: str, subject: str = "") -> Issued:
        made = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-config", str(self._folder / "settings"), "-extensions", extensions, "-days", "2"]
        command += ["-subj", f"/CN={subject or name}", "-keyout", str(made.key), "-out", str(made.certificate), *more]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return made
