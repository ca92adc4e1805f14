"""The computations against the examples of RFC 7616 §3.9 and of RFC 2617 §3.5, and what is offered to whom."""

import subprocess
from typing import Any

import pytest

from gitops_profile.digest import ALGORITHMS, a1, offer
from gitops_profile.digest.algorithms import compute_response, read_algorithm
from tests.system.lab import need

MUFASA = {"user": "Mufasa", "realm": "http-auth@example.org", "password": "Circle of Life"}
RFC_7616: dict[str, Any] = {
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    found = compute_response(
        algorithm, a1(algorithm, **MUFASA), session=False, method="GET", uri="/dir/index.html", **RFC_7616
    )
    assert found == response


def test_the_example_of_rfc_7616_section_3_9_2_as_erratum_4897_corrects_it() -> None:
    """The RFC's own figures were made with SHA-512 cut short; SHA-512/256 has other starting values."""
    found = compute_response(
        "SHA-512-256",
        a1("SHA-512-256", "Jäsøn Doe", "api@example.org", "Secret, or not?"),
        session=False,
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        nc="00000001",
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        qop="auth",
        method="GET",
        uri="/doe.json",
    )
    assert found == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_the_example_of_rfc_2617_section_3_5() -> None:
    found = compute_response(
        "MD5",
        a1("MD5", "Mufasa", "testrealm@host.com", "Circle Of Life"),
        session=False,
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        nc="00000001",
        cnonce="0a4f113b",
        qop="auth",
        method="GET",
        uri="/dir/index.html",
    )
    assert found == "6629fae49393a05397450978507c4ef1"


@pytest.mark.peer
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_computes_the_same_a1(algorithm: str) -> None:
    flag = {"MD5": "-md5", "SHA-256": "-sha256", "SHA-512-256": "-sha512-256"}[algorithm]
    done = subprocess.run(
        [need("openssl"), "dgst", flag, "-r"], input="zoë:example.com:gehëim".encode(), capture_output=True, check=True
    )
    assert a1(algorithm, "zoë", "example.com", "gehëim") == done.stdout.split()[0].decode()


def test_the_body_counts_in_auth_int_even_when_it_is_empty() -> None:
    """RFC 8760 §2.6: the hash of an empty body is the hash of nothing, not nothing."""
    options = RFC_7616 | {"qop": "auth-int"}
    responses = {
        compute_response("MD5", "0" * 32, session=False, method="GET", uri="/", body=body, **options)
        for body in (b"", b"x")
    }
    plain = compute_response("MD5", "0" * 32, session=False, method="GET", uri="/", **options | {"qop": "auth"})
    assert len(responses | {plain}) == 3


@pytest.mark.parametrize(
    ("name", "means"),
    [
        (None, ("MD5", False)),
        ("md5", ("MD5", False)),
        ("MD5-sess", ("MD5", True)),
        ("SHA-256-SESS", ("SHA-256", True)),
        ("SHA-512-256", ("SHA-512-256", False)),
        ("SHA-512", None),
        ("", None),
    ],
)
def test_algorithms_are_known_by_name(name: str | None, means: tuple[str, bool] | None) -> None:
    assert read_algorithm(name) == means


@pytest.mark.parametrize(
    ("configured", "user_has", "offered"),
    [
        (("MD5",), set(), ("MD5",)),
        (("MD5",), {"MD5"}, ("MD5",)),
        (("MD5",), {"MD5", "SHA-256"}, ("MD5",)),
        (("MD5",), {"SHA-256"}, ("SHA-256",)),
        (("MD5",), {"SHA-512-256", "SHA-256"}, ("SHA-256",)),
        (("SHA-256",), {"MD5"}, ("MD5",)),
        (("MD5-sess",), {"MD5"}, ("MD5-sess",)),
        (("SHA-256", "MD5"), set(), ("SHA-256", "MD5")),
        (("SHA-256", "MD5"), {"SHA-512-256"}, ("SHA-256", "MD5")),
    ],
)
def test_two_algorithms_are_offered_only_when_two_are_configured(
    configured: tuple[str, ...], user_has: set[str], offered: tuple[str, ...]
) -> None:
    assert offer(configured, user_has) == offered
