"""Each phone that was seen gets one 200 and one NOTIFY; everybody else silence (phones.md 2, 3, 7)."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.pnp import Offer, PnPAnswered, PnPEvent, PnPLimits, PnPRefused, PnPRequest, PnPResponder
from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request, Response, parse_message

from .samples import SAMPLES, SNOM, Sample

OURS = ("192.0.2.10", 40000)
NEAR = IPv4Network("192.0.2.0/24")
URL = "https://prov.example.com/p/{mac}.cfg"


class Lab:
    """A responder and its clock."""

    def __init__(self, *, known: bool = True, limits: PnPLimits | None = None) -> None:
        tokens = iter(range(1_000_000))
        self.asked: list[PnPRequest] = []

        def decide(request: PnPRequest, flow: Flow) -> Offer | None:
            self.asked.append(request)
            return Offer(URL) if known else None

        self.responder = PnPResponder(
            decide, lambda address: IPv4Address(address) in NEAR, lambda: f"t{next(tokens)}", limits=limits
        )
        self.now = 0.0
        self.sent: list[tuple[float, bytes, tuple[str, int]]] = []
        self.events: list[PnPEvent] = []

    def receive(self, data: bytes, source: tuple[str, int]) -> None:
        self.responder.receive(data, Flow("udp", OURS, source), now=self.now)
        self.take()

    def take(self) -> None:
        self.sent += [(self.now, data, flow.remote) for data, flow in self.responder.messages_to_send()]
        self.events += self.responder.events()

    def run(self, until: float) -> None:
        while (due := self.responder.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.responder.handle_deadline(now=self.now)
            self.take()
        self.now = until

    @property
    def notifies(self) -> list[tuple[float, bytes, tuple[str, int]]]:
        return [one for one in self.sent if one[1].startswith(b"NOTIFY ")]

    @property
    def responses(self) -> list[bytes]:
        return [data for _, data, _ in self.sent if data.startswith(b"SIP/2.0 ")]


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_seen_phone_gets_one_200_and_one_notify(sample: Sample, line_end: str) -> None:
    lab = Lab()
    lab.receive(sample.data(line_end), sample.source)
    lab.run(0.02)
    [(at_200, ok, to_200), (at_notify, notify, to_notify)] = lab.sent
    assert (to_200, to_notify) == (sample.source, sample.answer_to) and at_notify - at_200 == pytest.approx(0.01)
    [asked] = lab.asked
    assert (asked.mac, asked.vendor.name, asked.model) == (sample.mac, sample.vendor, sample.model)
    response, request = parse_message(ok), parse_message(notify)
    assert isinstance(response, Response) and isinstance(request, Request)
    request.check()
    get, sent = response.headers.get, dict(line.split(": ", 1) for line in sample.text.splitlines()[1:] if line)
    assert response.status == 200 and get("expires") == "0" and get("content-length") == "0"
    assert (get("from"), get("call-id"), get("cseq")) == (sent["From"], sent["Call-ID"], sent["CSeq"])
    tag = (get("to") or "").removeprefix(sent["To"])
    assert tag.startswith(";tag=t")
    assert request.headers.get("from") == sent["To"] + tag  # the dialog that the 200 made
    assert request.headers.get("to") == sent["From"] and request.call_id == sent["Call-ID"] and request.cseq == 1
    assert request.via.branch and request.via.branch not in sent["Via"] and request.via.sent_by == OURS
    assert request.headers.get("event") == "ua-profile"
    assert request.headers.get("subscription-state") == "terminated;reason=timeout"
    assert request.headers.get("content-type") == "application/url"
    assert request.body == URL.encode()
    assert notify.endswith(f"Content-Length: {len(URL)}\r\n\r\n{URL}".encode())


def test_a_snom_that_repeats_itself_is_answered_each_time_and_notified_once() -> None:
    lab = Lab()
    for second in range(5):
        lab.now = float(second)
        lab.receive(SNOM.data(), SNOM.source)
        answer(lab)
    lab.run(60)
    assert len(lab.responses) == 5 and len(set(lab.responses)) == 1
    assert len(lab.notifies) == 1 and len(lab.asked) == 1


def answer(lab: Lab) -> None:
    """The phone answers its NOTIFY."""
    lab.run(lab.now + 0.02)
    if lab.notifies:
        request = parse_message(lab.notifies[-1][1])
        assert isinstance(request, Request)
        head = "".join(
            f"{name}: {request.headers.get(name.lower())}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq")
        )
        lab.receive(f"SIP/2.0 200 OK\r\n{head}Content-Length: 0\r\n\r\n".encode(), SNOM.source)


def test_a_phone_that_asks_again_in_an_hour_is_answered_again() -> None:
    lab = Lab()
    lab.receive(SNOM.data(), SNOM.source)
    answer(lab)
    lab.run(3600)
    lab.receive(SNOM.data(), SNOM.source)
    answer(lab)
    assert len(lab.notifies) == 2
    assert [event.status for event in lab.events if isinstance(event, PnPAnswered)] == [200, 200]


def test_a_phone_that_never_answers_is_not_flooded() -> None:
    lab = Lab()
    lab.receive(SNOM.data(), SNOM.source)
    lab.run(200)
    assert [round(at, 2) for at, _, _ in lab.notifies] == [0.01, 0.51, 1.51, 3.51, 7.51]
    assert lab.events == [PnPAnswered("00135e874b49", "192.0.2.67", 0)] and lab.responder.next_deadline() is None


def test_whoever_is_not_known_hears_nothing() -> None:
    lab = Lab(known=False)
    lab.receive(SNOM.data(), SNOM.source)
    lab.run(60)
    assert lab.sent == [] and lab.events == [PnPRefused("192.0.2.67", "unknown", "00135e874b49")]


def test_whoever_is_not_on_this_network_hears_nothing() -> None:
    lab = Lab()
    lab.receive(SNOM.data(), ("203.0.113.5", 5060))
    assert lab.sent == [] and lab.asked == [] and lab.events == [PnPRefused("203.0.113.5", "source", "00135e874b49")]


def test_a_flood_of_random_macs_is_bounded_and_does_not_silence_others() -> None:
    lab = Lab(limits=PnPLimits(per_source=10, overall=100, remembered=500))
    for number in range(5000):
        data = SNOM.data().replace(b"00135E874B49", f"{number:012X}".encode()).replace(b"snom-doc-1", b"%d" % number)
        lab.receive(data, ("192.0.2.66", 5060))
    assert len(lab.asked) == 10
    lab.receive(SNOM.data(), SNOM.source)
    assert len(lab.asked) == 11
    for number in range(5000):
        data = SNOM.data().replace(b"snom-doc-1", b"x%d" % number)
        lab.receive(data, (f"192.0.2.{number % 250 + 1}", 5060))
    assert len(lab.asked) == 100
    lab.now = 61.0
    lab.receive(SNOM.data().replace(b"snom-doc-1", b"later"), SNOM.source)
    assert len(lab.asked) == 101  # after a minute all is well again


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n\r\n", b"hello", b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        SNOM.data().replace(b"ua-profile", b"presence"), SNOM.data().replace(b"Event: ", b"X-Event: "),
        SNOM.data().replace(b"CSeq: 1 SUBSCRIBE", b"CSeq: 1 NOTIFY"), SNOM.data().replace(b"Via: ", b"X-Via: "),
        SNOM.data().replace(b"snom-doc-1", b"x" * 5000), SNOM.data().replace(b"snom-doc-1", b"a\0b"),
    ],
)  # fmt: skip
def test_anything_else_is_silence(data: bytes) -> None:
    lab = Lab()
    lab.receive(data, SNOM.source)
    lab.run(60)
    assert lab.sent == [] and [type(event) for event in lab.events] == [PnPRefused]


@given(st.binary(max_size=300), st.integers(0, 500))
def test_no_bytes_do_any_harm(garbage: bytes, at: int) -> None:
    lab = Lab()
    data = SNOM.data()
    lab.receive(data[:at] + garbage + data[at + len(garbage) :], SNOM.source)
    lab.receive(garbage, SNOM.source)
    lab.run(60)
    assert all(to[0] == "192.0.2.67" for _, _, to in lab.sent)


@pytest.mark.parametrize(
    ("accept", "used"),
    [
        ("", "application/url"),
        ("Accept: application/url, text/xml\r\n", "application/url"),
        ("Accept: application/x-gs-ucm-url\r\n", "application/x-gs-ucm-url"),
        ("Accept: */*\r\n", "application/url"),
        ("Accept: text/xml\r\n", "application/url"),
    ],
)
def test_the_url_comes_as_the_type_that_the_phone_takes(accept: str, used: str) -> None:
    lab = Lab()
    data = SNOM.data().replace(b"Accept: application/url\r\n", accept.encode())
    lab.receive(data, SNOM.source)
    lab.run(0.02)
    assert f"Content-Type: {used}\r\n".encode() in lab.notifies[0][1]
