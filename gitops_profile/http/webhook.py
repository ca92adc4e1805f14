"""The webhook receiver: a forge says that a ref moved, and the tracker is nudged. Nothing of a payload is believed.

The body is read as a stream: HMACs are made of it as it comes, and no more of it is kept than is looked into.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from gitops_profile.digest import Throttle
from gitops_profile.forge import (
    MAX_PARSED,
    Kind,
    Refused,
    Secrets,
    SignatureCheck,
    begin_check,
    concerns,
    read_delivery,
)

from .client_address import Proxies, client_address, counted_address, is_proxy

logger = logging.getLogger(__name__)

MAX_BODY = 25 << 20
"""Bytes: GitHub sends no longer payload. Anything longer is answered 413."""
BODY_SECONDS = 20.0
"""For all of a body to come; then 408."""
AT_ONCE = 16
"""Bodies that are being read; more requests are answered 503."""
AT_ONCE_EACH = 4
"""Of these, of one address: a stranger who sends slowly must not keep the forge waiting."""
_BROKEN = (OSError, ClientError, HttpProcessingError, web.RequestPayloadError)
"""What reading a body raises when the peer is gone, or its chunks are none."""
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class WebhookReceived:
    """One request to the webhook, and what came of it."""

    source: str
    """The client's address."""
    provider: str
    """`github`, `gitlab`, `gitea` or `generic`; empty when it did not show which."""
    result: str
    """`fetch`, `ignored`, `ping`, `replayed`, `refused`, `throttled`, `too-large`, `too-slow`,
    `busy` or `unreadable`."""
    reason: str = ""
    """Why it was refused; a word."""


class _Answer(Exception):
    """The request ends here."""

    def __init__(self, status: int, result: str, text: str, *, provider: str = "", reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.result = result
        self.provider = provider
        self.reason = reason
        self.headers: dict[str, str] = {}


class WebhookReceiver:
    """POST on one path, from whoever has a secret."""

    def __init__(
        self,
        path: str,
        ref: str,
        *,
        secrets: Callable[[], Secrets],
        is_new: Callable[[str], Awaitable[bool]],
        nudge: Callable[[], None],
        on_received: Callable[[WebhookReceived], None] = lambda received: None,
        proxies: Proxies = (),
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ref` is the one that is followed; `secrets()` are those of now, in memory.

        `is_new(identity)` remembers a delivery, and says whether it is seen for the first time. `nudge()` has git
        looked at and returns at once. `wall` is in Unix seconds, `clock` one that is never set.
        """
        self._path = path
        self._ref = ref
        self._secrets = secrets
        self._is_new = is_new
        self._nudge = nudge
        self._on_received = on_received
        self._proxies = proxies
        self._wall = wall
        self._clock = clock
        self._throttle = Throttle()
        self._reading: Counter[str | None] = Counter()
        """Bodies, by who sends them."""

    def routes(self) -> list[web.RouteDef]:
        """For the listener; other methods are answered 405."""
        return [web.post(self._path, self._receive)]

    async def _receive(self, request: web.Request) -> web.Response:
        source = client_address(request, self._proxies)
        try:
            answer = await self._answer(request, source)
        except _Answer as early:
            answer = early
        self._on_received(WebhookReceived(source, answer.provider, answer.result, answer.reason))
        response = web.Response(status=answer.status, text=f"{answer}\n", headers=answer.headers)
        if answer.status == 429:
            response.force_close()  # he is not listened to, and could hold the connection by asking again
        return response

    async def _answer(self, request: web.Request, source: str) -> _Answer:
        # A proxy that names no client is never blocked: that would be for everybody behind it.
        who = counted_address(source) if not is_proxy(source, self._proxies) else None
        waiting = self._throttle.blocked_for(who, self._clock()) if who is not None else 0.0
        if waiting:
            answer = _Answer(429, "throttled", "too many refused webhooks: wait")
            answer.headers["Retry-After"] = str(math.ceil(waiting))
            return answer
        form = _check_form(request)
        if self._reading.total() >= AT_ONCE or (who is not None and self._reading[who] >= AT_ONCE_EACH):
            answer = _Answer(503, "busy", "too many webhooks at once")
            answer.headers["Retry-After"] = "5"
            return answer
        self._reading[who] += 1
        try:
            provider, identity, body = await self._checked(request, who)
        except Refused as refused:
            self._failed(who)
            # One answer for all reasons: what is wrong is for our log.
            return _Answer(403, "refused", "not accepted", provider=_named(request), reason=str(refused))
        finally:
            self._reading[who] -= 1
            if not self._reading[who]:
                del self._reading[who]
        return await self._act(request, provider, identity, body, form=form)

    async def _checked(self, request: web.Request, who: str | None) -> tuple[str, str, bytes | None]:
        """Provider, identity and body of a delivery that is authentic; raises Refused, and _Answer.

        Whoever does not send the body that would show that he has the secret has failed, too.
        """
        check = begin_check(request.headers, self._secrets(), self._wall())
        try:
            body = await _read(request, check)
        except _Answer as early:
            if early.status in (400, 408) and not check.is_shown:
                self._failed(who)
            raise
        identity = check.finish()
        self._throttle.succeeded(who)
        return check.provider, identity, body

    def _failed(self, who: str | None) -> None:
        if who is not None:
            self._throttle.failed(who, self._clock())

    async def _act(
        self, request: web.Request, provider: str, identity: str, body: bytes | None, *, form: bool
    ) -> _Answer:
        """On a delivery that is authentic."""
        delivery = read_delivery(provider, request.headers, body, form=form)
        if delivery.kind is Kind.PING:
            return _Answer(200, "ping", "pong", provider=provider)
        if delivery.kind is Kind.OTHER:
            return _Answer(202, "ignored", "ignored: not a push", provider=provider)
        if not concerns(delivery, self._ref):
            return _Answer(202, "ignored", "ignored: another ref", provider=provider)
        if not await self._is_new(identity):
            # Not an error: forges deliver again what they think was lost, and disable hooks that fail.
            return _Answer(200, "replayed", "seen already", provider=provider)
        self._nudge()
        return _Answer(202, "fetch", "looking", provider=provider)


def _named(request: web.Request) -> str:
    """Who the sender says he is, of the names we know."""
    for provider, header in (("gitea", "X-Gitea-Event"), ("github", "X-GitHub-Event"), ("gitlab", "X-Gitlab-Event")):
        if header in request.headers:
            return provider
    return "generic" if "webhook-id" in request.headers else ""


def _check_form(request: web.Request) -> bool:
    """Whether it is a form; raises _Answer for what cannot be a webhook."""
    kind = request.content_type
    if "Content-Encoding" in request.headers:
        raise _Answer(415, "unreadable", "send it without Content-Encoding")
    json_like = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    empty = "Content-Type" not in request.headers and not request.can_read_body
    if not json_like and kind != FORM and not empty:
        raise _Answer(415, "unreadable", f"send application/json or {FORM}")
    if request.content_length is not None and request.content_length > MAX_BODY:
        raise _Answer(413, "too-large", f"at most {MAX_BODY} bytes")
    return kind == FORM


async def _read(request: web.Request, check: SignatureCheck) -> bytes | None:
    """Feed the check with the body; the body itself when it is short enough to be looked into. Raises _Answer."""
    kept, length = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                check.update(chunk)
                length += len(chunk)
                if length > MAX_BODY:
                    raise _Answer(413, "too-large", f"at most {MAX_BODY} bytes")
                if length <= MAX_PARSED:
                    kept += chunk
    except TimeoutError:
        raise _Answer(408, "too-slow", "the body did not come in time") from None
    except _BROKEN:
        raise _Answer(400, "unreadable", "the body broke off") from None
    return bytes(kept) if length <= MAX_PARSED else None
