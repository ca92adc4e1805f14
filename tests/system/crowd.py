"""Many phones in one process, over whichever sockets one likes: their dialogs know no socket."""

import os
import re
import select
import socket
import time
from dataclasses import dataclass, field

_ECHOED = re.compile(rb"^(?:Via|From|To|Call-ID|CSeq):.*?\r\n", re.MULTILINE)
_CALL_ID = re.compile(rb"^Call-ID: *(\S+)", re.MULTILINE)
_CSEQ = re.compile(rb"^CSeq: *(\d+)", re.MULTILINE)
_LENGTH = re.compile(rb"^Content-Length: *(\d+)", re.MULTILINE)
_TO_TAG = re.compile(rb"^To:.*;tag=(\S+)\r$", re.MULTILINE)


class Line:
    """One socket to the server."""

    def __init__(self, host: str, port: int, transport: str = "udp") -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.transport = transport
        self.sock = socket.socket(socket.AF_INET, kind)
        self.sock.connect((host, port))
        self.here = self.sock.getsockname()[1]
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def is_closed(self) -> bool:
        """Whether the server has ended the stream."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def receive(self) -> list[bytes]:
        """What has come, whole messages only."""
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionRefusedError:
            return []
        if self.transport == "udp":
            return [data]
        self._buffer += data
        messages = []
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._buffer[: end + 2])
            assert found is not None
            size = end + 4 + int(found[1])
            if len(self._buffer) < size:
                break
            messages.append(self._buffer[:size])
            self._buffer = self._buffer[size:]
        return messages


@dataclass
class Dialog:
    """One subscription of one phone."""

    user: str
    call_id: str
    cseq: int = 0
    tag: str = ""
    answers: list[bytes] = field(default_factory=list)
    notifies: list[bytes] = field(default_factory=list)
    """Each once, however often it came."""
    request: bytes = b""
    line: "Line | None" = None
    """Over which it was subscribed last."""
    strays: int = 0
    """Messages that came by another stream than that: somebody else heard them."""

    @property
    def worker(self) -> int:
        """Of two, which has it."""
        return (int(self.tag[0], 36) % 3 + 1) // 2

    @property
    def cseqs(self) -> list[int]:
        """Of the NOTIFYs that came."""
        return [cseq_of(notify) for notify in self.notifies]


def cseq_of(message: bytes) -> int:
    found = _CSEQ.search(message)
    assert found is not None
    return int(found[1])


class Crowd:
    """The dialogs, and the sockets that they are heard on."""

    def __init__(self) -> None:
        self.dialogs: dict[str, Dialog] = {}
        self.lines: dict[int, Line] = {}
        self.unheard: list[Line] = []

    def line(self, port: int, transport: str = "udp") -> Line:
        """A new socket to the server."""
        line = Line("127.0.0.1", port, transport)
        self.lines[line.sock.fileno()] = line
        return line

    def hang_up(self, line: Line) -> None:
        """Close a socket."""
        del self.lines[line.sock.fileno()]
        line.sock.close()

    def leave(self, line: Line) -> None:
        """Hear a socket no more, and keep its port: a new connection from there would be the same peer (RFC 3261 §18).

        The kernel gives a port that was closed to somebody else sooner or later.
        """
        del self.lines[line.sock.fileno()]
        self.unheard.append(line)

    def subscribe(
        self, user: str, line: Line, dialog: Dialog | None = None, expires: int = 600, fields: str = ""
    ) -> Dialog:
        """Send a SUBSCRIBE, of a new dialog or in one; `fields` are further header fields."""
        dialog = dialog or Dialog(user, f"call-{len(self.dialogs)}")  # the same each time: its worker goes by it
        self.dialogs[dialog.call_id] = dialog
        dialog.cseq += 1
        to_tag = f";tag={dialog.tag}" if dialog.tag else ""
        transport = "" if line.transport == "udp" else f";transport={line.transport}"
        dialog.request = (
            f"SUBSCRIBE sip:{user}@example.com SIP/2.0\r\n"
            f"Via: SIP/2.0/{line.transport.upper()} 127.0.0.1:{line.here};branch=z9hG4bK{os.urandom(6).hex()};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag=f{dialog.call_id}\r\n"
            f"To: <sip:{user}@example.com>{to_tag}\r\nCall-ID: {dialog.call_id}\r\nCSeq: {dialog.cseq} SUBSCRIBE\r\n"
            f"Contact: <sip:{user}@127.0.0.1:{line.here}{transport}>\r\nEvent: ua-profile;profile-type=user\r\n"
            f"Expires: {expires}\r\n{fields}Content-Length: 0\r\n\r\n"
        ).encode()
        dialog.line = line
        line.send(dialog.request)
        return dialog

    def hear(self, seconds: float) -> None:
        """Take what comes within so long, answer the NOTIFYs."""
        readable, _, _ = select.select(list(self.lines), [], [], seconds)
        for number in readable:
            line = self.lines[number]
            for message in line.receive():
                self._take(message, line)

    def _take(self, message: bytes, line: Line) -> None:
        found = _CALL_ID.search(message)
        assert found is not None, message
        dialog = self.dialogs[found[1].decode()]
        dialog.strays += line.transport != "udp" and line is not dialog.line
        if not message.startswith(b"NOTIFY "):
            tag = _TO_TAG.search(message)
            if message.startswith(b"SIP/2.0 2") and tag is not None:
                dialog.tag = tag[1].decode()
            if not message.startswith(b"SIP/2.0 100 "):
                dialog.answers.append(message)
            return
        if cseq_of(message) not in dialog.cseqs:
            dialog.notifies.append(message)
        echoed = b"".join(_ECHOED.findall(message[: message.find(b"\r\n\r\n") + 2]))
        line.send(b"SIP/2.0 200 OK\r\n" + echoed + b"Content-Length: 0\r\n\r\n")

    def until(self, answers: int, notifies: int, patience: float = 20.0, *, line: Line | None = None) -> None:
        """Until each dialog has had so many; with `line`, what has no answer yet is sent again there, as phones do."""
        end, again = time.monotonic() + patience, time.monotonic() + 0.5
        while any(len(d.answers) < answers or len(d.notifies) < notifies for d in self.dialogs.values()):
            assert time.monotonic() < end, [(d.user, d.answers[answers - 1 :], d.cseqs) for d in self.dialogs.values()]
            self.hear(0.05)
            if line is not None and time.monotonic() > again:
                again = time.monotonic() + 0.5
                for dialog in self.dialogs.values():
                    if len(dialog.answers) < answers:
                        line.send(dialog.request)

    def close(self) -> None:
        for line in (*self.lines.values(), *self.unheard):
            line.sock.close()
