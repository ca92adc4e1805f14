"""The answer that nearly every NOTIFY gets, read without taking it apart: 1.5 µs instead of 9.

Whatever is not exactly of this form is no error: it is parsed as every message is.
"""

import re

from .message import MAX_HEADERS

MAX_LENGTH = 2000
"""Bytes; longer ones are rare, and looked at with care."""

# One range is looked up three times as fast as all but two characters (`[^\r\n]`).
_VALUE = rb"[ -\xff]*+"
# A 200 without a body: the Via, the CSeq, a length and a Contact once each, and nothing else that could be one of them,
# in any spelling; no more fields than may be. What most answers have is seen by its first letter. Nothing is folded.
_PLAIN = re.compile(
    rb"SIP/2\.0 200 " + _VALUE + rb"\r\n(?:(?:"
    rb"V(?(1)(?!)|ia: SIP/2\.0/[A-Z]+ ((?:[a-z0-9_][a-z0-9_.\-]*+|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4})"
    rb";branch=([A-Za-z0-9]+)(?:;[a-z0-9\-]+(?:=[A-Za-z0-9.:\-]*+)?+){0,20}+(?=\r))|"
    rb"(?:From|To|Call-ID|User-Agent|Allow|Supported|Server):" + _VALUE + rb"|"
    rb"CSeq: (?(3)(?!)|([0-9]{1,10}) NOTIFY(?=\r))|"
    rb"Content-Length: (?(4)(?!)| ?(0)(?=\r))|"  # pjsip writes two spaces
    rb"Contact: (?(5)(?!)|<([^<>\"\r\n]++)>(?:;[^<>\",\r\n]*+)?+(?=\r))|"
    rb"(?![Cc](?i:seq|ontent-length|ontact)|[LlMm][ \t]*:)"
    rb"[A-UW-Za-uw-z0-9!%*_+`'~.\-][A-Za-z0-9!%*_+`'~.\-]*+[ \t]*+:"
    + _VALUE
    + rb")\r\n){0,%d}+\r\n" % (MAX_HEADERS - 2)
)


def read_plain_answer(data: bytes) -> tuple[str, str, str | None] | None:
    """Branch and sent-by of the NOTIFY that `data` is the plain 200 to, and the URI of its Contact, if it has one.

    None for any other message.
    """
    if len(data) > MAX_LENGTH:
        return None
    match = _PLAIN.match(data)
    if match is None:
        return None
    sent_by, branch, cseq, _, contact = match.groups()
    if sent_by is None or cseq is None:
        return None
    target = None if contact is None else contact.decode("utf-8", "surrogateescape")
    return branch.decode("ascii"), sent_by.decode("ascii"), target
