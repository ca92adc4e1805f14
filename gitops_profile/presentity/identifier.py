"""Device identifiers: every spelling of one device becomes one name (RFC 6080 §5.1.4.2, RFC 5626 §9.1).

Real phones write a MAC as `MAC:00135E874B49`, `MAC=…`, `MAC001565f4f9e1` or with separators; RFC 6080 writes it as the
node of a version-1 UUID whose other fields are zero, with and without `urn:uuid:` and with either variant bits.
"""

import re

_MAC = re.compile(
    r"(?:mac\s*[:=-]?\s*)?([0-9a-f]{12}|[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\2[0-9a-f]{2}){4}"
    r"|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})",
    re.IGNORECASE,
)
_UUID = re.compile(
    r"(?:urn:uuid:)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})", re.IGNORECASE
)
# Timestamp and clock sequence zero; the variant is 10 by the rule and 00 in the example of RFC 6080 §7.1.
_MAC_UUID_FIELDS = ("00000000", "0000", "1000")
_MAC_UUID_VARIANTS = ("8000", "0000")
_MAC_DIGITS = 12
_LOWER_HEX = frozenset("0123456789abcdef")
_NOBODYS_MAC = "0" * _MAC_DIGITS


def mac_of(text: str) -> str | None:
    """Twelve lower-case hex digits when `text` is a MAC in any usual spelling, else None."""
    if len(text) == _MAC_DIGITS and _LOWER_HEX.issuperset(text):
        return text  # as keys have it
    match = _MAC.fullmatch(text)
    if match is None:
        return None
    mac = match[1].lower()
    return mac if len(mac) == _MAC_DIGITS else re.sub(r"[:.-]", "", mac)


def canonical_device(text: str) -> str:
    """The one name of a device: its MAC, its UUID in lower case with hyphens, or the text itself.

    `text` is already percent-decoded.
    """
    mac = mac_of(text)
    if mac is not None:
        return mac
    match = _UUID.fullmatch(text)
    if match is None:
        return text
    fields = tuple(field.lower() for field in match.groups())
    if fields[:3] == _MAC_UUID_FIELDS and fields[3] in _MAC_UUID_VARIANTS:
        return fields[4]
    return "-".join(fields)


def is_device_id(name: str) -> bool:
    """Whether a canonical name is the MAC or UUID of one device; `000000000000` is what all devices share."""
    return (mac_of(name) is not None and name != _NOBODYS_MAC) or _UUID.fullmatch(name) is not None
