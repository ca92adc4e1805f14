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
from .makes import GROUP_HOST, Asking, Make
from .reply import build_reply

GROUP = (GROUP_HOST, 5060)
MAX_ANSWERED = 64
"""Requests whose answer is kept, for their repetitions."""
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
        self._answered: dict[tuple[str, int, str], bytes] = {}
        self._authenticator = (
            DigestAuthenticator(secret, run=secret[:RUN_BYTES])
            if password is not None and make.habits.challenges
            else None
        )

    def ask(self) -> bytes | None:
        """The plug-and-play SUBSCRIBE of a boot; None when phones of its make do none.

        Sent again it is a repetition; the next call makes a new one, and what comes for the last means nothing then.
        """
        asking = self.make.asking
        if asking is None:
            return None
        self._call_id = self._new_token()
        return "\r\n".join([*self._lines(asking), "", ""]).encode()

    def _lines(self, asking: Asking) -> list[str]:
        make, here = self.make, host_port(self._local)
        uri, target = f"sip:{GROUP_HOST}:{GROUP[1]}", f"sip:00000001@{here}"
        if asking.user is not None:
            uri = target = f"sip:{make.fill(asking.user, self.mac)}@{asking.host}"
        said = make.fill(asking.said.replace("{vendor}", asking.vendor or make.vendor), self.mac)
        branch = f";branch=z9hG4bK{self._new_token()}" if asking.has_branch else ""
        user = f"{make.fill(asking.user, self.mac)}@" if asking.user is not None and asking.contact_has_user else ""
        return [
            f"SUBSCRIBE {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {here}{branch}{';rport' if asking.has_rport else ''}",
            *(["Max-Forwards: 70"] if asking.has_max_forwards else []),
            f"From: <{target}>;tag={self._new_token()}",
            f"To: <{target}>",
            f"Call-ID: {self._call_id}",
            f"CSeq: {asking.cseq} SUBSCRIBE",
            f"Contact: <sip:{user}{here}>",
            f'Event: ua-profile;profile-type="{asking.profile_type}";{said}',
            *([f"User-Agent: {make.fill(asking.user_agent, self.mac)}"] if asking.user_agent is not None else []),
            "Accept: application/url",
            "Expires: 0",
            "Content-Length: 0",
        ]

    def receive(self, data: bytes) -> tuple[bytes | None, Told | None]:
        """A message: what to answer, and what to do. Anything else is ignored, and a repetition answered as before."""
        try:
            message = parse_message(data)
            if not isinstance(message, Request):
                return None, None
            message.check()
        except SIPSyntaxError:
            return None, None
        if message.method == "ACK":
            return None, None
        identity = (message.call_id, message.cseq, message.method)
        if (before := self._answered.get(identity)) is not None:
            return before, None
        answer, told = self._first(message)
        if len(self._answered) >= MAX_ANSWERED:
            del self._answered[next(iter(self._answered))]
        self._answered[identity] = answer
        return answer, told

    def _first(self, message: Request) -> tuple[bytes, Told | None]:
        if message.method != "NOTIFY":
            return build_reply(message, 405, "Method Not Allowed", ("Allow", "NOTIFY")), None
        event = (message.headers.get("event") or message.headers.get("o") or "").strip()
        if event.partition(";")[0].strip() != "ua-profile":
            return self._check_sync(message, event)
        kind = (message.headers.get("content-type") or "").partition(";")[0].strip()
        if not self._call_id or message.call_id != self._call_id or not URL_TYPES.fullmatch(kind):
            return build_reply(message, 481, "Subscription Does Not Exist"), None
        self._call_id = ""  # of several that answer, a phone takes the first (phones.md 2.2)
        return build_reply(message, 200, "OK"), Told("url", message.body.decode("utf-8", "replace").strip())

    def _check_sync(self, request: Request, event: str) -> tuple[bytes, Told]:
        if not self.make.heeds(event):
            return build_reply(request, 489, "Bad Event"), Told("refused", f"{event} means nothing to it")
        if self._authenticator is not None and not self._is_right(request):
            challenge = self._authenticator.challenges(self.make.vendor, ("MD5",), now=self._clock())[0]
            field = ("WWW-Authenticate", str(challenge))
            asked = Told("challenged", f"{event} without its line's credentials")
            return build_reply(request, 401, "Unauthorized", field), asked
        wants = "reboot=true" in event or event.startswith("reboot")
        keeps = "reboot=false" in event
        reboots = wants or (self.make.reboots and not keeps)
        return build_reply(request, 200, "OK"), Told("reboot" if reboots else "fetch", event)

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
