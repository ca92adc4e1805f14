"""Which device asks for a document over HTTP, and whether it has shown so. A MAC is a name, not a credential."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from .client_address import Proxies, client_address, forwarded_https, is_proxy
from .content_access import FetchRefused
from .device_passwords import Client, DevicePasswords
from .device_proof import Proof, Way, certificate_device
from .document_links import Capability
from .misses import MissBudget
from .plain_get import Asking


@dataclass(frozen=True, slots=True)
class Missed:
    """Somebody asked for a device that it may not have."""

    source: str
    device: str
    reason: str
    """unknown, forbidden or decoy."""
    banned: bool


class DeviceGate:
    """Identifies devices, and bounds the guessing of names."""

    def __init__(
        self,
        ways: Collection[Way],
        passwords: DevicePasswords,
        budget: MissBudget,
        *,
        decoys: Callable[[], Collection[str]] = frozenset,
        is_open_to: Callable[[str, float], bool] = lambda source, now: False,
        proxies: Proxies = (),
        on_missed: Callable[[Missed], None] = lambda missed: None,
        clock: Callable[[], float],
    ) -> None:
        """`decoys` are devices that nobody has, and nobody has a reason to ask for. `is_open_to(source, now)`: whether
        a client there needs to show nothing for now (bootstrap). `proxies` are the networks of reverse proxies whose
        X-Forwarded-… is believed. `clock` is in Unix seconds.
        """
        self.wants_proof = bool(ways)
        """Whether devices have to show who they are at all."""
        self._takes_links = Way.LINK in ways
        self._takes_certificates = Way.CERTIFICATE in ways
        self._passwords = passwords
        self._budget = budget
        self._decoys = decoys
        self._is_open_to = is_open_to
        self._proxies = proxies
        self._on_missed = on_missed
        self._clock = clock

    def client(self, request: Asking) -> Client:
        """Who sent it."""
        address = client_address(request, self._proxies)
        if not self._proxies:
            return Client(address, request.secure, True)
        said = forwarded_https(request, self._proxies)
        # A ban of a proxy would be one of everybody behind it, and its address is nobody's network.
        is_named = not is_proxy(address, self._proxies)
        return Client(address, request.secure if said is None else said, is_named)

    def is_open(self, client: Client) -> bool:
        """Whether this client may have what is sensitive without showing anything, and over plain http."""
        return client.is_named and self._is_open_to(client.address, self._clock())

    def prove(self, request: Asking, client: Client, linked: Capability | None, device: str | None) -> Proof | None:
        """The device that the client, who sent the request, has shown to be; None when it has shown nothing.

        `device` is the one that it asks for. Raises FetchRefused: 401 for wrong credentials, and for none where they
        are wanted; 429 for a source that guessed too much. None of it depends on whether there is such a device
        (invariant I10); and who asked for a decoy is told as little as anybody, this time.
        """
        now = self._clock()
        banned = self._budget.banned_for(client.counted, now) if client.is_named else 0.0
        if device is not None and device in self._decoys() and not banned:
            self._alarm(client, device, now)
        proof = self._shown(request, linked, client, now)
        if proof is not None:
            return proof
        if banned:
            raise FetchRefused(429, "Too many devices asked for: wait.", ("Retry-After", str(math.ceil(banned))))
        if self._passwords.are_asked and not self.is_open(client):
            raise self._passwords.challenge(client, now)
        return None

    def missed(self, client: Client, device: str | None, *, exists: bool, proof: Proof | None) -> None:
        """Nothing was found for the device that was asked for, or nothing that the client may have.

        Counts the same in both cases: else a ban would tell them apart.
        """
        if device is None or device in self._decoys():
            return
        if proof is not None and proof.subject == device:
            return  # one more file of its own, which there is not
        is_new, banned = self._budget.missed(client.counted, device, self._clock())
        if is_new:
            reason = "forbidden" if exists else "unknown"
            self._on_missed(Missed(client.address, device, reason, banned and client.is_named))

    def is_decoy(self, device: str | None) -> bool:
        """Whether there must be no document for it, whoever asks."""
        return device is not None and device in self._decoys()

    def _alarm(self, client: Client, device: str, now: float) -> None:
        is_new, _ = self._budget.missed(client.counted, device, now)
        if client.is_named:
            self._budget.ban(client.counted, now)
        if is_new:
            self._on_missed(Missed(client.address, device, "decoy", client.is_named))

    def _shown(self, request: Asking, linked: Capability | None, client: Client, now: float) -> Proof | None:
        if linked is not None and self._takes_links:
            return Proof(linked.subject, Way.LINK, linked.etag)
        if self._takes_certificates and request.transport is not None:
            device = certificate_device(request.transport.get_extra_info("peercert"))
            if device is not None:
                return Proof(device, Way.CERTIFICATE)
        return self._passwords.check(request, client, now)
