"""One check-sync: what is sent to whom, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_profile.devices import HEARD_WITHOUT_EFFECT
from gitops_profile.sip import Flow, host_port

AGENT = "gitops-profile"
_TRANSPORT = {
    "udp": "",
    "tcp": ";transport=tcp",
    "tls": ";transport=tls",
    "ws": ";transport=ws",
    "wss": ";transport=ws",
}
SILENT = 408
"""For a phone that did not answer (RFC 3261 §8.1.3.1)."""
UNSENT = 503
"""For a transport that failed (RFC 3261 §8.1.3.1)."""


class Verdict(StrEnum):
    """What an answer means."""

    HEARD = "heard"
    """It will fetch, or so it says."""
    UNSUPPORTED = "unsupported"
    """It does not know the event without a subscription, which is its right (RFC 6665 §4.1.3): no fault."""
    OFFLINE = "offline"
    """It cannot be reached now."""
    REFUSED = "refused"
    """It wants other credentials, or nothing of us."""


_OFFLINE = frozenset({404, 408, 410, 430, 480})
"""Besides every 5xx, after which the same request may succeed elsewhere or later (RFC 3261 §21.5)."""


def verdict_of(status: int) -> Verdict:
    """What a final status means for a phone that was told."""
    if 200 <= status < 300:
        return Verdict.HEARD
    if status in HEARD_WITHOUT_EFFECT:
        return Verdict.UNSUPPORTED
    return Verdict.OFFLINE if status in _OFFLINE or 500 <= status < 600 else Verdict.REFUSED


@dataclass(frozen=True, slots=True)
class Push:
    """What one phone is told, once."""

    device: str
    target: str
    """The Request-URI and To: its AoR, or where it was seen."""
    event: str
    """With its parameters, such as `check-sync;reboot=false`."""
    flows: tuple[Flow, ...]
    """Where it may go, best first."""
    route: str | None = None
    """The URI of the proxy that it goes through."""
    user: str | None = None
    """Of the line, for when the phone asks for its credentials."""
    without_user: str = "name its line in notify.aor of its manifest"
    """What to say of it when there is none."""
    versions: tuple[tuple[str, str], ...] = ()
    """What it is about: keys of profiles and entity-tags."""


@dataclass(frozen=True, slots=True)
class PushSent:
    """A check-sync left."""

    push: Push


@dataclass(frozen=True, slots=True)
class PushAnswered:
    """How it ended."""

    push: Push
    status: int
    verdict: Verdict
    reason: str
    """What to say of it; empty when all is well."""


def build_push(
    push: Push, to: Flow, *, branch: str, tag: str, call_id: str, cseq: int, credentials: Mapping[str, str]
) -> bytes:
    """The bytes of a NOTIFY outside of any dialog; an empty body (phones.md 4)."""
    local = host_port(to.local)
    ours = f"sip:{local}{_TRANSPORT[to.transport]}"
    extra = f"Route: <{push.route}>\r\n" if push.route is not None else ""
    extra += "".join(f"{name}: {value}\r\n" for name, value in credentials.items())
    return (
        f"NOTIFY {push.target} SIP/2.0\r\n"
        f"Via: SIP/2.0/{to.transport.upper()} {local};branch={branch};rport\r\n"
        f"Max-Forwards: 70\r\n{extra}"
        f"From: <{_from(push, local)}>;tag={tag}\r\n"
        f"To: <{push.target}>\r\n"
        f"Call-ID: {call_id}\r\n"
        f"CSeq: {cseq} NOTIFY\r\n"
        f"Contact: <{ours}>\r\n"
        f"Event: {push.event}\r\n"
        f"Subscription-State: terminated\r\n"
        f"User-Agent: {AGENT}\r\n"
        f"Content-Length: 0\r\n\r\n"
    ).encode("utf-8", "surrogateescape")


def _from(push: Push, local: str) -> str:
    """In the name of the line when there is one: some registrars forward nobody else's."""
    return push.target if push.route is not None else f"sip:{AGENT}@{local}"
