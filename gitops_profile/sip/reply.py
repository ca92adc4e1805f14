"""Responses (RFC 3261 §8.2.6) and where they go (§18.2.2, RFC 3581)."""

import re
import zlib
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from .flow import Flow
from .syntax import Request, SIPSyntaxError, Via, received_via

REASONS = {
    100: "Trying", 200: "OK", 204: "No Notification", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
    420: "Bad Extension", 423: "Interval Too Brief", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    489: "Bad Event", 500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
    505: "Version Not Supported", 513: "Message Too Large",
}  # fmt: skip
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_COPIED = ("From", "Call-ID", "CSeq")
_TO_TAG = re.compile(rb"\r\nTo: [^\r\n]*;tag=([A-Za-z0-9]+)\r\n")
Fields = Iterable[tuple[str, str]]


def build_response(
    request: Request,
    flow: Flow,
    status: int,
    reason: str = "",
    *,
    to_tag: str | None = None,
    fields: Fields = (),
    lines: str = "",
) -> bytes:
    """The bytes of a response. Without `to_tag` the tag is derived from the request, so a repetition gets the same.

    `lines` are header fields as they are written, `fields` those that are yet to be.
    """
    if request.checked and len(request.vias) == 1:  # as nearly all: 1 % of a refresh (tests/bench/instructions.py)
        copied = f"Via: {received_via(request.vias[0], request.via, flow.remote)}\r\n"
    else:
        copied = "".join([f"Via: {via}\r\n" for via in _vias(request, flow)])
    to = request.to_text if request.checked else request.headers.get("to")
    if to is not None and status != 100 and not _has_tag(request, to):
        to = f"{to};tag={to_tag or derived_tag(request)}"
    if request.checked:
        copied = (
            f"{copied}From: {request.from_text}\r\nCall-ID: {request.call_id}\r\nCSeq: {request.cseq_text}\r\n"
            f"To: {to}\r\n{lines}"
        )
    else:
        known = [(name, request.headers.get(name.lower())) for name in _COPIED]
        copied += "".join([f"{name}: {value}\r\n" for name, value in (*known, ("To", to)) if value is not None])
        copied += lines
    if fields:
        copied += "".join([f"{name}: {value}\r\n" for name, value in fields])
    reason = reason or REASONS.get(status, "Unknown")
    return f"SIP/2.0 {status} {reason}\r\n{copied}Content-Length: 0\r\n\r\n".encode("utf-8", "surrogateescape")


def response_flow(request: Request, flow: Flow) -> Flow:
    """Where the responses to `request` go: the source address always, the source port with `rport`.

    `maddr` is not obeyed on unicast: it would let a stranger choose whom we send to. A phone that names a private
    address and comes from another one is behind a NAT, which has no way in but the source port: some Yealinks ask for
    no `rport` there (phones.md 2).
    """
    via = request.via if request.checked else _readable_via(request)
    if via is None or flow.reliable or "rport" in via.parameters:
        return flow
    if via.host != flow.remote[0] and _is_private(via.host) and not flow.is_loopback:
        return flow
    return Flow(flow.transport, flow.local, (flow.remote[0], via.sent_by[1]), flow.connection)


@lru_cache(maxsize=4096)
def _is_private(host: str) -> bool:
    """RFC 1918, RFC 6598."""
    try:
        address = IPv4Address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)


def derived_tag(request: Request) -> str:
    """A To tag that is a pure function of the request (RFC 3261 §8.2.7)."""
    seed = "\n".join([*request.headers.all("via"), request.headers.get("call-id") or ""])
    return f"{zlib.crc32(seed.encode('utf-8', 'surrogateescape')):08x}"


def to_tag_in(response: bytes) -> str | None:
    """The To tag of a response that `build_response` made; None for one that has none."""
    found = _TO_TAG.search(response)
    return found[1].decode() if found is not None else None


def _has_tag(request: Request, to: str) -> bool:
    return request.to_tag is not None if request.checked else ";tag=" in to.lower()


def _vias(request: Request, flow: Flow) -> list[str]:
    vias = request.vias or request.headers.all("via")
    via = request.via if request.checked else _readable_via(request)
    return [received_via(vias[0], via, flow.remote), *vias[1:]] if via is not None else vias


def _readable_via(request: Request) -> Via | None:
    """The topmost Via of a request that is refused for what it is."""
    vias = request.vias or request.headers.all("via")
    try:
        return Via.parse(vias[0]) if vias else None
    except SIPSyntaxError:
        return None
