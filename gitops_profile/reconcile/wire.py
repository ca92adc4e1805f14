"""Messages between the server and its loader process: msgpack behind a length of four bytes."""

from typing import Any

import msgspec

from gitops_profile.loader import Problem
from gitops_profile.presentity import NotifyPolicy, ProfileDocument, ProfileKey, Variant

HEADER = 4
CHUNK = 200
"""Documents in one message: small enough to be decoded within a millisecond or so (invariant I8)."""

_encode = msgspec.msgpack.Encoder().encode


def pack(*message: Any) -> bytes:
    """One message."""
    data = _encode(message)
    return len(data).to_bytes(HEADER, "big") + data


def document_row(document: ProfileDocument) -> tuple[Any, ...]:
    """A document as plain data."""
    key = document.key
    return (
        str(key),
        document.content_type,
        document.body,
        path_text(document.path),
        document.sensitive,
        document.effective_by,
        [variant.as_row() for variant in document.variants],
        [str(alias) for alias in document.aliases],
        document.notify.as_row(),
    )


def document_of(row: Any) -> ProfileDocument:
    """The inverse of `document_row`."""
    key, content_type, body, path, sensitive, effective_by, variant_rows, alias_texts, policy = row
    variants = tuple(Variant(*variant) for variant in variant_rows)
    aliases = tuple(map(ProfileKey.parse, alias_texts))
    notify = NotifyPolicy.from_row(policy)
    return ProfileDocument(
        ProfileKey.parse(key), content_type, body, path, sensitive, effective_by, variants, aliases, notify
    )


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
