"""The Event header (RFC 6665 §8.2.1)."""

from functools import lru_cache

import msgspec

from .errors import SIPSyntaxError
from .grammar import TOKEN, parse_parameters

SHORT = 256
"""Characters of a value that is remembered: all phones of one model and version send the same (6 µs → 0.1)."""


class EventHeader(msgspec.Struct, frozen=True, gc=False):
    """An event package, compared byte by byte, and its parameters (token or quoted alike: phones.md 3).

    A value may be shared by all who parsed the same text: `parameters` is not to be changed.
    """

    package: str
    parameters: dict[str, str | None]

    @classmethod
    def parse(cls, text: str) -> "EventHeader":
        """Raises SIPSyntaxError with status 489: an event nobody can name is an event we do not know."""
        return _read_short(text) if len(text) <= SHORT else _read(text)

    @property
    def id(self) -> str | None:
        """Deprecated, yet echoed and matched (RFC 6665 §4.5.2)."""
        return self.parameters.get("id")


def _read(text: str) -> EventHeader:
    package, semicolon, rest = text.partition(";")
    package = package.strip()
    if not TOKEN.fullmatch(package):
        raise SIPSyntaxError("Bad Event", status=489)
    try:
        header = EventHeader(package, parse_parameters(semicolon + rest))
    except SIPSyntaxError as error:
        raise SIPSyntaxError("Bad Event", status=489) from error
    if header.id is not None and not TOKEN.fullmatch(header.id):
        raise SIPSyntaxError("Bad Event", status=489)  # it is echoed, so it must be the token it is (§8.4)
    return header


_read_short = lru_cache(maxsize=1024)(_read)
