"""Signatures: the vendors' published examples, a signer that is not ours, and everything that must not pass."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from standardwebhooks import Webhook as StandardWebhook

from gitops_profile.forge import Refused, begin_check, read_secrets

# GitHub's documentation, "Testing the webhook payload validation".
GITHUB_SECRET, GITHUB_BODY = "It's a Secret to Everybody", b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
SIGNING_TOKEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_614_265_330
LONG = b"x" * 100_000


def verify(headers: dict[str, str], body: bytes, secrets: str, now: float = NOW, step: int = 7) -> str:
    """The provider; raises Refused."""
    check = begin_check(CIMultiDict(headers), read_secrets(secrets), now)
    for at in range(0, len(body), step):
        check.update(body[at : at + step])
    check.finish()
    return check.provider


def identity(headers: dict[str, str], body: bytes, secrets: str) -> str:
    check = begin_check(CIMultiDict(headers), read_secrets(secrets), NOW)
    check.update(body)
    return check.finish()


def standard(body: bytes, *, secret: str = SIGNING_TOKEN, id_: str = "msg_1", at: int = NOW) -> dict[str, str]:
    signature = StandardWebhook(secret).sign(id_, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": signature}


def test_githubs_published_example() -> None:
    assert verify({"X-Hub-Signature-256": GITHUB_SIGNATURE}, GITHUB_BODY, GITHUB_SECRET) == "github"


def test_the_published_example_of_standard_webhooks() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert verify(headers, b'{"test": 2432232314}', SIGNING_TOKEN) == "generic"


@pytest.mark.parametrize("name", ["X-Gitea-Signature", "X-Forgejo-Signature"])
def test_gitea_signs_in_bare_hex(name: str) -> None:
    digits = GITHUB_SIGNATURE.removeprefix("sha256=")
    assert verify({name: digits}, GITHUB_BODY, GITHUB_SECRET) == "gitea"
    assert verify({name: digits.upper()}, GITHUB_BODY, GITHUB_SECRET) == "gitea"


def test_gitea_may_sign_as_github_does() -> None:
    headers = {"X-Gitea-Event": "push", "X-Hub-Signature-256": GITHUB_SIGNATURE}
    assert verify(headers, GITHUB_BODY, GITHUB_SECRET) == "gitea"


def test_gitlabs_token_is_the_secret_itself() -> None:
    assert verify({"X-Gitlab-Token": GITHUB_SECRET}, b"{}", GITHUB_SECRET) == "gitlab"
    with pytest.raises(Refused, match="wrong-signature"):
        verify({"X-Gitlab-Token": GITHUB_SECRET[:-1]}, b"{}", GITHUB_SECRET)


def test_gitlabs_signing_token_is_standard_webhooks() -> None:
    assert verify(standard(b"{}") | {"X-Gitlab-Event": "Push Hook"}, b"{}", SIGNING_TOKEN) == "gitlab"


@given(st.binary(max_size=200), st.binary(min_size=24, max_size=64))
def test_what_the_library_of_standard_webhooks_signs_is_accepted(body: bytes, key: bytes) -> None:
    text = base64.b64encode(body)  # its signer wants text
    secret = f"whsec_{base64.b64encode(key).decode()}"
    assert verify(standard(text, secret=secret), text, secret) == "generic"


def test_a_secret_without_prefix_is_the_key_itself() -> None:
    mac = hmac.new(GITHUB_SECRET.encode(), b"id.%d.{}" % NOW, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    headers = {"webhook-id": "id", "webhook-timestamp": str(NOW), "webhook-signature": signature}
    assert verify(headers, b"{}", GITHUB_SECRET) == "generic"


def test_while_a_secret_is_rotated_both_are_good() -> None:
    secrets = f"the new secret, long enough\n\n  {GITHUB_SECRET}  \n{SIGNING_TOKEN}\n"
    assert verify({"X-Hub-Signature-256": GITHUB_SIGNATURE}, GITHUB_BODY, secrets) == "github"
    two = standard(b"{}")
    two["webhook-signature"] = f"v1,{base64.b64encode(bytes(32)).decode()} v1a,xyz {two['webhook-signature']}"
    assert verify(two, b"{}", secrets) == "generic"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_time_that_is_five_minutes_off_is_refused(seconds: int) -> None:
    assert verify(standard(b"{}", at=NOW - seconds + (1 if seconds > 0 else -1)), b"{}", SIGNING_TOKEN) == "generic"
    with pytest.raises(Refused, match="old-timestamp|future-timestamp"):
        verify(standard(b"{}", at=NOW + seconds), b"{}", SIGNING_TOKEN)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature": "sha1=3e9f8f5f8d8a1d7f1b1d"},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": GITHUB_SIGNATURE[:-1]},
        {"X-Hub-Signature-256": GITHUB_SIGNATURE + "00"},
        {"X-Hub-Signature-256": GITHUB_SIGNATURE.replace("sha256", "sha1")},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha256=" + "é" * 64},
        {"X-Gitea-Signature": "0" * 64},
        {"X-Gitlab-Token": "é"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-id": "a b", "webhook-timestamp": str(NOW), "webhook-signature": "v1,AAAA"},
        {"webhook-id": "a", "webhook-timestamp": "-1", "webhook-signature": "v1,AAAA"},
        {"webhook-id": "a", "webhook-timestamp": "9" * 400, "webhook-signature": "v1,AAAA"},
        {"webhook-id": "a", "webhook-timestamp": str(NOW), "webhook-signature": "v1,*"},
        {"webhook-id": "a", "webhook-timestamp": str(NOW), "webhook-signature": "v2,AAAA"},
        {"webhook-id": "a", "webhook-timestamp": str(NOW), "webhook-signature": ""},
    ],
)
def test_what_shows_nothing_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused):
        verify(headers, GITHUB_BODY, GITHUB_SECRET)


@pytest.mark.parametrize("body", [b"Hello, World", b"Hello, World!\n", b""])
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="wrong-signature"):
        verify({"X-Hub-Signature-256": GITHUB_SIGNATURE}, body, GITHUB_SECRET)


def test_id_and_time_of_standard_webhooks_are_signed() -> None:
    for change in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(NOW + 1)}):
        with pytest.raises(Refused, match="wrong-signature"):
            verify(standard(b"{}") | change, b"{}", SIGNING_TOKEN)


def test_a_weaker_scheme_does_not_rescue_a_stronger_one() -> None:
    wrong = standard(b"other") | {"X-Gitlab-Token": SIGNING_TOKEN, "X-Gitlab-Event": "Push Hook"}
    with pytest.raises(Refused, match="wrong-signature"):
        verify(wrong, b"{}", SIGNING_TOKEN)
    with pytest.raises(Refused, match="wrong-signature"):
        verify({"X-Gitea-Signature": "0" * 64, "X-Hub-Signature-256": GITHUB_SIGNATURE}, GITHUB_BODY, GITHUB_SECRET)


def test_two_signatures_in_two_headers_are_refused() -> None:
    twice = CIMultiDict([("X-Hub-Signature-256", GITHUB_SIGNATURE), ("X-Hub-Signature-256", "sha256=" + "0" * 64)])
    with pytest.raises(Refused, match="malformed"):
        begin_check(twice, read_secrets(GITHUB_SECRET), NOW)


def test_without_secrets_nothing_is_accepted() -> None:
    for headers in ({"X-Hub-Signature-256": GITHUB_SIGNATURE}, {"X-Gitlab-Token": ""}, standard(b"")):
        with pytest.raises(Refused):
            verify(headers, b"", "")


def test_a_replay_is_known_by_what_is_signed() -> None:
    signed = {"X-Hub-Signature-256": GITHUB_SIGNATURE, "X-GitHub-Delivery": "1"}
    again = signed | {"X-GitHub-Delivery": "2", "X-GitHub-Event": "other"}
    assert identity(signed, GITHUB_BODY, GITHUB_SECRET) == identity(again, GITHUB_BODY, GITHUB_SECRET)
    first, second = standard(b"{}", id_="a"), standard(b"{}", id_="b")
    assert identity(first, b"{}", SIGNING_TOKEN) != identity(second, b"{}", SIGNING_TOKEN)
    # A retry is signed anew, at another time.
    assert identity(first, b"{}", SIGNING_TOKEN) == identity(standard(b"{}", id_="a", at=NOW + 9), b"{}", SIGNING_TOKEN)
    token = {"X-Gitlab-Token": GITHUB_SECRET, "Idempotency-Key": "k"}
    assert identity(token, b"1", GITHUB_SECRET) == identity(token, b"2", GITHUB_SECRET)


def test_secrets_that_are_none_are_named_by_line_and_never_quoted() -> None:
    secrets = read_secrets("short\nwhsec_***not base64***\nlong enough to be a secret\nwhsec_YWJj\n")
    assert secrets.texts == (b"long enough to be a secret",)
    assert [problem.split(":")[0] for problem in secrets.problems] == ["line 1", "line 2", "line 4"]
    assert "short\n" not in str(secrets.problems) and "***" not in str(secrets.problems)
    assert "enough" not in repr(secrets)
    many = read_secrets("\n".join(f"secret number {n:04}" for n in range(20)))
    assert len(many.texts) == 8 and "more than 8" in many.problems[0]
