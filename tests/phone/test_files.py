"""Which files a desk phone asks for, with what it shows who it is."""

import asyncio
import base64
import hashlib
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from dataclasses import replace as changed

import pytest
from aiohttp import web

from gitops_profile.devices import FileKind, FileRoutes, read_user_agent
from gitops_profile.phone import MAKES, File, Files, Make, Password, PhoneError
from gitops_profile.phone.files import MAX_FILES
from tests.transport.authority import Authority, Issued

MAC = "0004132a3b4c"


@dataclass
class Site:
    """A web server with some files, and what was asked of it."""

    files: dict[str, str]
    wants: str | None = None
    """How a phone must show who it is: "digest" or "basic"."""
    tls: ssl.SSLContext | None = None
    base: str = ""
    asked: list[str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    peers: list[object] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.requests.append((request.method, dict(request.headers), await request.text()))
        self.peers.append(request.get_extra_info("peercert"))
        given = request.headers.get("Authorization", "")
        if self.wants is not None and not self._is_right(request, given):
            scheme = 'Digest realm="p", nonce="n", qop="auth", algorithm=MD5' if self.wants == "digest" else "Basic"
            return web.Response(status=401, headers={"WWW-Authenticate": scheme})
        name = request.raw_path.removeprefix("/p/")
        self.asked.append(name)
        if request.method == "PUT":
            return web.Response(status=201)
        if name not in self.files:
            return web.Response(status=404)
        etag = f'"{hashlib.sha256(self.files[name].encode()).hexdigest()[:8]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(text=self.files[name], headers={"ETag": etag})

    def _is_right(self, request: web.BaseRequest, given: str) -> bool:
        if self.wants == "basic":
            return given == "Basic " + base64.b64encode(b"phone:s3cret").decode()
        said = dict(re.findall(r'(\w+)="?([^",]+)"?', given))
        if "cnonce" not in said:
            return False
        one, two = (_md5(text) for text in ("phone:p:s3cret", f"{request.method}:{request.raw_path}"))
        wanted = _md5(f"{one}:n:{said['nc']}:{said['cnonce']}:auth:{two}")  # RFC 7616 §3.4.1, worked out here again
        return bool(said["response"] == wanted and said["uri"] == request.raw_path)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def at(site: Site, use: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        runner = web.ServerRunner(web.Server(site.answer))
        await runner.setup()
        listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=site.tls)
        await listener.start()
        port = runner.addresses[0][1]
        site.base = f"http{'s' if site.tls else ''}://127.0.0.1:{port}/p/"
        try:
            await use()
        finally:
            await runner.cleanup()

    asyncio.run(run())


def fetch(site: Site, make: Make, *, to: str = "", times: int = 1, **options: object) -> list[File]:
    """What the last of so many runs came to; `asked` of the site is of this run."""
    found: list[File] = []

    async def use() -> None:
        files = Files(make, MAC, **options)  # type: ignore[arg-type]
        for _ in range(times):
            found.clear()
            site.asked.clear()
            found.extend([one async for one in files.run(site.base + to)])

    at(site, use)
    return found


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_the_server_knows_every_name_that_a_make_asks_for_and_who_says_what_it_says(make: Make) -> None:
    routes = FileRoutes()
    read = [routes.read(make.fill(name, MAC)) for names in make.files for name in names]
    assert all(one.kind in (FileKind.DOCUMENT, FileKind.COMMON) for one in read)
    assert any(one.mac == MAC for one in read)
    assert make.log is None or routes.read(make.fill(make.log, MAC)).kind is FileKind.UPLOAD
    claim = read_user_agent(make.fill(make.user_agent, MAC))
    assert claim.vendor == make.vendor
    assert claim.mac == (MAC if make.vendor not in ("poly", "linphone") else None)
    assert make.vendor == "audiocodes" or claim.firmware is not None


@pytest.mark.parametrize(
    ("vendor", "there", "asked"),
    [
        ("snom", {}, ["0004132A3B4C.xml"]),
        # No boot file of its own: that of all; what it names and nothing else (phones.md 5.1).
        ("yealink", {"y000000000000.boot": '#!version:1.0.0.1\ninclude:config "a.cfg"\r\ninclude:config  <x>\n'
                     'include:config "0004132a3b4c.cfg"\noverwrite_mode = 1\n'},
         ["0004132a3b4c.boot", "y000000000000.boot", "a.cfg", "<x>", "0004132a3b4c.cfg"]),
        ("yealink", {"0004132a3b4c.boot": "#!version:1.0.0.1\n"},
         ["0004132a3b4c.boot", "y000000000108.cfg", "0004132a3b4c.cfg"]),
        ("yealink", {}, ["0004132a3b4c.boot", "y000000000000.boot", "y000000000108.cfg", "0004132a3b4c.cfg"]),
        ("grandstream", {"cfg0004132a3b4c.xml": "x", "cfg.xml": "y"}, ["cfg0004132a3b4c", "cfg0004132a3b4c.xml"]),
        ("poly", {"000000000000.cfg": '<APPLICATION APP_FILE_PATH="sip.ld" CONFIG_FILES="reg.cfg, b.cfg"/>'},
         ["0004132a3b4c.cfg", "000000000000.cfg", "reg.cfg", "b.cfg", "0004132a3b4c-phone.cfg",
          "0004132a3b4c-license.cfg", "0004132a3b4c-directory.xml", "000000000000-directory.xml"]),
        ("panasonic", {"ConfigCommon.cfg": ""},
         ["Config0004132A3B4C.cfg", "ConfigKX-HDV130.cfg", "ConfigCommon.cfg"]),
        ("cisco-mpp", {}, ["Cisco/CP-7841-3PCC/0004132a3b4c.cfg", "0004132a3b4c.xml"]),
    ],
)  # fmt: skip
def test_it_asks_in_the_order_of_its_make_and_a_404_means_go_on(
    vendor: str, there: dict[str, str], asked: list[str]
) -> None:
    site = Site(there)
    found = fetch(site, MAKES[vendor])
    assert [name.replace("%3Cx%3E", "<x>") for name in site.asked] == asked
    assert [one.status for one in found] == [200 if name in there else 404 for name in asked]


def test_a_file_that_names_itself_or_others_for_ever_ends() -> None:
    boot = "".join(f"include:config {n}.cfg\n" for n in range(2 * MAX_FILES))
    site = Site({f"{MAC}.boot": f"include:config {MAC}.boot\n{boot}"})
    fetch(site, MAKES["yealink"])
    assert len(site.asked) == MAX_FILES == len(set(site.asked))


def test_a_file_cannot_send_it_to_another_server() -> None:
    site = Site(
        {
            f"{MAC}.boot": "include:config http://127.0.0.1:1/x.cfg\ninclude:config http://[\ninclude:config ok.cfg\n",
            "ok.cfg": "",
        }
    )
    assert [one.status for one in fetch(site, MAKES["yealink"])] == [200, 200]
    assert site.asked == [f"{MAC}.boot", "ok.cfg"]


def test_poly_asks_for_what_its_master_names_also_when_the_master_is_the_same() -> None:
    site = Site({f"{MAC}.cfg": '<APPLICATION CONFIG_FILES="reg.cfg"/>', "reg.cfg": "<x/>"})
    assert [one.status for one in fetch(site, MAKES["poly"], times=2)][:2] == [304, 304]
    assert site.asked[:2] == [f"{MAC}.cfg", "reg.cfg"]


def test_most_makes_do_not_say_what_they_have() -> None:
    for vendor, status in (("snom", 200), ("linphone", 304)):
        name = MAKES[vendor].fill(MAKES[vendor].files[0][0], MAC)
        assert [one.status for one in fetch(Site({name: "x"}), MAKES[vendor], times=2)] == [status]


@pytest.mark.parametrize("url", ["$mac.cfg", "{mac}.cfg", "$MA.cfg"])
def test_places_in_a_url_are_filled_by_the_phone(url: str) -> None:
    site = Site({f"{MAC}.cfg": "x"})
    assert [one.status for one in fetch(site, MAKES["fanvil"], to=url)] == [200]


def test_upper_case_places_are_filled_too() -> None:
    for url in ("$MAU-$PN.cfg", "{MAC}-{model}.cfg"):
        site = Site({})
        fetch(site, MAKES["cisco-mpp"], to=url)
        assert site.asked == ["0004132A3B4C-7841.cfg"]


def test_linphone_says_that_it_provisions_and_poly_sends_its_log() -> None:
    site = Site({})
    fetch(site, MAKES["linphone"])
    assert site.requests[0][1]["X-Linphone-Provisioning"] == "1"
    sent: list[File | None] = []

    async def use() -> None:
        made = [Files(MAKES[vendor], MAC) for vendor in ("poly", "snom")]
        sent.extend([await files.put_log(site.base + "x.cfg", "booted\n") for files in made])

    at(site, use)
    assert [one.status if one else None for one in sent] == [201, None]
    assert site.asked[-1] == f"{MAC}-app.log" and site.requests[-1][2] == "booted\n"


def test_it_answers_digest_with_its_password() -> None:
    site = Site({f"{MAC}.cfg": "x"}, wants="digest")
    right, wrong = Password("phone", "s3cret"), Password("phone", "other")
    for password, status in ((right, 200), (wrong, 401), (None, 401)):
        assert fetch(site, MAKES["fanvil"], password=password)[-1].status == status


def server_tls(files: Issued, ca: Authority | None = None) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.key)
    if ca is not None:
        tls.load_verify_locations(ca.certificate)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


def test_it_gives_a_basic_password_to_an_https_server_only(server_files: Issued, trusting: ssl.SSLContext) -> None:
    for tls, status in ((server_tls(server_files), 200), (None, 401)):
        site = Site({f"{MAC}.cfg": "x"}, wants="basic", tls=tls)
        found = fetch(site, MAKES["fanvil"], password=Password("phone", "s3cret"), context=trusting)
        assert found[-1].status == status
        assert (status == 200) == any("Authorization" in headers for _, headers, _ in site.requests)


def test_it_shows_its_certificate_and_gives_nothing_to_a_server_that_it_does_not_trust(
    authority: Authority, server_files: Issued, trusting: ssl.SSLContext
) -> None:
    own = authority.issue("phone", f"DNS:{MAC}.phones.example.com")
    trusting.load_cert_chain(own.certificate, own.key)
    site = Site({f"{MAC}.cfg": "x"}, tls=server_tls(server_files, authority))
    assert fetch(site, MAKES["fanvil"], context=trusting)[-1].status == 200
    peer = site.peers[-1]
    assert isinstance(peer, dict) and peer["subjectAltName"] == (("DNS", f"{MAC}.phones.example.com"),)
    with pytest.raises(PhoneError, match="certificate verify failed"):
        fetch(site, MAKES["fanvil"])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "http://127.0.0.1:1/", "http://[/", "http://[", "tftp://127.0.0.1/", "", "/", "\0"]
)
def test_a_server_that_is_not_there_and_a_url_that_is_none_are_errors(url: str) -> None:
    async def ask() -> None:
        async for _ in Files(MAKES["snom"], MAC).run(url):
            raise AssertionError("nothing can come from there")

    with pytest.raises(PhoneError):
        asyncio.run(ask())


def test_a_make_is_data() -> None:
    assert changed(MAKES["snom"], model="D862").fill("{model}-{dashes}", MAC) == "D862-00-04-13-2A-3B-4C"
