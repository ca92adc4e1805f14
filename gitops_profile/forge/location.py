"""Where a repository lives: its forge's host and its name there, from the URL that git is given."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<path>(?!//).+)")
_APIS = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
GITHUB_API = "https://api.github.com"
_WEB_PORTS = {"http": 80, "https": 443}
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
"""Where a forge takes SSH on port 443, and has no API."""


@dataclass(frozen=True, slots=True)
class Location:
    """A repository on a forge."""

    host: str
    """Without user and port."""
    name: str
    """`owner/name`; in GitLab with every group above."""
    port: int | None = None
    """Of its web server, when an http(s) URL says one that is not the scheme's own; that of SSH says nothing of it."""


def locate(url: str) -> Location | None:
    """Of `https://HOST/OWNER/NAME.git`, `ssh://git@HOST/OWNER/NAME` or `git@HOST:OWNER/NAME`; else None."""
    port = None
    if "://" in url:
        try:
            parts = urlsplit(url)
            host = parts.hostname
            port = parts.port if parts.scheme in _WEB_PORTS and parts.port != _WEB_PORTS[parts.scheme] else None
        except ValueError:
            return None
        path = parts.path if parts.scheme in ("http", "https", "ssh", "git+ssh", "git") else ""
    else:
        found = _SCP.fullmatch(url)
        host, path = (found["host"], found["path"]) if found else (None, "")
    name = path.strip("/").removesuffix(".git")
    if not host or not is_repository_name(name):
        return None
    return Location(host.lower(), name, port)


def is_repository_name(name: str) -> bool:
    """Whether it reads as `owner/name`, or with more groups."""
    return re.fullmatch(r"(?!\.\.?/)[\w.~-]+(/(?!\.\.?(/|$))[\w.~-]+)+", name) is not None


def default_api(provider: str, location: Location) -> str:
    """Where the API of the forge of a repository is, when nobody says otherwise.

    On the port of its URL: another one may be another service, which must not get the token.
    """
    host, port = _SSH_HOSTS.get(location.host, location.host), location.port
    if provider == "github" and host == "github.com" and port is None:
        return GITHUB_API
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"  # an IPv6 address (RFC 3986 §3.2.2)
    return f"https://{host}{f':{port}' if port is not None else ''}{_APIS[provider]}"
