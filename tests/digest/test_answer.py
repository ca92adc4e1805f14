"""The client's side."""

from gitops_profile.digest import Challenge, Credentials, a1, answer

REALM = "phone.example.com"


def lookup(user: str, realm: str) -> dict[str, str]:
    """alice has a password with two algorithms, in one realm."""
    return (
        {name: a1(name, user, realm, "pw") for name in ("MD5", "SHA-256")} if (user, realm) == ("alice", REALM) else {}
    )


def answered(*challenges: Challenge, body: bytes | None = b"") -> Credentials | None:
    return answer(
        challenges,
        username="alice",
        lookup=lookup,
        method="NOTIFY",
        uri="sip:alice@192.0.2.1:5062",
        nc=1,
        cnonce="0a4f113b",
        body=body,
    )


def test_the_topmost_challenge_that_can_be_answered_is() -> None:
    """RFC 8760 §2.4."""
    challenges = [
        Challenge(REALM, "n0", "SHA-512-256", ("auth",)),
        Challenge("elsewhere", "n1", "MD5", ("auth",)),
        Challenge(REALM, "n2", "TOKEN", ("auth",)),
        Challenge(REALM, "n3", "MD5", ("auth-conf",)),
        Challenge(REALM, "n4", "SHA-256", ("auth-int", "auth"), opaque="o"),
        Challenge(REALM, "n5", "MD5", ("auth",)),
    ]
    found = answered(*challenges)
    assert found is not None
    assert (found.nonce, found.algorithm, found.qop, found.nc, found.opaque) == (
        "n4",
        "SHA-256",
        "auth",
        "00000001",
        "o",
    )
    assert answered(*challenges[:4]) is None and answered() is None


def test_a_challenge_without_qop_is_answered_as_rfc_2069_does() -> None:
    found = answered(Challenge(REALM, "n", "MD5"))
    assert found is not None
    assert (found.qop, found.nc, found.cnonce) == (None, None, None)
    session = answered(Challenge(REALM, "n", "MD5-sess"))
    assert session is not None and session.cnonce == "0a4f113b", "its A1 is made of the cnonce"


def test_auth_int_is_used_when_it_is_all_there_is() -> None:
    challenge = Challenge(REALM, "n", "MD5", ("auth-int",))
    assert answered(challenge, body=None) is None, "nobody knows what it is to cover"
    one, other = answered(challenge, body=b"1"), answered(challenge, body=b"2")
    assert one is not None and other is not None
    assert one.qop == "auth-int" and one.response != other.response


def test_the_line_is_what_a_phone_reads() -> None:
    found = answered(Challenge(REALM, 'n"1', "MD5", ("auth",)))
    assert found is not None
    assert str(found).startswith('Digest username="alice", realm="phone.example.com", nonce="n\\"1", uri="sip:alice@')
    assert str(found).endswith(', algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001')
