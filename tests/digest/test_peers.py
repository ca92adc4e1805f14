"""curl, aiohttp's client and the standard library's, none of them ours, against a server that checks with this room."""

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from gitops_profile.digest import (
    CredentialStore,
    DigestAuthenticator,
    Verdict,
    a1,
    choose_credentials,
    offer,
    replace_user,
)
from tests.system.lab import need

REALM = 'the "realm" of examples'
USER, PASSWORD = 'al"ice\\', "päss:word"


@dataclass
class Server:
    """A page behind a password; says what each request came to."""

    algorithms: tuple[str, ...]
    nonce_life: float = 300.0
    offer_auth_int: bool = False
    url: str = ""
    verdicts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = {name.removesuffix("-sess") for name in self.algorithms}
        text = replace_user("", USER, REALM, {name: a1(name, USER, REALM, PASSWORD) for name in names})
        self.store = CredentialStore.parse(text)
        self.auth = DigestAuthenticator(
            b"s" * 32, run=b"run no 1", nonce_life=self.nonce_life, offer_auth_int=self.offer_auth_int
        )

    async def handle(self, request: web.Request) -> web.Response:
        now = time.time()
        credentials = choose_credentials(request.headers.getall("Authorization", []), REALM)
        stale = False
        if credentials is not None:
            outcome = self.auth.check(
                credentials,
                method=request.method,
                realm=REALM,
                request_uri=request.raw_path,
                algorithms=self.algorithms,
                lookup=self.store.lookup,
                now=now,
                body=await request.read(),
            )
            self.verdicts.append(outcome.reason or outcome.verdict)
            if outcome.accepted:
                return web.Response(text=f"for {outcome.user} by {outcome.algorithm}")
            stale = outcome.may_retry
        answer = web.Response(status=401)
        for challenge in self.auth.challenges(REALM, offer(self.algorithms, ()), now=now, stale=stale):
            answer.headers.add("WWW-Authenticate", str(challenge))
        return answer


@pytest_asyncio.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    checking: Server = request.param
    checking.verdicts.clear()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", checking.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    checking.url = f"http://127.0.0.1:{runner.addresses[0][1]}/a%20page;x?who=me&n=1"
    yield checking
    await runner.cleanup()


def serving(*algorithms: str) -> Server:
    return Server(algorithms)


async def curl(server: Server, folder: Path, *options: str, password: str = PASSWORD) -> str:
    """The body and the status of each request, by curl."""
    user = USER.replace("\\", "\\\\").replace('"', '\\"')
    (folder / "curlrc").write_text(f'user = "{user}:{password}"\n', encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(need("curl"), "--config", str(folder / "curlrc"), "--digest", "--silent", "--max-time", "20"),
        *("--write-out", "|%{http_code}\n", *options),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out.decode()


@pytest.mark.peer
@pytest.mark.parametrize(
    ("server", "by"),
    [
        (serving("MD5"), "MD5"),
        (serving("SHA-256"), "SHA-256"),
        (serving("MD5-sess"), "MD5"),
        (serving("SHA-256", "MD5"), "SHA-256"),
    ],
    indirect=["server"],
)
async def test_curl_is_let_in(server: Server, by: str, tmp_path: Path) -> None:
    assert await curl(server, tmp_path, server.url) == f"for {USER} by {by}|200\n"
    assert server.verdicts == [Verdict.ACCEPTED]


@pytest.mark.peer
@pytest.mark.parametrize("server", [serving("MD5")], indirect=True)
async def test_curl_is_let_in_again_and_again(server: Server, tmp_path: Path) -> None:
    assert await curl(server, tmp_path, *[server.url] * 5) == f"for {USER} by MD5|200\n" * 5


@pytest.mark.peer
@pytest.mark.parametrize("server", [serving("MD5")], indirect=True)
async def test_curl_with_a_wrong_password_is_kept_out(server: Server, tmp_path: Path) -> None:
    assert await curl(server, tmp_path, server.url, password="guess") == "|401\n"
    assert server.verdicts == ["wrong-response"]


@pytest.mark.peer
@pytest.mark.parametrize("server", [Server(("SHA-256",), nonce_life=0.0)], indirect=True)
async def test_curl_tries_again_by_itself_when_told_stale(server: Server, tmp_path: Path) -> None:
    assert (await curl(server, tmp_path, server.url)).endswith("|401\n")
    assert server.verdicts[:2] == [Verdict.STALE, Verdict.STALE], "a wrong password would not have been tried twice"


@pytest.mark.parametrize(
    ("server", "by"),
    [
        (serving("MD5"), "MD5"),
        (serving("SHA-256"), "SHA-256"),
        (serving("SHA-256-sess"), "SHA-256"),
        (Server(("MD5",), offer_auth_int=True), "MD5"),
    ],
    indirect=["server"],
)
async def test_aiohttp_is_let_in_with_a_body(server: Server, by: str) -> None:
    middleware = aiohttp.DigestAuthMiddleware(USER, PASSWORD)
    async with aiohttp.ClientSession(middlewares=[middleware]) as session:
        for _ in range(3):
            async with session.post(server.url, data=b"the body") as answer:
                assert (answer.status, await answer.text()) == (200, f"for {USER} by {by}")
    assert server.verdicts == [Verdict.ACCEPTED] * 3
    assert len(server.auth._nonces) == 1, "it counts up within one nonce"


@pytest.mark.parametrize("server", [serving("MD5")], indirect=True)
async def test_the_standard_library_is_let_in(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # It does not escape what it quotes, so this user has a plain name.
    hashes = {"MD5": a1("MD5", "bob", "plain", "pw")}
    monkeypatch.setattr("tests.digest.test_peers.REALM", "plain")
    server.store = CredentialStore.parse(replace_user("", "bob", "plain", hashes))
    passwords = urllib.request.HTTPPasswordMgr()
    passwords.add_password("plain", server.url, "bob", "pw")
    handler = urllib.request.HTTPDigestAuthHandler(passwords)

    def get() -> bytes:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), handler).open(
            server.url, timeout=20
        ) as answer:
            data: bytes = answer.read()
            return data

    assert await asyncio.to_thread(get) == b"for bob by MD5"
