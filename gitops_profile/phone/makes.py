"""The makes of desk phones that can be played: what each says of itself, asks for, and does when it is told (data).

From phones.md 2.1, 4 and 5.1, oddities included. A repository can be rehearsed with them; a real phone may differ by
its firmware.
"""

import re
from dataclasses import dataclass

from gitops_profile.devices import CheckSync, Vendor, vendor_named

GROUP_HOST = "224.0.1.75"


@dataclass(frozen=True, slots=True)
class Asking:
    """The plug-and-play SUBSCRIBE of a make, where it is not like that of the others; places are filled in."""

    user: str | None = "MAC%3a{mac}"
    """The user part of all its URIs; None for a phone that does not say its MAC."""
    said: str = 'vendor="{vendor}";model="{model}";version="{firmware}"'
    """Of its Event header, what describes it."""
    vendor: str | None = None
    """What it writes as its vendor; None: the canonical name."""
    host: str = GROUP_HOST
    profile_type: str = "device"
    has_branch: bool = True
    """Whether its Via has one: some phones write as RFC 2543 did."""
    has_rport: bool = True
    has_max_forwards: bool = True
    contact_has_user: bool = False
    cseq: int = 1
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Make:
    """One make of phones."""

    vendor: str
    """The canonical name."""
    model: str
    firmware: str
    user_agent: str
    """Over HTTP; {mac}, {MAC}, {colons}, {dashes}, {model} and {firmware} are filled in."""
    files: tuple[tuple[str, ...], ...]
    """The files it asks for, one after the other; of those that stand together, the first that there is."""
    asking: Asking | None = None
    """How it does plug and play; None when it does none."""
    includes: re.Pattern[str] | None = None
    """What in a file names further files, separated by commas in its group."""
    is_led_by_includes: bool = False
    """Whether a file that names others does so instead of what is left of `files`, not beside it."""
    is_conditional: bool = False
    """Whether it names the version it has (If-None-Match)."""
    reboots: bool = False
    """Whether a check-sync without parameters makes it reboot, after which it asks by plug and play again."""
    log: str | None = None
    """The name of what it sends after a boot."""
    headers: tuple[tuple[str, str], ...] = ()
    has_mac: bool = True
    """Whether it has, and says, a MAC; a softphone has none."""

    def fill(self, text: str, mac: str) -> str:
        """A text with its places filled in."""
        colons = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
        places = {"{mac}": mac, "{MAC}": mac.upper(), "{colons}": colons, "{model}": self.model}
        places |= {"{firmware}": self.firmware, "{dashes}": colons.upper().replace(":", "-"), "{vendor}": self.vendor}
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    @property
    def habits(self) -> Vendor:
        """How it is told."""
        return vendor_named(self.vendor)

    def heeds(self, event: str) -> bool:
        """Whether this Event makes it fetch."""
        known = [told for told in (self.habits.refetch, self.habits.reboot, CheckSync("check-sync")) if told]
        return self.habits.refetch is not None and event.partition(";")[0].strip() in {one.event for one in known}


_YEALINK_INCLUDES = re.compile(r'^\s*include:config\s+"?([^"\r\n]+?)"?\s*$', re.MULTILINE)
_POLY_FILES = re.compile(r'\bCONFIG_FILES\s*=\s*"([^"]*)"')

MAKES = {
    make.vendor: make
    for make in (
        Make("snom", "D785", "10.1.33.33",
             "Mozilla/4.0 (compatible; snom{model}-SIP {firmware} 2010.12-00004-g9ba52f5 {MAC} SXM:0 UXM:0)",
             (("{MAC}.xml",),),
             Asking("MAC%3a{MAC}", 'vendor="snom";model="snom{model}";version="{firmware}"', has_branch=False,
                    has_max_forwards=False)),
        Make("yealink", "T46U", "108.86.0.20", "Yealink SIP-{model} {firmware} {colons}",
             (("{mac}.boot", "y000000000000.boot"), ("y000000000108.cfg",), ("{mac}.cfg",)),
             Asking("MAC{mac}", vendor="Yealink", has_rport=False, contact_has_user=True,
                    user_agent="Yealink SIP-{model} {firmware}"),
             includes=_YEALINK_INCLUDES, is_led_by_includes=True, reboots=True),
        Make("grandstream", "GRP2612W", "1.0.5.67", "Grandstream Model HW {model} SW {firmware} DevId {mac}",
             (("cfg{mac}", "cfg{mac}.xml", "cfg{model}.xml", "cfg.xml"),),
             Asking("MAC%3A{MAC}", vendor="Grandstream", cseq=20000, user_agent="Grandstream {model} {firmware}")),
        Make("fanvil", "X4", "2.10.2.6887", "Fanvil {model} {firmware} {mac}",
             (("f0X4hw1.100.cfg",), ("{mac}.cfg",)),
             Asking(said='vendor="Fanvil";model="VOIP PHONE";version="{firmware}"',
                    user_agent="Fanvil {model} {firmware} {mac}")),
        Make("poly", "VVX_400", "5.9.7.4477", "FileTransport PolycomVVX-{model}-UA/{firmware} Type/Application",
             (("{mac}.cfg", "000000000000.cfg"), ("{mac}-phone.cfg",), ("{mac}-license.cfg",),
              ("{mac}-directory.xml", "000000000000-directory.xml")),
             Asking(vendor="Polycom", user_agent="PolycomVVX-{model}-UA/{firmware}"),
             includes=_POLY_FILES, is_conditional=True, log="{mac}-app.log"),
        Make("gigaset", "N870 IP PRO", "83.V2.11.0", "Gigaset {model}/{firmware}+build.a546b91;{MAC}",
             (("{MAC}.xml",),),
             Asking("MAC%3a{MAC}", 'vendor="OEM";model="OEM";version="{firmware}"', host="gigaset.com",
                    has_branch=False, has_max_forwards=False)),
        Make("audiocodes", "440HDG", "2.2.8.61", "AUDC-IPPhone/{firmware} ({model}-Rev0; {MAC})",
             (("{MAC}.cfg",),),
             Asking(None, 'model="{model}";version="{firmware}"', profile_type="application",
                    user_agent="AUDC-IPPhone/{firmware}")),
        Make("panasonic", "KX-HDV130", "01.133", "Panasonic_{model}/{firmware} ({mac})",
             (("Config{MAC}.cfg",), ("Config{model}.cfg",), ("ConfigCommon.cfg",)),
             Asking("MAC{mac}", 'vender="Panasonic";model="{model}";version="{firmware}"')),
        Make("mitel", "6920", "6.4.0.140", "Mitel{model} MAC:{dashes} V:{firmware}-SIP",
             (("startup.cfg", "aastra.cfg"), ("{model}.cfg",), ("{MAC}.cfg",))),
        Make("cisco-mpp", "7841", "11.0.1", "Cisco-CP-{model}-3PCC/{firmware} ({mac})",
             (("Cisco/CP-{model}-3PCC/{mac}.cfg", "{mac}.xml"),), is_conditional=True),
        Make("cisco-spa", "SPA504G", "7.4.4", "Cisco/{model}-{firmware} ({MAC})(CBT141100HR)",
             (("spa504G.cfg",), ("{mac}.xml",))),
        Make("htek", "UC903", "2.0.4.2", "Htek {model} {firmware} {colons}", (("cfg{mac}.xml", "{mac}.cfg"),),
             Asking(vendor="Htek")),
        Make("linphone", "LinphoneAndroid", "6.0", "{model}/{firmware} (Pixel) LinphoneSDK/5.4", (("{mac}.xml",),),
             is_conditional=True, headers=(("X-Linphone-Provisioning", "1"),), has_mac=False),
    )
}  # fmt: skip
