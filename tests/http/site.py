"""Documents behind a listener, and clients that are not ours: aiohttp's and curl."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from urllib.parse import urlsplit

import aiohttp

from gitops_profile.access import DIGEST, AccessRule, DomainPolicy, Gate
from gitops_profile.digest import CredentialStore, DigestAuthenticator, Throttle, a1, replace_user
from gitops_profile.http import (
    ContentAccess,
    ContentFetched,
    ContentLinks,
    Guess,
    HTTPLimits,
    HTTPListener,
    ProfileContent,
    Realm,
)
from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileChanged,
    ProfileDocument,
    ProfileKey,
    RevisionStamp,
    Variant,
)
from tests.system.lab import need
from tests.transport.authority import Authority

DOMAIN, OPEN_DOMAIN = "example.com", "lab.example.com"
ALICE = ProfileKey.user(DOMAIN, "alice")
SAFE = ProfileKey.user(DOMAIN, "safe")
STAMP = RevisionStamp("0" * 40, "A", "a@example.com", "2020-01-01T00:00:00Z", "a message")
PASSWORDS = {"alice": "wonderland", "safe": "strong", "admin": "help desk", "müller": "päss"}
LOOPBACK = [IPv4Network("127.0.0.1/32")]
HTTPS = {"X-Forwarded-Proto": "https"}


def document(
    key: ProfileKey, body: bytes, *, sensitive: bool = False, variants: Sequence[Variant] = ()
) -> ProfileDocument:
    return ProfileDocument(key, "text/xml", body, f"{key}.xml", sensitive, variants=tuple(variants))


def digest(user: str) -> aiohttp.DigestAuthMiddleware:
    """A client that knows the user's password."""
    return aiohttp.DigestAuthMiddleware(user, PASSWORDS[user])


@dataclass
class Site:
    """Documents behind a listener."""

    public: str = "http://prov.example.com/p/"
    proxies: Sequence[IPv4Network] = ()
    context: ssl.SSLContext | None = None
    secret: bytes = b"k" * 32
    fetched: list[ContentFetched] = field(default_factory=list)
    guesses: list[Guess] = field(default_factory=list)
    skew: float = 0.0
    """Seconds that have passed: no others do."""

    def __post_init__(self) -> None:
        self._began = time.time()
        self.table = PresentityTable()
        self.throttle = Throttle(failures=3)
        authenticator = DigestAuthenticator(b"s" * 32, run=b"run no 1")
        text = ""
        for user, password in PASSWORDS.items():
            text = replace_user(text, user, "the realm", {"SHA-256": a1("SHA-256", user, "the realm", password)})
        lookup = CredentialStore.parse(text).lookup
        rules = (AccessRule(f"admin@{DOMAIN}", (f"user/{DOMAIN}/*",)),)
        policies = {
            DOMAIN: DomainPolicy(True, "the realm", ("SHA-256",), rules),
            OPEN_DOMAIN: DomainPolicy(False, OPEN_DOMAIN),
        }
        gate = Gate(policies, authenticator, self.throttle, lambda domain: lookup, lambda: "token")
        access = ContentAccess(
            {DOMAIN: Realm("the realm", ("SHA-256",))},
            authenticator,
            self.throttle,
            lambda domain: lookup,
            lambda user, domain, key: gate.permits(f"{DIGEST}{user}@{domain}", key),
            public_https=self.public.startswith("https"),
            direct_https=self.context is not None,
            proxies=self.proxies,
            on_guess=self.guesses.append,
            clock=self.now,
        )
        self.content = ProfileContent(self.table, ContentLinks(self.public, self.secret), access, self.fetched.append)
        self.listener = HTTPListener(self.content.routes(), HTTPLimits(head_seconds=1.0))
        self.root = ""

    def now(self) -> float:
        return self._began + self.skew

    def put(self, shown: ProfileDocument) -> str:
        """Bring a document into force; its URL."""
        known = shown.key in self.table
        self.table.apply(ProfileChanged(shown, STAMP) if known else ProfileAdded(shown, STAMP))
        url = self.content.url_of(shown.key, shown)
        assert url is not None
        return url

    def here(self, url: str) -> str:
        """Where a public URL is on this machine."""
        parts = urlsplit(url)
        assert not parts.query and not parts.fragment and url.isascii()
        return f"{self.root}{parts.path}"

    async def start(self) -> None:
        context = self.context
        given = (lambda: context) if context is not None else None
        _, port = await self.listener.listen("127.0.0.1", 0, given)
        self.root = f"{'http' if context is None else 'https'}://127.0.0.1:{port}"


async def curl(url: str, *options: str) -> tuple[str, bytes]:
    """The status and the body, by an independent client."""
    process = await asyncio.create_subprocess_exec(
        need("curl"), "--silent", "--path-as-is", "--write-out", "%{stderr}%{http_code}", *options, url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    body, status = await process.communicate()
    return status.decode(), body


async def get(
    url: str, user: str | None, authority: Authority, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """With that user's password, if any."""
    trusting = ssl.create_default_context(cafile=authority.certificate)
    middlewares = (digest(user),) if user is not None else ()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting), middlewares=middlewares) as session,
        session.get(url, headers=headers) as response,
    ):
        return response.status, await response.text()
