"""Sends commit statuses to a forge: one POST at a time, bounded in time and in what is read of the answer."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from yarl import URL

from gitops_profile.forge import StatusRequest

SECONDS = 20.0
"""For one request from its beginning to its end."""
MAX_ANSWER = 64 << 10
"""Bytes that are read of an answer."""


class ForgeUnreachable(Exception):
    """No answer, or none that is HTTP; the text is one line."""


@dataclass(frozen=True, slots=True)
class ForgeAnswer:
    """What the forge said."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


class StatusClient:
    """A client of one forge. Redirects are not followed, for the token would go with them."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: StatusRequest) -> ForgeAnswer:
        """POST it. Raises ForgeUnreachable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "gitops-profile"},  # GitHub wants one
            )
        url = URL(request.url, encoded=True)
        proxy, for_proxy = _proxy_for(url)
        try:
            async with self._session.post(
                url, data=request.body, headers=dict(request.headers), allow_redirects=False, proxy=proxy,
                proxy_headers=for_proxy,
            ) as answer:  # fmt: skip
                body = await _first(answer.content)
                return ForgeAnswer(answer.status, {n.lower(): v for n, v in answer.headers.items()}, body)
        except TimeoutError as error:
            raise ForgeUnreachable(f"no answer within {SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise ForgeUnreachable(" ".join(str(error).split())[:200] or type(error).__name__) from error

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _proxy_for(url: URL) -> tuple[URL | None, dict[str, str]]:
    """What `https_proxy` names, as for git's fetches, unless `no_proxy` has the host, and the headers for it.

    Raises ForgeUnreachable.

    Of plain http none: that goes to this machine, and a proxy would see the token. aiohttp's own `trust_env` would read
    `.netrc` besides, and send what it finds there in place of the token. The password stands apart from the URL, which
    is in the text of errors (invariant I7).
    """
    text = getproxies_environment().get("https")
    if url.scheme != "https" or not text or proxy_bypass(f"{url.host}:{url.port}"):
        return None, {}
    try:
        proxy = URL(text if "://" in text else f"http://{text}")
    except ValueError:
        proxy = URL()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise ForgeUnreachable("https_proxy is not the URL of a proxy") from None
    if proxy.user is None:
        return proxy, {}
    login = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode())
    return proxy.with_user(None), {"Proxy-Authorization": f"Basic {login.decode()}"}


async def _first(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) >= MAX_ANSWER:
            break
    return bytes(body[:MAX_ANSWER])
