"""How a device can show over HTTP which one it is, and what it has then shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gitops_profile.devices import HEX_MAC, bare

_MAC_ANYWHERE = re.compile(rf"(?<![0-9A-Fa-f])(?:{HEX_MAC})(?![0-9A-Fa-f])")
_NAMES = ("commonName", "serialNumber")
_ALTERNATIVES = ("DNS", "URI")


class Way(StrEnum):
    """How a device can show that it is itself."""

    CERTIFICATE = "certificate"
    """A client certificate, whose name carries the MAC."""
    DIGEST = "digest"
    BASIC = "basic"
    """Over TLS only."""
    LINK = "link"
    """A URL that only we can have given it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That the client is this device."""

    subject: str
    """Its MAC or other identifier, or the key of the profile that a link is for."""
    way: Way
    etag: str | None = None
    """The version for which alone it counts."""


def certificate_device(certificate: Mapping[str, Any] | None) -> str | None:
    """The MAC that a verified certificate carries, twelve small hex digits; None when it carries none, or several.

    The common name counts first, then the subject's serial number, then the DNS names and URIs: vendors differ in
    where they put it and in what stands around it. `certificate` is as `SSLSocket.getpeercert` gives it.
    """
    if not certificate:
        return None
    subject = [(name, value) for part in certificate.get("subject", ()) for name, value in part]
    places = [[value for name, value in subject if name == wanted] for wanted in _NAMES]
    places.append([value for kind, value in certificate.get("subjectAltName", ()) if kind in _ALTERNATIVES])
    for texts in places:
        found = {bare(mac) for text in texts for mac in _MAC_ANYWHERE.findall(text)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None
