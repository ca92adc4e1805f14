"""One HTTP request as phones make them: bounded, never redirected, and made once more with what a challenge wants."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from .line import PhoneError

MAX_BYTES = 16 << 20
SECONDS = 30.0
"""For a request, the challenge included."""

Authorize = Callable[[list[str], str], str | None]
"""The challenges and the request's target, as it stood in the request line: the Authorization; None for none."""


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Blind to case."""
    body: bytes


async def ask_http(
    method: str,
    url: str,
    *,
    authorize: Authorize,
    headers: Mapping[str, str] | None = None,
    text: str | None = None,
    context: ssl.SSLContext | None = None,
    address: str | None = None,
) -> HTTPAnswer:
    """The answer, to the second request when the first was challenged and `authorize` knew what to say.

    `context` is for https, `address` our own. Raises PhoneError.
    """
    connector = aiohttp.TCPConnector(local_addr=(address, 0) if address else None, ssl=context or True)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    sent = dict(headers or {})
    try:
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            answer, challenges, target = await _once(session, method, url, sent, text)
            given = authorize(challenges, target) if answer.status == 401 else None
            if given is not None:
                answer, _, _ = await _once(session, method, url, sent | {"Authorization": given}, text)
            return answer
    except aiohttp.NonHttpUrlClientError as error:
        raise PhoneError(f"{url} cannot be fetched: only http and https are known here") from error
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise PhoneError(f"{url} cannot be fetched: {str(error) or 'no answer in time'}") from error


async def _once(
    session: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str], text: str | None
) -> tuple[HTTPAnswer, list[str], str]:
    async with session.request(method, url, headers=headers, allow_redirects=False, data=text) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES} bytes")
        answer = HTTPAnswer(response.status, response.headers, bytes(body))
        return answer, response.headers.getall("WWW-Authenticate", []), response.url.raw_path_qs
