"""Check-syncs in virtual time, against what phones answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.digest import Credentials, DigestAuthenticator, a1
from gitops_profile.push import LineCredentials, Push, PushAnswered, PushClient, PushSent, Verdict
from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request, Response, SIPSyntaxError, parse_message

PHONE = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
SECOND = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.8", 5060))
AOR = "sip:2001@example.com"
LINES = LineCredentials.parse("2001::s3cret:with:colons\n")


class Lab:
    """A client, its clock, and what it sent."""

    def __init__(self, lines: LineCredentials = LINES, rate: float = 1000, in_flight: int = 100) -> None:
        tokens = iter(range(1_000_000))
        self.client = PushClient(
            lambda: f"token{next(tokens)}",
            lambda response, user, uri: lines.answer(response, user, uri, cnonce="c"),
            rate=rate, in_flight=in_flight,
        )  # fmt: skip
        self.now = 0.0
        self.sent: list[tuple[float, Request, Flow]] = []
        self.events: list[PushSent | PushAnswered] = []

    def push(self, device: str = "000413aabbcc", flows: tuple[Flow, ...] = (PHONE,), user: str | None = "2001") -> None:
        push = Push(device, AOR, "check-sync;reboot=false", flows, user=user, versions=(("device/x/y", "e1"),))
        self.client.send(push, now=self.now)
        self.take()

    def take(self) -> None:
        for data, flow in self.client.messages_to_send():
            request = parse_message(data)
            assert isinstance(request, Request)
            request.check()
            self.sent.append((self.now, request, flow))
        self.events += self.client.events()

    def run(self, until: float) -> None:
        while (due := self.client.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.client.handle_deadline(now=self.now)
            self.take()
        self.now = until

    def answer(self, status: int, extra: str = "", request: Request | None = None) -> bool:
        asked = request or self.sent[-1][1]
        head = "".join(
            f"{name}: {asked.headers.get(name.lower())}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq")
        )
        response = parse_message(f"SIP/2.0 {status} X\r\n{head}{extra}Content-Length: 0\r\n\r\n".encode())
        assert isinstance(response, Response)
        known = self.client.receive_response(response, now=self.now)
        self.take()
        return known

    @property
    def ended(self) -> list[tuple[int, Verdict]]:
        return [(event.status, event.verdict) for event in self.events if isinstance(event, PushAnswered)]


def test_a_check_sync_is_a_notify_without_a_dialog_and_without_a_body() -> None:
    lab = Lab()
    lab.push()
    [(_, request, flow)] = lab.sent
    assert (request.method, request.uri, flow) == ("NOTIFY", AOR, PHONE)
    assert request.headers.get("event") == "check-sync;reboot=false"
    assert request.headers.get("subscription-state") == "terminated"
    assert request.to.tag is None and request.from_.tag and request.body == b""
    assert request.headers.get("content-length") == "0"
    assert lab.answer(200) and lab.ended == [(200, Verdict.HEARD)]
    assert len(lab.client) == 0 and not lab.answer(200, request=request)  # a repeated 200 is nobody's


def test_a_silent_phone_is_asked_by_timer_e_and_given_up_by_timer_f() -> None:
    lab = Lab()
    lab.push()
    lab.run(100)
    assert [at for at, _, _ in lab.sent] == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert lab.ended == [(408, Verdict.OFFLINE)]
    assert isinstance(lab.events[-1], PushAnswered) and lab.events[-1].reason == "the phone does not answer"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_challenge_is_answered_with_the_credentials_of_the_line(algorithm: str) -> None:
    authenticator = DigestAuthenticator(b"s" * 32, run=b"r" * 8)
    [challenge] = authenticator.challenges("snom", (algorithm,), now=0.0)
    lab = Lab()
    lab.push()
    assert lab.answer(401, f"WWW-Authenticate: {challenge}\r\n")
    _, again, _ = lab.sent[-1]
    assert again.cseq == 2 and again.call_id == lab.sent[0][1].call_id
    assert again.via.branch != lab.sent[0][1].via.branch
    given = Credentials.parse(again.headers.get("authorization") or "")
    assert given is not None
    hashes = {algorithm: a1(algorithm, "2001", "snom", "s3cret:with:colons")}
    outcome = authenticator.check(
        given, method="NOTIFY", realm="snom", request_uri=AOR, algorithms=(algorithm,),
        lookup=lambda user, realm: hashes, now=1.0,
    )  # fmt: skip
    assert outcome.accepted
    assert lab.answer(200) and lab.ended == [(200, Verdict.HEARD)]


def test_a_phone_that_challenges_for_ever_is_answered_once() -> None:
    lab = Lab()
    lab.push()
    challenge = 'WWW-Authenticate: Digest realm="x", nonce="n", qop="auth"\r\n'
    for _ in range(5):
        lab.answer(401, challenge)
    assert len(lab.sent) == 2 and lab.ended == [(401, Verdict.REFUSED)]
    assert isinstance(lab.events[-1], PushAnswered) and "push.credentials" in lab.events[-1].reason


@pytest.mark.parametrize(("status", "header"), [(401, "WWW"), (407, "Proxy")])
def test_a_nonce_that_was_too_old_is_no_wrong_password(status: int, header: str) -> None:
    lab = Lab()
    lab.push()
    lab.answer(status, f'{header}-Authenticate: Digest realm="x", nonce="n1", qop="auth"\r\n')
    lab.answer(status, f'{header}-Authenticate: Digest realm="x", nonce="n2", stale=true, qop="auth"\r\n')
    assert len(lab.sent) == 3 and lab.ended == []
    field = "authorization" if status == 401 else "proxy-authorization"
    assert 'nonce="n2"' in (lab.sent[-1][1].headers.get(field) or "")
    lab.answer(200)
    assert lab.ended == [(200, Verdict.HEARD)]


def test_whoever_says_stale_for_ever_is_answered_three_times() -> None:
    lab = Lab()
    lab.push()
    for number in range(9):
        lab.answer(401, f'WWW-Authenticate: Digest realm="x", nonce="n{number}", stale=true\r\n')
    assert len(lab.sent) == 4 and lab.ended == [(401, Verdict.REFUSED)]


@pytest.mark.parametrize(
    "second",
    [
        'realm="x", nonce="n1", stale=true',
        'realm="x", nonce="n2", stale=false',
        'realm="x", nonce="n2"',
        'realm="other", nonce="n2", stale=true',
    ],
)
def test_a_second_challenge_that_does_not_say_stale_of_another_nonce_is_a_refusal(second: str) -> None:
    lab = Lab()
    lab.push()
    lab.answer(401, 'WWW-Authenticate: Digest realm="x", nonce="n1"\r\n')
    lab.answer(401, f"WWW-Authenticate: Digest {second}\r\n")
    assert len(lab.sent) == 2 and lab.ended == [(401, Verdict.REFUSED)]


def test_a_challenge_without_credentials_says_what_to_do() -> None:
    lab = Lab(LineCredentials.parse(""))
    lab.push()
    lab.answer(401, 'WWW-Authenticate: Digest realm="x", nonce="n"\r\n')
    assert len(lab.sent) == 1 and lab.ended == [(401, Verdict.REFUSED)]


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.HEARD), (202, Verdict.HEARD), (481, Verdict.UNSUPPORTED), (489, Verdict.UNSUPPORTED),
        (405, Verdict.UNSUPPORTED), (404, Verdict.OFFLINE), (480, Verdict.OFFLINE), (408, Verdict.OFFLINE),
        (503, Verdict.OFFLINE), (505, Verdict.OFFLINE), (513, Verdict.OFFLINE), (580, Verdict.OFFLINE),
        (599, Verdict.OFFLINE), (501, Verdict.UNSUPPORTED), (403, Verdict.REFUSED), (600, Verdict.REFUSED),
        (302, Verdict.REFUSED),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, verdict: Verdict) -> None:
    lab = Lab()
    lab.push()
    lab.answer(status)
    assert lab.ended == [(status, verdict)]


def test_of_several_addresses_the_next_is_tried_when_one_does_not_answer() -> None:
    lab = Lab()
    lab.push(flows=(PHONE, SECOND))
    lab.run(40)
    assert {flow for _, _, flow in lab.sent} == {PHONE, SECOND}
    assert lab.answer(200) and lab.ended == [(200, Verdict.HEARD)]


def test_the_next_address_is_not_given_what_the_first_one_asked_for() -> None:
    lab = Lab()
    lab.push(flows=(PHONE, SECOND))
    lab.answer(401, 'WWW-Authenticate: Digest realm="x", nonce="n"\r\n')
    assert lab.sent[-1][1].headers.get("authorization")
    lab.run(33)
    assert lab.sent[-1][2] == SECOND and lab.sent[-1][1].headers.get("authorization") is None
    lab.answer(401, 'WWW-Authenticate: Digest realm="y", nonce="m"\r\n')
    assert 'realm="y"' in (lab.sent[-1][1].headers.get("authorization") or "")
    lab.answer(200)
    assert lab.ended == [(200, Verdict.HEARD)]


@given(st.binary(max_size=80), st.sampled_from([b"WWW-Authenticate: Digest ", b"WWW-Authenticate: ", b"Via: ", b""]))
def test_whatever_a_phone_writes_into_its_401_it_gets_one_whole_request_or_none(junk: bytes, before: bytes) -> None:
    lab = Lab()
    lab.push()
    asked = lab.sent[0][1]
    head = "".join(
        f"{name}: {asked.headers.get(name.lower())}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq")
    ).encode()
    challenge = b'WWW-Authenticate: Digest realm="' + junk + b'", nonce="' + junk + b'"\r\n'
    try:
        response = parse_message(b"SIP/2.0 401 X\r\n" + head + before + junk + b"\r\n" + challenge + b"\r\n")
    except SIPSyntaxError:
        return
    assert isinstance(response, Response)
    lab.client.receive_response(response, now=0.1)
    for data, _ in lab.client.messages_to_send():
        request = parse_message(data)
        assert isinstance(request, Request)
        request.check()
        lines = data.split(b"\r\n\r\n")[0].split(b"\r\n")
        assert len(lines) == 13 and data.endswith(b"\r\n\r\n") and b"\n" not in b"".join(lines)


def test_the_proxy_the_phone_and_the_proxy_again_may_challenge_and_no_more() -> None:
    lab = Lab()
    lab.push()
    for status, header in ((407, "Proxy"), (401, "WWW"), (407, "Proxy"), (401, "WWW")):
        lab.answer(status, f'{header}-Authenticate: Digest realm="{header}", nonce="n", qop="auth"\r\n')
    assert [request.cseq for _, request, _ in lab.sent] == [1, 2, 3, 4]
    last = lab.sent[-1][1]
    assert last.headers.get("authorization") and last.headers.get("proxy-authorization")
    assert lab.ended == [(401, Verdict.REFUSED)]


def test_a_branch_in_the_request_uri_is_not_taken_for_ours() -> None:
    lab = Lab()
    push = Push(
        "d", "sip:192.0.2.7;branch=z9hG4bKevil", "check-sync", (PHONE,), versions=(("device/x/y", "e1"),)
    )  # fmt: skip
    lab.client.send(push, now=0.0)
    [(data, _)] = lab.client.messages_to_send()
    lab.client.transport_failed(data, now=0.1)
    lab.take()
    assert lab.ended == [(503, Verdict.OFFLINE)]


def test_a_proxy_that_has_no_room_is_passed_by_for_the_next_one() -> None:
    lab = Lab()
    lab.push(flows=(PHONE, SECOND))
    lab.answer(503)
    assert lab.ended == [] and lab.sent[-1][2] == SECOND
    lab.answer(503)
    assert lab.ended == [(503, Verdict.OFFLINE)] and len(lab.sent) == 2


def test_a_failed_transport_is_nobody_at_home() -> None:
    lab = Lab()
    lab.push()
    request = lab.sent[0][1]
    data = f"NOTIFY x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={request.via.branch};rport\r\n\r\n".encode()
    lab.client.transport_failed(data, now=0.1)
    lab.client.transport_failed(b"SIP/2.0 200 OK\r\n\r\n", now=0.1)
    lab.take()
    assert lab.ended == [(503, Verdict.OFFLINE)]


def test_no_more_leave_in_a_second_than_the_rate_and_none_beyond_what_may_be_unanswered() -> None:
    lab = Lab(rate=10, in_flight=15)
    for number in range(40):
        lab.push(f"phone{number}")
    lab.run(0.45)
    assert len([at for at, r, _ in lab.sent if r.cseq == 1 and at < 0.5]) <= 6
    lab.run(5.0)
    firsts = {request.call_id for _, request, _ in lab.sent}
    assert len(firsts) == 15  # nobody answers: no further one leaves
    for _, request, _ in list(lab.sent):
        lab.answer(200, request=request)
    lab.run(20.0)
    assert len({request.call_id for _, request, _ in lab.sent}) == 30


def test_one_phone_is_told_one_thing_at_a_time() -> None:
    lab = Lab()
    lab.push()
    lab.push()
    assert len(lab.sent) == 1 and lab.client.is_busy("000413aabbcc")
    lab.answer(200)
    assert len(lab.sent) == 2


def test_the_file_of_lines_has_hashes_and_passwords_and_shows_neither() -> None:
    hashed = a1("MD5", "2002", "pbx", "secret")
    lines = LineCredentials.parse(f"# lines\n2001::clear\n2002:pbx:{hashed}\nnonsense\n")
    assert len(lines) == 2 and [problem.line for problem in lines.problems] == [4]
    assert lines.lookup("2001", "any")["MD5"] == a1("MD5", "2001", "any", "clear")
    assert lines.lookup("2002", "pbx") == {"MD5": hashed} and not lines.lookup("2002", "other")
    assert "clear" not in repr(lines) and not any("clear" in problem.message for problem in lines.problems)
