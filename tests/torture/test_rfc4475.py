"""RFC 4475 through the notifier (messages/INDEX.md): whole as a datagram, and byte by byte as a stream."""

from pathlib import Path

import pytest

from gitops_profile.sip.syntax import Address, MessageReader, Request, Response, SIPSyntaxError, parse_message
from tests.sip.harness import TCP, UDP, Lab, parsed

from .index import Row, feed, read_index

FOLDER = Path(__file__).parent / "messages"
INDEX = read_index(FOLDER)
by_name = pytest.mark.parametrize("row", INDEX, ids=[row.name for row in INDEX])


def message(name: str) -> bytes:
    return (FOLDER / f"{name}.dat").read_bytes()


def request_of(name: str) -> Request:
    request = parsed(message(name))
    assert isinstance(request, Request)
    return request


def answers(lab: Lab, data: bytes) -> list[Response]:
    seen = [parsed(sent) for sent in lab.receive(data)]
    return [answer for answer in seen if isinstance(answer, Response)]


def check(lab: Lab, sent: list[bytes], expected: list[set[int]]) -> None:
    """The statuses; methods are named where one is refused; nothing is kept and nothing else is sent."""
    seen = [parsed(data) for data in sent]
    assert len(seen) == len(expected) and len(lab.sent) == len(sent)
    for answer, statuses in zip(seen, expected, strict=True):
        assert isinstance(answer, Response) and answer.status in statuses, f"{answer}"
        if answer.status in (405, 501):
            assert "SUBSCRIBE" in (answer.headers.get("allow") or "")
    assert len(lab.notifier) == 0 and not lab.rows


def test_every_message_has_a_row() -> None:
    assert len(INDEX) == 50 and {path.stem for path in FOLDER.glob("*.dat")} == {row.name for row in INDEX}


@by_name
def test_as_a_datagram(row: Row) -> None:
    """Checklist row 64: RFC 4475."""
    lab = Lab()
    check(lab, lab.receive(row.data, UDP), row.datagram)


@by_name
def test_byte_by_byte_as_a_stream(row: Row) -> None:
    lab, reader = Lab(), MessageReader()
    sent, lost = feed(lab, reader, row.data)
    check(lab, sent, row.stream)
    assert ("closed" if lost else "waits" if reader.waiting else "open") == row.ending


@by_name
def test_no_message_raises_later(row: Row) -> None:
    lab = Lab()
    lab.receive(row.data, UDP)
    lab.run_until(lab.now + 100)  # Timers G, H and J of what was refused
    assert lab.notifier.next_deadline() is None and all(parsed(data) for _, data, _ in lab.sent)


def test_every_via_of_the_longest_message_comes_back_in_order() -> None:
    [answer] = answers(Lab(), message("longreq"))
    sent = parse_message(message("longreq"))
    got, asked = answer.headers.items("via"), sent.headers.items("via")
    assert len(got) == len(asked) == 34 and got[1:] == asked[1:] and got[0].startswith(asked[0])


def test_an_answer_to_another_version_speaks_ours() -> None:
    [data] = Lab().receive(message("badvers"))
    assert data.startswith(b"SIP/2.0 505 ")


def test_only_require_is_called_unsupported() -> None:
    [answer] = answers(Lab(), message("bext01"))
    assert answer.headers.items("unsupported") == ["nothingSupportsThis", "nothingSupportsThisEither"]


def test_a_parameter_belongs_to_the_header_or_to_the_uri_by_the_brackets() -> None:
    outside, inside, escaped = (
        Address.parse(request_of(name).headers.get("contact") or "") for name in ("cparam01", "cparam02", "regescrt")
    )
    assert (outside.uri, outside.parameters) == ("sip:+19725552222@gw1.example.net", {"unknownparam": None})
    assert (inside.uri, inside.parameters) == ("sip:+19725552222@gw1.example.net;unknownparam", {})
    assert escaped.uri.endswith("?Route=%3Csip:sip.example.com%3E") and not escaped.parameters


def test_two_messages_in_a_stream_are_two_and_in_a_datagram_one() -> None:
    messages, _ = MessageReader().feed(message("dblreq")[:-5])  # its second Content-Length is short
    assert len(messages) == 2
    lab = Lab()
    assert sum(len(lab.receive(data, TCP)) for data in messages) == 2
    assert len(lab.receive(message("dblreq"), UDP)) == 1


def test_a_quoted_nul_comes_back_as_it_came() -> None:
    [data] = Lab().receive(message("intmeth"))
    [line] = [line for line in message("intmeth").split(b"\r\n") if line.startswith(b"To: ")]
    assert b"\x00" in line and line in data


@pytest.mark.parametrize("name", ["ncl", "mcl01", "inv2543"])
def test_a_stream_without_a_good_content_length_is_lost(name: str) -> None:
    with pytest.raises(SIPSyntaxError):
        MessageReader().feed(message(name))
