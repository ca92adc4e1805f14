"""The SUBSCRIBE of nearly every phone, read by one expression instead of being taken apart: 5 µs instead of 20.

Whatever is not exactly of this form is no error: it is parsed as every message is, and what is read here is what that
would have found (tests/sip/syntax/test_plain_request.py).
"""

import re

from .address import Contact
from .errors import SIPSyntaxError
from .grammar import MAX_PORT, NONE, parse_parameters
from .headers import Headers
from .message import MAX_CSEQ, MAX_HEADERS, MAX_VIAS, Request, read_body
from .uri import URI
from .via import Via

MAX_LENGTH = 4000
"""Bytes; longer ones are rare, and looked at with care."""
_START = b"SUBSCRIBE sip:"

# Hosts in lower case and no escapes: then a URI says what is written.
_USER = r"[A-Za-z0-9\-_.!~*'()&=+$/]++"
_HOST = r"[a-z0-9][a-z0-9.\-]*+"
_PORT = r"[1-9][0-9]{0,4}"
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
_PARAMETERS = r"(?:;[a-z0-9\-]++(?:=[A-Za-z0-9\-.!%*_+`'~/:]*+)?+)++"
_URI = rf"(sip:(?:({_USER})@)?+({_HOST})(?::({_PORT}))?+({_PARAMETERS})?+)"
_NAMED = (
    rf"""(?! )(?:"[^"\\\r\n]*+"|[A-Za-z0-9\-_.!~*'+ ]*+) *+<[A-Za-z0-9\-_.!~*'()&=+$/:@;%?]++>(?:;tag=({_TOKEN}))?+"""
)
_VIA = rf"SIP/2\.0/([A-Z]++) ({_HOST})(?::({_PORT}))?+(?:;branch=({_TOKEN})(;rport)?+(?=\r)|({_PARAMETERS})?+)"
_VALUE = r"[!-~][ -~]*+(?<! )"
# What may be there once, with its compact form.
_ONCE = {
    "Via|v": f"({_VIA})",
    "Max-Forwards": "[0-9]++()",
    "From|f": f"({_NAMED})",
    "To|t": f"({_NAMED})",
    "Call-ID|i": "([!-~]++)",
    "CSeq": "([0-9]{1,10} SUBSCRIBE)",
    "Contact|m": rf"((?! )(?:[A-Za-z0-9\-_.!~*'+ ]*+|\"[^\"\\\r\n]*+\" *+)<{_URI}>(;[!-+\--;=-~]*+)?+)",
    "Event|o": f"({_VALUE})",
    "Accept": f"({_VALUE})",
    "Expires": "([0-9]++)",
    "User-Agent": f"({_VALUE})",
    "Content-Length|l": "([0-9]++)",
    "Content-Type|c": f"{_VALUE}()",
}
_MORE_VIAS = rf"(SIP/2\.0/[A-Z]++ {_HOST}(?::{_PORT})?+(?:{_PARAMETERS})?+)"
_ASKS = "(?:Record-Route|Require|Suppress-If-Match): ([ -~]*+)"
_OFTEN = r"A(?:llow|llow-Events|uthorization):[ -~]*+|Supported:[ -~]*+"
_OTHERS = (
    r"(?!(?i:via|from|to|call-id|cseq|contact|event|accept|expires|user-agent|content-length|content-type|max-forwards|"
    r"record-route|require|suppress-if-match|[vftimolc]) ?:)[A-Za-z0-9\-]++:[ -~]*+"
)


def _expression(*, compact: bool) -> re.Pattern[str]:
    """Start line and fields in any order; what may be there once only is not found a second time."""
    start = rf"SUBSCRIBE {_URI} SIP/2\.0\r\n"
    via = number = re.compile(start).groups + 1
    fields = []
    for names, value in _ONCE.items():
        name = f"(?:{names})" if compact else names.partition("|")[0]
        fields.append(f"{name}: (?({number})(?!)|{value})")
        number += re.compile(value).groups
    fields += [f"(?:Via|v): (?({via}){_MORE_VIAS}|(?!))", _ASKS, _OFTEN, _OTHERS]
    return re.compile(rf"{start}(?:(?:{'|'.join(fields)})\r\n){{0,{MAX_HEADERS - 1}}}+")


_PLAIN = _expression(compact=False)
"""Most lines are seen by their first letter not to be one of these names: 33,000 instructions where compact forms are
looked for as well, which takes 38,000."""
_COMPACT = _expression(compact=True)


def read_plain_request(data: bytes) -> Request | None:
    """The SUBSCRIBE in `data`, checked, with its Request-URI and its Contact read; None for any other message."""
    if not data.startswith(_START):
        return None
    end = data.find(b"\r\n\r\n")
    if not 0 < end < MAX_LENGTH:
        return None
    text = data[: end + 2].decode("utf-8", "surrogateescape")
    match = _PLAIN.fullmatch(text) or _COMPACT.fullmatch(text)
    if match is None:
        return None
    try:
        return _request(match, text, end, data[end + 4 :])
    except SIPSyntaxError:
        return None  # which is said, and answered, by those who read with care


def _request(match: re.Match[str], text: str, size: int, rest: bytes) -> Request | None:
    """What the expression found; raises SIPSyntaxError."""
    (
        uri, user, host, port, parameters,
        via, transport, sent_by, sent_by_port, branch, rport, others, _,
        from_, from_tag, to, to_tag, call_id, cseq,
        contact, contact_uri, contact_user, contact_host, contact_port, asked, about,
        event, accept, expires, user_agent, length, _, more_vias, asks,
    ) = match.groups()  # fmt: skip
    if via is None or from_ is None or to is None or call_id is None or cseq is None:
        return None
    number = int(cseq[:-10])
    if number > MAX_CSEQ:
        return None
    said: dict[str, str | None]
    if others is not None or branch is None:
        said = parse_parameters(others or "")
    else:
        said = {"branch": branch, "rport": None} if rport else {"branch": branch}
    target = URI("sip", user, host, _port(port), parse_parameters(parameters) if parameters else NONE, "")
    headers = Headers(text=text)
    vias = [via] if more_vias is None else _all_vias(headers)
    return Request(  # in the order of its fields
        "SUBSCRIBE", uri, "SIP/2.0", headers, read_body(length, rest), size, vias,
        Via(transport.lower(), sent_by, _port(sent_by_port), said),
        from_, from_tag or "", to, to_tag, call_id, number, cseq, event, accept, expires, user_agent,
        True, asks is None, target,
        None if contact is None else _contact(contact_uri, contact_user, contact_host, contact_port, asked, about),
    )  # fmt: skip


def _all_vias(headers: Headers) -> list[str]:
    """Raises SIPSyntaxError."""
    vias = headers.all("via")
    if len(vias) > MAX_VIAS:
        raise SIPSyntaxError("too many Vias")
    for one in vias[1:]:
        Via.parse(one)
    return vias


def _contact(
    text: str, user: str | None, host: str, port: str | None, parameters: str | None, about: str | None
) -> Contact:
    """Raises SIPSyntaxError."""
    said = parse_parameters(parameters) if parameters else NONE
    about_it = parse_parameters(about) if about else NONE
    if "method" in said or "tag" in about_it:
        raise SIPSyntaxError("not that simple")
    return Contact(text, URI("sip", user, host, _port(port), said, ""), about_it)


def _port(text: str | None) -> int | None:
    """Raises SIPSyntaxError."""
    if text is None:
        return None
    port = int(text)
    if port > MAX_PORT:
        raise SIPSyntaxError("impossible port")
    return port
