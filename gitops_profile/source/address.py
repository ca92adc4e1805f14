"""Where the repository is: a folder of this machine, or a remote that is fetched from.

What is refused here never reaches a git command line: a URL with a password in it, other protocols, and what ssh or git
would take for an option.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import NotARepository

SCHEMES = ("https", "http", "ssh", "git", "file")
"""The protocols that are allowed; `ext::` and its kin run programs."""

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/?#]*)@)?(?P<host>[^/?#]*)(?P<path>.*)")
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(?P<path>.+)")
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)(:[0-9]{1,5})?")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
_BY_FILE = "write the token into a file, name it in repository.token_file, and leave the URL without user and password"


@dataclass(frozen=True, slots=True)
class RemoteAddress:
    """A remote repository. It has no secret in it and may be shown to anybody."""

    url: str
    """As git is given it."""
    scheme: str
    """One of SCHEMES; `ssh` for `git@host:path` too."""
    host: str
    """With the port when one is named; empty for file."""

    @property
    def origin(self) -> str:
        """Scheme, host and port: what an HTTP header is meant for, and nobody else."""
        return f"{self.scheme}://{self.host}/"

    def __str__(self) -> str:
        return self.url


def parse_address(text: str) -> RemoteAddress | Path:
    """A folder of this machine, or a remote. Raises NotARepository, with what to write instead."""
    if re.search(r"[\0-\x1f\x7f]", text) or not text.strip():
        raise NotARepository("the repository is named by a path or URL without control characters")
    if text.startswith("-"):
        raise NotARepository(
            f"{_shown(text)!r} begins with a dash, which is no path and no URL; write ./ before a path"
        )
    if _HELPER.match(text):
        raise NotARepository(f"{text.partition('::')[0]}:: runs a program and is no repository; {_known()}")
    match = _URL.fullmatch(text)
    if match is not None:
        return _remote(match["scheme"].lower(), match["user"], match["host"], match["path"], text)
    path = Path(text)
    match = _SCP.fullmatch(text)
    if match is None or path.exists():
        return path
    if match["user"] is not None and ":" in match["user"]:
        raise NotARepository(f"a password in {_shown(text)!r} would be seen by others; name repository.ssh_key")
    return _remote("ssh", match["user"], match["host"], f"/{match['path']}", text)


def _remote(scheme: str, user: str | None, host: str, path: str, text: str) -> RemoteAddress:
    if scheme not in SCHEMES:
        raise NotARepository(f"{scheme}: is no protocol of repositories here; {_known()}")
    if scheme == "file":
        if host not in ("", "localhost") or user or not path.startswith("/"):
            raise NotARepository("a file URL has the whole path of a folder of this machine: file:///srv/profiles.git")
        return RemoteAddress(f"file://{path}", "file", "")
    if user is not None and (scheme != "ssh" or ":" in user):
        how = "name the private key in repository.ssh_key" if scheme == "ssh" else _BY_FILE
        raise NotARepository(
            f"the URL of {scheme}://{host} has a user or password in it, and others would see it; {how}"
        )
    if not _HOST.fullmatch(host) or (user is not None and not _USER.fullmatch(user)):
        raise NotARepository(f"{_shown(text)!r} names no host; {_known()}")
    if path in ("", "/") or path.startswith("/-"):
        raise NotARepository(f"{_shown(text)!r} names no repository on its host")
    return RemoteAddress(text, scheme, host)


def _known() -> str:
    return "write a path, https://…, ssh://…, git@host:path, git://… or file:///…"


def _shown(text: str) -> str:
    """Without what could be a password."""
    return re.sub(r"[^/@]*@", "…@", text)
