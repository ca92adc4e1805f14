"""How far a revision has come, for who may know it: a workflow that runs on another machine waits for its own commit.

`GET /revisions/COMMIT?for=acknowledged&timeout=20`, with a bearer token (RFC 6750 §2.1), answers what the admin socket
answers to `wait`. It reads, and starts nothing; without a token in the settings it is not there at all.
"""

import asyncio
import hashlib
import hmac
import logging
import math
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from gitops_profile.admin_client import AdminError

logger = logging.getLogger(__name__)

STAGES = ("applied", "notified", "acknowledged", "fetched")
LONGEST_WAIT = 30.0
"""Seconds that one request waits at most; whoever wants to wait longer asks again."""
MAX_WAITING = 50
"""Requests that wait at a time; one more is answered 503."""
MIN_TOKEN = 16
"""Characters: nobody slows down whoever guesses, so it must be a long random one."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NO_STORE = {"Cache-Control": "no-store"}

Wait = Callable[[dict[str, Any]], Awaitable[Any]]


def read_token(file: Path) -> bytes:
    """The token in a file, without the white space around it. Raises OSError, ValueError when it is too short."""
    token = file.read_bytes().strip()
    if len(token) < MIN_TOKEN:
        raise ValueError(f"the token in {file} has fewer than {MIN_TOKEN} characters: openssl rand -hex 32 makes one")
    return token


class RevisionAnswers:
    """The route of revisions."""

    def __init__(self, token_file: Path, wait: Wait) -> None:
        """`wait` takes `revision`, `for` and `timeout` (seconds), as on the admin socket."""
        self._token_file = token_file
        self._wait = wait
        self._waiting = 0

    def routes(self) -> list[web.RouteDef]:
        """For the HTTP listener."""
        return [web.get("/revisions/{commit}", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        if not await self._is_allowed(request.headers.get("Authorization", "")):
            return _error(401, "a bearer token is needed", {"WWW-Authenticate": 'Bearer realm="revisions"'})
        asked = _asked(request)
        if isinstance(asked, str):
            return _error(400, asked)
        if self._waiting >= MAX_WAITING:
            return _error(503, f"{MAX_WAITING} others wait already", {"Retry-After": "5"})
        self._waiting += 1
        try:
            result = await self._wait(asked)
        except AdminError as error:
            return _error(404, str(error))
        finally:
            self._waiting -= 1
        return web.json_response(result, headers=_NO_STORE)

    async def _is_allowed(self, header: str) -> bool:
        """The file is read each time, so that a new token holds at once; none that can be read lets nobody in."""
        scheme, _, given = header.partition(" ")
        if scheme.lower() != "bearer":
            return False
        try:
            token = await asyncio.to_thread(read_token, self._token_file)
        except (OSError, ValueError) as error:
            logger.warning("nobody may ask for revisions: %s", error)
            return False
        # Hashed first: the comparison tells nothing, not even of the length.
        pair = (hashlib.sha256(text).digest() for text in (given.strip().encode(errors="surrogateescape"), token))
        return hmac.compare_digest(*pair)


def _asked(request: web.Request) -> dict[str, Any] | str:
    """The parameters of `wait`, or what is wrong with the request."""
    commit, stage = request.match_info["commit"], request.query.get("for", "applied")
    if not _COMMIT.fullmatch(commit):
        return "the revision must be a whole commit id, in lower case"
    if stage not in STAGES:
        return f"for must be one of {', '.join(STAGES)}"
    try:
        seconds = float(request.query.get("timeout", "0"))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        return "timeout must be a number of seconds"
    return {"revision": commit, "for": stage, "timeout": min(seconds, LONGEST_WAIT)}


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": message}, status=status, headers=_NO_STORE | (headers or {}))
