"""The gate in front of the notifier: digest, trusted proxies, own profile only. The phone's digest is computed here."""

import hashlib
import itertools
import re
from collections.abc import Mapping
from ipaddress import ip_network

import pytest

from gitops_profile.access import AccessRule, DomainPolicy, Gate
from gitops_profile.digest import RUN_BYTES, DigestAuthenticator, Throttle
from gitops_profile.presentity import ProfileKey
from gitops_profile.sip import AuthenticationFailed, Flow, SubscriptionRefused
from gitops_profile.sip.syntax import EventHeader, Request, Response
from tests.garbage import garbage
from tests.sip.harness import SERVER, TCP, UDP, FakePackage, Lab, Phone, parsed, statuses

REALM = "example.com"
ALGORITHMS = ("SHA-512-256", "SHA-256", "MD5")
PROXY = Flow("tcp", SERVER, ("192.0.2.50", 5060), 3)
EDGE = Flow("tls", SERVER, ("203.0.113.5", 41000), 4, ("edge.example.com",))
LOOPBACK = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5062))
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def digest_of(algorithm: str, text: str) -> str:
    return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()


class Households(FakePackage):
    """User profiles under their keys."""

    def resource(self, request: Request, event: EventHeader) -> str:
        user = request.uri.partition(":")[2].partition("@")[0]
        key = f"user/{self.domain(request)}/{user}"
        if key not in self.documents:
            raise SubscriptionRefused(403, "Not provisioned")
        return key

    def domain(self, request: Request) -> str:
        return request.uri.partition("@")[2].partition(";")[0].partition(":")[0] or "example.com"

    def domain_of(self, resource: str) -> str:
        return resource.split("/")[1]


class House:
    """A laboratory behind a gate, and its users' passwords."""

    def __init__(self, *, digest: bool = True, algorithms: tuple[str, ...] = ("MD5",)) -> None:
        self.passwords = {"alice": "wonderland", "bob": "builder", "helpdesk": "please"}
        self.policies = {
            REALM: DomainPolicy(digest, REALM, algorithms, (AccessRule("helpdesk@*", ("user/example.com/*",)),))
        }
        tokens = itertools.count()
        self.gate = Gate(
            self.policies,
            DigestAuthenticator(b"s" * 32, run=b"r" * RUN_BYTES),
            Throttle(failures=3),
            lambda domain: self.lookup,
            lambda: f"c{next(tokens)}",
            networks=(ip_network("192.0.2.48/28"),),
            certificates=("edge.example.com",),
        )
        documents = {f"user/example.com/{user}": user.encode() for user in ("alice", "bob")}
        self.lab = Lab(package=Households(documents | {"user/lab.example/carol": b"carol"}), access=self.gate)

    def lookup(self, user: str, realm: str) -> Mapping[str, str]:
        password = self.passwords.get(user)
        if password is None or realm != REALM:
            return {}
        return {name: digest_of(name, f"{user}:{realm}:{password}") for name in HASHES}

    def phone(self, user: str = "alice", flow: Flow = UDP, call_id: str = "call-1") -> Phone:
        phone = Phone(self.lab, user, flow, call_id)
        phone.contact = f"<sip:{user}@{flow.remote[0]}:5062>"
        return phone


def challenges_of(answer: object) -> list[dict[str, str]]:
    """Each challenge of a response, in order, read with a plain expression."""
    assert isinstance(answer, Response)
    values = answer.headers.all("www-authenticate")
    assert all(value.startswith("Digest ") for value in values)
    pair = re.compile(r'(\w+)=(?:"([^"]*)"|([^", ]+))')
    return [{name: quoted or bare for name, quoted, bare in pair.findall(value)} for value in values]


def credentials(
    challenge: Mapping[str, str], user: str, password: str, uri: str, *, nc: int = 1, method: str = "SUBSCRIBE"
) -> str:
    """RFC 7616 §3.4.1, by hand."""
    name = challenge.get("algorithm", "MD5")
    a1 = digest_of(name, f"{user}:{challenge['realm']}:{password}")
    a2 = digest_of(name, f"{method}:{uri}")
    response = digest_of(name, f"{a1}:{challenge['nonce']}:{nc:08x}:cn:auth:{a2}")
    return (
        f'Digest username="{user}", realm="{challenge["realm"]}", nonce="{challenge["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm={name}, qop=auth, nc={nc:08x}, cnonce="cn"'
    )


def logged_in(phone: Phone, password: str, expires: int = 600, user: str | None = None, which: int = 0) -> list[object]:
    """SUBSCRIBE, be challenged, SUBSCRIBE again; what came last."""
    [challenged] = phone.subscribe(expires)
    challenge = challenges_of(challenged)[which]
    return list(
        phone.subscribe(expires, Authorization=credentials(challenge, user or phone.user, password, phone.target))
    )


def status_of(messages: list[object]) -> int:
    answer = messages[0]
    assert isinstance(answer, Response)
    return answer.status


# -- digest ------------------------------------------------------------------------------------------------------


def test_who_answers_the_challenge_has_his_profile() -> None:
    """Checklist row 38: 401 and not 407 (RFC 6665 §4.2.1.3), with qop (RFC 8760 §2.6)."""
    house = House()
    phone = house.phone()
    [refused] = phone.subscribe()
    assert status_of([refused]) == 401 and refused.headers.get("proxy-authenticate") is None
    [challenge] = challenges_of(refused)
    assert challenge["realm"] == REALM and challenge["qop"] == "auth" and challenge.get("algorithm", "MD5") == "MD5"
    assert status_of(logged_in(phone, "wonderland")) == 200
    assert phone.notifies[0].body == b"alice"
    assert [row.identity for row in house.lab.rows.values()] == ["digest:alice@example.com"]


@pytest.mark.parametrize("algorithms", [ALGORITHMS, ALGORITHMS[::-1], ("SHA-256",), ("MD5",)])
def test_one_challenge_for_each_algorithm_in_the_order_of_the_settings(algorithms: tuple[str, ...]) -> None:
    """Checklist row 38: RFC 8760 §2.3: a header each; whichever the phone takes."""
    for which, name in enumerate(algorithms):
        house = House(algorithms=algorithms)
        [refused] = house.phone().subscribe()
        assert [challenge.get("algorithm", "MD5") for challenge in challenges_of(refused)] == list(algorithms)
        assert status_of(logged_in(house.phone(call_id=name), "wonderland", which=which)) == 200


def test_every_refresh_is_authenticated_and_by_the_same_user() -> None:
    """Checklist rows 39, 41: RFC 6665 §4.2.1.3; a nonce serves again with a higher nc (RFC 7616 §3.4)."""
    house = House()
    phone = house.phone()
    logged_in(phone, "wonderland")
    assert status_of(list(phone.subscribe())) == 401
    assert status_of(logged_in(phone, "builder", user="bob")) == 403
    assert status_of(logged_in(phone, "please", user="helpdesk")) == 403  # who may have it, and is somebody else
    [challenged] = phone.subscribe()
    [challenge] = challenges_of(challenged)
    for nc in (1, 2, 3):
        answer = credentials(challenge, "alice", "wonderland", phone.target, nc=nc)
        assert status_of(list(phone.subscribe(Authorization=answer))) == 200
    assert len(house.lab.rows) == 1


def test_a_replay_is_refused_and_a_retransmission_is_none() -> None:
    """Checklist row 39: RFC 7616 §3.4, §5; RFC 3261 §17.2.2."""
    house = House()
    phone = house.phone()
    [challenge] = challenges_of(phone.subscribe()[0])
    answer = credentials(challenge, "alice", "wonderland", phone.target)
    data = phone.build(600, Authorization=answer)
    first = house.lab.receive(data)
    assert house.lab.receive(data) == first[:1] and len(house.lab.rows) == 1
    other = house.phone(call_id="replayed")
    [refused] = other.subscribe(Authorization=answer)
    [again] = challenges_of(refused)
    assert status_of([refused]) == 401 and again["nonce"] != challenge["nonce"] and len(house.lab.rows) == 1


def test_an_old_nonce_is_stale_and_no_wrong_password() -> None:
    """Checklist row 39: RFC 7616 §3.3: the phone tries again by itself."""
    house = House()
    phone = house.phone()
    [challenge] = challenges_of(phone.subscribe()[0])
    house.lab.now += 3600
    answer = credentials(challenge, "alice", "wonderland", phone.target)
    [refused] = phone.subscribe(Authorization=answer)
    [again] = challenges_of(refused)
    assert status_of([refused]) == 401 and again["stale"].lower() == "true"
    assert not any(isinstance(fact, AuthenticationFailed) for fact in house.lab.happened)
    wrong = credentials(again, "alice", "guess", phone.target)
    [refused] = phone.subscribe(Authorization=wrong)
    assert "stale" not in challenges_of(refused)[0] or challenges_of(refused)[0]["stale"].lower() == "false"


def test_a_nonce_that_somebody_made_up_tells_nothing_about_a_password() -> None:
    """RFC 7616 §3.3: `stale` with the right password only would let him try any number of them, uncounted."""
    house = House()
    made_up = {"realm": REALM, "nonce": "made-up"}
    answers = []
    for number, password in enumerate(("guess", "wonderland", *["guess"] * 20)):
        phone = house.phone(call_id=f"call-{number}")
        [refused] = phone.subscribe(Authorization=credentials(made_up, "alice", password, phone.target))
        answers.append((status_of([refused]), challenges_of(refused)[0].get("stale")))
    assert set(answers) == {(401, "true")}
    assert not any(isinstance(fact, AuthenticationFailed) for fact in house.lab.happened)


def test_a_nonce_cannot_be_used_to_lock_out_an_address_that_is_forged() -> None:
    """Over UDP it is for the address that it was sent to; wrong answers from another one count for nobody."""
    house = House()
    [challenge] = challenges_of(house.phone().subscribe()[0])
    victim = Flow("udp", SERVER, ("192.0.2.10", 5062))
    for number in range(6):
        forged = house.phone(flow=victim, call_id=f"forged-{number}")
        [refused] = forged.subscribe(Authorization=credentials(challenge, "alice", "guess", forged.target))
        assert status_of([refused]) == 401 and challenges_of(refused)[0]["stale"] == "true"
    assert status_of(logged_in(house.phone("bob", victim, "honest"), "builder")) == 200


def test_a_nonce_that_one_trusted_proxy_brought_may_come_back_by_another() -> None:
    house = House()
    first, second = PROXY, Flow("udp", SERVER, ("192.0.2.51", 5060))
    [challenge] = challenges_of(house.phone(flow=first).subscribe()[0])
    phone = house.phone(flow=second, call_id="call-2")
    answer = credentials(challenge, "alice", "wonderland", phone.target)
    assert status_of(list(phone.subscribe(Authorization=answer))) == 200


def test_over_a_stream_a_nonce_is_for_whoever_has_it() -> None:
    """Nobody can be there in another's name, and a phone that has moved need not be asked again."""
    house = House()
    [challenge] = challenges_of(house.phone(flow=TCP).subscribe()[0])
    phone = house.phone(flow=Flow("tcp", SERVER, ("198.51.100.9", 5062), 8), call_id="call-2")
    answer = credentials(challenge, "alice", "wonderland", phone.target)
    assert status_of(list(phone.subscribe(Authorization=answer))) == 200


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:192.0.2.1:5060", 200),
        ("sip:alice@example.com:5060;transport=udp", 200),
        ("sip:alice@evil.example", 401),
        ("sip:[", 401),
    ],
)
def test_the_digest_is_for_what_was_asked_or_for_an_address_of_ours(uri: str, status: int) -> None:
    """RFC 8760 §2.6; sipp names the address that it sends to."""
    house = House()
    phone = house.phone()
    [challenge] = challenges_of(phone.subscribe()[0])
    answer = credentials(challenge, "alice", "wonderland", uri)
    assert status_of(list(phone.subscribe(Authorization=answer))) == status


def test_who_has_no_hash_for_the_one_algorithm_is_challenged_for_one_that_he_has() -> None:
    house = House(algorithms=("SHA-256",))
    all_of_them = house.lookup
    house.lookup = lambda user, realm: {  # type: ignore[method-assign]
        name: value for name, value in all_of_them(user, realm).items() if name == "MD5"
    }
    assert status_of(logged_in(house.phone(), "wonderland")) == 200
    [challenge] = challenges_of(house.phone("nobody", call_id="call-2").subscribe()[0])
    assert challenge["algorithm"] == "SHA-256"


def test_behind_a_trusted_proxy_guesses_count_by_whose_password_is_tried_not_by_the_from() -> None:
    house = House()
    answers = []
    for number in range(6):
        phone = house.phone(flow=PROXY, call_id=f"call-{number}")
        phone.user = f"somebody{number}"
        phone.target = "sip:alice@example.com"
        answers.append(status_of(logged_in(phone, "guess", user="alice")))
    assert answers == [401, 401, 403, 503, 503, 503]


def test_guessing_is_told_slowed_down_and_forgiven() -> None:
    house = House()
    phone = house.phone()
    answers = [status_of(logged_in(phone, "guess")) for _ in range(3)]
    assert answers == [401, 401, 403]
    assert [fact.user for fact in house.lab.happened if isinstance(fact, AuthenticationFailed)] == ["alice"] * 3
    blocked = phone.subscribe()[0]
    assert isinstance(blocked, Response) and blocked.status == 503 and blocked.headers.get("retry-after") == "1"
    neighbour = house.phone("bob", Flow("udp", SERVER, ("192.0.2.10", 5062)), "call-2")
    assert status_of(logged_in(neighbour, "builder")) == 200
    house.lab.now += 2
    assert status_of(logged_in(phone, "wonderland")) == 200


@pytest.mark.parametrize("shown", ["nothing", "a guess", "nonsense"])
def test_challenges_and_guesses_leave_nothing_to_the_collector(shown: str) -> None:
    house = House()
    flows = [Flow("udp", SERVER, ("192.0.2.10", 5000 + number)) for number in range(21)]
    phones = [house.phone(flow=flow, call_id=f"call-{number}") for number, flow in enumerate(flows)]
    [challenged] = phones[0].subscribe()
    [challenge] = challenges_of(challenged)
    guess = credentials(challenge, "alice", "guess", phones[0].target)
    authorization = {"nothing": None, "a guess": guess, "nonsense": "Digest nonsense"}[shown]
    house.lab.receive(phones[0].build(Authorization=authorization), flows[0])
    requests = [phone.build(Authorization=authorization) for phone in phones[1:]]
    with garbage() as left:
        for request, flow in zip(requests, flows[1:], strict=True):
            assert house.lab.receive(request, flow)
    assert left.objects < len(requests)


def test_behind_a_proxy_a_guesser_locks_out_himself_only() -> None:
    house = House()
    for _ in range(3):
        logged_in(house.phone("alice", PROXY), "guess")
    assert status_of(list(house.phone("alice", PROXY, "call-2").subscribe())) == 503
    assert status_of(logged_in(house.phone("bob", PROXY, "call-3"), "builder")) == 200


def test_an_unknown_user_looks_like_a_wrong_password() -> None:
    """Checklist row 41: I10."""
    answers = []
    for user in ("alice", "nobody"):
        house = House()
        phone = house.phone()
        [challenge] = challenges_of(phone.subscribe()[0])
        answer = credentials(challenge, user, "guess", phone.target)
        [refused] = house.lab.receive(phone.build(600, Authorization=answer))
        answers.append(re.sub(rb'nonce="[^"]*"', b"", refused))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("value", ["Basic YWxpY2U6d29uZGVybGFuZA==", "Bearer x", "", 'Digest username="alice"'])
def test_a_scheme_that_we_do_not_know_is_as_if_it_were_not_there(value: str) -> None:
    """RFC 4475 §3.3.7; RFC 8760 §2.6: never Basic."""
    assert status_of(list(House().phone().subscribe(Authorization=value))) == 401


@pytest.mark.parametrize("value", ['Digest username="alice', "Digest a"])
def test_credentials_that_cannot_be_read_are_400(value: str) -> None:
    assert status_of(list(House().phone().subscribe(Authorization=value))) == 400


def test_credentials_for_another_domain_are_none() -> None:
    house = House()
    phone = house.phone()
    [challenge] = challenges_of(phone.subscribe()[0])
    answer = credentials(challenge, "alice", "wonderland", "sip:alice@elsewhere.example")
    assert status_of(list(phone.subscribe(Authorization=answer))) == 401
    assert status_of(list(phone.subscribe(Authorization=answer.replace(REALM, "elsewhere.example")))) == 401


# -- own profile only ----------------------------------------------------------------------------------------------


def test_somebody_elses_profile_and_one_that_is_not_there_look_the_same() -> None:
    """Checklist rows 41, 43: RFC 6080 §9: user A asks for B."""
    answers = []
    for target in ("bob", "nobody"):
        house = House()
        phone = house.phone()
        phone.target = f"sip:{target}@example.com"
        [challenge] = challenges_of(phone.subscribe()[0])
        answer = credentials(challenge, "alice", "wonderland", phone.target)
        answers += house.lab.receive(phone.build(600, Authorization=answer))
        assert not house.lab.rows
    assert answers[0] == answers[1] and answers[0].startswith(b"SIP/2.0 403 ")


def test_a_rule_lets_the_help_desk_look() -> None:
    house = House()
    phone = house.phone("helpdesk")
    phone.target = "sip:bob@example.com"
    assert status_of(logged_in(phone, "please")) == 200 and phone.notifies[0].body == b"bob"


def test_who_loses_his_credentials_loses_his_subscription() -> None:
    house = House()
    alice, bob = house.phone(), house.phone("bob", call_id="call-2")
    logged_in(alice, "wonderland")
    logged_in(bob, "builder")
    del house.passwords["alice"]
    before = len(house.lab.sent)
    house.lab.notifier.reauthorize(now=house.lab.now)
    house.lab.pump()
    [told] = house.lab.since(before)
    assert b"terminated;reason=rejected" in told and b"\r\n\r\nalice" not in told
    assert [row.resource for row in house.lab.rows.values()] == ["user/example.com/bob"]


@pytest.mark.parametrize("resource", ["nonsense", "user/example.com/", ""])
def test_what_is_no_profile_is_permitted_to_nobody(resource: str) -> None:
    assert not House(digest=False).gate.permits(None, resource)


def test_a_digest_identity_is_worth_nothing_where_digest_was_switched_off() -> None:
    house = House()
    logged_in(house.phone(), "wonderland")
    house.policies[REALM] = DomainPolicy(digest=False, realm=REALM)
    house.lab.notifier.reauthorize(now=house.lab.now)
    house.lab.pump()
    assert not house.lab.rows


# -- where no policy is --------------------------------------------------------------------------------------------


def test_a_domain_that_is_not_listed_is_served_on_loopback_only() -> None:
    """design.md section 10; the answer tells nothing (I10)."""
    house = House()
    carol = house.phone("carol")
    carol.target = "sip:carol@lab.example"
    [refused] = carol.subscribe()
    assert isinstance(refused, Response) and (refused.status, refused.reason) == (403, "Not provisioned")
    local = house.phone("carol", LOOPBACK, "call-2")
    local.target = "sip:carol@lab.example"
    assert statuses(local.subscribe()) == [200, "NOTIFY"]


def test_without_digest_everybody_may_ask() -> None:
    house = House(digest=False)
    assert statuses(house.phone().subscribe()) == [200, "NOTIFY"]
    assert [row.identity for row in house.lab.rows.values()] == [None]


# -- trusted proxies -----------------------------------------------------------------------------------------------

ASSERTED = "<sip:alice@example.com>"


@pytest.mark.parametrize("flow", [PROXY, EDGE])
@pytest.mark.parametrize(
    "asserted", [ASSERTED, '"Alice" <sips:alice@EXAMPLE.com:5061>', "<sip:alice@example.com.>", f"<tel:+1>, {ASSERTED}"]
)
def test_a_trusted_proxy_says_who_is_asking(flow: Flow, asserted: str) -> None:
    """RFC 3325 §9.1: by address, or by the name in its certificate (RFC 5922)."""
    house = House()
    phone = house.phone("alice", flow)
    assert statuses(phone.subscribe(P_Asserted_Identity=asserted)) == [200, "NOTIFY"]
    [row] = house.lab.rows.values()
    assert row.identity == "asserted:alice@example.com" and row.follows


@pytest.mark.parametrize("flow", [UDP, TCP, Flow("tls", SERVER, ("203.0.113.5", 41000), 5, ("other.example.com",))])
def test_nobody_else_is_believed(flow: Flow) -> None:
    """RFC 3325 §5: and from an untrusted source the header means nothing, not even in an open domain."""
    assert status_of(list(House().phone("alice", flow).subscribe(P_Asserted_Identity=ASSERTED))) == 401
    house = House(digest=False)
    phone = house.phone("alice", flow)
    phone.subscribe(P_Asserted_Identity="<sip:bob@example.com>")
    [row] = house.lab.rows.values()
    assert row.identity is None and not row.follows


@pytest.mark.parametrize("asserted", ["<tel:+14085551212>", "<sip:example.com>", None])
def test_a_proxy_that_does_not_say_who_leaves_the_challenge(asserted: str | None) -> None:
    assert status_of(list(House().phone("alice", PROXY).subscribe(P_Asserted_Identity=asserted))) == 401


def test_an_assertion_that_cannot_be_read_is_400() -> None:
    assert status_of(list(House().phone("alice", PROXY).subscribe(P_Asserted_Identity="<sip:alice@"))) == 400


@pytest.mark.parametrize(
    ("asserted", "target"),
    [("<sip:bob@example.com>", "alice"), ("<sip:alice@example.net>", "alice"), (ASSERTED, "nobody")],
)
def test_an_asserted_identity_has_its_own_profile_only(asserted: str, target: str) -> None:
    """Checklist row 41."""
    for digest in (True, False):
        phone = House(digest=digest).phone("alice", PROXY)
        phone.target = f"sip:{target}@example.com"
        assert status_of(list(phone.subscribe(P_Asserted_Identity=asserted))) == 403


def test_a_refresh_past_the_proxy_is_somebody_elses() -> None:
    """The asserted and the shown identity are two; whoever has the tags only has neither."""
    house = House()
    phone = house.phone("alice", PROXY)
    phone.subscribe(P_Asserted_Identity=ASSERTED)
    phone.flow = UDP
    assert status_of(list(phone.subscribe(P_Asserted_Identity=ASSERTED))) == 401
    assert status_of(logged_in(phone, "wonderland")) == 403


def test_the_memory_of_trusted_addresses_is_bounded() -> None:
    gate = House().gate
    for number in range(20_001):
        source = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert not gate.trusts(Flow("udp", SERVER, (source, 5060)))
    assert len(gate._trusted) <= 10_001 and gate.trusts(PROXY)


# -- a phone that challenges ---------------------------------------------------------------------------------------


def challenge_notify(notify: Request, status: int, *values: str) -> bytes:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    fields = "".join(f"{name}: {value}\r\n" for value in values)
    return Phone.answer(notify, status).replace(b"Content-Length", fields.encode() + b"Content-Length")


SHA = 'Digest realm="example.com", nonce="n1", qop="auth", algorithm=SHA-256'
MD5 = 'Digest realm="example.com", nonce="n1", qop="auth,auth-int", opaque="o"'


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(
    ("values", "name"), [((SHA, MD5), "SHA-256"), ((MD5,), "MD5"), (("Basic realm=x", MD5), "MD5")]
)
def test_the_phones_challenge_is_answered_with_what_it_and_we_share(
    status: int, values: tuple[str, ...], name: str
) -> None:
    """Checklist row 40: RFC 6080 §5.2.1; the topmost that is known (RFC 8760 §2.4), checked by hand."""
    house = House()
    phone = house.phone()
    [challenged] = phone.subscribe()
    answer = credentials(challenges_of(challenged)[0], "alice", "wonderland", phone.target)
    notify = phone.subscribe(600, None, Authorization=answer)[1]
    assert isinstance(notify, Request)
    [again] = map(parsed, house.lab.receive(challenge_notify(notify, status, *values)))
    assert isinstance(again, Request) and again.cseq == notify.cseq + 1
    given = again.headers.get("authorization" if status == 401 else "proxy-authorization") or ""
    fields = {key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^", ]+))', given)}
    a1 = digest_of(name, "alice:example.com:wonderland")
    a2 = digest_of(name, f"NOTIFY:{again.uri}")
    assert fields["uri"] == again.uri and fields["nc"] == "00000001" and fields["username"] == "alice"
    assert fields["response"] == digest_of(name, f"{a1}:n1:00000001:{fields['cnonce']}:auth:{a2}")
    assert fields.get("opaque") == ("o" if name == "MD5" else None)


@pytest.mark.parametrize(
    "values",
    [(), ('Digest realm="elsewhere", nonce="n", qop="auth"',), ("Digest realm=",), ("Basic realm=x",),
     ('Digest realm="example.com", nonce="n", qop="auth", algorithm=UNKNOWN',),
     ('Digest realm="example.com", nonce="n", qop="auth-int"',)],
)  # fmt: skip
def test_a_challenge_that_we_cannot_answer_is_a_failure(values: tuple[str, ...]) -> None:
    house = House()
    phone = house.phone()
    [challenged] = phone.subscribe()
    answer = credentials(challenges_of(challenged)[0], "alice", "wonderland", phone.target)
    notify = phone.subscribe(600, None, Authorization=answer)[1]
    assert isinstance(notify, Request)
    assert house.lab.receive(challenge_notify(notify, 401, *values)) == []
    assert [row.delivery for row in house.lab.rows.values()] == ["faulted"]


def test_who_came_by_a_proxy_has_no_credentials_of_ours() -> None:
    house = House()
    phone = house.phone("alice", PROXY)
    notify = phone.subscribe(600, None, P_Asserted_Identity=ASSERTED)[1]
    assert isinstance(notify, Request)
    assert house.lab.receive(challenge_notify(notify, 401, MD5), PROXY) == []


def test_a_profile_is_its_owners_under_each_of_its_names() -> None:
    """Checklist row 41, for aliases."""
    house = House()
    alias, own = ProfileKey.user(REALM, "al"), ProfileKey.user(REALM, "alice")
    gate = Gate(
        house.policies,
        DigestAuthenticator(b"s" * 32, run=b"r" * RUN_BYTES),
        Throttle(),
        lambda domain: house.lookup,
        lambda: "c",
        owner_of=lambda key: own if key == alias else key,
    )
    assert gate.permits("digest:alice@example.com", str(alias)) and gate.permits("digest:alice@example.com", str(own))
    assert not gate.permits("digest:bob@example.com", str(alias))
