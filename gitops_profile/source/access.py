"""What a git command that goes to a remote is told through its environment: never on a command line (invariant I7)."""

import base64
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .address import RemoteAddress
from .errors import SourceUnavailable

TOKEN_BYTES = 8192
LOW_SPEED = ("1000", "30")
"""Bytes per second, and for how many seconds less than that is endured of an HTTP server."""
CONNECT_SECONDS = 10
_ALIVE_SECONDS = 10
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class RemoteAccess:
    """How the server shows a remote who it is, and how it knows the remote."""

    username: str = "x-access-token"
    """Goes with the token; most forges do not look at it."""
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """Read at every fetch, so that a token can be replaced while the server runs."""
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    ca_file: Path | None = None

    def read_token(self) -> str | None:
        """The token as it is now; raises SourceUnavailable, without the token in it."""
        token, where = self.token, "the token"
        if self.token_file is not None:
            where = f"the token file {self.token_file}"
            try:
                with open(self.token_file, "rb") as file:
                    token = file.read(TOKEN_BYTES + 1).decode("ascii", "replace").strip()
            except OSError as error:
                raise SourceUnavailable(f"{where} cannot be read: {error.strerror}") from error
        if token is None:
            return None
        if not re.fullmatch(r"[\x21-\x7e]{1,8192}", token):
            raise SourceUnavailable(f"{where} must hold the token and nothing else, on one line")
        return token


@dataclass(frozen=True, slots=True)
class Hidden:
    """Texts that are taken out of whatever is shown: a remote may answer with what it was sent."""

    texts: tuple[str, ...] = field(default=(), repr=False)

    def without(self, said: str) -> str:
        """`said`, with each of them replaced."""
        for text in self.texts:
            said = said.replace(text, _HIDDEN)
        return said


def environment(address: RemoteAddress, access: RemoteAccess) -> tuple[dict[str, str], Hidden]:
    """The whole environment of a git command that goes to the remote; raises SourceUnavailable for its token."""
    settings = {
        # Nothing else can be reached, by whatever a redirect or the remote says.
        "protocol.allow": "never",
        f"protocol.{address.scheme}.allow": "always",
        "protocol.version": "2",
        "core.hooksPath": os.devnull,
        "core.askPass": "",
        "credential.helper": "",
        "fetch.fsckObjects": "true",
        "transfer.fsckObjects": "true",
        "fetch.recurseSubmodules": "false",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": LOW_SPEED[0],
        "http.lowSpeedTime": LOW_SPEED[1],
        "http.sslVerify": "true",
    }
    if access.ca_file is not None:
        settings["http.sslCAInfo"] = str(access.ca_file)
    hidden = Hidden()
    token = access.read_token() if address.scheme in ("http", "https") else None
    if token is not None:
        if address.scheme == "http":
            raise SourceUnavailable("a token is not sent over http:, where others can read it; use https:")
        pair = base64.b64encode(f"{access.username}:{token}".encode()).decode()
        settings[f"http.{address.origin}.extraHeader"] = f"Authorization: Basic {pair}"
        hidden = Hidden((token, pair))
    return {
        **plain(keep_global=address.scheme == "file"),
        **as_variables(settings),
        "GIT_SSH_COMMAND": _ssh(access),
        "GIT_SSH_VARIANT": "ssh",
    }, hidden


def plain(*, keep_global: bool = False) -> dict[str, str]:
    """The environment of a git command that reads no settings but its repository's own, and asks nobody.

    `keep_global` keeps the user's settings: `safe.directory` lets git read a folder of somebody else.
    """
    kept = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("GIT_", "GITOPS_PROFILE_", "SSH_ASKPASS"))
    }  # fmt: skip
    if keep_global:
        kept |= {n: v for n, v in os.environ.items() if n in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")}
    else:
        kept |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_REPLACE_OBJECTS": "1"}


def as_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Git's settings as environment variables."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _ssh(access: RemoteAccess) -> str:
    """The ssh command; a shell takes it apart."""
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(_ALIVE_SECONDS),
        "ServerAliveCountMax": "3",
        "ClearAllForwardings": "yes",
        "ControlMaster": "no",
        "ControlPath": "none",
        "PermitLocalCommand": "no",
    }
    words = ["ssh"]
    if access.known_hosts is not None:
        # In quotes, for ssh would take a space for the beginning of another file.
        options |= {"UserKnownHostsFile": f'"{access.known_hosts}"', "GlobalKnownHostsFile": os.devnull}
    if access.ssh_key is not None:
        options["IdentitiesOnly"] = "yes"
        words += ["-i", str(access.ssh_key)]
    return shlex.join(words + [part for name, value in options.items() for part in ("-o", f"{name}={value}")])
