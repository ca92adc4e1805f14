"""A MAC inside of what a phone writes: a URI, a From, a file name, a User-Agent."""

import re

HEX_MAC = r"[0-9A-Fa-f]{12}|(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"
"""Either spelling that phones use."""
_DIGITS = 12
_MAC_IN = re.compile(rf"MAC(?:%3a|:|=|-)?\s*({HEX_MAC})(?![0-9a-f])", re.IGNORECASE)


def bare(mac: str) -> str:
    """A MAC, which `mac` is in any spelling, as twelve lower-case digits."""
    return (mac if len(mac) == _DIGITS else re.sub(r"[^0-9A-Fa-f]", "", mac)).lower()


def mac_in(text: str) -> str | None:
    """The MAC that `MAC%3a…`, `MAC:…`, `MAC=…` or `MAC…` names in a SIP URI or header, as twelve lower-case digits."""
    found = _MAC_IN.search(text)
    return bare(found[1]) if found is not None else None
