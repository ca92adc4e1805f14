"""A plug-and-play SUBSCRIBE as phones really write it: read with as little as an answer needs (phones.md 2.1, 3).

No branch, no Max-Forwards, no From tag, a From without host, `MAC=` in a user part, any host in the Request-URI: none
of it is an error here. Addresses are copied as they came, never taken apart to be put together again.
"""

import re
from dataclasses import dataclass

from gitops_profile.devices import Vendor, mac_in, model_said, read_user_agent, vendor_of
from gitops_profile.sip.syntax import URI, Address, EventHeader, Request, Response, SIPSyntaxError, parse_message

PACKAGE = "ua-profile"
MAX_KEPT = 4096
"""Bytes of the headers that an answer repeats."""
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s+SUBSCRIBE\s*", re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x20-\x7e\x80-\U0010ffff]+")
APPLICATION_URL = "application/url"


class NotPnP(Exception):
    """A datagram that is no plug-and-play SUBSCRIBE; the message says why. It is not answered."""


@dataclass(frozen=True, slots=True)
class PnPRequest:
    """What a phone asks by multicast."""

    vias: tuple[str, ...]
    """The lines, each perhaps several hops."""
    from_: str
    to: str
    call_id: str
    cseq: int
    contact: tuple[str, int] | None
    """Where its Contact says that it is: an IP address and a port."""
    contact_uri: str | None
    accept: str
    """The content type of the answer."""
    mac: str | None
    vendor: Vendor
    model: str | None
    version: str | None
    user_agent: str | None

    @property
    def identity(self) -> tuple[str, int, str]:
        """The same for each repetition: many phones give no branch (RFC 2543)."""
        return self.call_id, self.cseq, self.from_


def read_request(data: bytes) -> PnPRequest | Response:
    """A SUBSCRIBE, or the response to a NOTIFY of ours; raises NotPnP."""
    try:
        message = parse_message(data)
    except SIPSyntaxError as error:
        raise NotPnP(error.reason) from error
    if isinstance(message, Response):
        return message
    if message.method != "SUBSCRIBE":
        raise NotPnP(f"{message.method} is not for a multicast group")
    return _read(message)


def _read(request: Request) -> PnPRequest:
    headers = request.headers
    vias, from_, to, call_id = headers.all("via"), headers.get("from"), headers.get("to"), headers.get("call-id")
    cseq = _CSEQ.fullmatch(headers.get("cseq") or "")
    if not vias or not from_ or not to or not call_id or cseq is None:
        raise NotPnP("without Via, From, To, Call-ID or CSeq nobody can be answered")
    kept = (*vias, from_, to, call_id)
    if sum(map(len, kept)) > MAX_KEPT or not all(map(_PRINTABLE.fullmatch, kept)):
        raise NotPnP("its headers cannot be repeated")
    parameters = _event(headers.get("event") or headers.get("o"))
    agent = headers.get("user-agent")
    claim = read_user_agent(agent)
    mac = next(filter(None, map(mac_in, (request.uri, from_, to, agent or ""))), None) or claim.mac
    said = parameters.get("vendor") or parameters.get("vender")  # sic: Panasonic
    vendor = vendor_of(said, mac, claim.vendor)
    # The User-Agent before the Event header, which does not name a model reliably (phones.md 1.3).
    model = claim.model or model_said(parameters.get("model"), vendor)
    contact, uri = _contact(headers.get("contact"))
    return PnPRequest(
        tuple(vias), from_, to, call_id, int(cseq[1]), contact, uri, _accept(headers.all("accept")), mac,
        vendor, model, claim.firmware or parameters.get("version"), agent,
    )  # fmt: skip


def _event(text: str | None) -> dict[str, str | None]:
    """The parameters of the Event header; raises NotPnP for another package. What is no grammar says nothing."""
    if text is None:
        raise NotPnP("there is no Event")
    if text.partition(";")[0].strip().lower() != PACKAGE:
        raise NotPnP("another event package")
    try:
        return EventHeader.parse(text.strip()).parameters
    except SIPSyntaxError:
        return {}


def _contact(text: str | None) -> tuple[tuple[str, int] | None, str | None]:
    if text is None:
        return None, None
    try:
        uri = Address.parse(text).uri
        parsed = URI.parse(uri)
    except SIPSyntaxError:
        return None, None
    if parsed.scheme != "sip" or parsed.headers or "maddr" in parsed.parameters:
        return None, None  # it is kept, and becomes a Request-URI: nothing in it may name another place
    return (parsed.host.strip("[]"), parsed.port or 5060), uri


def _accept(values: list[str]) -> str:
    """The type that carries a URL: `application/url`, unless the phone names only another one of that kind."""
    types = [one.partition(";")[0].strip().lower() for value in values for one in value.split(",")]
    if not types or APPLICATION_URL in types or "*/*" in types:
        return APPLICATION_URL
    return next((one for one in types if re.fullmatch(r"application/[a-z0-9.+-]*url", one)), APPLICATION_URL)
