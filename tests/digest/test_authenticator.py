"""The check, in virtual time. Answers are made here by hashlib alone, so a slip in the package does not cancel out."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pytest

from gitops_profile.digest import (
    ALGORITHMS,
    Challenge,
    Credentials,
    CredentialStore,
    DigestAuthenticator,
    Outcome,
    Reason,
    Verdict,
    a1,
    answer,
)

REALM = "example.com"
URI = "sip:alice@example.com"
NOW = 1_700_000_000.0
SECRET = b"a secret of thirty-two bytes !!!"
HASHLIB = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def store(**lines: str) -> CredentialStore:
    """`alice="SHA-256"`: her password is `alice's`, hashed with each of the algorithms."""
    return CredentialStore.parse(
        "".join(
            f"{user}:{REALM}:{algorithm}:{a1(algorithm, user, REALM, f'{user}’s')}\n"
            for user, algorithms in lines.items()
            for algorithm in algorithms.split()
        )
    )


ALICE = store(alice="MD5 SHA-256 SHA-512-256")


def authenticator(run: bytes = b"run no 1", **options: int | bool | str) -> DigestAuthenticator:
    return DigestAuthenticator(SECRET, run=run, **options)  # type: ignore[arg-type]


def by_hand(challenge: Challenge, nc: int = 1, *, qop: str | None = "auth", **other: str) -> Credentials:
    """What a phone says, computed as RFC 7616 §3.4.1 is written."""
    user, password = other.get("user", "alice"), other.get("password", f"{other.get('user', 'alice')}’s")
    method, uri, cnonce = other.get("method", "SUBSCRIBE"), other.get("uri", URI), "c"
    base, _, session = challenge.algorithm.partition("-sess")[0], None, challenge.algorithm.endswith("-sess")

    def h(*parts: str) -> str:
        return hashlib.new(HASHLIB[base], ":".join(parts).encode()).hexdigest()

    first = h(user, challenge.realm, password)
    if session:
        first = h(first, challenge.nonce, cnonce)
    second = h(method, uri, h(other.get("body", ""))) if qop == "auth-int" else h(method, uri)
    between = (challenge.nonce, f"{nc:08x}", cnonce, qop) if qop else (challenge.nonce,)
    return Credentials(
        user,
        challenge.realm,
        challenge.nonce,
        uri,
        h(first, *between, second),
        challenge.algorithm,
        cnonce if qop or session else None,
        None,
        qop,
        f"{nc:08x}" if qop else None,
    )


def check(
    auth: DigestAuthenticator,
    credentials: Credentials,
    now: float = NOW,
    algorithms: tuple[str, ...] = ("MD5",),
    users: CredentialStore = ALICE,
    body: bytes = b"",
    source: str = "",
) -> Outcome:
    return auth.check(
        credentials,
        method="SUBSCRIBE",
        realm=REALM,
        request_uri=URI,
        algorithms=algorithms,
        lookup=users.lookup,
        now=now,
        body=body,
        source=source,
    )


def challenged(auth: DigestAuthenticator, *algorithms: str, now: float = NOW) -> Challenge:
    return auth.challenges(REALM, algorithms or ("MD5",), now=now)[0]


def test_one_challenge_for_each_algorithm_in_the_order_given() -> None:
    """Row 38: the order as configured, qop sent."""
    challenges = authenticator(opaque="o").challenges(REALM, ("SHA-256", "MD5"), now=NOW, stale=True)
    assert [c.algorithm for c in challenges] == ["SHA-256", "MD5"]
    assert all(c.qop == ("auth",) and c.stale and c.opaque == "o" and c.realm == REALM for c in challenges)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *(f"{name}-sess" for name in ALGORITHMS)])
def test_a_right_answer_is_accepted(algorithm: str) -> None:
    auth = authenticator()
    outcome = check(auth, by_hand(challenged(auth, algorithm)), algorithms=(algorithm,))
    assert outcome == Outcome(Verdict.ACCEPTED, "alice", algorithm.removesuffix("-sess"))
    assert outcome.accepted and not outcome.may_retry


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *(f"{name}-sess" for name in ALGORITHMS)])
def test_our_own_answer_is_the_one_made_by_hand(algorithm: str) -> None:
    challenge = challenged(authenticator(), algorithm)
    ours = answer([challenge], username="alice", lookup=ALICE.lookup, method="SUBSCRIBE", uri=URI, nc=1, cnonce="c")
    assert ours == by_hand(challenge)


def test_sloppy_spelling_is_accepted() -> None:
    auth = authenticator()
    credentials = by_hand(challenged(auth))
    assert credentials.response is not None
    sloppy = replace(credentials, response=credentials.response.upper(), algorithm=None)
    assert check(auth, sloppy).accepted


def test_a_count_in_upper_case_is_hashed_as_it_was_sent() -> None:
    auth = authenticator()
    challenge = challenged(auth)
    credentials = answer(
        [challenge], username="alice", lookup=ALICE.lookup, method="SUBSCRIBE", uri=URI, nc=10, cnonce="c"
    )
    assert credentials is not None and check(auth, credentials).accepted
    h = hashlib.md5
    second = h(f"SUBSCRIBE:{URI}".encode()).hexdigest()
    text = f"{ALICE.lookup('alice', REALM)['MD5']}:{challenge.nonce}:0000000B:c:auth:{second}"
    upper = replace(credentials, nc="0000000B", response=h(text.encode()).hexdigest())
    assert check(auth, upper).accepted


def wrong(outcome: Outcome) -> Reason | None:
    assert outcome.verdict is Verdict.WRONG and outcome.algorithm is None
    assert not outcome.accepted and not outcome.may_retry
    return outcome.reason


def test_each_way_to_be_wrong_has_its_word() -> None:
    auth = authenticator()
    challenge = challenged(auth)
    good = by_hand(challenge)
    bob = store(bob="SHA-256")
    assert wrong(check(auth, by_hand(challenge, password="guess"))) is Reason.WRONG_RESPONSE
    assert wrong(check(auth, by_hand(challenge, method="NOTIFY"))) is Reason.WRONG_RESPONSE
    assert wrong(check(auth, replace(good, response="é" * 32))) is Reason.WRONG_RESPONSE
    assert wrong(check(auth, replace(good, response=""))) is Reason.WRONG_RESPONSE
    assert wrong(check(auth, replace(good, cnonce="d"))) is Reason.WRONG_RESPONSE
    assert wrong(check(auth, good, users=bob)) is Reason.UNKNOWN_USER
    assert wrong(check(auth, replace(good, realm="other"))) is Reason.WRONG_REALM
    assert wrong(check(auth, by_hand(challenge, uri="sip:bob@example.com"))) is Reason.BAD_URI
    assert wrong(check(auth, replace(good, algorithm="SHA-1"))) is Reason.ALGORITHM
    assert wrong(check(auth, replace(good, qop="auth-conf"))) is Reason.QOP
    assert wrong(check(auth, replace(good, userhash=True))) is Reason.USERHASH
    for field in ("username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop"):
        lacking = replace(good, **{field: None})  # type: ignore[arg-type]
        assert wrong(check(auth, lacking)) is Reason.MISSING_FIELD, field
    for nc in ("", "xyz", "+1", "1_0", "000000001", "٣"):
        assert wrong(check(auth, replace(good, nc=nc))) is Reason.MISSING_FIELD, nc
    assert check(auth, good).accepted, "none of it used up the nonce"


def test_the_weakest_algorithm_cannot_be_chosen_by_the_client() -> None:
    auth = authenticator()
    challenge = replace(challenged(auth, "SHA-256"), algorithm="MD5")
    for configured in (("SHA-256",), ("SHA-512-256", "SHA-256")):
        assert wrong(check(auth, by_hand(challenge), algorithms=configured)) is Reason.ALGORITHM


def test_a_user_with_only_another_algorithm_is_served_with_that() -> None:
    auth = authenticator()
    users = store(carol="SHA-256")
    credentials = by_hand(challenged(auth, "SHA-256"), user="carol")
    assert check(auth, credentials, users=users).accepted
    assert wrong(check(auth, by_hand(challenged(auth), user="carol"), users=users)) is Reason.ALGORITHM


def test_an_unknown_user_costs_the_same_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is hashed, and how long it is, does not depend on whether the user is known."""
    hashed: list[int] = []
    original = hashlib.md5

    def counted(data: bytes, *, usedforsecurity: bool = True) -> object:
        hashed.append(len(data))
        return original(data, usedforsecurity=usedforsecurity)

    auth = authenticator()
    credentials = by_hand(challenged(auth), password="guess")
    monkeypatch.setattr(hashlib, "md5", counted)
    check(auth, credentials)
    known = hashed.copy()
    hashed.clear()
    check(auth, credentials, users=store())
    assert known == hashed and len(known) == 2


def test_no_password_is_right_for_an_unknown_user() -> None:
    """The decoy that an unknown user is checked against opens nothing, even to who knows it."""
    auth = authenticator()

    def decoy(user: str, realm: str) -> Mapping[str, str]:
        return {"MD5": auth._decoys["MD5"]}

    credentials = answer(
        [challenged(auth)], username="nobody", lookup=decoy, method="SUBSCRIBE", uri=URI, nc=1, cnonce="c"
    )
    assert credentials is not None
    assert wrong(check(auth, credentials)) is Reason.UNKNOWN_USER


def test_an_old_nonce_is_stale_for_the_right_password_only() -> None:
    """Row 39."""
    auth = authenticator()
    challenge = challenged(auth)
    assert check(auth, by_hand(challenge), NOW + 300).accepted
    assert check(auth, by_hand(challenge, 2), NOW + 301) == Outcome(Verdict.STALE, "alice")
    assert check(auth, by_hand(challenge, 2), NOW + 301).may_retry
    assert wrong(check(auth, by_hand(challenge, 2, password="guess"), NOW + 301)) is Reason.WRONG_RESPONSE


def test_a_nonce_of_an_earlier_run_is_stale_since_its_counts_are_forgotten() -> None:
    before, after = authenticator(), authenticator(b"run no 2")
    credentials = by_hand(challenged(before))
    assert check(before, credentials).accepted
    assert check(after, credentials) == Outcome(Verdict.STALE, "alice")


def test_a_nonce_of_another_secret_or_realm_is_not_ours() -> None:
    auth = authenticator()
    foreign = DigestAuthenticator(b"another secret !" * 2, run=b"run no 1").challenges(REALM, ("MD5",), now=NOW)[0]
    elsewhere = replace(auth.challenges("example.net", ("MD5",), now=NOW)[0], realm=REALM)
    for challenge in (foreign, elsewhere, Challenge(REALM, "", "MD5"), Challenge(REALM, "é" * 48, "MD5")):
        # RFC 7616 §3.3: told to try again, the one who knows the password and the one who guesses: with a nonce that he
        # made up he would otherwise be told which of any number of guesses is right, and none would count.
        for password in ("guess", "alice’s"):
            assert check(auth, by_hand(challenge, password=password)) == Outcome(Verdict.STALE, "alice")


def test_a_nonce_is_for_nobody_but_the_one_it_was_given_to() -> None:
    auth = authenticator()
    challenge = auth.challenges(REALM, ("MD5",), now=NOW, source="192.0.2.9")[0]
    for source, verdict in (("192.0.2.10", Verdict.STALE), ("", Verdict.STALE), ("192.0.2.9", Verdict.ACCEPTED)):
        assert check(auth, by_hand(challenge), source=source).verdict is verdict


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_jumps_costs_each_phone_one_more_round(jump: float) -> None:
    auth = authenticator()
    challenge = challenged(auth)
    assert check(auth, by_hand(challenge), NOW + jump).verdict is Verdict.STALE
    assert check(auth, by_hand(challenged(auth, now=NOW + jump)), NOW + jump).accepted


def test_a_clock_set_back_a_little_is_not_noticed() -> None:
    auth = authenticator()
    assert check(auth, by_hand(challenged(auth)), NOW - 5).accepted


def test_a_count_is_good_once_and_may_come_late() -> None:
    """Row 39: a replayed nc is refused; UDP may reorder."""
    auth = authenticator()
    challenge = challenged(auth)
    verdicts = [check(auth, by_hand(challenge, nc)).verdict for nc in (1, 1, 5, 3, 3, 5, 2, 4, 70, 6, 7, 7, 5, 69)]
    good, again = Verdict.ACCEPTED, Verdict.REPLAYED
    assert verdicts == [good, again, good, good, again, again, good, good, good, again, good, again, again, good]
    #                    1      1     5     3     3      5      2     4     70    6 (64 below) 7   7      5     69


def test_a_count_far_ahead_forgets_the_window_and_costs_no_memory() -> None:
    auth = authenticator()
    challenge = challenged(auth)
    for nc, verdict in ((1, "accepted"), (0xFFFFFFFF, "accepted"), (0xFFFFFFFF, "replayed"), (0xFFFFFFFE, "accepted")):
        assert check(auth, by_hand(challenge, nc)).verdict == verdict


def test_a_wrong_answer_uses_up_no_count() -> None:
    auth = authenticator()
    challenge = challenged(auth)
    check(auth, by_hand(challenge, password="guess"))
    assert check(auth, by_hand(challenge)).accepted


def test_memory_is_bounded_and_what_was_dropped_is_stale() -> None:
    auth = authenticator(max_nonces=10)
    used = [challenged(auth) for _ in range(30)]
    unused = challenged(auth)
    assert all(check(auth, by_hand(challenge)).accepted for challenge in used)
    assert len(auth._nonces) == 10
    assert [check(auth, by_hand(challenge)).verdict for challenge in used] == [Verdict.STALE] * 20 + [
        Verdict.REPLAYED
    ] * 10
    assert check(auth, by_hand(unused)).accepted, "later than all that was dropped"


def test_an_unused_nonce_older_than_a_dropped_one_is_stale_not_replayable() -> None:
    auth = authenticator(max_nonces=1)
    early, late, last = challenged(auth), challenged(auth), challenged(auth)
    assert check(auth, by_hand(late)).accepted and check(auth, by_hand(last)).accepted
    assert check(auth, by_hand(early)).verdict is Verdict.STALE


def test_rows_of_old_nonces_go_by_themselves() -> None:
    auth = authenticator()
    for _ in range(50):
        assert check(auth, by_hand(challenged(auth))).accepted
    later = challenged(auth, now=NOW + 400)
    assert check(auth, by_hand(later), NOW + 400).accepted
    assert len(auth._nonces) == 1


def test_nonces_are_all_different() -> None:
    auth = authenticator()
    assert len({challenged(auth).nonce for _ in range(1000)}) == 1000


def test_without_qop_only_by_policy() -> None:
    """The RFC 2069 form has no count; the life of the nonce alone bounds it (RFC 8760 §2.6)."""
    strict, lenient = authenticator(), authenticator(allow_without_qop=True)
    assert wrong(check(strict, by_hand(challenged(strict), qop=None))) is Reason.MISSING_FIELD
    old = by_hand(challenged(lenient), qop=None)
    assert check(lenient, old).accepted and check(lenient, old).accepted
    assert check(lenient, old, NOW + 301).verdict is Verdict.STALE
    assert wrong(check(lenient, replace(old, response="0" * 32))) is Reason.WRONG_RESPONSE


def test_auth_int_only_when_it_was_offered() -> None:
    plain, offering = authenticator(), authenticator(offer_auth_int=True)
    assert wrong(check(plain, by_hand(challenged(plain), qop="auth-int"))) is Reason.QOP
    challenge = challenged(offering)
    assert challenge.qop == ("auth", "auth-int")
    assert check(offering, by_hand(challenge, qop="auth-int")).accepted
    assert check(offering, by_hand(challenge, 2, qop="auth-int", body="b"), body=b"b").accepted
    assert wrong(check(offering, by_hand(challenge, 3, qop="auth-int", body="b"), body=b"x")) is Reason.WRONG_RESPONSE


def test_a_weak_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        DigestAuthenticator(b"short", run=b"run no 1")
    with pytest.raises(ValueError, match="run has 8"):
        DigestAuthenticator(SECRET, run=b"")
