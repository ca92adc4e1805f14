"""The SUBSCRIBE of nearly every phone, read without taking it apart: one pass for the lines, one for the values.

Whatever is not exactly of this form is no error: it is parsed as every message is, and what is read here is what that
would have found (tests/sip/syntax/test_plain_request.py).
"""

import re

from .address import Address
from .errors import SIPSyntaxError
from .grammar import MAX_PORT, parse_parameters
from .headers import NAMES, Headers
from .message import MAX_CSEQ, MAX_HEADERS, Request, read_body
from .uri import URI
from .via import Via

MAX_LENGTH = 4000
"""Bytes; longer ones are rare, and looked at with care."""
_START = b"SUBSCRIBE sip:"
_VISIBLE = bytes(range(0x20, 0x7F))
_LINE_ENDS = [b"\r\n" * number for number in range(MAX_HEADERS + 1)]
_FIELD = re.compile(r"(?<=\n)([A-Za-z0-9\-]+): ?((?:[!-~][ -~]*+)?+)\r\n")

# Hosts in lower case and no escapes: then a URI says what is written.
_USER = r"[A-Za-z0-9\-_.!~*'()&=+$/]++"
_HOST = r"[a-z0-9][a-z0-9.\-]*+"
_PORT = r"[1-9][0-9]{0,4}"
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
_PARAMETERS = r"(?:;[a-z0-9\-]++(?:=[A-Za-z0-9\-.!%*_+`'~/:]*+)?+)++"
_URI = rf"sip:(?:({_USER})@)?+({_HOST})(?::({_PORT}))?+({_PARAMETERS})?+"
_NAMED = rf"""((?:"[^"\\\n]*+"|[A-Za-z0-9\-_.!~*'+ ]*+) *+)<([A-Za-z0-9\-_.!~*'()&=+$/:@;%?]++)>(?:;tag=({_TOKEN}))?+"""
_PLAIN = re.compile(
    rf"SUBSCRIBE ({_URI}) SIP/2\.0\n"
    rf"SIP/2\.0/([A-Z]++) ({_HOST})(?::({_PORT}))?+(?:;branch=({_TOKEN})(;rport)?+|({_PARAMETERS})?+)\n"
    rf"{_NAMED}\n"
    rf"{_NAMED}\n"
    rf"([0-9]{{1,10}}) SUBSCRIBE\n"
    rf"[!-~]++\n"
    rf"(?:((?:[A-Za-z0-9\-_.!~*'+ ]*+|\"[^\"\\\n]*+\" *+))<({_URI})>(;[^,\n]*+)?+)?+"
)


def read_plain_request(data: bytes) -> Request | None:
    """The SUBSCRIBE in `data`, checked, with its Request-URI and its Contact read; None for any other message."""
    end = data.find(b"\r\n\r\n")
    if not data.startswith(_START) or not 0 < end < MAX_LENGTH:
        return None
    head = data[: end + 2]
    text = head.decode("latin-1")
    pairs = _FIELD.findall(text)
    count = len(pairs)
    # Then every line is a field, and all there is are visible characters, and single blanks around values.
    if count >= MAX_HEADERS or head.translate(None, _VISIBLE) != _LINE_ENDS[count + 1] or " \r\n" in text:
        return None
    first = {NAMES[name]: value for name, value in pairs}
    if len(first) != count:
        return None  # something is there twice
    line = text.find("\r\n")
    try:
        match = _PLAIN.fullmatch(
            f"{text[:line]}\n{first['via']}\n{first['from']}\n{first['to']}\n{first['cseq']}\n"
            f"{first['call-id']}\n{first.get('contact', '')}"
        )
        return _request(match, first, data, end) if match is not None else None
    except (KeyError, SIPSyntaxError):
        return None  # which is said, and answered, by those who read with care


def _request(match: re.Match[str], first: dict[str, str], data: bytes, end: int) -> Request | None:
    """What the expression found; raises SIPSyntaxError."""
    (
        uri, user, host, port, parameters,
        transport, sent_by, sent_by_port, branch, rport, others,
        from_display, from_uri, from_tag, to_display, to_uri, to_tag, cseq,
        display, contact, contact_user, contact_host, contact_port, contact_parameters, rest,
    ) = match.groups()  # fmt: skip
    target = _uri(user, host, port, parameters)
    if branch is not None:
        said: dict[str, str | None] = {"branch": branch, "rport": None} if rport else {"branch": branch}
    else:
        said = parse_parameters(others or "")
    via = Via(transport.lower(), sent_by, _port(sent_by_port), said)
    request = Request(
        "SUBSCRIBE", uri, "SIP/2.0", Headers(None, first), read_body(first.get("content-length"), data[end + 4 :]), end,
        [first["via"]], via,
        Address(from_display.rstrip(), from_uri, {"tag": from_tag} if from_tag else {}),
        Address(to_display.rstrip(), to_uri, {"tag": to_tag} if to_tag else {}),
        first["call-id"], int(cseq), True, target,
    )  # fmt: skip
    if request.cseq > MAX_CSEQ:
        return None
    if contact is not None:
        said = parse_parameters(rest.strip()) if rest else {}
        named = _uri(contact_user, contact_host, contact_port, contact_parameters)
        if "tag" in said or "method" in named.parameters:
            return None
        request.contact = Address(display.rstrip(), contact, said), named
    return request


def _uri(user: str | None, host: str, port: str | None, parameters: str | None) -> URI:
    return URI("sip", user, host, _port(port), parse_parameters(parameters) if parameters else {}, "")


def _port(text: str | None) -> int | None:
    """Raises SIPSyntaxError."""
    if text is None:
        return None
    port = int(text)
    if port > MAX_PORT:
        raise SIPSyntaxError("impossible port")
    return port
