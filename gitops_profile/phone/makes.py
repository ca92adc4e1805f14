"""The makes of desk phones that can be played: what each says of itself, asks for, and does when it is told (data).

From phones.md 2.1, 4 and 5.1. A repository can be rehearsed with them; a real phone may differ by its firmware.
"""

from dataclasses import dataclass

from gitops_profile.devices import CheckSync, Vendor, vendor_named


@dataclass(frozen=True, slots=True)
class Make:
    """One make of phones."""

    vendor: str
    """The canonical name."""
    model: str
    firmware: str
    user_agent: str
    """Over HTTP; {mac}, {MAC}, {colons}, {model} and {firmware} are filled in."""
    files: tuple[str, ...]
    """The names it asks for, one after the other; a 404 is "go on"."""
    pnp_user: str | None = "MAC%3a{MAC}"
    """The user part of its plug-and-play SUBSCRIBE; None when it does none."""
    said_vendor: str | None = None
    """What it writes as vendor in its Event header; None: the canonical name."""
    is_conditional: bool = False
    """Whether it names the version it has (If-None-Match)."""
    reboots: bool = False
    """Whether a check-sync makes it reboot, which asks by plug and play again."""
    log: str | None = None
    """What it sends after a boot."""
    headers: tuple[tuple[str, str], ...] = ()

    def fill(self, text: str, mac: str) -> str:
        """A text with its places filled in."""
        colons = ":".join(mac[i : i + 2] for i in range(0, 12, 2))
        places = {"{mac}": mac, "{MAC}": mac.upper(), "{colons}": colons, "{model}": self.model}
        places |= {"{firmware}": self.firmware, "{dashes}": colons.upper().replace(":", "-")}
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


MAKES = {
    make.vendor: make
    for make in (
        Make("snom", "D785", "10.1.33.33",
             "Mozilla/4.0 (compatible; snom{model}-SIP {firmware} 2010.12-00004-g9ba52f5 {MAC} SXM:0 UXM:0)",
             ("{MAC}.xml",)),
        Make("yealink", "T46U", "108.86.0.20", "Yealink SIP-{model} {firmware} {colons}",
             ("{mac}.boot", "y000000000000.boot", "y000000000108.cfg", "{mac}.cfg"), "MAC{mac}", "Yealink",
             reboots=True),
        Make("grandstream", "GRP2612W", "1.0.5.67", "Grandstream Model HW {model} SW {firmware} DevId {mac}",
             ("cfg{mac}", "cfg{mac}.xml"), "MAC%3A{MAC}", "Grandstream"),
        Make("fanvil", "X4", "2.10.2.6887", "Fanvil {model} {firmware} {mac}",
             ("f0X4hw1.100.cfg", "{mac}.cfg"), "MAC%3a{mac}", "Fanvil"),
        Make("poly", "VVX_400", "5.9.7.4477", "FileTransport PolycomVVX-{model}-UA/{firmware} Type/Application",
             ("{mac}.cfg", "000000000000.cfg", "{mac}-phone.cfg", "{mac}-license.cfg", "{mac}-directory.xml"),
             "MAC%3a{mac}", "Polycom", is_conditional=True, log="{mac}-app.log"),
        Make("gigaset", "N870 IP PRO", "83.V2.11.0", "Gigaset {model}/{firmware}+build.a546b91;{MAC}",
             ("{MAC}.xml",), "MAC%3a{MAC}", "OEM"),
        Make("audiocodes", "440HDG", "2.2.8.61", "AUDC-IPPhone/{firmware} ({model}-Rev0; {MAC})",
             ("{MAC}.cfg",), None),
        Make("panasonic", "KX-HDV130", "01.133", "Panasonic_{model}/{firmware} ({mac})",
             ("Config{MAC}.cfg", "Config{model}.cfg", "ConfigCommon.cfg"), "MAC{mac}", "Panasonic"),
        Make("mitel", "6920", "6.4.0.140", "Mitel{model} MAC:{dashes} V:{firmware}-SIP",
             ("startup.cfg", "{MAC}.cfg"), None),
        Make("cisco-mpp", "7841", "11.0.1", "Cisco-CP-{model}-3PCC/{firmware} ({mac})",
             ("Cisco/CP-{model}-3PCC/{mac}.cfg", "{mac}.xml"), None, is_conditional=True),
        Make("cisco-spa", "SPA504G", "7.4.4", "Cisco/{model}-{firmware} ({MAC})(CBT141100HR)",
             ("spa504G.cfg", "{mac}.xml"), None),
        Make("htek", "UC903", "2.0.4.2", "Htek {model} {firmware} {colons}", ("cfg{mac}.xml",), "MAC%3a{mac}", "Htek"),
        Make("linphone", "LinphoneAndroid", "6.0", "{model}/{firmware} (Pixel) LinphoneSDK/5.4", ("{mac}.xml",), None,
             is_conditional=True, headers=(("X-Linphone-Provisioning", "1"),)),
    )
}  # fmt: skip
