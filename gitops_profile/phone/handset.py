"""A desk phone that can be played: plug and play, fetch, idle, check-sync, fetch again. Bytes in, bytes out."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gitops_profile.digest import (
    RUN_BYTES,
    DigestAuthenticator,
    DigestSyntaxError,
    a1,
    choose_credentials,
)
from gitops_profile.sip import host_port
from gitops_profile.sip.syntax import Request, SIPSyntaxError, parse_message

from .credentials import Password
from .makes import Make
from .reply import build_reply

GROUP = ("224.0.1.75", 5060)
URL_TYPES = re.compile(r"application/[a-z0-9.+-]*url", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """What a message from the server comes to."""

    kind: str
    """"url": where its files are; "fetch": fetch again; "reboot"; "challenged", "refused"."""
    detail: str


class Handset:
    """One phone's SIP side."""

    def __init__(
        self,
        make: Make,
        mac: str,
        local: tuple[str, int],
        new_token: Callable[[], str],
        *,
        password: Password | None = None,
        secret: bytes = b"",
        clock: Callable[[], float],
    ) -> None:
        """With a `password`, which is its line's, it challenges a check-sync when phones of its make do.

        `secret` is random; `clock` is in Unix seconds.
        """
        self.make = make
        self.mac = mac
        self._local = local
        self._new_token = new_token
        self._password = password
        self._clock = clock
        self._call_id = ""
        self._cseq = 0
        self._done: set[tuple[str, int]] = set()
        self._authenticator = (
            DigestAuthenticator(secret, run=secret[:RUN_BYTES])
            if password is not None and make.habits.challenges
            else None
        )

    def ask(self) -> bytes | None:
        """The plug-and-play SUBSCRIBE of a boot; None when phones of its make do none."""
        make = self.make
        if make.pnp_user is None:
            return None
        self._call_id, self._cseq = self._new_token(), 1
        uri = f"sip:{make.fill(make.pnp_user, self.mac)}@{GROUP[0]}"
        vendor = make.said_vendor or make.vendor
        lines = [
            f"SUBSCRIBE {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host_port(self._local)};branch=z9hG4bK{self._new_token()};rport",
            "Max-Forwards: 70",
            f"From: <{uri}>;tag={self._new_token()}",
            f"To: <{uri}>",
            f"Call-ID: {self._call_id}",
            "CSeq: 1 SUBSCRIBE",
            f"Contact: <sip:{host_port(self._local)}>",
            f'Event: ua-profile;profile-type="device";vendor="{vendor}";model="{make.model}";version="{make.firmware}"',
            "Accept: application/url",
            "Expires: 0",
            "Content-Length: 0",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def receive(self, data: bytes) -> tuple[bytes | None, Told | None]:
        """A message: what to answer, and what to do. Anything else is ignored."""
        try:
            message = parse_message(data)
            if not isinstance(message, Request):
                return None, None
            message.check()
        except SIPSyntaxError:
            return None, None
        if message.method != "NOTIFY":
            return build_reply(message, 405, "Method Not Allowed"), None
        event = (message.headers.get("event") or "").strip()
        again = (message.call_id, message.cseq) in self._done
        self._done.add((message.call_id, message.cseq))
        if event.partition(";")[0] == "ua-profile":
            kind = message.headers.get("content-type") or ""
            if message.call_id != self._call_id or not URL_TYPES.fullmatch(kind.partition(";")[0].strip()):
                return build_reply(message, 481, "Subscription Does Not Exist"), None
            url = message.body.decode("utf-8", "replace").strip()
            return build_reply(message, 200, "OK"), None if again else Told("url", url)
        return self._check_sync(message, event, again)

    def _check_sync(self, request: Request, event: str, again: bool) -> tuple[bytes, Told | None]:
        if not self.make.heeds(event):
            return build_reply(request, 489, "Bad Event"), Told("refused", f"{event} means nothing to it")
        if self._authenticator is not None and not self._is_right(request):
            challenge = self._authenticator.challenges(self.make.vendor, ("MD5",), now=self._clock())[0]
            field = ("WWW-Authenticate", str(challenge))
            asked = Told("challenged", f"{event} without its line's credentials")
            return build_reply(request, 401, "Unauthorized", field), None if again else asked
        answer = build_reply(request, 200, "OK")
        if again:
            return answer, None
        wants = "reboot=true" in event or event.startswith("reboot")
        keeps = "reboot=false" in event
        reboots = wants or (self.make.reboots and not keeps)
        return answer, Told("reboot" if reboots else "fetch", event)

    def _is_right(self, request: Request) -> bool:
        assert self._authenticator is not None and self._password is not None
        password, realm = self._password, self.make.vendor
        try:
            credentials = choose_credentials(request.headers.all("authorization"), realm)
        except DigestSyntaxError:
            return False
        if credentials is None:
            return False
        hashes = {"MD5": a1("MD5", password.user, realm, password.password)}
        return self._authenticator.check(
            credentials, method="NOTIFY", realm=realm, request_uri=request.uri, algorithms=("MD5",),
            lookup=lambda user, _: hashes if user == password.user else {}, now=self._clock(),
        ).accepted  # fmt: skip
