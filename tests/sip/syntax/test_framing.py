"""Messages out of a stream: however it is cut, the same messages come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.sip.syntax import MessageReader, SIPSyntaxError, parse_message

ONE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"
TWO = b"OPTIONS sip:b SIP/2.0\nl : 0\n\n"
BARE = b"OPTIONS sip:c SIP/2.0\r\n\r\n"
Result = tuple[list[bytes], int, str]


def read(pieces: list[bytes]) -> Result:
    """The messages, the pings until the end, and how the stream lost its frame: what is answered to whom, or ""."""
    reader, pings = MessageReader(), 0
    messages: list[bytes] = []
    for piece in pieces:
        try:
            found, more = reader.feed(piece)
        except SIPSyntaxError as error:
            request = error.request and (error.request.method, error.request.uri, error.request.headers.fields)
            return messages + error.messages, 0, f"{error.status} {error.reason} {request}"
        messages += found
        pings += more
    return messages, pings, ""


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("data", "messages", "pings"),
    [
        (b"", [], 0),
        (ONE, [ONE], 0),
        (ONE + TWO + ONE, [ONE, TWO, ONE], 0),
        (b"\r\n" + ONE, [ONE], 0),
        (b"\r\n\r\n", [], 1),
        (b"\r\n\r\n\r\n\r\n" + ONE + b"\r\n\r\n", [ONE], 3),
        (b"\r\n\r\n\r\n" + ONE, [ONE], 1),
        (b"\n\n" + TWO, [TWO], 0),
        (ONE.replace(b": 3", b": 0000000003") + ONE, [ONE.replace(b": 3", b": 0000000003"), ONE], 0),
        (b"\r\n\0" + ONE + b"\0\0" + TWO + b"\r\n\r\n\0", [ONE, TWO], 1),
        (ONE.replace(b"abc", b"\0b\0"), [ONE.replace(b"abc", b"\0b\0")], 0),
        (ONE[:-1], [], 0),
        (ONE.replace(b"abc", b"\r\n\r"), [ONE.replace(b"abc", b"\r\n\r")], 0),  # no ping inside a body
    ],
)
def test_whole_and_byte_by_byte(data: bytes, messages: list[bytes], pings: int) -> None:
    assert read([data]) == (messages, pings, "")
    assert read(one_by_one(data)) == (messages, pings, "")


@pytest.mark.parametrize(
    "data",
    [
        BARE,  # RFC 3261 §18.3: a stream needs Content-Length
        ONE.replace(b": 3", b": -3"),
        ONE.replace(b": 3", b": 99999"),
        ONE.replace(b"Content-Length: 3", b"Content-Length: 3\r\nl: 4"),
        ONE.replace(b"Content-Length: 3", b"Content-Length: 3\r\n 4"),
        ONE.replace(b"Content-Length: 3", b"X: y\rContent-Length: 0\r\nContent-Length: 3"),  # a CR may end a line
        b"A" * 40000,
        ONE.replace(b"\r\n", b"\r\nVia: a\r\nX: " + b"a" * 40000 + b"\r\n", 1),
        b"\rA",  # nothing begins so: it must not be kept waiting for ever
    ],
)
def test_a_lost_frame_is_an_error_however_it_comes(data: bytes) -> None:
    assert read([data])[2] and read([data]) == read(one_by_one(data))


def test_a_malformed_line_that_nobody_needs_costs_nothing() -> None:
    bad = ONE.replace(b"\r\n", b"\r\nno colon\r\nX l: 9\r\n", 1)
    assert read([bad + ONE]) == ([bad, ONE], 0, "")
    assert parse_message(bad).body == b"abc"


@pytest.mark.parametrize(
    "line", [b"Content-Length 1", b"Content-Length\0: 1", b"Content-Length(): 1", b'"l": 1', b"l 1"]
)
def test_a_malformed_line_that_could_be_a_length_costs_its_message_and_not_the_stream(line: bytes) -> None:
    bad = ONE.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)
    assert read([bad + ONE]) == ([bad, ONE], 0, "")
    with pytest.raises(SIPSyntaxError, match="malformed header line"):
        parse_message(bad)
    assert "Content-Length missing" in read([bad.replace(b"Content-Length: 3\r\n", b"")])[2]


PARTS = st.sampled_from([b"Content-Length", b"l", b":", b" ", b"\t", b"3", b"1", b"\0", b"x", b"\xe2\x84\xaa"])


@given(st.lists(PARTS).map(b"".join), st.sampled_from([b"SIP/2.0\r\n", b": 3\r\n"]))
def test_the_body_is_as_long_for_the_parser_as_for_the_stream(line: bytes, place: bytes) -> None:
    messages, _, _ = read([ONE.replace(place, place + line + b"\r\n") + ONE])
    for message in messages:
        try:
            body = parse_message(message).body
        except SIPSyntaxError:
            continue
        assert message.endswith(b"\n\r\n" + body)


def test_half_a_ping_is_no_part_of_a_message() -> None:
    reader = MessageReader()
    reader.feed(b"\r\n")
    assert not reader.waiting
    reader.feed(b"\0")  # Asterisk ends its keep-alive so
    assert not reader.waiting
    reader.feed(ONE[:5])
    assert reader.waiting


PIECES = st.sampled_from(
    [ONE, TWO, BARE, b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b"x", b"Content-Length: 2\r\n", ONE[:30]]
)


@given(st.lists(PIECES | st.binary(max_size=5), max_size=12).map(b"".join))
def test_any_stream_gives_the_same_whole_and_byte_by_byte(data: bytes) -> None:
    assert read([data]) == read(one_by_one(data))


@given(st.lists(st.sampled_from([ONE, TWO, b"\r\n\r\n"]), max_size=6), st.lists(st.integers(1, 60), min_size=1))
def test_any_cut_of_a_good_stream_gives_its_messages(parts: list[bytes], cuts: list[int]) -> None:
    data, pieces = b"".join(parts), []
    for size in cuts:
        pieces.append(data[:size])
        data = data[size:]
    messages, pings, lost = read([*pieces, data])
    assert not lost and messages == [part for part in parts if part.strip()]
    assert pings == parts.count(b"\r\n\r\n")
