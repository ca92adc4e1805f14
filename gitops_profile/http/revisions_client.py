"""Waiting for a revision on a server elsewhere, over HTTPS."""

import asyncio
import ipaddress
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from .admin import AdminError, AdminUnavailable
from .revisions import LONGEST_WAIT

PAUSE = 1.0
"""Seconds before a server that did not answer, or not for good, is asked again."""
MAX_ANSWER = 16 << 20
"""Bytes: an answer names every phone."""
_PASSING = frozenset({429, 500, 502, 503, 504})


async def wait_for_revision(
    url: str,
    token: bytes,
    commit: str,
    stage: str,
    seconds: float,
    *,
    is_settled: Callable[[Mapping[str, Any]], bool],
) -> dict[str, Any]:
    """The last answer, once it is settled or `seconds` are over.

    A server that is away for a moment, as while it is restarted, is asked again. Raises AdminError when it refuses,
    AdminUnavailable when it has not answered in all the time; both say what to do.
    """
    _check(url)
    end, last, trouble = time.monotonic() + seconds, None, "it gave no answer"
    timeout = aiohttp.ClientTimeout(total=LONGEST_WAIT + 15)
    async with aiohttp.ClientSession(timeout=timeout, headers={"Authorization": f"Bearer {token.decode()}"}) as session:
        while True:
            left = max(0.0, end - time.monotonic())
            query = {"for": stage, "timeout": f"{min(left, LONGEST_WAIT * 2 / 3):.3f}"}
            try:
                last = await _ask(session, f"{url.rstrip('/')}/revisions/{commit}", query) or last
            except (aiohttp.ClientError, TimeoutError, AdminUnavailable) as error:
                trouble = str(error) or type(error).__name__
                await asyncio.sleep(min(PAUSE, left))
            if last is not None and is_settled(last) or time.monotonic() >= end:
                break
            if last is not None:
                await asyncio.sleep(min(0.1, left))
    if last is None:
        raise AdminUnavailable(f"{url} did not answer within {seconds:g} s: {trouble}")
    return last


async def _ask(session: aiohttp.ClientSession, url: str, query: Mapping[str, str]) -> dict[str, Any]:
    """One answer. The token goes where it was meant to: a redirection is not followed."""
    async with session.get(url, params=query, allow_redirects=False) as response:
        body = await response.content.read(MAX_ANSWER)
        status = response.status
    if status in _PASSING:
        raise AdminUnavailable(f"status {status}")
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
