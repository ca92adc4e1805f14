"""Documents of devices behind a listener, and everything that decides who may have them."""

import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_address
from pathlib import Path

from gitops_profile.devices import FileRoutes, Sighting
from gitops_profile.digest import CredentialStore, DigestAuthenticator, Throttle, a1, read_generations
from gitops_profile.http import (
    DeviceDocuments,
    DeviceGate,
    DevicePasswords,
    DocumentLinks,
    Guess,
    HTTPLimits,
    HTTPListener,
    MissBudget,
    Missed,
    UploadLimits,
    UploadMode,
    Uploads,
    Way,
)
from gitops_profile.presentity import InvalidKey, PresentityTable, ProfileAdded, ProfileDocument, ProfileKey

from .site import DOMAIN, STAMP

REALM = "provisioning"
DESK, LOBBY, UNKNOWN = "0004132a1122", "0004132a3344", "0004132aeeee"
PROXIED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}
LOOPBACK = (IPv4Network("127.0.0.1/32"),)


def line(device: str, password: str, algorithm: str = "MD5") -> str:
    """Of the file of credentials."""
    named = f"{algorithm}:" if algorithm == "SHA-512-256" else ""
    return f"{device}:{REALM}:{named}{a1(algorithm, device, REALM, password)}\n"


def body(device: str) -> bytes:
    return f"<settings><phone>{device}</phone></settings>\n".encode()


@dataclass
class DeviceSite:
    """Two phones' documents, and who may have them."""

    ways: Collection[Way] = ()
    sensitive: bool = False
    proxies: Sequence[IPv4Network] = ()
    context: ssl.SSLContext | None = None
    credentials: str = line(DESK, "desk") + line(LOBBY, "lobby")
    realm: str = REALM
    misses: int = 5
    guesses_allowed: int = 5
    open_to: Collection[str] = ()
    decoys: Collection[str] = ()
    on_look_up: Callable[[str], None] = lambda name: None
    missed: list[Missed] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    seen: list[Sighting] = field(default_factory=list)
    uploads: Uploads = field(default_factory=lambda: Uploads(UploadMode.DISCARD, Path("nowhere"), UploadLimits()))
    routes: FileRoutes = field(default_factory=FileRoutes)
    write_seconds: float = 30.0
    skew: float = 0.0
    """Seconds that have passed: no others do."""

    def __post_init__(self) -> None:
        self._began = time.time()
        self.table = PresentityTable()
        for device in (DESK, LOBBY):
            key = ProfileKey.device(DOMAIN, device)
            shown = ProfileDocument(key, "text/xml", body(device), f"{key}.xml", self.sensitive)
            self.table.apply(ProfileAdded(shown, STAMP))
        self.stores: Sequence[CredentialStore] = read_generations(self.credentials)[0]
        self.links = DocumentLinks(b"k" * 32)
        self.throttle = Throttle(failures=self.guesses_allowed)
        passwords = DevicePasswords(
            self.ways, self.realm, DigestAuthenticator(b"s" * 32, run=b"run no 1"), self.throttle, lambda: self.stores,
            on_guess=self.guesses.append,
        )  # fmt: skip
        self.gate = DeviceGate(
            self.ways, passwords, MissBudget(self.misses, 600.0, 3600.0), decoys=lambda: self.decoys,
            is_open_to=lambda source, now: source in self.open_to, proxies=self.proxies,
            on_missed=self.missed.append, clock=self.now,
        )  # fmt: skip
        documents = DeviceDocuments(
            self.table, self.gate, self.links, self.uploads,
            prefix="/p/", resolve=self.resolve, routes=lambda: self.routes, tag_of=lambda shown: shown.etag,
            see=self.seen.append, clock=self.now, write_seconds=self.write_seconds,
        )  # fmt: skip
        self.listener = HTTPListener(documents.routes(), HTTPLimits(head_seconds=5.0, shutdown_seconds=0.1))
        self.root = ""

    def now(self) -> float:
        return self._began + self.skew

    def resolve(self, domain: str | None, name: str) -> ProfileKey | None:
        self.on_look_up(name)
        try:
            return self.table.resolve(ProfileKey.device(domain or DOMAIN, name))
        except InvalidKey:
            return None

    async def start(self, host: str = "127.0.0.1") -> "DeviceSite":
        assert ip_address(host).is_loopback
        context = self.context
        given = (lambda: context) if context is not None else None
        _, port = await self.listener.listen(host, 0, given)
        named = f"[{host}]" if ":" in host else host
        self.root = f"{'http' if context is None else 'https'}://{named}:{port}/p/{DOMAIN}/"
        return self

    def url(self, device: str, segment: str = "") -> str:
        """Where a phone looks for its file."""
        return f"{self.root}{segment}{'/' if segment else ''}{device}.xml"
