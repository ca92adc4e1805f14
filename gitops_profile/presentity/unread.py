"""The documents of a snapshot before anybody has asked for them: they are read in pieces, in any order.

100 000 documents take 0.25 s to read, their names 0.02: a server can say which there are before it has read them.
"""

from collections.abc import Sequence
from itertools import repeat

import msgspec

from .document import ProfileDocument
from .events import RevisionStamp
from .key import ProfileKey

Piece = tuple[list[RevisionStamp], list[int], list[ProfileDocument]]
"""Revisions, the number of its own for each document, and the documents."""

_PIECE = msgspec.msgpack.Decoder(Piece)
_NAMES = msgspec.msgpack.Decoder(tuple[int, list[str]])


class Unread:
    """What of a snapshot is still bytes."""

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[int, memoryview]] = {}
        """By number: how many documents, and their bytes."""
        self._where: dict[str, int] = {}
        """The number of the piece with this key or alias."""
        self._stamps: dict[RevisionStamp, RevisionStamp] = {}
        self.count = 0
        """Documents that are not read."""

    def add(self, names: memoryview, piece: memoryview) -> None:
        """One more piece, and what `names_of` gave for it; raises msgspec.DecodeError."""
        count, texts = _NAMES.decode(names)
        number = len(self._pieces)
        self._pieces[number] = (count, piece)
        self._where.update(zip(texts, repeat(number)))
        self.count += count

    def find(self, key: ProfileKey) -> int | None:
        """The number of the piece with this key or alias; None when there is none that is not read."""
        number = self._where.get(str(key))
        return number if number in self._pieces else None

    def first(self) -> int | None:
        """The number of a piece; None when all are read."""
        return next(iter(self._pieces), None)

    def read(self, number: int) -> list[tuple[ProfileDocument, RevisionStamp]]:
        """The documents of a piece, each once. Raises msgspec.DecodeError, LookupError and ValueError."""
        count, data = self._pieces.pop(number)
        self.count -= count
        read, numbers, documents = _PIECE.decode(data)
        stamps = [self._stamps.setdefault(stamp, stamp) for stamp in read]
        if len(documents) != count:
            raise ValueError(f"{len(documents)} documents where {count} are said to be")
        return [(document, stamps[own]) for document, own in zip(documents, numbers, strict=True)]


def names_of(documents: Sequence[ProfileDocument]) -> tuple[int, list[str]]:
    """What a snapshot says of a piece beside it."""
    aliases = [str(alias) for document in documents for alias in document.aliases]
    return len(documents), [*(str(document.key) for document in documents), *aliases]
