"""How the phones of each vendor are told to fetch again, and which URL they want at plug and play."""

from dataclasses import dataclass
from enum import StrEnum

from gitops_profile.presentity import NotifyPolicy

from .oui import vendor_of_mac


class PnPURL(StrEnum):
    """What the NOTIFY of a plug-and-play phone must hold."""

    DIRECTORY = "directory"
    """The folder, with a slash at its end: the phone knows its file names."""
    FULL = "full"
    """The file itself, with the MAC filled in."""


@dataclass(frozen=True, slots=True)
class CheckSync:
    """The Event of an out-of-dialog NOTIFY."""

    event: str
    parameters: str = ""
    """With their semicolons."""

    def __str__(self) -> str:
        return self.event + self.parameters


@dataclass(frozen=True, slots=True)
class Vendor:
    """The habits of one vendor's phones."""

    name: str
    refetch: CheckSync | None
    """Fetch again; None when nothing that does this is known."""
    reboot: CheckSync | None = None
    """Fetch again by rebooting, which ends calls."""
    reboots_anyway: str = ""
    """Why such a phone may reboot all the same, and what stops it; empty when it does not."""
    challenges: bool = False
    """Whether it asks for its line's credentials before it does anything (by default, or often)."""
    pnp_url: PnPURL = PnPURL.DIRECTORY
    pnp_file: str = "{mac}.cfg"
    """The file of `PnPURL.FULL`; {mac}, {MAC} and {model} are filled in."""
    names: tuple[str, ...] = ()
    """What its phones may call themselves, in lower case, beside `name`."""

    @property
    def known_name(self) -> str | None:
        """The name; None of GENERIC, who is nobody."""
        return self.name if self is not GENERIC else None


_SYNC = CheckSync("check-sync")
_KEEP = CheckSync("check-sync", ";reboot=false")
_REBOOT = CheckSync("check-sync", ";reboot=true")
_RESYNC = CheckSync("resync")

_ALL = (
    Vendor("snom", _KEEP, _REBOOT, challenges=True, pnp_url=PnPURL.FULL, pnp_file="{MAC}.xml"),
    Vendor(
        "yealink", _KEEP, _REBOOT,
        reboots_anyway="sip.notify_reboot_enable is 1 by default: the phone reboots at every check-sync; set it to 0",
    ),
    Vendor("grandstream", _RESYNC, _REBOOT, challenges=True),
    Vendor("fanvil", _SYNC, _REBOOT),
    Vendor(
        "poly", _SYNC, None,
        reboots_anyway="with voIpProt.SIP.specialEvent.checkSync.alwaysReboot=1 it always reboots, else when a file "
        "differs that needs it",
        names=("polycom",),
    ),
    Vendor("gigaset", _KEEP, _REBOOT, pnp_url=PnPURL.FULL, pnp_file="{MAC}.xml"),
    Vendor("audiocodes", _KEEP, _REBOOT, names=("audc",)),
    Vendor("panasonic", _SYNC, _REBOOT, challenges=True),
    Vendor("mitel", _SYNC, _REBOOT, names=("aastra",)),
    Vendor("htek", _RESYNC, _REBOOT),
    Vendor(
        "sangoma", _SYNC, None, names=("digium",),
        reboots_anyway="they know one check-sync only, for which they may reboot",
    ),
    Vendor("cisco-spa", _RESYNC, CheckSync("reboot"), challenges=True, names=("linksys",)),
    Vendor("cisco-mpp", _RESYNC, CheckSync("reboot"), challenges=True),
    Vendor("cisco", _SYNC, None),
    Vendor("alcatel", _SYNC, None, names=("alcatel-lucent", "ale")),
    Vendor("algo", _SYNC, _REBOOT),
    Vendor("avaya", _KEEP, _REBOOT),
    Vendor(
        "flyingvoice", None, _REBOOT, reboots_anyway="it knows check-sync;reboot=true only",
    ),
    Vendor("technicolor", _SYNC, _REBOOT, names=("thomson",)),
    Vendor("auerswald", _SYNC),
    Vendor("akuvox", None),
    Vendor("2n", None),
    Vendor("ubiquiti", None),
    Vendor("linphone", None),
    Vendor("patton", None),
    Vendor("planet", _SYNC),
    Vendor("vtech", _SYNC),
    Vendor("atcom", _SYNC),
    Vendor("tiptel", _SYNC),
    Vendor("escene", _SYNC),
)  # fmt: skip

GENERIC = Vendor("generic", _SYNC)
"""A phone that nobody knows: every vendor that was found takes this event, or answers that it does not."""
VENDORS = {vendor.name: vendor for vendor in (*_ALL, GENERIC)}
_BY_NAME = VENDORS | {name: vendor for vendor in _ALL for name in vendor.names}
SAYS_NOTHING = frozenset({"oem", ""})
"""What stands where a vendor's name should (phones.md 2.1: Snom, VTech, Gigaset)."""

NO_MODEL = frozenset({"oem", "voip phone", "atcom", ""})
"""What stands where a model should (phones.md 1.3: Snom and VTech, Fanvil, Atcom)."""


def vendor_named(text: str | None) -> Vendor:
    """The vendor whom a phone, or a person, names so; GENERIC for a name that is not known."""
    said = (text or "").strip().strip('"').lower()
    return _BY_NAME.get(said) or _BY_NAME.get(said.split(" ")[0].split("_")[0]) or GENERIC


def vendor_of(said: str | None, mac: str | None, user_agent_vendor: str | None = None) -> Vendor:
    """The vendor of a phone: by its MAC, by its User-Agent, by what its Event header says, whichever is known first.

    An Event header may say `OEM`, or the vendor of the platform (phones.md 1.3).
    """
    for name in (vendor_of_mac(mac) if mac else None, user_agent_vendor, said):
        if name and (found := vendor_named(name)) is not GENERIC:
            return found
    return GENERIC


def model_said(said: str | None, vendor: Vendor) -> str | None:
    """The model that an Event header names, spelled as the same phone's User-Agent has it: `D785` of `snomD785`.

    None where it names none (phones.md 1.3).
    """
    text = (said or "").strip()
    if text.lower() in NO_MODEL:
        return None
    for name in (vendor.name, *vendor.names):
        rest = text[len(name) :].lstrip(" -_")
        if text.lower().startswith(name) and any(map(str.isdigit, rest)):  # `linphone` is a model itself
            return rest
    return text


def event_for(vendor: Vendor, policy: NotifyPolicy) -> CheckSync | None:
    """What a phone of this vendor is told: never to reboot, unless its manifest allows it and nothing else works."""
    return vendor.refetch or (vendor.reboot if policy.may_reboot else None)
