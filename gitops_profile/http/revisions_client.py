"""Asking a server elsewhere how far a revision has come, over HTTPS."""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gitops_profile.admin_client import AdminError, AdminUnavailable

from .revisions import LONGEST_WAIT

MAX_ANSWER = 16 << 20
"""Bytes: an answer names every phone."""
_PASSING = frozenset({429, 500, 502, 503, 504})


async def ask_revision(url: str, token: bytes, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the server at `url` answers to `wait`: `parameters` are as on the admin socket, the revision a whole id.

    Raises AdminUnavailable when it does not answer now, as while it is restarted, and AdminError when it refuses; both
    say what to do.
    """
    _check(url)
    query = {"for": str(parameters["for"]), "timeout": f"{parameters['timeout']:.3f}"}
    timeout = aiohttp.ClientTimeout(total=LONGEST_WAIT + 15)
    headers = {"Authorization": f"Bearer {token.decode()}"}
    try:
        # The token goes where it was meant to: a redirection is not followed.
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(
                f"{url.rstrip('/')}/revisions/{parameters['revision']}", params=query, allow_redirects=False
            ) as response,
        ):
            status, body = response.status, await response.content.read(MAX_ANSWER)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise AdminUnavailable(f"{url} does not answer: {str(error) or type(error).__name__}") from error
    return _result(url, status, body)


def _result(url: str, status: int, body: bytes) -> dict[str, Any]:
    if status in _PASSING:
        raise AdminUnavailable(f"{url} answers {status} now")
    if status == 401:
        raise AdminError("the server does not take this token: compare it with the file of http.token_file")
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    if isinstance(answer, dict) and "error" in answer:
        raise AdminError(str(answer["error"]))
    raise AdminError(f"{url} answers {status}: is it a gitops-profile server with http.token_file set?")


def _check(url: str) -> None:
    """Raises AdminError for a URL that would show the token to whoever listens."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AdminError(f"{url!r} is no URL such as https://prov.example.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise AdminError(f"{url} would show the token to whoever listens: use https")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
