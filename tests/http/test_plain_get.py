"""A plain GET says what aiohttp's own parser finds in it; whatever is not plain is left to that."""

import asyncio
import re

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParserPy
from hypothesis import example, given
from hypothesis import strategies as st

from gitops_profile.http.plain_get import MAX_LENGTH, read_plain_get

START = b"GET /p/example.com/0004132a1122.xml HTTP/1.1\r\n"
HOST = b"Host: 192.0.2.1\r\n"
PLAIN = START + HOST + b"User-Agent: Yealink SIP-T46G 28.83.0.50 00:15:65:11:22:33\r\nAccept: */*\r\n\r\n"

_names = st.sampled_from(
    ["Host", "host", "User-Agent", "Accept", "X", "If-None-Match", "Connection", "Content-Length", "TE", "Expect"]
)
_values = st.text(alphabet=' \t!"x:;,=/\x7f\x80é\0', max_size=6)
_lines = st.builds(
    lambda name, colon, value, end: f"{name}{colon}{value}{end}",
    _names, st.sampled_from([": ", ":", ":  ", " :"]), _values, st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]),
)  # fmt: skip
_starts = st.builds(
    lambda method, path, version: f"{method} {path} {version}\r\n",
    st.sampled_from(["GET", "GET", "GET", "HEAD", "get"]),
    st.text(alphabet='/ab.%20?#~\x7f"é', max_size=8).map(lambda text: f"/{text}"),
    st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.11"]),
)


def aiohttps(data: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Path and headers as aiohttp's parser, in Python, finds them in one message; it is to go on behind it."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParserPy(BaseProtocol(loop), loop, 2**16)
        messages, upgraded, tail = parser.feed_data(data)
    finally:
        loop.close()
    ((message, _),) = messages
    assert not upgraded and not tail
    assert message.method == "GET" and not message.should_close and not message.chunked and not message.upgrade
    return message.path, [*message.headers.items()]


@given(_starts, st.lists(_lines, max_size=5), st.sampled_from(["\r\n", "\r\n", "", "\n", "\r\nX"]))
@example("GET /x HTTP/1.1\r\n", ["Host: a\r\n", "X: b\r\n"], "\r\n")
def test_what_is_read_is_what_aiohttp_reads(start: str, lines: list[str], end: str) -> None:
    data = "".join([start, *lines, end]).encode()
    found = read_plain_get(data)
    if found is not None:
        path, headers = aiohttps(data)
        assert found[0] == path
        assert [*found[1].items()] == headers


def test_more_fields_than_any_phone_sends_are_left_to_aiohttp() -> None:
    """Which takes 128, and answers 400 to more."""
    few, many = (PLAIN.replace(b"Accept: */*\r\n", b"A: b\r\n" * count) for count in (98, 99))
    assert read_plain_get(few) is not None and read_plain_get(many) is None


def test_what_phones_send_is_plain() -> None:
    found = read_plain_get(PLAIN)
    assert found is not None
    assert (found[0], [*found[1].items()]) == aiohttps(PLAIN)
    assert found[1]["user-agent"].startswith("Yealink")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-1],
        PLAIN + b"G",
        PLAIN + PLAIN,
        b"\r\n" + PLAIN,
        PLAIN.replace(b"GET", b"HEAD"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN.replace(HOST, b""),
        PLAIN.replace(HOST, HOST + HOST),
        PLAIN.replace(HOST, HOST + b"Connection: close\r\n"),
        PLAIN.replace(HOST, HOST + b"connection: keep-alive\r\n"),
        PLAIN.replace(HOST, HOST + b"Content-Length: 0\r\n"),
        PLAIN.replace(HOST, HOST + b"Transfer-Encoding: chunked\r\n"),
        PLAIN.replace(HOST, HOST + b"Expect: 100-continue\r\n"),
        PLAIN.replace(HOST, HOST + b"Upgrade: h2c\r\n"),
        PLAIN.replace(HOST, HOST + b" folded\r\n"),
        PLAIN.replace(HOST, HOST + b"X : y\r\n"),
        PLAIN.replace(HOST, HOST + b"X: \xff\r\n"),
        PLAIN.replace(HOST, HOST + b"X: a\0b\r\n"),
        PLAIN.replace(HOST, HOST + b"User-Agent: another\r\n"),
        PLAIN.replace(b"/p/", b"http://192.0.2.1/p/"),
        PLAIN.replace(b"xml", b"xml#x"),
        PLAIN.replace(b"\r\n", b"\n"),
        START + HOST + b"X: " + b"x" * MAX_LENGTH + b"\r\n\r\n",
        re.sub(b"GET .*? ", b"GET * ", PLAIN),
        b"",
    ],
)
def test_whatever_else_is_left_to_aiohttp(data: bytes) -> None:
    assert read_plain_get(data) is None
