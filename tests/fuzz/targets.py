"""What must hold for every input, target by target. A target raises whatever is wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import process_time
from typing import Any

from gitops_profile.digest import Credentials, DigestSyntaxError
from gitops_profile.sip.syntax import (
    URI,
    Address,
    EventHeader,
    Headers,
    MessageReader,
    Request,
    Response,
    SIPSyntaxError,
    Via,
    parse_message,
    parse_parameters,
    received_via,
    split_commas,
    unescape,
)

from . import generate
from .dialogues import check_notifier, check_ua_profile, dialogue
from .plug_and_play import check_responder, datagram

STATUSES = {400, 416, 489, 505, 513}


@dataclass(frozen=True)
class Target:
    """An input and its check."""

    name: str
    generate: Callable[[Random], Any]
    check: Callable[[Any], None]


def _try(parse: Callable[[Any], Any], text: Any) -> Any:
    """The value, or None for the one error that is allowed."""
    try:
        return parse(text)
    except SIPSyntaxError as error:
        assert error.status in STATUSES and error.reason.isprintable(), (error.status, error.reason)
        return None


def _quote(value: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _write(parameters: dict[str, str | None]) -> str:
    return "".join(f";{name}" if value is None else f";{name}={_quote(value)}" for name, value in parameters.items())


# -- values ----------------------------------------------------------------------------------------------------------


def check_parameters(text: str) -> None:
    """Written again, quoted throughout, they read the same."""
    value = _try(parse_parameters, text)
    if value is not None:
        assert parse_parameters(_write(value)) == value


def check_commas(text: str) -> None:
    """Joined again they are cut at the same places; `unescape` never raises."""
    unescape(text)
    items = _try(split_commas, text)
    if items is not None and ("," in text):
        assert split_commas(", ".join(items)) == items
    found = _try(Headers([("x", text), ("y", "a"), ("x", text)]).items, "x")
    assert found is None or len(found) % 2 == 0


def check_uri(text: str) -> None:
    """A URI is what it says it is, and holds nothing that would end a header or a start line."""
    uri = _try(URI.parse, text)
    if uri is not None:
        assert URI.parse(str(uri)) == uri and uri.host and uri.decoded_user != ""
        assert not re.search(r"[\s<>\"\x00-\x1f\x7f]", str(uri))


def check_address(text: str) -> None:
    """Put together again it reads the same; the tag is one word."""
    address = _try(Address.parse, text)
    if address is not None:
        again = Address.parse(f"{address.display} <{address.uri}>{_write(address.parameters)}")
        assert again == address and not re.search(r"[\s<>\x00-\x1f\x7f]", address.uri)
        assert not re.search(r"[\s,;<>\"\x00-\x1f]", address.tag or "")


def check_via(text: str) -> None:
    """Something can be sent there, and an answer's Via is a Via of the same transaction, whoever it came from."""
    via = _try(Via.parse, text)
    if via is None:
        return
    assert 0 < via.sent_by[1] <= 65535
    for source in (("192.0.2.9", 40000), ("2001:db8::9", 1)):
        again = Via.parse(received_via(text, via, source))
        assert (again.sent_by, again.branch, again.transport) == (via.sent_by, via.branch, via.transport)
        assert again.parameters.get("received") in (source[0], None)
        assert "rport" not in via.parameters or again.parameters["rport"] == str(source[1])


def check_event(text: str) -> None:
    """Whatever is wrong is 489; an id can be echoed."""
    try:
        event = EventHeader.parse(text)
    except SIPSyntaxError as error:
        assert error.status == 489
        return
    echoed = EventHeader.parse(f"{event.package};id={event.id}" if event.id else event.package)
    assert (echoed.package, echoed.id or "") == (event.package, event.id or "")


def check_authorization(text: str) -> None:
    """Credentials, None for another scheme, or DigestSyntaxError; written again they read the same."""
    try:
        credentials = Credentials.parse(text)
        written = str(credentials)
    except DigestSyntaxError:
        return  # also for a value that may be read and not written, like a bare CR
    assert credentials is None or Credentials.parse(written) == credentials


# -- messages --------------------------------------------------------------------------------------------------------


def check_message(data: bytes) -> None:
    """A value whose fields are single lines and that reads the same when written again, or the error."""
    message = _try(parse_message, data)
    if message is None:
        return
    for name, value in message.headers.fields:
        assert name == name.lower() and name.isascii() and not re.search(r"[\s:]", name)
        assert "\n" not in value and "\r" not in value
    if isinstance(message, Response):
        assert message.matching() == _matching(message)
        return
    if _try(lambda request: request.check() or request, message) is None:
        return
    fields = "".join(f"{name}: {value}\r\n" for name, value in message.headers.fields)
    head = f"{message.method} {message.uri} {message.version}\r\n{fields}\r\n"
    again = parse_message(head.encode("utf-8", "surrogateescape") + message.body)
    assert isinstance(again, Request)
    again.check()
    for name in ("method", "uri", "body", "vias", "via", "from_", "to", "call_id", "cseq"):
        assert getattr(again, name) == getattr(message, name), name
    assert again.headers.fields == message.headers.fields


def _matching(response: Response) -> tuple[str, str, str] | None:
    """What `Response.matching` says, by the long way."""
    cseq = re.fullmatch(r"([0-9]{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)", response.headers.get("cseq") or "")
    vias = _try(response.headers.items, "via")
    via = _try(Via.parse, vias[0]) if vias and len(vias) == 1 else None
    if via is None or cseq is None:
        return None
    return via.branch or "", f"{via.host}:{via.sent_by[1]}", cseq[2]


Reading = tuple[list[bytes], int, str]


def _read(pieces: list[bytes]) -> Reading:
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


def check_stream(data: bytes) -> None:
    """Whole, in two pieces and byte by byte it is the same messages, or the same error at the same place."""
    whole = _read([data])
    middle = len(data) // 2
    assert whole == _read([data[:middle], data[middle:]]) == _read([data[at : at + 1] for at in range(len(data))])
    for message in whole[0]:
        try:
            parsed_message = parse_message(message)
        except SIPSyntaxError as error:
            assert "Content-Length" not in error.reason  # one meaning of where a message ends
        else:
            assert message.endswith(parsed_message.body)


# -- cost ------------------------------------------------------------------------------------------------------------


def _try_credentials(text: str) -> None:
    try:
        Credentials.parse(text)
    except DigestSyntaxError:
        return


READERS: list[Callable[[str], object]] = [
    parse_parameters,
    split_commas,
    unescape,
    URI.parse,
    Address.parse,
    Via.parse,
    EventHeader.parse,
    lambda text: _try_credentials(f'Digest username="{text}'),
    lambda text: _try_credentials(f"Digest a{text}"),
    lambda text: parse_message(b"A b SIP/2.0\r\nX:" + text.encode("utf-8", "surrogateescape") + b"\r\n\r\n"),
    lambda text: MessageReader().feed(text.encode("utf-8", "surrogateescape")),
]
BENIGN = ";name=value" * 6000


def _seconds(read: Callable[[str], object], text: str) -> float:
    start = process_time()
    try:
        read(text)
    except SIPSyntaxError:
        return process_time() - start
    return process_time() - start


def check_cost(text: str) -> None:
    """64 KiB of malice cost no more than fifty times what 64 KiB of parameters cost; a second look costs thousands."""
    allowed = 50 * max(0.001, min(_seconds(parse_parameters, BENIGN) for _ in range(2)))
    for read in READERS:
        for candidate in (text, f"sip:a@b{text}", f"SIP/2.0/UDP h{text}", f"<sip:a@b>{text}", f"ua-profile;{text}"):
            if _seconds(read, candidate) > allowed:
                # Once more, for the machine may have been busy: what is slow is slow again.
                assert min(_seconds(read, candidate) for _ in range(2)) <= allowed, f"{read} on {candidate[:60]!r}…"


def _damaged(make: Callable[[Random], str]) -> Callable[[Random], str]:
    return lambda r: generate.mutated(r, make(r))


TARGETS = [
    Target("parameters", _damaged(generate.parameters), check_parameters),
    Target("commas", _damaged(generate.comma_list), check_commas),
    Target("uri", _damaged(generate.uri), check_uri),
    Target("address", _damaged(generate.address), check_address),
    Target("via", _damaged(generate.via), check_via),
    Target("event", _damaged(generate.event), check_event),
    Target("authorization", _damaged(generate.authorization), check_authorization),
    Target("message", generate.message, check_message),
    Target("stream", generate.stream, check_stream),
    Target("notifier", dialogue, check_notifier),
    Target("ua-profile", dialogue, check_ua_profile),
    Target("pnp", datagram, check_responder),
    Target("cost", generate.long_value, check_cost),
]
