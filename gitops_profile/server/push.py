"""Who is told to fetch again, and how: decided from what each phone has, never from the change (invariant I3)."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from gitops_profile.config import Config
from gitops_profile.devices import CheckSync, Vendor, shown_to, vendor_of
from gitops_profile.inventory import Device, Inventory
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import (
    NO_POLICY,
    NotifyPolicy,
    Presentation,
    PresentityTable,
    ProfileDocument,
    ProfileKey,
    ProfileType,
    mac_of,
)
from gitops_profile.push import Push, PushAnswered, PushQueue, PushSent, Verdict, Waits
from gitops_profile.sip import Flow, Notifier, Target
from gitops_profile.sip.syntax import URI, SIPSyntaxError
from gitops_profile.transport import SIPEndpoint, Unresolvable

from .push_line import PushLine
from .quiet import Budget

logger = logging.getLogger(__name__)

AT_ONCE = 200
"""Phones that are looked at in one turn of the loop."""
RETRY_FIRST, RETRY_LONGEST = 900.0, 21600.0
"""Seconds until a phone that was offline, or refused, is told again: doubling, beside its next contact."""
MAX_TRIES = 10
_SAME_HEARD = frozenset({405, 481, 489, 501})
Held = Callable[[ProfileKey], float | None]
"""When the change of this profile may go out, Unix seconds; None: now."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A document that a phone has in another version, or not at all."""

    key: ProfileKey
    etag: str
    """The version in force, as phones see it."""


class Pusher:
    """Tells phones without a subscription."""

    def __init__(
        self,
        config: Config,
        table: PresentityTable,
        inventory: Inventory,
        notifier: Notifier,
        endpoint: SIPEndpoint,
        metrics: Metrics,
        *,
        tag_of: Callable[[Presentation], str],
        own_key: Callable[[str], ProfileKey | None],
    ) -> None:
        """`own_key(mac)` is the profile of a phone; `held` may be set to who asks the maintenance windows."""
        settings = config.push
        self._settings = settings
        self._table = table
        self._inventory = inventory
        self._notifier = notifier
        self._endpoint = endpoint
        self._metrics = metrics
        self._tag_of = tag_of
        self._own_key = own_key
        self.held: Held = lambda key: None
        self.line: PushLine | None = None
        self._queue = PushQueue(Waits(settings.settle, settings.longest, settings.spread))
        self._moved = asyncio.Event()
        self._tries: dict[str, int] = {}
        self._failures = Budget(logger, "failed check-syncs")

    # -- what happened ---------------------------------------------------------------------------------------------

    def changed(self, keys: Iterable[ProfileKey]) -> None:
        """These documents are other ones now, or how they may be told is."""
        now = self._endpoint.now()
        for key in keys:
            document = self._table.get(key)
            if document is None:
                continue
            holders = self._inventory.holders([str(key)])
            if key.profile_type is ProfileType.DEVICE and document.notify.aor is not None and not holders:
                mac = mac_of(key.name)
                holders = [self._inventory.expect(mac or str(key), str(key), mac, now)]
            stamp = self._table.revision_of(key)
            urgent = stamp is not None and stamp.urgent
            for device in holders:
                self._tries.pop(device.device, None)
                self._queue.want(device.device, now, urgent=urgent, within=document.effective_by)
        self._moved.set()

    def seen(self, device: Device) -> None:
        """A phone showed itself: if it does not come for what it is owed by itself, it is told."""
        if self.owed(device):
            self._queue.want(device.device, self._endpoint.now())
            self._moved.set()

    def opened(self, keys: Iterable[ProfileKey]) -> None:
        """A maintenance window opened for these."""
        now = self._endpoint.now()
        for device in self._inventory.holders(map(str, keys)):
            self._queue.want(device.device, now, urgent=True)
        self._moved.set()

    def restore(self) -> None:
        """After a start: whoever was not told, or could not be, is."""
        now = self._endpoint.now()
        for device in list(self._inventory):
            if self.owed(device):
                self._queue.want(device.device, now)
        self._moved.set()

    def happened(self, event: PushSent | PushAnswered) -> None:
        """What became of a check-sync."""
        push, now = event.push, self._endpoint.now()
        if isinstance(event, PushSent):
            for key, etag in push.versions:
                self._inventory.pushed(push.device, key, etag, now)
            return
        self._metrics.pushes.labels(str(event.verdict)).inc()
        say = logger.info if event.verdict in (Verdict.HEARD, Verdict.UNSUPPORTED) else self._failures.warn
        say(
            "check-sync device=%s key=%s status=%d verdict=%s%s",
            push.device, push.versions[0][0] if push.versions else "", event.status, event.verdict,
            f": {event.reason}" if event.reason else "",
        )  # fmt: skip
        for key, _ in push.versions:
            if event.verdict is Verdict.OFFLINE:
                self._inventory.push_failed(push.device, key, event.reason, now)
            else:
                self._inventory.push_answered(push.device, key, event.status, now, fault=event.reason or None)
        if event.verdict in (Verdict.OFFLINE, Verdict.REFUSED):
            tries = self._tries[push.device] = self._tries.get(push.device, 0) + 1
            if tries <= MAX_TRIES:
                pause = min(RETRY_LONGEST, RETRY_FIRST * 2.0 ** (tries - 1))
                self._queue.again(push.device, now + pause)
                self._moved.set()

    # -- who is owed what ------------------------------------------------------------------------------------------

    def owed(self, device: Device) -> list[Owed]:
        """The documents that this phone has in another version and that it was not told of."""
        keys = [ProfileKey.parse(name) for name in device.holdings]
        own = self.own(device)
        if own is not None and own not in keys:
            keys.insert(0, own)
        vendor = vendor_of(None, device.mac, device.vendor)
        found = []
        for key in keys:
            document = self._table.get(key)
            if document is None or any(True for _ in self._notifier.subscriptions_to(str(key))):
                continue
            etag = self._tag_of(shown_to(document, vendor, device.model, device.firmware))
            holding = device.holdings.get(str(key))
            if holding is not None:
                status = holding.heard_status or 0
                was_told = holding.told_etag == etag and (200 <= status < 300 or status in _SAME_HEARD)
                if holding.etag == etag or was_told:
                    continue
            found.append(Owed(key, etag))
        return found

    def own(self, device: Device) -> ProfileKey | None:
        """The phone's own profile."""
        if device.mac is not None:
            return self._own_key(device.mac)
        return ProfileKey.parse(device.key) if device.key is not None else None

    # -- telling ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell whose time has come, for ever."""
        self.restore()
        while True:
            self._moved.clear()
            now = self._endpoint.now()
            for name in self._queue.take_due(now, AT_ONCE):
                device = self._inventory.get(name)
                if device is not None:
                    await self._tell(device)
            due = self._queue.next_deadline()
            pause = None if due is None else max(0.0, due - self._endpoint.now())
            try:
                async with asyncio.timeout(pause):
                    await self._moved.wait()
            except TimeoutError:
                continue  # somebody's time has come

    async def _tell(self, device: Device) -> None:
        owed = self.owed(device)
        if not owed or self.line is None or self.line.is_busy(device.device):
            return
        now = self._endpoint.now()
        opens = [at for one in owed if (at := self.held(one.key)) is not None]
        if len(opens) == len(owed):
            if min(opens) < float("inf"):
                self._queue.again(device.device, max(now, min(opens)))
            return
        owed = [one for one in owed if self.held(one.key) is None]
        policy = self._policy(device)
        event = event_for(vendor_of(None, device.mac, device.vendor), policy)
        if event is None:
            return  # it fetches when it wants to
        versions = tuple((str(one.key), one.etag) for one in owed)
        push = await self._addressed(device, policy, Push(device.device, "", str(event), (), versions=versions))
        if push is None:
            for key, _ in versions:
                self._inventory.push_failed(device.device, key, "nobody knows where the phone is", now)
            return
        self.line.send(push)

    def _policy(self, device: Device) -> NotifyPolicy:
        own = self.own(device)
        document: ProfileDocument | None = self._table.get(own) if own is not None else None
        return document.notify if document is not None else NO_POLICY

    async def _addressed(self, device: Device, policy: NotifyPolicy, push: Push) -> Push | None:
        """The check-sync with where it goes; None when there is no way."""
        for way in self._settings.to:
            found = await (self._to_aor(policy, push) if way == "aor" else self._to_contact(device, policy, push))
            if found is not None:
                return found
        return None

    async def _to_aor(self, policy: NotifyPolicy, push: Push) -> Push | None:
        if policy.aor is None:
            return None
        proxy = self._settings.proxy
        flows = await self._flows(proxy or policy.aor)
        route = None if proxy is None else proxy if ";lr" in proxy else f"{proxy};lr"
        return replace(push, target=policy.aor, flows=flows, route=route, user=_user(policy.aor)) if flows else None

    async def _to_contact(self, device: Device, policy: NotifyPolicy, push: Push) -> Push | None:
        """Where it was seen, and nowhere else."""
        if device.contact is None:
            return None
        flows = await self._flows(device.contact)
        return replace(push, target=device.contact, flows=flows, user=_user(policy.aor)) if flows else None

    async def _flows(self, uri: str) -> tuple[Flow, ...]:
        """Where a SIP URI leads (RFC 3263)."""
        try:
            hop = URI.parse(uri)
            transport = (hop.parameters.get("transport") or "").lower() or None
            targets: Sequence[Target] = await self._endpoint.resolver.resolve(hop.scheme, hop.host, hop.port, transport)
        except (SIPSyntaxError, Unresolvable) as error:
            logger.debug("no way to %s: %s", uri, error)
            return ()
        flows = []
        for target in targets:
            try:
                flow = self._endpoint.flow_to(target.transport, (target.address, target.port))
            except OSError:
                continue  # no way there from here; perhaps to the next
            if flow is not None:
                flows.append(replace(flow, peer=(hop.host.lower(),)))
        return tuple(flows)


def event_for(vendor: Vendor, policy: NotifyPolicy) -> CheckSync | None:
    """What a phone of this vendor is told: never to reboot, unless its manifest allows it and nothing else works."""
    return vendor.refetch or (vendor.reboot if policy.may_reboot else None)


def _user(aor: str | None) -> str | None:
    try:
        return URI.parse(aor).decoded_user if aor is not None else None
    except SIPSyntaxError:
        return None
