"""name-addr and addr-spec with their parameters: From, To, Contact, Route (RFC 3261 §20.10, §25)."""

import re

import msgspec

from .errors import SIPSyntaxError
from .grammar import HOST, parse_parameters
from .uri import URI

# Possessive: no value of 64 KiB may cost more than one pass.
_NAME_ADDR = re.compile(
    r"""(?P<display>"(?:[^"\\]|\\.)*+"\s*+|[^"<>,;:]*+)<(?P<uri>[^<>\s\x00-\x1f\x7f]++)>(?P<parameters>.*)""", re.DOTALL
)
# RFC 6080 §7.1 has a From without a scheme: it is repeated, and whoever goes by a URI asks for one.
_ADDR_SPEC = re.compile(
    r"""(?P<uri>[A-Za-z][A-Za-z0-9+.\-]*:[^<>"\s;,?\x00-\x1f\x7f]++|[A-Za-z0-9\-_.!~*'()&=+$/%]++@(?:"""
    + HOST
    + r"""))\s*+(?P<parameters>(?:;.*)?)""",
    re.DOTALL,
)
_ENDS_TAG = re.compile(r"[\s,;<>\"\x00-\x1f\x7f]")


class Address(msgspec.Struct, frozen=True, gc=False):
    """One address header value. `uri` is its text: From and To may name anything (phones.md 3)."""

    display: str
    uri: str
    parameters: dict[str, str | None]

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raises SIPSyntaxError."""
        text = text.strip()
        match = _NAME_ADDR.fullmatch(text)
        if match is not None:
            display, uri, rest = match.groups()
        else:
            match = _ADDR_SPEC.fullmatch(text)
            if match is None:
                raise SIPSyntaxError("malformed address")
            (uri, rest), display = match.groups(), ""
        parameters = parse_parameters(rest.strip())
        if "tag" in parameters and ((tag := parameters["tag"]) is None or _ENDS_TAG.search(tag)):
            raise SIPSyntaxError("malformed tag")  # it goes into every message of the dialog, unquoted
        return Address(display.rstrip(), uri, parameters)

    @property
    def tag(self) -> str | None:
        """The dialog tag (from_tag, to_tag)."""
        return self.parameters.get("tag")


class Contact(msgspec.Struct, frozen=True, gc=False):
    """One Contact whose URI is a SIP URI; what it holds is not to be changed."""

    text: str
    """Its URI, as it may stand in a Request-URI."""
    uri: URI
    parameters: dict[str, str | None]
    """Of the Contact, not of its URI."""
