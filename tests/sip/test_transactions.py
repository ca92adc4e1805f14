"""Transactions by themselves: every timer of RFC 3261 §17, in virtual time."""

import pytest

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request, Response, parse_message
from gitops_profile.sip.transaction import ServerState, Timers, TransactionLayer, server_key

from .harness import TCP, UDP

E_OFFSETS = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


class Bench:
    """A layer, its outbox with times, and a clock that only `run` moves."""

    def __init__(self) -> None:
        self.outbox: list[tuple[bytes, Flow]] = []
        self.layer = TransactionLayer(self.outbox, Timers())
        self.now = 0.0
        self.times: list[float] = []
        self.timed_out: list[tuple[float, object]] = []
        self.repeated: list[float] = []

    def note(self) -> None:
        self.times += [self.now] * (len(self.outbox) - len(self.times))

    def run(self, end: float) -> None:
        self.note()
        while (due := self.layer.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            timed_out, repeated = self.layer.handle_deadline(now=self.now)
            self.timed_out += [(self.now, transaction.owner) for transaction in timed_out]
            self.repeated += [self.now for _ in repeated]
            self.note()
        self.now = end


def request(
    method: str = "SUBSCRIBE", *, branch: str | None = "z9hG4bKa", call_id: str = "c1", cseq: int = 1,
    sent_by: str = "192.0.2.9:5062", uri: str = "sip:a@b", to: str = "<sip:a@b>", tag: str = "f",
) -> Request:  # fmt: skip
    via = f"SIP/2.0/UDP {sent_by}" + ("" if branch is None else f";branch={branch}")
    lines = [f"{method} {uri} SIP/2.0", f"Via: {via}", f"From: <sip:a@b>;tag={tag}", f"To: {to}",
             f"Call-ID: {call_id}", f"CSeq: {cseq} {method}", "Content-Length: 0\r\n\r\n"]  # fmt: skip
    message = parse_message("\r\n".join(lines).encode())
    assert isinstance(message, Request)
    message.check()
    return message


def response(status: int, branch: str = "z9hG4bKn", method: str = "NOTIFY") -> Response:
    text = f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\nCSeq: 1 {method}\r\n\r\n"
    message = parse_message(text.encode())
    assert isinstance(message, Response)
    return message


# -- client ------------------------------------------------------------------------------------------------------


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it() -> None:
    """Checklist row 18: RFC 3261 §17.1.2.2."""
    bench = Bench()
    bench.layer.send_request("z9hG4bKn", b"N", UDP, "owner", now=0.0)
    bench.run(100)
    assert bench.times == E_OFFSETS
    assert bench.timed_out == [(32.0, "owner")] and bench.repeated == [0.5]
    assert len(bench.layer) == 0 and bench.layer.next_deadline() is None


def test_over_a_stream_there_is_timer_f_only() -> None:
    bench = Bench()
    bench.layer.send_request("z9hG4bKn", b"N", TCP, "owner", now=0.0)
    bench.run(100)
    assert bench.times == [0.0] and bench.timed_out == [(32.0, "owner")]


def test_an_end_does_not_wait_for_that_of_a_younger_one() -> None:
    """Over a stream the wait for Timer F begins at once, over UDP with the last repetition."""
    bench = Bench()
    bench.layer.send_request("z9hG4bKa", b"N", UDP, "older", now=0.0)
    bench.run(20)
    bench.layer.send_request("z9hG4bKb", b"N", TCP, "younger", now=20.0)
    bench.run(100)
    assert bench.timed_out == [(32.0, "older"), (52.0, "younger")]


@pytest.mark.parametrize("status", [200, 204, 301, 404, 481, 503, 603])
def test_a_final_response_ends_it_and_later_ones_match_nothing(status: int) -> None:
    bench = Bench()
    bench.layer.send_request("z9hG4bKn", b"N", UDP, "owner", now=0.0)
    ended = bench.layer.receive_response(response(status))
    assert ended is not None and ended.owner == "owner" and ended.sent == 1
    assert bench.layer.receive_response(response(status)) is None  # what Timer K would absorb
    bench.run(100)
    assert bench.times == [0.0] and not bench.timed_out


def test_a_provisional_response_sets_timer_e_to_t2() -> None:
    bench = Bench()
    bench.layer.send_request("z9hG4bKn", b"N", UDP, "owner", now=0.0)
    bench.run(0.1)
    assert bench.layer.receive_response(response(100)) is None
    bench.run(100)
    assert bench.times == [0.0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]  # the timer that runs is not moved
    assert bench.timed_out == [(32.0, "owner")]


@pytest.mark.parametrize("answer", [response(200, "z9hG4bKother"), response(200, method="SUBSCRIBE")])
def test_a_response_to_something_else_changes_nothing(answer: Response) -> None:
    bench = Bench()
    bench.layer.send_request("z9hG4bKn", b"N", UDP, "owner", now=0.0)
    assert bench.layer.receive_response(answer) is None and len(bench.layer) == 1


def test_a_response_that_cannot_be_read_matches_nothing() -> None:
    for text in ("SIP/2.0 200 OK\r\n\r\n", "SIP/2.0 200 OK\r\nVia: x\r\nCSeq: 1 NOTIFY\r\n\r\n"):
        message = parse_message(text.encode())
        assert isinstance(message, Response) and Bench().layer.receive_response(message) is None


def test_a_transport_error_ends_it() -> None:
    bench = Bench()
    bench.layer.send_request("z9hG4bKn", b"N", UDP, "owner", now=0.0)
    ended = bench.layer.drop_client("z9hG4bKn")
    assert ended is not None and ended.owner == "owner" and bench.layer.drop_client("z9hG4bKn") is None
    bench.run(100)
    assert bench.times == [0.0] and not bench.timed_out


# -- server ------------------------------------------------------------------------------------------------------


def test_trying_absorbs_and_completed_repeats_until_timer_j() -> None:
    """Checklist row 21: RFC 3261 §17.2.2."""
    bench = Bench()
    transaction = bench.layer.receive_request(request(), UDP, now=bench.now)
    assert transaction is not None and transaction.state is ServerState.TRYING
    assert bench.layer.receive_request(request(), UDP, now=bench.now) is None and not bench.outbox
    bench.layer.respond(transaction, b"R", now=0.0)
    bench.layer.respond(transaction, b"another", now=0.0)  # §17.2.2: a second final response is dropped
    bench.run(31.9)
    assert bench.layer.receive_request(request(), UDP, now=bench.now) is None
    assert [data for data, _ in bench.outbox] == [b"R", b"R"]
    bench.run(32)
    assert len(bench.layer) == 0
    assert bench.layer.receive_request(request(), UDP, now=bench.now) is not None


def test_over_a_stream_timer_j_is_zero() -> None:
    bench = Bench()
    transaction = bench.layer.receive_request(request(), TCP, now=bench.now)
    assert transaction is not None
    bench.layer.respond(transaction, b"R", now=0.0)
    assert len(bench.layer) == 0 and bench.layer.next_deadline() is None


def test_timer_g_repeats_a_refused_invite_until_timer_h() -> None:
    bench = Bench()
    transaction = bench.layer.receive_request(request("INVITE"), UDP, now=bench.now)
    assert transaction is not None and transaction.is_invite
    bench.layer.respond(transaction, b"R", now=0.0)
    bench.run(100)
    assert bench.times == E_OFFSETS  # T1, doubling up to T2, for 64 × T1
    assert len(bench.layer) == 0


def test_an_ack_stops_timer_g_and_is_absorbed() -> None:
    bench = Bench()
    transaction = bench.layer.receive_request(request("INVITE"), UDP, now=bench.now)
    assert transaction is not None
    bench.layer.respond(transaction, b"R", now=0.0)
    bench.run(0.6)
    for _ in range(2):  # Timer I absorbs the second
        assert bench.layer.receive_request(request("ACK", to="<sip:a@b>;tag=t"), UDP, now=bench.now) is None
    assert transaction.state is ServerState.CONFIRMED
    assert (
        bench.layer.receive_request(request("INVITE"), UDP, now=bench.now) is None
    )  # nor is a late INVITE answered again
    bench.run(100)
    assert bench.times == [0.0, 0.5] and len(bench.layer) == 0


def test_over_a_stream_a_refused_invite_is_not_repeated() -> None:
    bench = Bench()
    transaction = bench.layer.receive_request(request("INVITE"), TCP, now=bench.now)
    assert transaction is not None
    bench.layer.respond(transaction, b"R", now=0.0)
    bench.run(100)
    assert bench.times == [0.0] and len(bench.layer) == 0


def test_an_ack_of_an_rfc_2543_phone_is_matched_by_its_headers() -> None:
    bench = Bench()
    transaction = bench.layer.receive_request(request("INVITE", branch=None), UDP, now=bench.now)
    assert transaction is not None
    bench.layer.respond(transaction, b"R", now=0.0)
    assert bench.layer.receive_request(request("ACK", branch=None, to="<sip:a@b>;tag=ours"), UDP, now=bench.now) is None
    assert transaction.state is ServerState.CONFIRMED


def test_an_ack_for_nothing_is_dropped() -> None:
    """Checklist row 26: RFC 3261 §17.1.1.3."""
    bench = Bench()
    assert bench.layer.receive_request(request("ACK"), UDP, now=bench.now) is None
    assert len(bench.layer) == 0 and not bench.outbox


# -- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [request(branch="z9hG4bKb"), request(sent_by="192.0.2.9:5063"), request(sent_by="192.0.2.8:5062"),
     request("OPTIONS")],
)  # fmt: skip
def test_branch_sent_by_and_method_are_the_key(other: Request) -> None:
    assert server_key(other) != server_key(request())
    assert server_key(request(call_id="c2", cseq=9, uri="sip:x@y", tag="g")) == server_key(request())


@pytest.mark.parametrize("branch", [None, "z9hG4bK", "1"])
def test_without_a_usable_branch_the_rfc_2543_elements_are_the_key(branch: str | None) -> None:
    """Checklist row 22: RFC 3261 §17.2.3."""
    first = server_key(request(branch=branch))
    assert server_key(request(branch=branch)) == first
    for other in (
        request(branch=branch, uri="sip:x@y"), request(branch=branch, to="<sip:a@b>;tag=t"),
        request(branch=branch, tag="g"), request(branch=branch, call_id="c2"), request(branch=branch, cseq=2),
        request(branch=branch, sent_by="192.0.2.9:9"), request("OPTIONS", branch=branch),
    ):  # fmt: skip
        assert server_key(other) != first


def test_what_a_phone_calls_its_call_does_not_make_it_an_invite() -> None:
    bench = Bench()
    transaction = bench.layer.receive_request(request(branch=None, call_id="INVITE", tag="INVITE"), UDP, now=bench.now)
    assert transaction is not None and not transaction.is_invite
    bench.layer.respond(transaction, b"R", now=0.0)
    bench.run(100)
    assert bench.times == [0.0]


def test_the_same_request_by_another_path_is_merged_until_the_first_is_forgotten() -> None:
    """Checklist row 23: RFC 3261 §8.2.2.2."""
    bench = Bench()
    first = bench.layer.receive_request(request(), UDP, now=bench.now)
    second = bench.layer.receive_request(request(branch="z9hG4bKb"), UDP, now=bench.now)
    assert first is not None and second is not None
    assert not bench.layer.is_merged(first) and bench.layer.is_merged(second)
    in_dialog = bench.layer.receive_request(request(branch="z9hG4bKc", to="<sip:a@b>;tag=t"), UDP, now=bench.now)
    assert in_dialog is not None and not bench.layer.is_merged(in_dialog)
    bench.layer.respond(first, b"R", now=0.0)
    bench.layer.respond(second, b"482", now=0.0)
    bench.run(32)
    third = bench.layer.receive_request(request(branch="z9hG4bKd"), UDP, now=bench.now)
    assert third is not None and not bench.layer.is_merged(third)


def test_cancel_names_a_transaction_that_is_here() -> None:
    """Checklist row 60: RFC 3261 §9.2."""
    bench = Bench()
    assert bench.layer.receive_request(request(), UDP, now=bench.now) is not None
    methods = ("REGISTER", "SUBSCRIBE")
    assert bench.layer.cancelled(request("CANCEL"), methods) is not None
    assert bench.layer.cancelled(request("CANCEL", branch="z9hG4bKb"), methods) is None
    assert bench.layer.cancelled(request("CANCEL", branch=None), methods) is None


@pytest.mark.parametrize("branch", ["z9hG4bKa", None])
def test_cancel_names_a_transaction_of_any_method_and_either_form(branch: str | None) -> None:
    """RFC 3261 §9.2, §17.2.3: by the elements of RFC 2543 where there is no branch."""
    bench = Bench()
    made = bench.layer.receive_request(request("REGISTER", branch=branch), UDP, now=bench.now)
    assert made is not None
    assert bench.layer.cancelled(request("CANCEL", branch=branch), ("SUBSCRIBE", "REGISTER")) is made
