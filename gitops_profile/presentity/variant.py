"""What one kind of phone is given in place of the document that all others get (RFC 6080 §6.2.2)."""

import re
from functools import lru_cache
from typing import Any, Self

import msgspec
from msgspec.structs import asdict, force_setattr

from .etag import entity_tag

MAX_DEVICE_TEXT = 255
"""Characters of what a phone says of itself, and of a glob: together they bound what one comparison may cost."""


class Variant(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A document for the phones that three globs describe: `*` is any text, `?` any one character; case is ignored.

    None in the place of a glob asks nothing. A phone that does not say what a glob asks for is taken to say "".
    """

    vendor: str | None
    model: str | None
    version: str | None
    content_type: str
    body: bytes
    sensitive: bool = False
    effective_by: int | None = None
    """Seconds, as in the document."""
    etag: str = ""
    """Made here unless it is known already."""

    def __post_init__(self) -> None:
        if not self.etag:
            force_setattr(self, "etag", entity_tag(self.content_type, self.body, self.effective_by))

    def but(self, **changes: Any) -> Self:
        """The same with other fields, and with the etag that it then has."""
        return type(self)(**{**asdict(self), "etag": "", **changes})

    def suits(self, vendor: str | None, model: str | None, version: str | None) -> bool:
        """Whether it is meant for a phone that says this in its Event header."""
        return (
            _matches(self.vendor, vendor or "")
            and _matches(self.model, model or "")
            and _matches(self.version, version or "")
        )


def _matches(glob: str | None, text: str) -> bool:
    if glob is None:
        return True
    return len(text) <= MAX_DEVICE_TEXT and _compiled(glob).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    """A glob as an expression that does not go back to an earlier `*` once the text behind it was found.

    The text is a stranger's: with plain `.*` a glob of many stars could be made to cost any amount of time.
    """
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in glob.split("*"))
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.IGNORECASE | re.DOTALL)
