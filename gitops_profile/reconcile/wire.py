"""Messages between the server and its loader process: msgpack behind a length of four bytes."""

from typing import Any

import msgspec

from gitops_profile.loader import Problem
from gitops_profile.presentity import ProfileDocument
from gitops_profile.processes import framed

CHUNK = 200
"""Documents in one message: small enough to be decoded within a millisecond or so (invariant I8)."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_documents = msgspec.msgpack.Decoder(tuple[str, list[ProfileDocument]]).decode
_DOCUMENTS = _encode(("documents", []))[:-1]
"""How a message with documents begins."""


def pack(*message: Any) -> bytes:
    """One message."""
    return framed(_encode(message))


def unpack(data: bytes) -> list[Any] | tuple[Any, ...]:
    """A message without its length; its documents are ProfileDocuments, made by the decoder itself."""
    if data.startswith(_DOCUMENTS):
        return _documents(data)
    message: list[Any] = _decode(data)
    return message


def storable(document: ProfileDocument) -> ProfileDocument:
    """The document with a path that can be stored and printed."""
    return document if document.path.isascii() else document.but(path=path_text(document.path))


def problem_row(problem: Problem) -> tuple[Any, ...]:
    """A problem as plain data."""
    return (
        path_text(problem.path),
        problem.line,
        problem.column,
        path_text(problem.message),
        problem.hint,
        problem.rule,
    )


def problem_of(row: Any) -> Problem:
    """The inverse of `problem_row`."""
    return Problem(*row)


def path_text(text: str) -> str:
    """A text that is no UTF-8, such as a file name, in a form that can be stored and printed."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
