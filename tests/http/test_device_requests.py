"""Whatever a client sends to the gate: a device that showed itself, nothing, or a refusal; never anything else."""

import base64
import random

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_profile.digest import Challenge, a1, answer
from gitops_profile.http import FetchRefused, Proof, Way, certificate_device

from .device_site import DESK, LOOPBACK, DeviceSite

QUICK = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
PATH = f"/p/example.com/{DESK}.xml"
HEADER = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=200)


def request(*fields: tuple[str, str]) -> web.Request:
    made = make_mocked_request("GET", PATH, headers=fields)
    made._transport_peername = ("127.0.0.1", 40000)
    return made


def outcome(site: DeviceSite, asked: web.Request) -> Proof | int | None:
    try:
        return site.gate.prove(asked, site.gate.client(asked), None, DESK)
    except FetchRefused as refused:
        assert all("\r" not in value and "\n" not in value for _, value in refused.headers)
        return refused.status


@pytest.fixture(scope="module")
def site() -> DeviceSite:
    return DeviceSite(ways=set(Way), proxies=LOOPBACK, guesses_allowed=1_000_000_000, misses=1000)


@QUICK
@given(HEADER, st.sampled_from(["", "Basic ", "basic  ", "Digest ", "digest ", "Bearer ", "Digest username="]))
def test_no_authorization_breaks_anything_or_opens_anything(site: DeviceSite, value: str, scheme: str) -> None:
    https = ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "198.51.100.7")
    assert outcome(site, request(("Authorization", scheme + value), *https)) in (400, 401)


@QUICK
@given(st.binary(max_size=80))
def test_no_bytes_in_basic_break_anything(site: DeviceSite, credentials: bytes) -> None:
    https = ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "198.51.100.7")
    value = f"Basic {base64.b64encode(credentials).decode()}"
    assert outcome(site, request(("Authorization", value), *https)) == 401


@QUICK
@given(HEADER, HEADER)
def test_no_forwarded_header_breaks_anything(site: DeviceSite, whom: str, how: str) -> None:
    assert outcome(site, request(("X-Forwarded-For", whom), ("X-Forwarded-Proto", how))) in (401, 429)


@QUICK
@given(st.randoms(use_true_random=False))
def test_no_right_answer_with_one_character_changed_is_right(site: DeviceSite, chance: random.Random) -> None:
    asked = request()
    with pytest.raises(FetchRefused) as caught:
        site.gate.prove(asked, site.gate.client(asked), None, DESK)
    challenge = next(value for name, value in caught.value.headers if value.startswith("Digest "))
    right = right_answer(challenge)
    at = chance.randrange(right.index("response=") + 10, right.index("response=") + 42)
    wrong = right[:at] + ("0" if right[at] != "0" else "1") + right[at + 1 :]
    assert outcome(site, request(("Authorization", wrong))) == 401
    assert outcome(site, request(("Authorization", right))) == Proof(DESK, Way.DIGEST)
    assert outcome(site, request(("Authorization", right))) == 401  # it is good once


def right_answer(challenge: str) -> str:
    read = Challenge.parse(challenge)
    assert read is not None
    found = answer(
        [read], username=DESK, lookup=lambda user, realm: {"MD5": a1("MD5", user, realm, "desk")}, method="GET",
        uri=PATH, nc=1, cnonce="c",
    )  # fmt: skip
    return str(found)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(["commonName", "serialNumber", "O"]), st.text(max_size=40)), max_size=4))
def test_no_name_in_a_certificate_breaks_anything(names: list[tuple[str, str]]) -> None:
    found = certificate_device({"subject": tuple((name,) for name in names)})
    assert found is None or (len(found) == 12 and set(found) <= set("0123456789abcdef"))
