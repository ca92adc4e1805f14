"""Every family where the domain wants a digest: challenged, let in, and let in again at each refresh."""

import itertools
import re
from collections.abc import Callable, Mapping

import pytest

from gitops_profile.access import AccessRule, DomainPolicy, Gate
from gitops_profile.digest import RUN_BYTES, DigestAuthenticator, Throttle
from gitops_profile.sip.syntax import Response
from tests.access.test_gate import challenges_of, credentials, digest_of
from tests.sip.harness import statuses

from .handset import Handset, Household
from .traffic_index import BY_NAME, SUBSCRIBERS, Row

REALM = "example.com"
PASSWORD = "wonderland"


def gated() -> Household:
    """Alice has her own profile, and the phones of the house."""
    tokens = itertools.count()
    rules = (AccessRule("alice@*", ("device/example.com/*",)),)
    stored = {"MD5": digest_of("MD5", f"alice:{REALM}:{PASSWORD}")}
    return Household(
        access=Gate(
            {REALM: DomainPolicy(True, REALM, ("MD5",), rules)},
            DigestAuthenticator(b"s" * 32, run=b"r" * RUN_BYTES),
            Throttle(failures=3),
            lambda domain: lambda user, realm: stored if user == "alice" else {},
            lambda: f"c{next(tokens)}",
        )
    )


def with_credentials(data: bytes, challenge: Mapping[str, str], nc: int = 1) -> bytes:
    """The message with the answer to a challenge, over its own Request-URI."""
    uri = data.split()[1].decode()
    value = credentials(challenge, "alice", PASSWORD, uri, nc=nc)
    return re.sub(rb"(?im)^(cseq[ \t]*:.*?(\r?\n))", rb"\1Authorization: " + value.encode() + rb"\2", data, count=1)


def challenged(phone: Handset, data: bytes) -> dict[str, str]:
    """The challenge that a SUBSCRIBE without credentials gets."""
    [answer] = phone.send(data)
    assert isinstance(answer, Response) and answer.status == 401
    [challenge] = challenges_of(answer)
    return challenge


@pytest.mark.parametrize("row", SUBSCRIBERS, ids=[row.name for row in SUBSCRIBERS])
def test_a_family_is_challenged_once_and_then_counts_its_nonce_up(row: Row) -> None:
    """The second SUBSCRIBE has the Call-ID and From tag of the first, another CSeq and no To tag: not merged."""
    phone = Handset(gated(), row)
    challenge = challenged(phone, phone.first)
    plain = phone.again(to_tag=False)
    assert statuses(phone.send(with_credentials(plain, challenge))) == [200, "NOTIFY"]
    for count in range(2, 5):
        assert statuses(phone.send(with_credentials(phone.again(), challenge, count))) == [200, "NOTIFY"]
    assert statuses(phone.send(with_credentials(phone.again(expires=0), challenge, 5))) == [200, "NOTIFY"]
    assert phone.held == 0


@pytest.mark.parametrize("row", SUBSCRIBERS, ids=[row.name for row in SUBSCRIBERS])
def test_a_family_that_never_sends_credentials_unasked_is_challenged_each_time(row: Row) -> None:
    phone = Handset(gated(), row)
    challenge = challenged(phone, phone.first)
    phone.send(with_credentials(phone.again(to_tag=False), challenge))
    for _ in range(3):
        challenge = challenged(phone, phone.again())
        assert phone.held == 1
        assert statuses(phone.send(with_credentials(phone.again(), challenge))) == [200, "NOTIFY"]


HABITS: dict[str, Callable[[str], str]] = {
    "nc in quotes": lambda value: re.sub(r"nc=(\w+)", r'nc="\1"', value),
    "qop in quotes": lambda value: value.replace("qop=auth", 'qop="auth"'),
    "algorithm in quotes": lambda value: value.replace("algorithm=MD5", 'algorithm="MD5"'),
    "algorithm in lower case": lambda value: value.replace("algorithm=MD5", "algorithm=md5"),
    "no algorithm": lambda value: value.replace("algorithm=MD5, ", ""),
    "no blanks": lambda value: value.replace(", ", ","),
    "response in capitals": lambda value: re.sub(
        r'response="(\w+)"', lambda m: f'response="{m[1].upper()}"', value
    ),
    "an empty opaque": lambda value: value + ', opaque=""',
    "names in capitals": lambda value: re.sub(r"\b(username|realm|nonce|uri)=", lambda m: m[0].upper(), value),
}  # fmt: skip


@pytest.mark.parametrize("habit", HABITS)
def test_every_writing_of_the_answer_is_understood(habit: str) -> None:
    phone = Handset(gated(), BY_NAME["yealink-user"])
    challenge = challenged(phone, phone.first)
    data = with_credentials(phone.again(to_tag=False), challenge).decode()
    value = re.search(r"Authorization: (.*)\r", data)
    assert value
    assert statuses(phone.send(data.replace(value[1], HABITS[habit](value[1])).encode())) == [200, "NOTIFY"]


def test_a_count_that_never_moves_is_challenged_with_another_nonce_and_let_in() -> None:
    """Phones that say nc=00000001 with every request: a replay in form, so they are asked anew, and not locked out."""
    phone = Handset(gated(), BY_NAME["snom-user"])
    challenge = challenged(phone, phone.first)
    phone.send(with_credentials(phone.again(to_tag=False), challenge))
    for _ in range(10):
        challenge = challenged(phone, with_credentials(phone.again(), challenge))
        assert statuses(phone.send(with_credentials(phone.again(), challenge))) == [200, "NOTIFY"]


def test_a_storm_of_one_answer_to_the_challenge_is_one_subscription() -> None:
    phone = Handset(gated(), BY_NAME["snom-user"])
    challenge = challenged(phone, phone.first)
    data = with_credentials(phone.again(to_tag=False), challenge)
    first = phone.lab.receive(data, phone.flow)
    assert [phone.lab.receive(data, phone.flow) for _ in range(10)] == [first[:1]] * 10
    assert statuses(phone.take(first)) == [200, "NOTIFY"] and phone.held == 1


WITH_BRANCH = [row for row in SUBSCRIBERS if b"branch=z9hG4bK" in row.data]


@pytest.mark.parametrize("row", WITH_BRANCH, ids=[row.name for row in WITH_BRANCH])
def test_an_answer_to_the_challenge_that_does_not_count_its_cseq_up(row: Row) -> None:
    """RFC 3261 §22.2 wants the next CSeq. The 401 made nothing, so this can be no merged request (§8.2.2.2)."""
    phone = Handset(gated(), row)
    challenge = challenged(phone, phone.first)
    assert statuses(phone.send(with_credentials(phone.again(0, to_tag=False), challenge))) == [200, "NOTIFY"]
