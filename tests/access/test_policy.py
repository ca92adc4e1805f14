"""Who may have what (RFC 6080 §9)."""

import pytest

from gitops_profile.access import AccessRule, DomainPolicy
from gitops_profile.presentity import ProfileKey

DOMAIN = "example.com"
ALICE = ProfileKey.user(DOMAIN, "alice")
BOB = ProfileKey.user(DOMAIN, "bob")
PHONE = ProfileKey.device(DOMAIN, "0004f2a1b2c3")
SOFTPHONE = ProfileKey.device(DOMAIN, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
OFFICE = ProfileKey.local_network(DOMAIN)
FOREIGN = ProfileKey.user("example.net", "alice")

DIGEST = DomainPolicy(digest=True, realm=DOMAIN)
OPEN = DomainPolicy(digest=False, realm=DOMAIN)

CASES = [
    # who, what, with digest, without
    ("alice@example.com", ALICE, True, True),
    ("alice@example.com", BOB, False, False),
    ("Alice@example.com", ALICE, False, False),  # RFC 3261 §19.1.4: a user part is case-sensitive
    ("alice@example.net", ALICE, False, False),
    ("alice@example.com", FOREIGN, False, False),
    ("alice@sub.example.com", ALICE, False, False),
    ("alice", ALICE, False, False),
    ("", ALICE, False, False),
    ("alice@example.com", OFFICE, True, True),
    ("alice@example.net", OFFICE, False, False),
    ("alice@example.com", PHONE, False, True),
    ("0004f2a1b2c3@example.com", PHONE, True, True),
    ("00:04:F2:A1:B2:C3@example.com", PHONE, True, True),
    ("MAC:0004F2A1B2C3@example.com", PHONE, True, True),
    ("urn:uuid:00000000-0000-1000-8000-0004F2A1B2C3@example.com", PHONE, True, True),
    ("0004f2a1b2c4@example.com", PHONE, False, True),
    ("URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6@example.com", SOFTPHONE, True, True),
    ("0004f2a1b2c3@example.com", ProfileKey.user(DOMAIN, "0004F2A1B2C3"), False, False),
    ("@example.com", PHONE, False, True),
    ("a\x00@example.com", PHONE, False, True),
]


@pytest.mark.parametrize(("who", "what", "digest", "opened"), CASES)
def test_the_own_profile_the_own_device_and_the_own_network(
    who: str, what: ProfileKey, digest: bool, opened: bool
) -> None:
    """Checklist rows 41, 55: RFC 6080 §5.1.1, §9: and nobody else's."""
    assert (DIGEST.permits(who, what), OPEN.permits(who, what)) == (digest, opened)


@pytest.mark.parametrize("what", [ALICE, PHONE, OFFICE])
def test_who_does_not_say_who_he_is_gets_all_where_nobody_has_to_and_nothing_elsewhere(what: ProfileKey) -> None:
    assert OPEN.permits(None, what) and not DIGEST.permits(None, what)


RULES = (
    AccessRule("helpdesk@example.com", ("user/example.com/*", "device/example.com/*")),
    AccessRule("*@example.com", ("device/example.com/lobby",)),
    AccessRule("bo?@partner.example", ("local-network/example.com",)),
)


@pytest.mark.parametrize(
    ("who", "what", "allowed"),
    [
        ("helpdesk@example.com", ALICE, True),
        ("helpdesk@example.com", PHONE, True),
        ("Helpdesk@example.com", ALICE, False),
        ("helpdesk@example.net", ALICE, False),
        ("helpdesk@example.com", FOREIGN, False),
        ("alice@example.com", ProfileKey.device(DOMAIN, "lobby"), True),
        ("alice@example.com", ProfileKey.device(DOMAIN, "lobby2"), False),
        ("bob@partner.example", OFFICE, True),
        ("boob@partner.example", OFFICE, False),
        ("bob@partner.example", ALICE, False),
    ],
)
def test_a_rule_is_an_exception_for_whom_it_names(who: str, what: ProfileKey, allowed: bool) -> None:
    policy = DomainPolicy(digest=True, realm=DOMAIN, rules=RULES)
    assert policy.permits(who, what) is allowed
    assert policy.permits(None, what) is False
