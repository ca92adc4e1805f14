"""Where a repository lives: its forge's host and its name there, from the URL that git is given."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<path>(?!//).+)")
_APIS = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
GITHUB_API = "https://api.github.com"


@dataclass(frozen=True, slots=True)
class Location:
    """A repository on a forge."""

    host: str
    """Without user and port."""
    name: str
    """`owner/name`; in GitLab with every group above."""


def locate(url: str) -> Location | None:
    """Of `https://HOST/OWNER/NAME.git`, `ssh://git@HOST/OWNER/NAME` or `git@HOST:OWNER/NAME`; else None."""
    if "://" in url:
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            return None
        path = parts.path if parts.scheme in ("http", "https", "ssh", "git+ssh", "git") else ""
    else:
        found = _SCP.fullmatch(url)
        host, path = (found["host"], found["path"]) if found else (None, "")
    name = path.strip("/").removesuffix(".git")
    if not host or not is_repository_name(name):
        return None
    return Location(host.lower(), name)


def is_repository_name(name: str) -> bool:
    """Whether it reads as `owner/name`, or with more groups."""
    return re.fullmatch(r"(?!\.\.?/)[\w.~-]+(/(?!\.\.?(/|$))[\w.~-]+)+", name) is not None


def default_api(provider: str, host: str) -> str:
    """Where the API of a forge on `host` is, when nobody says otherwise."""
    if provider == "github" and host == "github.com":
        return GITHUB_API
    return f"https://{host}{_APIS[provider]}"
