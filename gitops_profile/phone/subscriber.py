"""One ua-profile subscription from the phone's side, without I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from gitops_profile.sip import host_port
from gitops_profile.sip.syntax import Address, Request, Response, SIPSyntaxError, parse_message

from .credentials import Password
from .reply import build_reply

_CONTACT_TRANSPORT = {
    "udp": "", "tcp": ";transport=tcp", "tls": ";transport=tls", "ws": ";transport=ws", "wss": ";transport=ws",
}  # fmt: skip
"""RFC 7118 §5.2 has one word for both kinds of WebSocket."""


@dataclass(frozen=True, slots=True)
class SubscriberSettings:
    """What to ask for."""

    aor: str
    """`sip:user@domain`."""
    expires: int = 3600
    """Seconds; 0 fetches once."""
    profile_type: str | None = None
    accept: str | None = None
    vendor: str | None = None
    model: str | None = None
    version: str | None = None
    password: Password | None = None
    """For a server that asks who it is."""
    suppress: str | None = None
    """Suppress-If-Match of the first SUBSCRIBE (RFC 5839); later ones name what came last when this is set."""


@dataclass(frozen=True, slots=True)
class Received:
    """One thing that came from the server."""

    kind: str
    """"accepted", "challenged", "refused", "document", "unchanged" or "ended"."""
    detail: str
    content_type: str | None = None
    body: bytes = b""
    etag: str | None = None
    cseq: int | None = None


class Subscriber:
    """SUBSCRIBE, refresh, answer NOTIFYs. Every message is bytes in, bytes out."""

    def __init__(
        self, settings: SubscriberSettings, transport: str, local: tuple[str, int], new_token: Callable[[], str]
    ) -> None:
        self.settings = settings
        self._transport = transport
        self._local = local
        self._new_token = new_token
        self._call_id = new_token()
        self._from_tag = new_token()
        self._to_tag: str | None = None
        self._target = settings.aor
        self._routes: list[str] = []
        self._cseq = 0
        self._etag: str | None = None
        self._challenges: list[str] = []
        self._nonce_count = 0
        self.challenged = False
        """Whether the last SUBSCRIBE was refused with a challenge that the next one answers."""
        self.ended = False
        self.granted = 0
        """Seconds that the server granted last."""

    def subscribe(self, expires: int | None = None) -> bytes:
        """The next SUBSCRIBE: the first, a refresh, or with `expires=0` the end."""
        self._cseq += 1
        settings = self.settings
        local = host_port(self._local)
        user = settings.aor.partition(":")[2].partition("@")[0]
        to_tag = f";tag={self._to_tag}" if self._to_tag else ""
        parameters = f";profile-type={settings.profile_type}" if settings.profile_type else ""
        for name in ("vendor", "model", "version"):
            value = getattr(settings, name)
            parameters += f';{name}="{value}"' if value else ""
        suffix = _CONTACT_TRANSPORT[self._transport]
        lines = [
            f"SUBSCRIBE {self._target} SIP/2.0",
            f"Via: SIP/2.0/{self._transport.upper()} {local};branch=z9hG4bK{self._new_token()};rport",
            "Max-Forwards: 70",
            *(f"Route: {route}" for route in self._routes),
            f"From: <{settings.aor}>;tag={self._from_tag}",
            f"To: <{settings.aor}>{to_tag}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._cseq} SUBSCRIBE",
            f"Contact: <sip:{user}@{local}{suffix}>",
            f"Event: ua-profile{parameters}",
            f"Expires: {settings.expires if expires is None else expires}",
            "User-Agent: gitops-profile phone",
        ]
        if settings.accept:
            lines.append(f"Accept: {settings.accept}")
        if settings.suppress:
            lines.append(f"Suppress-If-Match: {self._etag or settings.suppress}")
        if self._challenges and settings.password:
            self._nonce_count += 1
            given = settings.password.answer(
                self._challenges, method="SUBSCRIBE", uri=self._target, nc=self._nonce_count, cnonce=self._new_token()
            )
            lines += [f"Authorization: {given}"] if given else []
        return ("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode()

    def receive(self, data: bytes) -> tuple[bytes | None, Received | None]:
        """A message from the server: what to answer, and what it says. Anything else is ignored."""
        try:
            return self._receive(data)
        except SIPSyntaxError:
            return None, None

    def _receive(self, data: bytes) -> tuple[bytes | None, Received | None]:
        """The same; raises SIPSyntaxError."""
        message = parse_message(data)
        if isinstance(message, Response):
            return None, self._response(message)
        message.check()
        return self._request(message)

    def _response(self, response: Response) -> Received | None:
        cseq = response.headers.get("cseq") or ""
        if response.headers.get("call-id") != self._call_id or cseq != f"{self._cseq} SUBSCRIBE":
            return None
        if response.status < 200:
            return None
        answered, self.challenged = self.challenged, False
        if response.status == 401 and self.settings.password is not None and not answered:
            self._challenges, self._nonce_count = response.headers.all("www-authenticate"), 0
            self.challenged = True
            return Received("challenged", f"{response.status} {response.reason}".strip())
        if response.status >= 300:
            if self._to_tag is None or response.status == 481:
                self.ended = True
            return Received("refused", f"{response.status} {response.reason}".strip())
        if not self._routes:
            self._routes = response.headers.items("record-route")[::-1]  # RFC 3261 §12.1.2
        self._to_tag = Address.parse(response.headers.get("to") or "").tag
        contact = response.headers.get("contact")
        if contact:
            self._target = Address.parse(contact).uri
        expires = response.headers.get("expires") or "0"
        self.granted = int(expires) if expires.isdigit() else 0
        return Received("accepted", f"{response.status} {response.reason}, expires in {self.granted} s")

    def _request(self, request: Request) -> tuple[bytes, Received | None]:
        if request.method != "NOTIFY":
            return build_reply(request, 405, "Method Not Allowed"), None
        if request.call_id != self._call_id or request.to.tag != self._from_tag:
            return build_reply(request, 481, "Subscription Does Not Exist"), None
        if self._to_tag is None:
            self._to_tag = request.from_.tag  # the NOTIFY makes the dialog (RFC 6665 §4.4.1)
            self._routes = request.headers.items("record-route")
        state = request.headers.get("subscription-state") or ""
        etag = request.headers.get("sip-etag")
        kind = "unchanged" if etag is not None and etag == self._etag else "document"
        self._etag = etag
        if state.startswith("terminated"):
            self.ended = True
            kind = "document" if request.body and kind == "document" else "ended"
        received = Received(kind, state, request.headers.get("content-type"), request.body, etag, request.cseq)
        return build_reply(request, 200, "OK"), received
