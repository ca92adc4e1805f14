"""Which device asks, and may it? With curl as the phone: certificates, passwords, links; and what a stranger gets."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gitops_profile.digest import read_generations
from gitops_profile.http import Missed, Way
from gitops_profile.presentity import ProfileAdded, ProfileDocument, ProfileKey
from gitops_profile.transport import Certificates
from tests.transport.authority import Authority, Issued

from .device_site import DESK, LOBBY, LOOPBACK, PROXIED, UNKNOWN, DeviceSite, body, line
from .site import DOMAIN, STAMP, curl

Make = Callable[..., Awaitable[DeviceSite]]

AS_DESK = ("--user", f"{DESK}:desk")
HIDDEN = ("404", b"There is no document here.\n")


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Starts a site with these settings."""
    sites: list[DeviceSite] = []

    async def started(*, host: str = "127.0.0.1", **settings: Any) -> DeviceSite:
        sites.append(DeviceSite(**settings))
        return await sites[-1].start(host)

    yield started
    for site in sites:
        await site.listener.close()


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the certificates of phones."""
    return Authority(tmp_path_factory.mktemp("vendor"), "vendor")


@pytest.fixture
def secure(issued: Issued, vendor: Authority) -> dict[str, Any]:
    certificates = Certificates(issued.certificate, issued.key, vendor.certificate)
    return {"context": certificates.server(), "sensitive": True}


def headers(fields: dict[str, str]) -> tuple[str, ...]:
    return tuple(part for name, value in fields.items() for part in ("--header", f"{name}: {value}"))


async def raw(site: DeviceSite, path: str, *lines: str) -> bytes:
    """The whole answer, byte for byte but for the date."""
    host, _, port = site.root.split("/")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *lines, "", ""]).encode())
    answer = await reader.read()
    writer.close()
    return b"\r\n".join(one for one in answer.split(b"\r\n") if not one.startswith(b"Date:"))


# -- certificates


@pytest.mark.parametrize("common_name", [DESK, "snomD785-0004132A1122", "00:04:13:2A:11:22"])
async def test_a_phone_shows_the_certificate_of_its_factory(
    make: Make, secure: dict[str, Any], vendor: Authority, common_name: str
) -> None:
    site = await make(ways={Way.CERTIFICATE}, **secure)
    own = vendor.issue(f"phone-{common_name.replace(':', '')}", common_name=common_name)
    shown = ("--insecure", "--cert", str(own.certificate), "--key", str(own.key))
    assert await curl(site.url(DESK), *shown) == ("200", body(DESK))
    assert await curl(site.url(LOBBY), *shown) == HIDDEN
    assert await curl(site.url(DESK), "--insecure") == HIDDEN
    assert [one.proven for one in site.seen] == [True, False, False]


async def test_a_certificate_of_another_authority_does_not_get_as_far_as_a_request(
    make: Make, secure: dict[str, Any], authority: Authority
) -> None:
    site = await make(ways={Way.CERTIFICATE}, **secure)
    false = authority.issue("false", common_name=DESK)
    shown = ("--insecure", "--cert", str(false.certificate), "--key", str(false.key))
    assert await curl(site.url(DESK), *shown) == ("000", b"")
    assert site.seen == []


async def test_a_certificate_counts_only_where_it_is_a_way(
    make: Make, secure: dict[str, Any], vendor: Authority
) -> None:
    site = await make(ways={Way.LINK}, **secure)
    own = vendor.issue("counts-not", common_name=DESK)
    shown = ("--insecure", "--cert", str(own.certificate), "--key", str(own.key))
    assert await curl(site.url(DESK), *shown) == HIDDEN


# -- passwords


@pytest.mark.parametrize("way", [Way.DIGEST, Way.BASIC])
async def test_a_phone_shows_its_password(make: Make, secure: dict[str, Any], way: Way) -> None:
    site = await make(ways={way}, **secure)
    shown = ("--insecure", f"--{way}", *AS_DESK)
    assert await curl(site.url(DESK), *shown) == ("200", body(DESK))
    assert await curl(site.url(LOBBY), *shown) == HIDDEN
    assert await curl(site.url(UNKNOWN), *shown) == HIDDEN
    assert (await curl(site.url(DESK), "--insecure", f"--{way}", "--user", f"{DESK}:wrong"))[0] == "401"
    assert (await curl(site.url(DESK), "--insecure"))[0] == "401"
    assert [(one.user, one.reason) for one in site.guesses] == [(DESK, "wrong-response")]


@pytest.mark.parametrize(
    ("way", "algorithm"), [(Way.DIGEST, "MD5"), (Way.BASIC, "MD5"), (Way.BASIC, "SHA-256"), (Way.BASIC, "SHA-512-256")]
)
async def test_while_a_password_is_changed_the_old_and_the_new_one_are_both_right(
    make: Make, secure: dict[str, Any], way: Way, algorithm: str
) -> None:
    both = line(DESK, "new", algorithm) + line(DESK, "old", algorithm)
    site = await make(ways={way}, credentials=both, **secure)
    shown = ("--insecure", f"--{way}", "--user")
    got = [(await curl(site.url(DESK), *shown, f"{DESK}:{password}"))[0] for password in ("old", "new", "older")]
    assert got == ["200", "200", "401"]
    assert [one.reason for one in site.guesses] == ["wrong-response"]  # not that there is no third password
    site.stores = read_generations(line(DESK, "new", algorithm))[0]
    assert (await curl(site.url(DESK), *shown, f"{DESK}:old"))[0] == "401"


async def test_a_password_that_stands_in_two_lines_is_right(make: Make, secure: dict[str, Any]) -> None:
    """The second look at the same answer would find a replay."""
    site = await make(ways={Way.DIGEST}, credentials=line(DESK, "desk") * 2, **secure)
    assert await curl(site.url(DESK), "--insecure", "--digest", *AS_DESK) == ("200", body(DESK))


async def test_basic_is_neither_asked_for_nor_heard_without_tls(make: Make) -> None:
    site = await make(ways={Way.BASIC, Way.DIGEST})
    answer = await raw(site, f"/p/{DOMAIN}/{DESK}.xml")
    assert answer.startswith(b"HTTP/1.1 401 ") and b"Digest " in answer and b"Basic " not in answer
    right = base64.b64encode(f"{DESK}:desk".encode()).decode()
    assert (await raw(site, f"/p/{DOMAIN}/{DESK}.xml", f"Authorization: Basic {right}")).startswith(b"HTTP/1.1 401 ")
    assert await curl(site.url(DESK), "--digest", *AS_DESK) == ("200", body(DESK))


async def test_who_guesses_passwords_waits_and_everybody_else_does_not(make: Make, secure: dict[str, Any]) -> None:
    site = await make(ways={Way.BASIC}, proxies=LOOPBACK, **secure)
    wrong = ("--insecure", "--basic", "--user", f"{DESK}:wrong")
    there = headers(PROXIED)
    got = [(await curl(site.url(DESK), *wrong, *there))[0] for _ in range(6)]
    assert got == ["401"] * 4 + ["429"] * 2
    assert (await curl(site.url(DESK), "--insecure", *AS_DESK, *there))[0] == "429"
    elsewhere = headers(PROXIED | {"X-Forwarded-For": "198.51.100.8"})
    assert (await curl(site.url(DESK), "--insecure", *AS_DESK, *elsewhere))[0] == "200"


@pytest.mark.parametrize("value", ["Basic", "Basic !!!", "Basic é", "Digest", 'Digest username="', "Digest a=1, a=2"])
async def test_an_authorization_that_cannot_be_read_is_an_answer_not_a_crash(make: Make, value: str) -> None:
    site = await make(ways={Way.BASIC, Way.DIGEST}, proxies=LOOPBACK)
    secure = [f"{name}: {text}" for name, text in PROXIED.items()]
    answer = await raw(site, f"/p/{DOMAIN}/{DESK}.xml", f"Authorization: {value}", *secure)
    assert answer.split(b" ")[1] in (b"400", b"401")


# -- links


async def test_a_link_opens_its_own_document_until_it_expires(make: Make, secure: dict[str, Any]) -> None:
    site = await make(ways={Way.LINK}, **secure)
    segment = site.links.segment(DESK, site.now() + 60)
    for tilde in ("~", "%7E", "%7e"):  # the same (RFC 3986 §6.2.2.2)
        assert await curl(site.url(DESK, segment.replace("~", tilde)), "--insecure") == ("200", body(DESK))
    assert await curl(site.url(LOBBY, segment), "--insecure") == HIDDEN
    assert await curl(site.url(DESK), "--insecure") == HIDDEN
    assert await curl(site.url(DESK, segment[:-1] + "x"), "--insecure") == HIDDEN
    site.skew = 61.0
    for tilde in ("~", "%7E", "%7e"):
        assert await curl(site.url(DESK, segment.replace("~", tilde)), "--insecure") == HIDDEN


async def test_whoever_has_a_link_of_a_user_or_a_room_is_not_the_phone_that_he_says_he_is(make: Make) -> None:
    """Else the challenge of that phone's check-sync would be answered where he is."""
    site = await make(ways={Way.LINK})
    says_desk = ("--user-agent", f"Yealink SIP-T46G 28.83.0.50 {':'.join(DESK[at : at + 2] for at in range(0, 12, 2))}")
    for key in (ProfileKey.user(DOMAIN, "alice"), ProfileKey.device(DOMAIN, "lobby")):
        site.table.apply(ProfileAdded(ProfileDocument(key, "text/xml", b"<x/>", f"{key}.xml"), STAMP))
        segment = site.links.segment(str(key), site.now() + 60)
        url = f"{site.root}{segment}/{key.profile_type}/{key.name}"
        assert (await curl(url, *says_desk))[0] == (await curl(url))[0] == "200"
    assert [(one.mac, one.proven) for one in site.seen] == [(DESK, False), (None, True)] * 2


async def test_a_link_for_one_version_opens_no_other(make: Make, secure: dict[str, Any]) -> None:
    site = await make(ways={Way.LINK}, **secure)
    document = site.table.get(ProfileKey.device(DOMAIN, DESK))
    assert document is not None
    good = site.links.segment(DESK, site.now() + 60, document.etag)
    older = site.links.segment(DESK, site.now() + 60, "0" * 32)
    assert await curl(site.url(DESK, good), "--insecure") == ("200", body(DESK))
    assert await curl(site.url(DESK, older), "--insecure") == HIDDEN


async def test_a_link_opens_nothing_sensitive_over_plain_http(make: Make) -> None:
    site = await make(ways={Way.LINK}, sensitive=True)
    assert await curl(site.url(DESK, site.links.segment(DESK, site.now() + 60))) == HIDDEN


# -- strangers


@pytest.mark.parametrize("ways", [(), (Way.LINK,), (Way.DIGEST,), (Way.BASIC, Way.DIGEST), (Way.LINK, Way.DIGEST)])
async def test_nobody_and_somebody_else_are_answered_alike_byte_for_byte(make: Make, ways: tuple[Way, ...]) -> None:
    site = await make(ways=ways, sensitive=True, proxies=LOOPBACK, misses=100)
    secure = [f"{name}: {text}" for name, text in PROXIED.items()]
    if Way.BASIC in ways:
        secure.append(f"Authorization: Basic {base64.b64encode(f'{DESK}:desk'.encode()).decode()}")
    for file in ("{}.xml", "{}.cfg", "cfg{}.xml", "{}.boot", "{}-directory.xml"):
        theirs, nobodys = [
            await raw(site, f"/p/{DOMAIN}/{file.format(device)}", *secure) for device in (LOBBY, UNKNOWN)
        ]
        if b"nonce=" in theirs:
            assert len(theirs) == len(nobodys)
            theirs, nobodys = (answer.split(b"nonce=")[0] for answer in (theirs, nobodys))
        assert theirs == nobodys
        assert theirs.split(b" ")[1] == (b"401" if {Way.DIGEST} & set(ways) and Way.BASIC not in ways else b"404")


@pytest.mark.parametrize("ways", [(), (Way.LINK,)])
async def test_nobody_and_somebody_else_are_counted_alike(make: Make, ways: tuple[Way, ...]) -> None:
    """Else a ban would tell who is there."""
    site = await make(ways=ways, sensitive=True, misses=1)
    assert (await curl(site.url(LOBBY)), await curl(site.url(DESK))) == (HIDDEN, HIDDEN)
    assert (await curl(site.url(DESK)))[0] == "429"
    assert [one.reason for one in site.missed] == ["forbidden", "forbidden"]


async def test_who_asks_for_too_many_devices_is_banned_but_for_what_he_proves(
    make: Make, secure: dict[str, Any]
) -> None:
    site = await make(ways={Way.LINK}, misses=3, **secure)
    macs = [f"0004132a99{number:02x}" for number in range(4)]
    assert [await curl(site.url(mac), "--insecure") for mac in macs] == [HIDDEN] * 4
    status, _ = await curl(site.url(macs[0]), "--insecure")
    assert status == "429"
    assert site.missed == [Missed("127.0.0.1", mac, "unknown", mac == macs[3]) for mac in macs]
    own = site.links.segment(DESK, site.now() + 60)
    assert await curl(site.url(DESK, own), "--insecure") == ("200", body(DESK))
    site.skew = 3601.0
    assert await curl(site.url(macs[0]), "--insecure") == HIDDEN


async def test_a_phone_that_looks_for_more_files_than_it_has_is_no_stranger(make: Make) -> None:
    site = await make(misses=1)
    for device in (DESK, LOBBY):
        for file in (f"{device}.boot", f"{device}-directory.xml", "y000000000000.boot", f"{device}.xml"):
            await curl(site.root + file)
    assert [one.status for one in site.seen] == [404, 404, 404, 200] * 2
    assert site.missed == []


async def test_a_phone_that_nobody_provisioned_yet_is_one_line_however_often_it_asks(make: Make) -> None:
    site = await make(misses=1)
    got = [(await curl(site.url(UNKNOWN)))[0] for _ in range(10)]
    assert got == ["404"] * 10
    assert site.missed == [Missed("127.0.0.1", UNKNOWN, "unknown", False)]


@pytest.mark.parametrize("ways", [(), (Way.LINK,), (Way.DIGEST,)])
async def test_a_decoy_raises_the_alarm_once_and_bans(make: Make, ways: tuple[Way, ...]) -> None:
    site = await make(ways=ways, decoys={UNKNOWN}, misses=100)
    stranger = await raw(site, f"/p/{DOMAIN}/0004132affff.xml")
    first = await raw(site, f"/p/{DOMAIN}/{UNKNOWN}.xml")
    assert first.split(b"nonce=")[0] == stranger.split(b"nonce=")[0]  # it cannot tell what it touched
    later = [await raw(site, f"/p/{DOMAIN}/{device}.xml") for device in (UNKNOWN, DESK, UNKNOWN)]
    assert all(answer.startswith(b"HTTP/1.1 429 ") and b"Retry-After: 3600" in answer for answer in later)
    assert site.missed[-1] == Missed("127.0.0.1", UNKNOWN, "decoy", True)
    assert [one.reason for one in site.missed].count("decoy") == 1


async def test_a_decoy_that_has_a_document_has_none_for_anybody(make: Make) -> None:
    site = await make(ways={Way.LINK}, decoys={DESK}, open_to={"127.0.0.1"})
    assert await curl(site.url(DESK, site.links.segment(DESK, site.now() + 60))) == HIDDEN
    assert [one.reason for one in site.missed] == ["decoy"]


async def test_an_upload_for_a_decoy_raises_the_alarm_too(make: Make) -> None:
    site = await make(decoys={UNKNOWN})
    assert (await curl(f"{site.root}{UNKNOWN}-app.log", "--upload-file", __file__))[0] == "404"
    assert [one.reason for one in site.missed] == ["decoy"]


# -- where they come from


async def test_behind_a_proxy_the_client_is_banned_and_not_the_proxy(make: Make) -> None:
    site = await make(proxies=LOOPBACK, misses=1)
    there = headers({"X-Forwarded-For": "203.0.113.9, 198.51.100.7"})
    got = [(await curl(site.url(f"0004132a99{number:02x}"), *there))[0] for number in range(3)]
    assert got == ["404", "404", "429"]
    assert {one.source for one in site.missed} == {"198.51.100.7"}
    spoofed = headers({"X-Forwarded-For": "198.51.100.250, 198.51.100.7"})
    assert (await curl(site.url(DESK), *spoofed))[0] == "429"
    assert (await curl(site.url(DESK), *headers({"X-Forwarded-For": "198.51.100.8"})))[0] == "200"


async def test_a_proxy_that_names_nobody_is_never_banned_and_in_no_network_of_new_phones(make: Make) -> None:
    site = await make(proxies=LOOPBACK, misses=1, decoys={UNKNOWN}, open_to={"127.0.0.1"}, sensitive=True)
    for device in (UNKNOWN, *(f"0004132a99{number:02x}" for number in range(5))):
        assert await curl(site.url(device)) == HIDDEN
    assert {one.banned for one in site.missed} == {False}
    assert await curl(site.url(DESK)) == HIDDEN


async def test_who_is_no_proxy_of_ours_says_nothing_about_himself(make: Make) -> None:
    site = await make(ways={Way.LINK}, sensitive=True, misses=1)
    own = site.links.segment(DESK, site.now() + 60)
    assert await curl(site.url(DESK, own), *headers(PROXIED)) == HIDDEN  # it is not https for his saying so
    for number in range(3):
        await curl(site.url(f"0004132a99{number:02x}"), *headers({"X-Forwarded-For": f"198.51.100.{number}"}))
    assert {one.source for one in site.missed} == {"127.0.0.1"}


async def test_an_ipv6_client_is_counted_by_the_network_that_it_has_whole(make: Make) -> None:
    site = await make(proxies=LOOPBACK, misses=3)
    got = []
    for number in range(5):
        there = headers({"X-Forwarded-For": f"2001:db8::{number + 1:x}"})
        got.append((await curl(site.url(f"0004132a99{number:02x}"), *there))[0])
    assert got == ["404"] * 4 + ["429"]
    assert (await curl(site.url(DESK), *headers({"X-Forwarded-For": "2001:db8:0:1::1"})))[0] == "200"
    assert site.missed[0].source == "2001:db8::1"  # the line names who it was


async def test_new_phones_need_to_show_nothing_for_a_while(make: Make) -> None:
    open_to = {"127.0.0.1"}
    site = await make(ways={Way.DIGEST}, sensitive=True, open_to=open_to)
    assert await curl(site.url(DESK)) == ("200", body(DESK))
    open_to.clear()
    assert (await curl(site.url(DESK)))[0] == "401"


# -- what is for all phones, and what only looks like it


@pytest.mark.parametrize("name", [f"{DESK}.cfg.xml", f"{DESK.upper()}.boot.cfg", f"{DESK}-phone.xml"])
async def test_the_document_of_another_phone_is_not_given_by_a_name_that_looks_like_a_models(
    make: Make, name: str
) -> None:
    site = await make(ways={Way.DIGEST})
    directory = ProfileKey.device(DOMAIN, f"{DESK}-phone")
    site.table.apply(ProfileAdded(ProfileDocument(directory, "text/xml", b"<own/>", "d.xml"), STAMP))
    assert await curl(f"{site.root}{name}", "--digest", "--user", f"{LOBBY}:lobby") == HIDDEN
    assert [one.device for one in site.missed] == [DESK]


async def test_a_named_document_that_is_one_phones_own_is_given_to_that_phone_alone(make: Make) -> None:
    site = await make(ways={Way.DIGEST}, credentials=line(UNKNOWN, "own") + line(LOBBY, "lobby"))
    desk = ProfileDocument(
        ProfileKey.device(DOMAIN, "reception1"), "text/xml", b"<reception/>", "r.xml",
        aliases=(ProfileKey.device(DOMAIN, UNKNOWN),),
    )  # fmt: skip
    device = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    other = ProfileDocument(ProfileKey.device(DOMAIN, device), "text/xml", b"<uuid/>", "u.xml")
    for one in (desk, other):
        site.table.apply(ProfileAdded(one, STAMP))
    as_lobby = ("--digest", "--user", f"{LOBBY}:lobby")
    assert await curl(f"{site.root}reception1.xml", *as_lobby) == HIDDEN
    assert await curl(f"{site.root}{device}.xml", *as_lobby) == HIDDEN
    assert await curl(f"{site.root}reception1.xml", "--digest", "--user", f"{UNKNOWN}:own") == ("200", b"<reception/>")


@pytest.mark.parametrize("agent", ["curl/8", f"Panasonic_KX-HDV130/01.133 ({LOBBY.upper()})"])
async def test_a_file_for_all_phones_was_fetched_by_the_phone_that_showed_itself(make: Make, agent: str) -> None:
    site = await make(ways={Way.DIGEST})
    common = ProfileDocument(ProfileKey.device(DOMAIN, "y000000000096"), "text/plain", b"a = 1", "y.cfg")
    site.table.apply(ProfileAdded(common, STAMP))
    asked = ("--digest", *AS_DESK, "--user-agent", agent)
    assert await curl(f"{site.root}y000000000096.cfg", *asked) == ("200", b"a = 1")
    seen = site.seen[-1]
    assert (seen.mac, seen.status, seen.proven) == (DESK, 200, True), "else its check-sync's challenge is not answered"


async def test_who_was_given_nothing_is_seen_with_no_profile(make: Make) -> None:
    site = await make(ways={Way.LINK})
    alice = ProfileKey.user(DOMAIN, "alice")
    site.table.apply(ProfileAdded(ProfileDocument(alice, "text/xml", b"<a/>", "a.xml"), STAMP))
    assert await curl(site.url(DESK)) == HIDDEN
    assert await curl(f"{site.root}user/alice") == HIDDEN
    assert [one.key for one in site.seen] == [None, None], "else wait waits for whoever guessed"
