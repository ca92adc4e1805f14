"""Where a phone without a subscription is told: its AoR, through the proxy, or where it was seen."""

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from gitops_profile.config import PushSettings
from gitops_profile.inventory import Device
from gitops_profile.presentity import NotifyPolicy
from gitops_profile.push import Push
from gitops_profile.sip import Flow, Target
from gitops_profile.sip.syntax import URI, SIPSyntaxError
from gitops_profile.transport import Unresolvable

logger = logging.getLogger(__name__)

Resolve = Callable[[str, str, int | None, str | None], Awaitable[Sequence[Target]]]
"""Scheme, host, port, transport: what `Resolver.resolve` is."""
FlowTo = Callable[[str, tuple[str, int]], Flow | None]
"""Transport and address: what `SIPEndpoint.flow_to` is."""
_NO_PROOF = "it has not shown which phone it is at its last fetch, see push.challenges"


class Unreachable(Exception):
    """The phone cannot be told; the message says why."""

    def __init__(self, reason: str, *, is_lasting: bool) -> None:
        """`is_lasting`: until it shows itself or its manifest changes; else perhaps soon."""
        super().__init__(reason)
        self.is_lasting = is_lasting


class Reach:
    """Finds the way to a phone."""

    def __init__(self, settings: PushSettings, resolve: Resolve, flow_to: FlowTo, *, answers_anyone: bool) -> None:
        """`answers_anyone`: whether a phone that has not shown who it is may ask for its line's credentials."""
        self._settings = settings
        self._resolve = resolve
        self._flow_to = flow_to
        self._answers_anyone = answers_anyone

    async def address(self, device: Device, policy: NotifyPolicy, push: Push) -> Push:
        """`push` with where it goes, by the first of `push.to` that there is. Raises Unreachable."""
        lost: list[str] = []
        for way in self._settings.to:
            found = self._by_aor(policy, push) if way == "aor" else self._by_contact(device, policy, push)
            if found is None:
                continue
            addressed, hop = found
            try:
                return replace(addressed, flows=await self._flows(hop))
            except Unresolvable as error:
                lost.append(f"no way to {hop.host}: {error}")
        if lost:
            raise Unreachable("; ".join(lost), is_lasting=False)
        hint = "name its AoR in notify.aor" if "aor" in self._settings.to else "it is told when it shows itself"
        raise Unreachable(f"nobody knows where the phone is: {hint}", is_lasting=True)

    def _by_aor(self, policy: NotifyPolicy, push: Push) -> tuple[Push, URI] | None:
        aor = _uri(policy.aor)
        if aor is None:
            return None
        found = replace(push, target=str(aor.but(headers="")), user=aor.decoded_user)
        if self._settings.proxy is None:
            return found, aor
        proxy = URI.parse(self._settings.proxy)  # config knows that it is one
        return replace(found, route=str(proxy.but(parameters=proxy.parameters | {"lr": None}))), proxy

    def _by_contact(self, device: Device, policy: NotifyPolicy, push: Push) -> tuple[Push, URI] | None:
        """Where it was seen, and nowhere else: a contact is kept only when its message came from there.

        Whoever stands there and challenges is given a digest that passwords can be tried against: only to a phone that
        has shown, from the same address, which it is.
        """
        contact = _uri(device.contact)
        if contact is None:
            return None
        has_shown = device.proven and _is_same(contact.host, device.address)
        contact = contact.but(parameters={n: v for n, v in contact.parameters.items() if n != "maddr"}, headers="")
        found = replace(push, target=str(contact))
        if not (has_shown or self._answers_anyone):
            return replace(found, without_user=_NO_PROOF), contact
        line = _uri(policy.aor)
        return replace(found, user=line.decoded_user if line is not None else None), contact

    async def _flows(self, hop: URI) -> tuple[Flow, ...]:
        """Where a SIP URI leads, best first (RFC 3263). Raises Unresolvable."""
        transport = (hop.parameters.get("transport") or "").lower() or None
        host = hop.parameters.get("maddr") or hop.host
        targets = await self._resolve(hop.scheme, host, hop.port, transport)
        flows = []
        for target in targets:
            try:
                flow = self._flow_to(target.transport, (target.address, target.port))
            except OSError as error:
                logger.debug("no way to %s from here: %s", target.address, error)
                continue  # perhaps to the next
            if flow is not None:
                flows.append(replace(flow, peer=(hop.host.lower().rstrip("."),)))
        if not flows:
            raise Unresolvable("no listener can reach it")
        return tuple(flows)


def _uri(text: str | None) -> URI | None:
    if text is None:
        return None
    try:
        return URI.parse(text)
    except SIPSyntaxError as error:
        logger.warning("%r cannot be told anything: %s", text, error)
        return None


def _is_same(host: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")) == ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False  # a name: whoever it belongs to
