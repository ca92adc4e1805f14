"""The answer that nearly every NOTIFY gets, read without taking it apart: 2 µs instead of 9, half of what it costs.

Whatever is not exactly of this form is no error: it is parsed as every message is.
"""

import re

from .message import MAX_HEADERS

# A 200 without a body: one Via, and no other header whose name begins like its; then one CSeq; no line is folded, and a
# Contact is plain.
_CONTACT = b"\r\nContact: <"
_LINE = (
    rb"(?:Cont(?:ent-Length: 0|act: <[^<>\"\r\n]++>(?:;[^<>\",\r\n]*+)?+)|"
    rb"(?![Cc](?i:seq|ontent-length|ontact)|[LlMm][ \t]*:)"
    rb"[A-UW-Za-uw-z0-9!%*_+`'~.\-][A-Za-z0-9!%*_+`'~.\-]*+[ \t]*+:[^\r\n]*+)\r\n"
)
_PLAIN = re.compile(
    rb"SIP/2\.0 200 [^\r\n]*+\r\n"
    rb"(?:" + _LINE + rb")*?"
    rb"Via: SIP/2\.0/[A-Z]+ ((?:[a-z0-9_][a-z0-9_.\-]*+|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4});branch=([A-Za-z0-9]+)"
    rb"(?:;[a-z0-9\-]+(?:=[A-Za-z0-9.:\-]*+)?+){0,20}+\r\n"
    rb"(?:" + _LINE + rb")*?"
    rb"CSeq: [0-9]{1,10} NOTIFY\r\n"
    rb"(?:" + _LINE + rb")*+\r\n"
)
MAX_LENGTH = 2000
"""Bytes; longer ones are rare, and looked at with care."""


def read_plain_answer(data: bytes) -> tuple[str, str, str | None] | None:
    """Branch and sent-by of the NOTIFY that `data` is the plain 200 to, and the URI of its Contact, if it has one.

    None for any other message.
    """
    if len(data) > MAX_LENGTH:
        return None
    match = _PLAIN.match(data)
    if match is None or data.count(b"\n") > MAX_HEADERS or data.count(b"\r\nContent-Length: ") > 1:
        return None
    contact, at = None, data.find(_CONTACT)
    if at >= 0:
        start = at + len(_CONTACT)
        if data.find(_CONTACT, start) >= 0:
            return None
        contact = data[start : data.find(b">", start)].decode("utf-8", "surrogateescape")
    return match[2].decode("ascii"), match[1].decode("ascii"), contact
