"""Header fields: ordered, case-blind, many-valued; compact forms are read as the long ones (RFC 3261 §7.3)."""

from .errors import SIPSyntaxError
from .grammar import MAX_ITEMS, split_commas

COMPACT_FORMS = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "e": "content-encoding", "s": "subject", "k": "supported", "o": "event", "u": "allow-events",
}  # fmt: skip
_LONG = (
    "Via From To Call-ID CSeq Contact Content-Length Content-Type Event Expires Accept Max-Forwards User-Agent Allow "
    "Supported Allow-Events Route Record-Route Require Subscription-State Authorization Suppress-If-Match Server Date"
)
NAMES = {name: name.lower() for name in _LONG.split()} | COMPACT_FORMS
"""The names as nearly everybody spells them. A shortcut: every other spelling is read with care."""


class Headers:
    """Names are in lower case and long form; values are as they came, unfolded and stripped."""

    __slots__ = ("fields",)

    def __init__(self, fields: list[tuple[str, str]] | None = None) -> None:
        self.fields = fields if fields is not None else []

    def get(self, name: str) -> str | None:
        """The first value of `name` (lower case), or None."""
        for field, value in self.fields:
            if field == name:
                return value
        return None

    def all(self, name: str) -> list[str]:
        """Every field value of `name`, as they came."""
        return [value for field, value in self.fields if field == name]

    def items(self, name: str) -> list[str]:
        """Every item of a comma list that may be spread over several fields; raises SIPSyntaxError."""
        values = self.all(name)
        if len(values) > 1 and sum(value.count(",") for value in values) > MAX_ITEMS:
            raise SIPSyntaxError("too many items in a list")
        return [item for value in values for item in split_commas(value) if item]
