"""The whole process and every family at once, over real sockets: SUBSCRIBE, a commit, a refresh, the end."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sip.harness import parsed
from tests.system.lab import Lab, eventually

from .handset import ADDRESS, CONTACT, TO, VIA, edit, field, reply
from .test_answers import FORMS
from .traffic_index import INDEX, SUBSCRIBERS, Row

pytestmark = pytest.mark.system
LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:")
ON_A_STREAM = [row for row in SUBSCRIBERS if LENGTH.search(row.data)]
NOT_BY_STREAM = {"line-ends-before", "nul-behind", "no-content-length", "transport-in-lower-case"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A server with a document for every phone; it never said a word more than it should."""
    laboratory = Lab(tmp_path / "lab")
    try:
        commit(laboratory, 1)
        laboratory.server.start()
        yield laboratory
        assert laboratory.server.end() == 0
    finally:
        laboratory.close()
    said = [line for line in laboratory.server.stderr().splitlines() if " INFO " not in line]
    assert not said, said


def commit(lab: Lab, version: int) -> None:
    """Another version of every document."""
    documents = {row.document for row in INDEX if "/example.com/" in row.document}
    lab.git.commit({f"profiles/{key}.xml": body(key, version) for key in documents})


def body(key: str, version: int) -> bytes:
    return f"<profile of='{key}' version='{version}'/>\n".encode()


class Line:
    """A phone on a socket of its own."""

    def __init__(self, row: Row, form: str, server: str, transport: str) -> None:
        self.row, self.form, self.transport = row, form, transport
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)
        host, _, port = server.rpartition(":")
        self.socket.connect((host, int(port)))
        self.unread = b""
        self.heard: set[bytes] = set()
        own = str(self.socket.getsockname()[1])
        data = row.data.replace(ADDRESS.encode(), b"127.0.0.1")
        data = data.replace(b"SIP/2.0/UDP", b"SIP/2.0/" + transport.upper().encode())
        data = re.sub(rb"transport=udp", b"transport=" + transport.encode(), data, flags=re.IGNORECASE)
        for name in (VIA, CONTACT):
            data = edit_port(data, name, own)
        self.last = data

    def send(self, data: bytes) -> None:
        """In the manner of a sloppy stack: a keep-alive before it, and on a stream in two pieces."""
        if self.transport == "udp":
            self.socket.send(b"\r\n\r\n")
            self.socket.send(b"\0\0\0\0")
            self.socket.send(data)
        else:
            self.socket.sendall(b"\r\n\r\n" + data[:100])
            self.socket.sendall(data[100:])

    def read(self) -> bytes:
        """The next message; pongs are left out, and so is what was sent twice because the machine was busy."""
        if self.transport == "udp":
            return self.socket.recv(65535)
        while True:
            self.unread = self.unread.lstrip(b"\r\n")
            head, blank, rest = self.unread.partition(b"\r\n\r\n")
            length = int(field(head + b"\r\n", "Content-Length")) if blank else 0
            if blank and len(rest) >= length:
                self.unread = rest[length:]
                return head + blank + rest[:length]
            more = self.socket.recv(65535)
            assert more, f"{self.row.name}: the server closed the connection"
            self.unread += more

    def read_once(self) -> bytes:
        """The next message that is not a repetition, byte for byte, of one that was read: the machine is busy."""
        while (message := self.read()) in self.heard:
            continue
        self.heard.add(message)
        return message

    def answered(self) -> str:
        """The next answer, which must be a 200; its To tag."""
        message = self.read_once()
        assert message.startswith(b"SIP/2.0 200 "), (self.row.name, message)
        return field(message, "To").rpartition(";tag=")[2]

    def notified(self, version: int, state: str) -> None:
        """The next NOTIFY, which must be this; it is answered in this phone's form."""
        data = self.read_once()
        notify = parsed(data)
        assert data.startswith(b"NOTIFY "), (self.row.name, self.form, data)
        assert notify.body == body(self.row.document, version), (self.row.name, self.form, data)
        assert (notify.headers.get("subscription-state") or "").startswith(state)
        for answer in FORMS[self.form](reply(notify)):  # type: ignore[arg-type]
            self.socket.sendall(answer)

    def again(self, tag: str, expires: int | None = None) -> bytes:
        """The next SUBSCRIBE of the dialog."""
        data = edit(self.last, TO, f"{re.sub(';tag=.*', '', field(self.last, TO))};tag={tag}")
        data = edit(data, "CSeq", f"{int(field(data, 'CSeq').split()[0]) + 1} SUBSCRIBE")
        data = re.sub(rb";branch=([^;\r\n]+)", rb";branch=\1x", data)
        if expires is not None:
            data = edit(data, "Expires", str(expires)) if b"xpires:" in data.lower() else with_expires(data, expires)
        self.last = data
        return data


def with_expires(data: bytes, expires: int) -> bytes:
    return data.replace(b"\nEvent:", f"\nExpires: {expires}\nEvent:".encode(), 1)


def edit_port(data: bytes, name: str, port: str) -> bytes:
    """The message with the port that the phone has really got, where its own address stands."""
    pattern = re.compile(rb"(?im)^(?:%s)[ \t]*:.*$" % name.encode())
    found = pattern.search(data)
    assert found
    line = re.sub(rb"127\.0\.0\.1(:\d+)?", b"127.0.0.1:" + port.encode(), found[0], count=1)
    return data[: found.start()] + line + data[found.end() :]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_every_family_from_its_first_subscribe_to_its_last(lab: Lab, transport: str) -> None:
    rows = SUBSCRIBERS if transport == "udp" else ON_A_STREAM
    forms = [form for form in FORMS if transport == "udp" or form not in NOT_BY_STREAM]
    server = lab.server.address(transport)
    lines = [Line(row, forms[number % len(forms)], server, transport) for number, row in enumerate(rows)]
    try:
        tags = []
        for line in lines:
            line.send(line.last)
            tags.append(line.answered())
            line.notified(1, "active;expires=")
        eventually("all have it", lambda: deliveries(lab) == ["acknowledged"] * len(lines))
        start = time.monotonic()
        commit(lab, 2)
        for line in lines:
            line.notified(2, "active;expires=")
        eventually("all have the change", lambda: deliveries(lab) == ["acknowledged"] * len(lines))
        assert time.monotonic() - start < 10
        for line, tag in zip(lines, tags, strict=True):
            line.send(line.again(tag))
            assert line.answered() == tag
            line.notified(2, "active;expires=")
        for line, tag in zip(lines, tags, strict=True):
            line.send(line.again(tag, expires=0))
            assert line.answered() == tag
            line.notified(2, "terminated;reason=timeout")
        eventually("nobody is left", lambda: deliveries(lab) == [])
    finally:
        for line in lines:
            line.socket.close()


def deliveries(lab: Lab) -> list[str]:
    """What the server knows of each subscription."""
    return [row["delivery"] for row in lab.ask("subscriptions")]


def test_what_is_meant_for_the_multicast_group_is_refused_at_once(lab: Lab) -> None:
    """By unicast, and nobody's document is there: 403 or 404, no NOTIFY, nothing kept, not a line in the log."""
    for row in INDEX:
        if row.is_pnp:
            line = Line(row, "plain", lab.server.address(), "udp")
            line.send(line.last)
            answer = line.read()
            assert answer.startswith(b"SIP/2.0 40"), (row.name, answer)
            line.socket.settimeout(0.05)
            with pytest.raises(TimeoutError):
                line.read()
            line.socket.close()
    assert deliveries(lab) == []


def test_a_storm_an_answer_and_a_farewell_from_other_ports(lab: Lab) -> None:
    """Snom, without a branch: eleven times the same, and nothing comes from where it came from before."""
    snom = next(row for row in SUBSCRIBERS if row.name == "snom-user")
    line, other = (Line(snom, "plain", lab.server.address(), "udp") for _ in range(2))
    try:
        for _ in range(11):
            line.send(line.last)  # most of them before the store has written, and so before there is an answer
        answer, notify = line.read(), line.read()
        while notify.startswith(b"SIP/2.0 200 "):
            assert notify == answer
            notify = line.read()
        other.socket.send(reply(parsed(notify)))  # type: ignore[arg-type]
        eventually("the answer is heard", lambda: deliveries(lab) == ["acknowledged"])
        line.send(line.last)
        while (again := line.read()) == notify:
            pass  # it was sent once more before its answer was heard: the machine is busy
        assert again == answer
        tag = field(answer, "To").rpartition(";tag=")[2]
        other.send(line.again(tag, expires=0))  # its Via has rport, its Contact names the first port
        assert other.answered() == tag
        while line.socket.recv(65535, socket.MSG_PEEK) in (answer, notify):
            line.read()  # what the storm has left
        line.notified(1, "terminated;reason=timeout")
        eventually("nobody is left", lambda: deliveries(lab) == [])
    finally:
        line.socket.close()
        other.socket.close()
