"""Messages out of a byte stream by Content-Length (RFC 3261 §18.3), with limits."""

import re

from .errors import SIPSyntaxError
from .message import MAX_HEAD, MAX_MESSAGE, attach_head, find_blank_line, length_of, split_head

_LENGTH_LINE = re.compile(r"(?:content-length|l)[ \t]*:(.*)", re.IGNORECASE | re.ASCII | re.DOTALL)
_HALF_PINGS = (b"\r", b"\r\n", b"\r\n\r")


class MessageReader:
    """Cuts a stream into messages. After it raised, the stream has lost its frame and must be closed."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._max_message = max_message
        self._scanned = 0
        self._needed = 0

    @property
    def waiting(self) -> bool:
        """Whether part of a message is here."""
        return bool(self._buffer) and not self._buffer.startswith(b"\r")  # half a ping is none

    def feed(self, data: bytes) -> tuple[list[bytes], int]:
        """The whole messages that `data` completes, and how many keep-alive pings it held (RFC 5626 §5.4).

        Raises SIPSyntaxError when the stream cannot be framed any more, with the whole messages before that place and
        the request at it, as far as it can be read.
        """
        self._buffer += data
        messages: list[bytes] = []
        pings = 0
        while True:
            pings += self._skip_line_ends()
            try:
                message = self._next()
            except SIPSyntaxError as error:
                error.messages = messages
                if not self._buffer.startswith(b"\r"):
                    attach_head(error, bytes(self._buffer[:MAX_HEAD]))
                raise
            if message is None:
                return messages, pings
            messages.append(message)

    def _skip_line_ends(self) -> int:
        """Line ends before a start line: a double CRLF is a ping, a single one is not (RFC 5626 §4.4.1).

        NULs go with them: Asterisk's keep-alive is CRLF and NUL, and OpenSIPS leaves one behind a response.
        """
        pings = 0
        buffer = self._buffer
        while True:
            if buffer.startswith(b"\r\n\r\n"):
                del buffer[:4]
                pings += 1
            elif buffer.startswith((b"\n", b"\0")):
                del buffer[:1]
            elif buffer.startswith(b"\r\n") and bytes(buffer[:4]) not in _HALF_PINGS:
                del buffer[:2]  # what follows shows that it is no ping
            else:
                return pings

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < self._needed or not buffer or bytes(buffer[:4]) in _HALF_PINGS:
            return None
        if buffer.startswith(b"\r"):
            raise SIPSyntaxError("a message begins with a carriage return")
        end = find_blank_line(buffer, max(0, self._scanned - 3))
        if end is None:
            self._scanned = len(buffer)
        if (end[1] if end else len(buffer)) > MAX_HEAD:
            raise SIPSyntaxError("headers too long", status=513)
        if end is None:
            return None
        total = end[1] + self._length(bytes(buffer[: end[0]]))
        if len(buffer) < total:
            self._needed, self._scanned = total, end[0]
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        self._needed = self._scanned = 0
        return message

    def _length(self, head: bytes) -> int:
        """The bytes of the body. Another malformed line is no reason to lose the stream, which may be a proxy's for
        many phones: once it is cut, the line is passed by or its message refused. A bare CR is one: it may end a line
        for somebody else."""
        lines = split_head(head)
        if any("\r" in line for line in lines):
            raise SIPSyntaxError("control character in a header")
        length = length_of([match[1].strip(" \t") for line in lines[1:] if (match := _LENGTH_LINE.fullmatch(line))])
        if length is None:
            raise SIPSyntaxError("Content-Length missing on a stream")
        if length > self._max_message:
            raise SIPSyntaxError("Request Entity Too Large", status=413)
        if length + len(head) > self._max_message:
            raise SIPSyntaxError("Message Too Large", status=513)
        return length
