"""Whole messages and their headers: real phones' bytes, folding, compact forms, and any bytes at all."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import Headers, Request, Response, SIPSyntaxError, parse_message
from gitops_profile.sip.syntax.message import find_blank_line, split_head

SNOM = b"""SUBSCRIBE sip:MAC%3a00135E874B49@intern.snom.de SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5060;rport
From: <sip:MAC%3a00135E874B49@intern.snom.de>;tag=1801134123
To: <sip:MAC%3a00135E874B49@intern.snom.de>
Call-ID: 1601223@192.0.2.9
CSeq: 1 SUBSCRIBE
Event: ua-profile;profile-type="device";vendor="OEM";model="OEM";version="7.1.19"
Expires: 0
Accept: application/url
Contact: <sip:192.0.2.9:5060>
Content-Length: 0

"""
SNOM_NO_HOST = SNOM.replace(b"From: <sip:MAC%3a00135E874B49@intern.snom.de>", b"From: <sip:MAC%3a00135E874B49>")
PLANET = b"""SUBSCRIBE sip:MAC=00304fa99948@224.0.1.75 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-77
From: <sip:MAC=00304fa99948@224.0.1.75>
To: <sip:MAC=00304fa99948@224.0.1.75>
Call-ID: 77@192.0.2.9
CSeq: 1 SUBSCRIBE
Event: ua-profile;profile-type="device";vendor="PLANET";model="VIP-2140PT";version="1.0"
Contact: <sip:MAC=00304fa99948@192.0.2.9:5060>
Content-Length: 0

"""
YEALINK = b"""SUBSCRIBE sip:MAC001565f4f9e1@224.0.1.75 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5059.;branch=z9hG4bK1536537630
From: <sip:MAC001565f4f9e1@224.0.1.75>;tag=1536537630
To: <sip:MAC001565f4f9e1@224.0.1.75>
Call-ID: 1536537630@192.0.2.9
CSeq: 1 SUBSCRIBE
Contact: <sip:MAC001565f4f9e1@192.0.2.9:5059>
Max-Forwards: 70
User-Agent: Yealink W52P 25.81.0.10
Event: ua-profile;profile-type="device";vendor="yealink";model="W52P";version="25.81.0.10"
Content-Length: 0

"""
AUDIOCODES = b"""SUBSCRIBE sip:224.0.1.75:5060 SIP/2.0
v: SIP/2.0/UDP 192.0.2.9;rport;branch=z9hG4bK-1
f: <sip:00000001@192.0.2.9:5060>;tag=4
t: <sip:224.0.1.75:5060>
i: 4@192.0.2.9
CSEQ : 20000   SUBSCRIBE
o: ua-profile
 ;profile-type="application"
\t;model="420HD"
m: <sip:00000001@192.0.2.9:5060>
l: 0

"""


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


def request_of(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    message.check()
    return message


@pytest.mark.parametrize(
    ("data", "tag", "branch", "cseq"),
    [
        (SNOM, "1801134123", None, 1),
        (SNOM_NO_HOST, "1801134123", None, 1),
        (PLANET, None, "z9hG4bK-77", 1),
        (YEALINK, "1536537630", "z9hG4bK1536537630", 1),
        (AUDIOCODES, "4", "z9hG4bK-1", 20000),
    ],
    ids=["snom", "snom-no-host", "planet", "yealink", "audiocodes"],
)
@pytest.mark.parametrize("ends", [crlf, bytes], ids=["crlf", "lf"])
def test_what_real_phones_send(data: bytes, tag: str | None, branch: str | None, cseq: int, ends: type[bytes]) -> None:
    request = request_of(ends(data))
    assert (request.from_.tag, request.via.branch, request.cseq) == (tag, branch, cseq)
    assert (request.headers.get("event") or "").startswith("ua-profile") and request.to.tag is None


def test_folded_and_compact_headers_read_as_the_long_ones() -> None:
    request = request_of(crlf(AUDIOCODES))
    assert request.headers.get("event") == 'ua-profile ;profile-type="application" ;model="420HD"'
    assert request.headers.get("contact") == "<sip:00000001@192.0.2.9:5060>"
    assert request.headers.get("content-length") == "0"


@pytest.mark.parametrize("line", [b"X: y\r\n", b" folded\r\n", b"no colon\r\n", b"X: " + bytes(60_000) + b"\r\n"])
@pytest.mark.parametrize("times", [801, 10_000])
def test_of_what_is_far_too_long_the_first_lines_say_whom_to_answer(line: bytes, times: int) -> None:
    with pytest.raises(SIPSyntaxError) as caught:
        parse_message(crlf(SNOM).replace(b"Content-Length", line * times + b"Content-Length"))
    assert caught.value.status == 513
    request = caught.value.request
    assert isinstance(request, Request) and request.headers.get("call-id") == "1601223@192.0.2.9"
    assert request.headers.get("via") == "SIP/2.0/UDP 192.0.2.9:5060;rport"


def test_a_field_may_be_folded_into_many_lines() -> None:
    request = parse_message(crlf(SNOM).replace(b"Content-Length", b"X: y\r\n" + b" z\r\n" * 700 + b"Content-Length"))
    assert request.headers.get("x") == "y" + " z" * 700


def test_headers_keep_order_and_are_many_valued() -> None:
    headers = Headers([("via", "a, b"), ("x", "1"), ("via", '"c,d"')])
    assert headers.get("via") == "a, b" and headers.get("y") is None
    assert headers.all("via") == ["a, b", '"c,d"'] and headers.items("via") == ["a", "b", '"c,d"']


def test_body_ends_where_content_length_says() -> None:
    data = crlf(SNOM).replace(b"Content-Length: 0", b"Content-Length: 3")
    assert request_of(data + b"abcdef").body == b"abc"
    assert request_of(crlf(SNOM).replace(b"Content-Length: 0\r\n", b"") + b"abc").body == b"abc"


@pytest.mark.parametrize("zeros", [b"0", b"0" * 10, b"0" * 50])
def test_numbers_may_begin_with_zeros(zeros: bytes) -> None:
    data = crlf(SNOM).replace(b"CSeq: 1 ", b"CSeq: " + zeros + b"1 ")
    request = request_of(data.replace(b"Content-Length: 0", b"Content-Length: " + zeros + b"3") + b"abcdef")
    assert (request.cseq, request.body) == (1, b"abc")
    assert request.cseq_text == f"{zeros.decode()}1 SUBSCRIBE"  # as it came: an answer repeats it
    assert request_of(crlf(SNOM).replace(b"Length: 0", b"Length: " + zeros)).body == b""
    assert request_of(crlf(SNOM).replace(b"CSeq: 1 ", b"CSeq: " + zeros + b" ")).cseq == 0


def test_line_ends_before_the_start_line_do_not_count() -> None:
    assert request_of(b"\r\n\r\n" + crlf(SNOM)).method == "SUBSCRIBE"


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia", 505),
        (b"SUBSCRIBE sip:MAC", b"SUBSCRIBE  sip:MAC", 400),
        (b"SUBSCRIBE sip:MAC", b"SUB<SCRIBE sip:MAC", 400),
        (b"Via: SIP/2.0/UDP 192.0.2.9:5060;rport\r\n", b"", 400),
        (b"Call-ID: 1601223@192.0.2.9\r\n", b"", 400),
        (b"Call-ID: 1601223@192.0.2.9", b"Call-ID:", 400),
        (b"Call-ID: 1601223@192.0.2.9", b"Call-ID: a b", 400),
        (b"Call-ID: 1601223@192.0.2.9", b"Call-ID: a\x00b", 400),
        (b"Call-ID: 1601223@192.0.2.9", b"Call-ID: a\xffb", 400),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq: 1 NOTIFY", 400),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq: 4294967296 SUBSCRIBE", 400),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq:  SUBSCRIBE", 400),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq: 0004294967296 SUBSCRIBE", 400),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq: " + b"0" * 5000 + b"1 SUBSCRIBE", 400),
        (b"Content-Length: 0", b"Content-Length: " + b"0" * 5000, 400),
        (b"Content-Length: 0", b"Content-Length:", 400),
        (b"CSeq: 1 SUBSCRIBE", b"CSeq: \xd9\xa1 SUBSCRIBE", 400),  # a digit of another script
        (b"Expires: 0", b"Expires: 0\r\nExpires: 1", 400),
        (b"Expires: 0", b"Event: presence", 489),
        (b"Expires: 0", b"Expires 0", 400),
        (b"Expires: 0", b"o ua-profile", 400),
        (b"Expires: 0", b"Via SIP/2.0/UDP h:5060", 400),
        (b"Expires: 0", b"Record-Route\x00: <sip:h;lr>", 400),
        (b"Expires: 0", b"(Require): x", 400),
        (b"Expires: 0", "\u212a: x".encode(), 400),  # the Kelvin sign is no k, but somebody may take it for one
        (b" SIP/2.0\r\nVia", b"\r\n SIP/2.0\r\nVia", 0),  # nothing of a start line may be folded
        (b"SIP/2.0\r\nVia", b"SIP/2.0\r\n Via", 400),
        (b"SIP/2.0\r\nVia", "\u017fIP/2.0\r\nVia".encode(), 0),
        (b"Expires: 0", b"X: a\rEvil: b", 400),
        (b"Content-Length: 0", b"Content-Length: -1", 400),
        (b"Content-Length: 0", b"Content-Length: 9", 400),
        (b"Content-Length: 0", b"Content-Length: 0\r\nl: 1", 400),
        (b"Expires: 0", b"X: y\r\n" * 200 + b"Expires: 0", 513),
        (b"Content-Length: 0\r\n\r\n", b"Content-Length: 0\r\n", 400),
    ],
)
def test_what_is_wrong_is_said_with_a_request_to_answer(old: bytes, new: bytes, status: int) -> None:
    data = crlf(SNOM)
    assert data.count(old) == 1
    with pytest.raises(SIPSyntaxError) as caught:
        request_of(data.replace(old, new))
    if not status:
        assert caught.value.request is None  # it is no request at all
        return
    assert caught.value.status == status and caught.value.request is not None
    assert caught.value.request.headers.get("from") is not None


@pytest.mark.parametrize("line", ["X Foo: bar", "P-Early-Media supported", "X/Y: z", "X@Y: 1", ": x", "X\0: y", "ü: x"])
def test_a_malformed_line_that_nobody_needs_is_passed_by(line: str) -> None:
    """RFC 3261 §8.2.2."""
    good = request_of(crlf(SNOM))
    for place in (b"Via:", b"Expires:", b"Content-Length:"):
        for end in ("\r\n", "\r\n and it goes on\r\n", "\r\n\tContent-Length: 1\r\n"):
            request = request_of(crlf(SNOM).replace(place, (line + end).encode() + place))
            assert request.headers.fields == good.headers.fields


def test_a_response_with_a_malformed_line_is_one() -> None:
    response = parse_message(b"SIP/2.0 200 OK\r\nX Y: z\r\nVia: SIP/2.0/UDP h;branch=b\r\nCSeq: 7 NOTIFY\r\n\r\n")
    assert isinstance(response, Response) and response.matching() == ("b", "h:5060", "NOTIFY")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"x",
        b"GET / HTTP/1.1\r\n\r\n",
        b"SIP/2.0 4294967301 x\r\n\r\n",
        b"SIP/2.0 x SIP/2.0\r\n\r\n",
        b"\x00",
    ],
)
def test_what_is_no_sip_has_nobody_to_answer(data: bytes) -> None:
    with pytest.raises(SIPSyntaxError) as caught:
        parse_message(data)
    assert caught.value.request is None


def test_a_loop_of_a_hundred_hops_is_not_answered() -> None:
    many = b"Via: " + b", ".join([b"SIP/2.0/UDP h"] * 100) + b"\r\nVia:"
    with pytest.raises(SIPSyntaxError, match="too many Vias") as caught:
        request_of(crlf(SNOM).replace(b"Via:", many))
    assert caught.value.request is None


def test_response_says_what_it_answers() -> None:
    data = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=b\r\nCSeq: 7 NOTIFY\r\n\r\n"
    response = parse_message(data)
    assert isinstance(response, Response) and response.matching() == ("b", "192.0.2.1:5060", "NOTIFY")
    for old, new in ((b"7 NOTIFY", b"x NOTIFY"), (b"SIP/2.0/UDP 192.0.2.1;branch=b", b""), (b"branch=b", b'x="')):
        broken = parse_message(data.replace(old, new))
        assert isinstance(broken, Response) and broken.matching() is None


@pytest.mark.parametrize(
    ("via", "matching"),
    [
        (b"SIP/2.0/UDP 192.0.2.1:5060;branch=b1;rport=5060;received=192.0.2.1", ("b1", "192.0.2.1:5060", "NOTIFY")),
        (b"SIP/2.0/UDP [2001:db8::1]:5060;branch=b1", ("b1", "[2001:db8::1]:5060", "NOTIFY")),
        (b"SIP/2.0/UDP 192.0.2.1:5060;rport;branch=b1", ("b1", "192.0.2.1:5060", "NOTIFY")),
        (b"SIP/2.0/TLS Us.example.com;branch=b1", ("b1", "us.example.com:5061", "NOTIFY")),
        (b"SIP/2.0/UDP 192.0.2.1:5060;branch=b1, SIP/2.0/UDP x", None),  # RFC 3261 §8.1.3.3: it has lost its way
        (b"SIP/2.0/UDP 192.0.2.1:5060;branch=b1\r\nVia: SIP/2.0/UDP x", None),
        (b"SIP/2.0/UDP 192.0.2.1:65536;branch=b1", None),
        (b"SIP/2.0/UDP 192.0.2.1:5060;branch=b1;=x", None),
        (b"SIP/2.0/UDP -x:5060;branch=b1", None),
    ],
)  # fmt: skip
def test_a_via_of_ours_and_any_other_are_read_alike(via: bytes, matching: tuple[str, str, str] | None) -> None:
    response = parse_message(b"SIP/2.0 200 OK\r\nVia: " + via + b"\r\nCSeq: 7 NOTIFY\r\n\r\n")
    assert isinstance(response, Response) and response.matching() == matching


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n"]), max_size=12).map(b"".join), st.integers(0, 4))
def test_the_blank_line_is_where_the_grammar_says(data: bytes, start: int) -> None:
    match = re.compile(rb"\r?\n\r?\n").search(data, start)
    assert find_blank_line(data, start) == (match and match.span())


@pytest.mark.parametrize(
    "head",
    [
        b"a",
        b"a\r\nb",
        b"a\nb",
        b"a\r\nb\nc",
        b"a\r\nb\r\n c",
        b"a\r\n b",
        b"a\r\nb\r\n\tc\r\n d",
        b"a\r\n",
        b"",
        b"a\r\n\xa0b",
    ],
)
def test_lines_are_the_same_by_the_short_way_and_the_long(head: bytes) -> None:
    text = head.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    start, newline, rest = text.partition("\n")
    assert split_head(head) == ([start, *re.sub(r"\n[ \t]+", " ", rest).split("\n")] if newline else [start])


PIECES = st.sampled_from(
    [b"SUBSCRIBE ", b"sip:a@b", b" SIP/2.0", b"\r\n", b"\n", b"\r", b" ", b":", b",", b'"', b"<", b">", b";", b"=",
     b"Via: SIP/2.0/UDP h;branch=z9hG4bK1", b"From: <sip:a@b>;tag=1", b"To: <sip:a@b>", b"Call-ID: c",
     b"CSeq: 1 SUBSCRIBE", b"SIP/2.0 200 OK", b"Content-Length: 1", b"\xff", b"\x00"]
)  # fmt: skip


@given(st.binary() | st.lists(PIECES | st.binary(max_size=4), max_size=30).map(b"".join))
def test_any_bytes_parse_or_are_a_syntax_error(data: bytes) -> None:
    try:
        message = parse_message(data)
        if isinstance(message, Request):
            message.check()
        else:
            message.matching()
    except SIPSyntaxError as error:
        assert error.status in (400, 489, 505, 513)
