"""Plug and play on each interface: who is answered, and with which URL."""

import asyncio
import logging
import re
import secrets
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from gitops_profile.config import Config
from gitops_profile.devices import How, PnPURL, Sighting
from gitops_profile.metrics import Metrics
from gitops_profile.pnp import Offer, PnPAsked, PnPEvent, PnPRefused, PnPRequest, PnPResponder
from gitops_profile.presentity import ProfileKey, mac_of
from gitops_profile.sip import Flow
from gitops_profile.transport import GroupListener, Interface, InterfaceUnusable, find_interface, hear_group

from .pump import Pump
from .quiet import Budget

logger = logging.getLogger(__name__)

LOOK_EVERY = 5.0
"""Seconds between looks whether an interface has come up, or has another address."""
NEIGHBOURS = Path("/proc/net/arp")


class PlugAndPlay:
    """The responders of all interfaces."""

    def __init__(
        self,
        config: Config,
        base: str | None,
        own_key: Callable[[str], ProfileKey | None],
        metrics: Metrics,
        see: Callable[[Sighting], None],
        clock: Callable[[], float],
        beside: Callable[[], Iterable[socket.socket]],
        segment: Callable[[str, float], str] = lambda mac, expires: "",
    ) -> None:
        """`base` is the URL of all documents; `own_key(mac)` the profile of a phone; `beside` our SIP sockets.

        `segment(mac, expires)` opens a phone's documents, as part of a URL.
        """
        self._segment = segment
        self._settings = config.pnp
        self._base = base
        self._own_key = own_key
        self._metrics = metrics
        self._see = see
        self._clock = clock
        self._beside = beside
        self._open: dict[str, _Answering] = {}
        self._trouble: dict[str, str] = {}
        self._refused = Budget(logger, "refused plug-and-play requests")

    def check(self) -> None:
        """Listen on each interface that is there; raises InterfaceUnusable for one that is not."""
        for name in self._settings.interfaces:
            self._open_one(find_interface(name))

    async def run(self) -> None:
        """Follow the interfaces as they come, go and change their address, for ever."""
        while self._settings.interfaces:
            await asyncio.sleep(LOOK_EVERY)
            for name in self._settings.interfaces:
                self._look(name)

    def close(self) -> None:
        """Leave all groups."""
        for answering in self._open.values():
            answering.close()
        self._open.clear()

    def facts(self) -> list[dict[str, str | None]]:
        """For `status`."""
        return [
            {
                "interface": name,
                "address": self._open[name].interface.address if name in self._open else None,
                "trouble": self._trouble.get(name),
            }
            for name in self._settings.interfaces
        ]

    def _look(self, name: str) -> None:
        try:
            interface = find_interface(name)
            if name in self._open and self._open[name].interface != interface:
                self._open.pop(name).close()
            if name not in self._open:
                self._open_one(interface)
        except InterfaceUnusable as error:
            if name in self._open:
                self._open.pop(name).close()
            if self._trouble.get(name) != str(error):
                logger.warning("pnp is silent interface=%s: %s", name, error)
            self._trouble[name] = str(error)
        else:
            self._trouble.pop(name, None)

    def _open_one(self, interface: Interface) -> None:
        group, port = self._settings.address
        heard = hear_group(group, port, interface, self._beside())
        try:
            self._open[interface.name] = _Answering(heard, port, interface, self._decide, self._clock, self._happened)
        except InterfaceUnusable:
            heard.close()
            raise
        logger.info("pnp listening interface=%s address=%s group=%s:%d", interface.name, interface.address, group, port)

    # -- decisions -------------------------------------------------------------------------------------------------

    def _decide(self, request: PnPRequest) -> Offer | None:
        """What a phone is told; None for silence."""
        key = self._own_key(request.mac) if request.mac is not None else None
        if key is None and self._settings.devices == "known":
            return None
        return Offer(self._url(request, request.mac, key), is_known=key is not None)

    def _asked(self, request: PnPRequest, source: str) -> None:
        key = self._own_key(request.mac) if request.mac is not None else None
        named = request.contact_uri if request.contact is not None and request.contact[0] == source else None
        self._see(
            Sighting(
                How.PNP, self._clock(), source, mac=request.mac, vendor=request.vendor.known_name, model=request.model,
                firmware=request.version, user_agent=request.user_agent, key=str(key) if key is not None else None,
                contact=named,
            )
        )  # fmt: skip

    def _url(self, request: PnPRequest, mac: str | None, key: ProfileKey | None) -> str:
        filled = {
            "{mac}": mac or "", "{MAC}": (mac or "").upper(), "{vendor}": request.vendor.name,
            "{model}": _quoted(request.model), "{version}": _quoted(request.version),
        }  # fmt: skip
        if self._settings.url is not None:
            return _filled(self._settings.url if mac is not None else _for_all(self._settings.url), filled)
        folder = f"{self._base}{key.domain}/" if key is not None else f"{self._base}"
        if self._settings.link is not None and key is not None and mac is not None:
            folder += f"{self._segment(mac, self._clock() + self._settings.link)}/"
        if request.vendor.pnp_url is PnPURL.FULL and mac is not None:
            return folder + _filled(request.vendor.pnp_file, filled)
        return folder

    def _happened(self, event: PnPEvent) -> None:
        match event:
            case PnPAsked():
                self._asked(event.request, event.source)
            case PnPRefused():
                self._metrics.pnp.labels(event.reason).inc()
                if event.reason in ("source", "flood"):
                    self._refused.warn("pnp refused source=%s reason=%s mac=%s", event.source, event.reason, event.mac)
                else:
                    logger.debug("pnp silent source=%s reason=%s mac=%s", event.source, event.reason, event.mac)
            case _:
                self._metrics.pnp.labels(str(event.status) if event.status else "silent").inc()
                logger.info("pnp answered mac=%s source=%s status=%d", event.mac, event.source, event.status)


class _Answering:
    """One responder on its interface: bytes and one timer."""

    def __init__(
        self,
        heard: socket.socket,
        port: int,
        interface: Interface,
        decide: Callable[[PnPRequest], Offer | None],
        clock: Callable[[], float],
        on_event: Callable[[PnPEvent], None],
    ) -> None:
        self._responder = PnPResponder(decide, interface.is_near, lambda: secrets.token_hex(8), mac_at=self._mac_at)
        self._clock = clock
        self.interface = interface
        self._pump = Pump(self._responder, lambda data, flow: self._listener.send(data, flow), on_event, clock)
        loop = asyncio.get_running_loop()
        self._listener = GroupListener(
            heard, port, interface, loop.add_reader, loop.remove_reader, self._receive, self._pump.run
        )

    def close(self) -> None:
        self._pump.close()
        self._listener.close()

    def _mac_at(self, address: str) -> str | None:
        """None until the system knows: phones ask again after half a second, and then it does."""
        mac = neighbour(address, self.interface.name)
        if mac is None:
            self._listener.look_for(address)
        return mac

    def _receive(self, data: bytes, flow: Flow) -> None:
        try:
            self._responder.receive(data, flow, now=self._clock())
        except Exception:
            # A datagram must not end the server; what it did is a bug, and says so.
            logger.exception("a datagram could not be handled source=%s bytes=%d", flow.remote[0], len(data))


def neighbour(address: str, interface: str, table: Path = NEIGHBOURS) -> str | None:
    """The MAC of a machine on the network of an interface, as the kernel knows it; None when it does not."""
    try:
        lines = table.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines[1:]:
        fields = line.split()
        if len(fields) >= 6 and fields[0] == address and fields[5] == interface:
            mac = mac_of(fields[3])
            return mac if mac != "000000000000" else None
    return None


def _for_all(template: str) -> str:
    """The folder of a URL that names a MAC, for a phone whose MAC nobody knows."""
    named = re.search(r"\{mac\}", template, re.IGNORECASE)
    return template if named is None else template[: template.rindex("/", 0, named.start()) + 1]


def _quoted(said: str | None) -> str:
    """One part of a path, of whatever bytes the phone has sent."""
    return quote(said or "", safe="", errors="surrogateescape")


def _filled(text: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        text = text.replace(place, value)
    return text
