"""What a phone says of itself in a User-Agent, of HTTP or SIP. A claim, not an identity: anybody can write it."""

import re
from dataclasses import dataclass

from .mac import HEX_MAC, bare

MAX_TEXT = 512
"""Characters of a User-Agent that are looked at."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a phone says that it is; None for what it does not say."""

    vendor: str | None = None
    """The canonical name, as in `VENDORS`."""
    model: str | None = None
    firmware: str | None = None
    mac: str | None = None
    """Twelve lower-case digits."""
    serial: str | None = None


NOTHING_SAID = Claim()
_MAC = f"(?P<mac>{HEX_MAC})"

# The vendor, and what its phones write; the first that fits counts.
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (vendor, re.compile(form.replace("<MAC>", _MAC)))
    for vendor, form in (
        ("snom", r"(?i)\bsnom(?P<model>\w+)-SIP (?P<firmware>\d[\d.]+)(?:.*?\b<MAC>\b)?"),
        ("snom", r"(?i)\bsnom (?P<model>M\d+) (?P<firmware>[\d.]+) <MAC>"),
        ("snom", r"(?i)^snom(?P<model>\w+)/(?P<firmware>\d[\d.]+)"),
        ("grandstream", r"^Grandstream Model HW (?P<model>\w+)\b.*? SW (?P<firmware>[\d.]+) DevId <MAC>$"),
        ("grandstream", r"^Grandstream (?P<model>(?!Model)\S+) (?P<firmware>\d[\d.]+)(?: <MAC>)?$"),
        ("fanvil", r"^Fanvil (?P<model>\S.*?) (?P<firmware>\d[\d.]+)(?: <MAC>)?$"),
        ("poly", r"^FileTransport Poly\w*-(?P<model>\w+?)-UA/(?P<firmware>[\d.]+)"),
        ("poly", r"^Poly(?:com)?(?:\w*-)?(?P<model>\w+?)-UA/(?P<firmware>[\d.]+)"),
        ("audiocodes", r"^AUDC-IPPhone/(?P<firmware>[\w.]+)(?: \((?P<model>\w+)[^;]*; ?<MAC>\))?"),
        ("mitel", r"^(?:Aastra|Mitel)(?P<model>\w+) MAC:<MAC> V:(?P<firmware>[\d.]+)-SIP$"),
        ("mitel", r"^(?:Aastra|Mitel) (?P<model>\w+)/(?P<firmware>[\d.]+)"),
        ("htek", r"^Htek (?P<model>\S+) (?P<firmware>\S+) <MAC>$"),
        ("panasonic", r"^Panasonic_(?P<model>[^/]+)/(?P<firmware>[\d.]+)(?: \(<MAC>\))?"),
        (
            "cisco-spa",
            r"^(?:Linksys|Cisco)/(?P<model>SPA-?\w+?)-(?P<firmware>\d\S*) (?:\(<MAC>\))?(?:\((?P<serial>\w+)\))?$",
        ),
        ("cisco-mpp", r"^Cisco-CP-(?P<model>\d{4})-3PCC/(?P<firmware>\S+) \(<MAC>\)"),
        ("cisco-mpp", r"^Cisco/(?P<model>ATA\w+)-MPP-(?P<firmware>\S+) \(<MAC>\)"),
        ("alcatel", r"^ALE (?P<model>M\d)(?:-CE)? (?P<firmware>[\d.]+) <MAC>"),
        ("alcatel", r"^Alcatel IP Touch (?P<model>\d+)/(?P<firmware>\S+)"),
        ("flyingvoice", r"(?i)^flyingvoice (?P<model>\S+) (?P<firmware>\S+) <MAC>$"),
        ("avaya", r"AVAYA/(?P<model>\w+)-(?P<firmware>[\d.]+) \(MAC:<MAC>\)$"),
        ("patton", r"^SmartNode \(Model:(?P<model>[^;]+); Serial:<MAC>; Software Version:(?P<firmware>\S+)"),
        ("linphone", r"(?i)^(?P<model>linphone\w*)/(?P<firmware>[\w.+-]+)"),
        ("akuvox", r"(?i)^akuvox (?P<model>\S+) (?P<firmware>[\d.]+)(?: <MAC>)?$"),
        # What has no vendor's name in it comes last.
        ("gigaset", r'^"?(?:Gigaset )?(?P<model>N\d[^/]+)/(?P<firmware>[^;+"]+)[^;"]*(?:;<MAC>)?(?:;Handset=\d+)?"?$'),
        ("gigaset", r'^"?Gigaset (?P<model>[^/]+)/(?P<firmware>[^;+"]+)[^;"]*(?:;<MAC>)?(?:;Handset=\d+)?"?$'),
        (
            "yealink",
            r"(?i)^(?:yealink )?\s*(?:SIP(?: VP)?-)?(?P<model>[A-Z]{1,2}\d\w*)\s+(?P<firmware>\d[\d.]+)(?:\s+<MAC>)?$",
        ),
    )
)  # fmt: skip


def read_user_agent(text: str | None) -> Claim:
    """Vendor, model, firmware, MAC and serial number as far as the User-Agent says them; nothing for an unknown one."""
    if not text:
        return NOTHING_SAID
    said = text[:MAX_TEXT].strip()
    for vendor, form in _FORMS:
        found = form.search(said)
        if found is not None:
            groups = found.groupdict()
            mac = groups.get("mac")
            return Claim(
                vendor, groups.get("model"), groups.get("firmware"), bare(mac) if mac else None, groups.get("serial")
            )
    return NOTHING_SAID
