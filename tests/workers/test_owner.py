"""Whose a message is: the quick look says what the parser says, and every worker says the same."""

import secrets
from functools import partial
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Response, SIPSyntaxError, Via, parse_message
from gitops_profile.workers import Owners
from gitops_profile.workers.owner import MAX_WORKERS
from tests.fuzz.generate import CORPUS, message, response, valid
from tests.sip.harness import Lab, Phone, parsed

PHONE = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5062))
PROXY = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5070))
COUNTS = st.integers(2, MAX_WORKERS)
TAGS = ["", ";tag=0a", ";tag=k1", ";tag=Z", ";tag=", ";TAG=b2", ";x=1;tag=c3", ';x=">";tag=d4', ";tag=e5 ", " ;tag=f6"]


def by_the_parser(data: bytes, flow: Flow, owners: Owners) -> int | None:
    """The owner by the full parser; None for what every worker refuses alike."""
    try:
        found = parse_message(data)
        if isinstance(found, Response):
            hops = found.headers.items("via")
            return owners.of_branch(Via.parse(hops[0]).branch or "") if hops else 0
        found.check()
    except SIPSyntaxError:
        return None
    return owners.of_request(found, flow)


def _token(owners: Owners) -> str:
    return owners.mark(secrets.token_hex(8))


def check(data: bytes, count: int) -> None:
    for flow in (PHONE, PROXY):
        for me in (0, count - 1):
            owners = Owners(me, count)
            expected = by_the_parser(data, flow, owners)
            if expected is not None:
                assert owners.of_message(data, flow) == expected, (data, flow)


@pytest.mark.parametrize("count", [2, 5, 16])
def test_the_corpus_has_the_owners_that_the_parser_finds(count: int) -> None:
    for data in CORPUS:
        check(data, count)
        check(b"\r\n" + data, count)
        check(data.replace(b"\r\n", b"\n"), count)


@given(st.randoms(use_true_random=False), COUNTS)
def test_generated_and_damaged_messages_have_the_owners_that_the_parser_finds(random: Random, count: int) -> None:
    for make in (valid, response, message):
        check(make(random), count)


@given(
    st.sampled_from(["To: ", "t: ", "TO:", "To :", "to: "]),
    st.sampled_from(
        ['"A" <sip:a@b>', "<sip:a@b>", "sip:a@b", 'A "b" <sip:a>', '"x;tag=9" <sip:a;tag=8>', "A<sip:a@b>"]
    ),
    st.sampled_from(TAGS),
    st.sampled_from(["\r\n", "\r\n ;y=1\r\n", "\r\n\t;tag=77\r\n", "\n"]),
    st.sampled_from(
        [
            "",
            "\r\nTo: <sip:body>;tag=7\r\n\r\n",
            "\r\nCall-ID: body\r\n",
            "To: <sip:body>;tag=7\r\n",
            "Call-ID: body\r\n",
        ]
    ),
    st.sampled_from(["Call-ID: c1", "i: c1", "call-id:c1", "Call-ID: c 1", "Call-ID: c1 ", "Call-ID: c1\r\n "]),
    st.sampled_from(["SUBSCRIBE", "ACK", "INVITE", "OPTIONS"]),
    COUNTS,
)
@example("t: ", "<sip:a@b>", "", "\r\n", "\r\nTo: <sip:body>;tag=7\r\n\r\n", "i: c1", "SUBSCRIBE", 3)
@example("t: ", "<sip:a@b>", ";tag=0a", "\r\n", "To: <sip:body>;tag=5z\r\n", "i: c1", "SUBSCRIBE", 4)
@example("To: ", '"x;tag=9" <sip:a;tag=8>', ";tag=k1", "\r\n ;y=1\r\n", "", "Call-ID: c1\r\n ", "SUBSCRIBE", 3)
def test_every_spelling_has_the_owner_that_the_parser_finds(
    name: str, address: str, tag: str, end: str, body: str, call_id: str, method: str, count: int
) -> None:
    head = f"{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    check(f"{head}{name}{address}{tag}{end}{call_id}\r\nCSeq: 1 {method}\r\n\r\n{body}".encode(), count)


@given(
    st.sampled_from(["Via: ", "v: ", "Via : ", "VIA:"]),
    st.sampled_from(["192.0.2.1:5060", "h", "[2001:db8::1]:5060", "h:99999"]),
    st.sampled_from(
        [";branch=z9hG4bKk1;rport", ";rport;branch=z9hG4bKb", ";branch=k1", "", ";Branch=z9hG4bKc", " ;branch=z9hG4bKd"]
    ),
    st.sampled_from(
        ["", ", SIP/2.0/UDP x;branch=z9hG4bKy", "\r\n ;branch=z9hG4bKz", "\r\nVia: SIP/2.0/UDP y;branch=z9hG4bK7"]
    ),
    COUNTS,
)
def test_every_response_has_the_owner_that_the_parser_finds(
    name: str, sent_by: str, branch: str, rest: str, count: int
) -> None:
    check(f"SIP/2.0 200 OK\r\n{name}SIP/2.0/UDP {sent_by}{branch}{rest}\r\nCSeq: 1 NOTIFY\r\n\r\n".encode(), count)


@given(st.integers(1, MAX_WORKERS), st.binary(min_size=8, max_size=8), st.data())
def test_a_token_names_the_worker_that_made_it(count: int, random: bytes, data: st.DataObject) -> None:
    me = data.draw(st.integers(0, count - 1))
    token = Owners(me, count).mark(random.hex())
    assert token.isalnum() and len(token) == 16 and token[1:] == random.hex()[1:]
    assert {Owners(other, count).of_token(token) for other in range(count)} == {me}


def test_tokens_of_one_worker_are_as_they_were_without_any() -> None:
    token = secrets.token_hex(8)
    assert Owners().mark(token) == token


def test_tokens_spread_over_another_number_of_workers() -> None:
    for before, after in ((1, 2), (2, 4), (2, 3), (4, 1)):
        made = [Owners(number % before, before).mark(secrets.token_hex(8)) for number in range(400)]
        assert {Owners(0, after).of_token(token) for token in made} == set(range(after))


def test_what_is_nobodys_is_the_first_ones() -> None:
    owners = Owners(3, 4)
    assert [owners.of_token(token) for token in ("", "Z1", "-", "é", "\u0661", "\udcff")] == [0] * 6
    assert owners.of_branch("k1") == owners.of_branch("") == 0 and owners.of_branch("z9hG4bK5") == 3


def test_the_dialog_of_a_worker_is_found_from_wherever() -> None:
    for me in range(3):
        owners = Owners(me, 3)
        lab = Lab(new_token=partial(_token, owners))
        phone = Phone(lab)
        phone.subscribe()
        refresh, notify = phone.build(), phone.notifies[0]
        answer = Phone.answer(notify)
        for other in range(3):
            for flow in (PHONE, PROXY):
                assert Owners(other, 3).of_message(refresh, flow) == me
                assert Owners(other, 3).of_message(answer, flow) == me
        assert parsed(refresh).to.tag == phone.to_tag  # type: ignore[union-attr]
        (held,) = lab.notifier.subscriptions()
        assert owners.of_subscription(held.id) == me


@pytest.mark.parametrize("tag", ["", ";tag=1abc", ";tag=2abc"])
@pytest.mark.parametrize("line", ["To: <sip:alice@example.com>", "t:<sip:alice@example.com>"])
def test_the_ack_of_a_refused_invite_finds_whoever_refused_it(tag: str, line: str) -> None:
    for flow in (PHONE, PROXY):
        for me in range(3):
            invite, ack = (
                f"{method} sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKi\r\n"
                f"From: <sip:bob@example.com>;tag=b\r\n{line}{its}\r\nCall-ID: i1\r\nCSeq: 1 {method}\r\n\r\n"
                for method, its in (("INVITE", tag), ("ACK", tag or ";tag=0d1c"))
            )
            owners = Owners(me, 3)
            assert owners.of_message(invite.encode(), flow) == owners.of_message(ack.encode(), flow)


def test_a_request_of_ours_that_failed_finds_whoever_made_it() -> None:
    owners = Owners(2, 5)
    lab = Lab(new_token=lambda: owners.mark(secrets.token_hex(8)))
    phone = Phone(lab)
    sent = lab.receive(phone.build(), phone.flow)
    (notify,) = [data for data in sent if data.startswith(b"NOTIFY ")]
    assert Owners(0, 5).of_own_request(notify) == Owners(0, 5).of_own_request(notify[:200]) == 2
    assert Owners(0, 5).of_own_request(b"NOTIFY x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK") == 0
    assert Owners(0, 5).of_own_request(b"") == 0


def test_a_new_dialog_is_whoevers_it_came_to_unless_the_address_is_many_phones() -> None:
    lab = Lab()
    requests = [Phone(lab, call_id=f"call-{number}").build() for number in range(50)]
    assert {Owners(1, 3).of_message(data, PHONE) for data in requests} == {1}
    assert {Owners(1, 3).of_message(data, PROXY) for data in requests} == {0, 1, 2}
    for data in requests:  # whichever worker it came to, and whichever port it came from
        again = Flow("tcp", PROXY.local, ("127.0.0.1", 9), 7)
        assert len({Owners(me, 3).of_message(data, flow) for me in range(3) for flow in (PROXY, again)}) == 1
