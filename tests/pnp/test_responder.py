"""Each phone that was seen gets one 200 and one NOTIFY; everybody else silence (phones.md 2, 3, 7)."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.pnp import Offer, PnPAnswered, PnPAsked, PnPEvent, PnPLimits, PnPRefused, PnPRequest, PnPResponder
from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request, Response, parse_message

from .samples import SAMPLES, SNOM, Sample

OURS = ("192.0.2.10", 40000)
NEAR = IPv4Network("192.0.2.0/24")
URL = "https://prov.example.com/p/{mac}.cfg"


class Lab:
    """A responder and its clock."""

    def __init__(
        self,
        *,
        known: Callable[[str | None], bool] = lambda mac: True,
        answers_strangers: bool = False,
        limits: PnPLimits | None = None,
        mac_at: Callable[[str], str | None] = lambda address: None,
    ) -> None:
        tokens = iter(range(1_000_000))

        def decide(request: PnPRequest) -> Offer | None:
            is_known = known(request.mac)
            return Offer(URL, is_known) if is_known or answers_strangers else None

        self.responder = PnPResponder(
            decide, lambda address: IPv4Address(address) in NEAR, lambda: f"t{next(tokens)}", limits=limits,
            mac_at=mac_at,
        )  # fmt: skip
        self.now = 0.0
        self.sent: list[tuple[float, bytes, tuple[str, int]]] = []
        self.asked: list[PnPEvent] = []
        self.events: list[PnPEvent] = []

    def receive(self, data: bytes, source: tuple[str, int]) -> None:
        self.responder.receive(data, Flow("udp", OURS, source), now=self.now)
        self.take()

    def take(self) -> None:
        self.sent += [(self.now, data, flow.remote) for data, flow in self.responder.messages_to_send()]
        for event in self.responder.events():
            (self.asked if isinstance(event, PnPAsked) else self.events).append(event)

    @property
    def requests(self) -> list[PnPRequest]:
        return [event.request for event in self.asked if isinstance(event, PnPAsked)]

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
    [asked] = lab.requests
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


def nobody(mac: str | None) -> bool:
    return False


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
    lab = Lab(known=nobody)
    lab.receive(SNOM.data(), SNOM.source)
    lab.run(60)
    assert lab.sent == [] and lab.events == [PnPRefused("192.0.2.67", "unknown", "00135e874b49")]


def test_whoever_is_not_on_this_network_hears_nothing() -> None:
    lab = Lab()
    lab.receive(SNOM.data(), ("203.0.113.5", 5060))
    assert lab.sent == [] and lab.asked == [] and lab.events == [PnPRefused("203.0.113.5", "source", "00135e874b49")]


def renamed(number: int, mac: str = "00135E874B49") -> bytes:
    """The Snom's SUBSCRIBE as another request, perhaps of another phone."""
    return SNOM.data().replace(b"00135E874B49", mac.encode()).replace(b"snom-doc-1", b"n%d" % number)


def is_the_snom(mac: str | None) -> bool:
    return mac == SNOM.mac


def test_a_flood_of_random_macs_from_one_address_is_bounded() -> None:
    lab = Lab()
    for number in range(5000):
        lab.receive(renamed(number, f"{number:012X}"), ("192.0.2.66", 5060))
    assert len(lab.asked) == 10
    assert lab.events == [PnPRefused("192.0.2.66", "flood", f"{number:012x}") for number in range(10, 5000)]
    lab.now = 61.0
    lab.receive(renamed(1), ("192.0.2.66", 5060))
    assert len(lab.asked) == 11  # after a minute all is well again


@pytest.mark.parametrize("answers_strangers", [False, True])
def test_a_flood_of_strangers_from_forged_addresses_does_not_silence_who_is_known(answers_strangers: bool) -> None:
    lab = Lab(known=is_the_snom, answers_strangers=answers_strangers, limits=PnPLimits(overall=50, strangers=100))
    for number in range(5000):
        lab.receive(renamed(number, f"{number:012X}"), (f"192.0.2.{number % 250 + 1}", 5060))
    assert len(lab.asked) == 100
    lab.receive(SNOM.data(), ("192.0.2.251", 5060))
    lab.run(0.02)
    assert lab.requests[-1].mac == SNOM.mac and lab.notifies[-1][2] == ("192.0.2.251", 5060)


def test_a_flood_with_one_phones_mac_silences_that_phone_alone() -> None:
    lab = Lab(limits=PnPLimits(overall=50))
    for number in range(5000):
        lab.receive(renamed(number), (f"192.0.2.{number % 250 + 1}", 5060))
    assert len(lab.asked) == 10
    lab.receive(renamed(1, "000413241967"), ("192.0.2.251", 5060))
    assert len(lab.asked) == 11 and lab.requests[-1].mac == "000413241967"


def test_all_that_are_known_together_are_bounded() -> None:
    lab = Lab(limits=PnPLimits(overall=50))
    for number in range(100):
        lab.receive(renamed(number, f"{number:012X}"), (f"192.0.2.{number + 1}", 5060))
    assert len(lab.asked) == 50


def test_repetitions_are_answered_as_often_as_a_phone_can_send_them() -> None:
    lab = Lab()
    for _ in range(5000):
        lab.receive(SNOM.data(), SNOM.source)
    assert len(lab.responses) == 1 + PnPLimits().repetitions and len(lab.asked) == 1


def test_who_repeats_a_phones_request_from_elsewhere_does_not_take_its_answer() -> None:
    """Everybody on the network hears it; whoever is quickest must not have the phone's only NOTIFY."""
    lab = Lab()
    lab.receive(SNOM.data(), ("192.0.2.66", 5060))
    lab.receive(SNOM.data(), SNOM.source)
    lab.run(0.02)
    assert [to for _, _, to in lab.notifies] == [("192.0.2.66", 5060), ("192.0.2.67", 5060)]


AUDIOCODES = next(sample for sample in SAMPLES if sample.name == "audiocodes")


def test_a_phone_that_says_no_mac_is_known_by_its_address_when_it_asks_again() -> None:
    seen: dict[str, str] = {}
    lab = Lab(known=is_the_snom, mac_at=seen.get)
    lab.receive(AUDIOCODES.data(), AUDIOCODES.source)
    assert lab.sent == []
    seen[AUDIOCODES.source[0]] = SNOM.mac or ""  # looking for it made the system know
    lab.now = 0.5
    lab.receive(AUDIOCODES.data(), AUDIOCODES.source)
    lab.run(0.52)
    assert len(lab.responses) == 1 and len(lab.notifies) == 1
    assert [(request.mac, request.vendor.name) for request in lab.requests] == [
        (None, "audiocodes"), (SNOM.mac, "audiocodes"),
    ]  # fmt: skip


def test_a_flood_without_macs_makes_the_system_look_for_few() -> None:
    looked: list[str] = []

    def mac_at(address: str) -> str | None:
        looked.append(address)
        return None

    lab = Lab(known=nobody, mac_at=mac_at, limits=PnPLimits(strangers=20))
    for number in range(2000):
        data = AUDIOCODES.data().replace(b"audiocodes-1", b"n%d" % number)
        lab.receive(data, (f"192.0.2.{number % 250 + 1}", 5060))
    assert len(looked) == 20


@pytest.mark.parametrize("line_end", ["\r\n", "\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("without", ["Expires", "Content-Length", "Contact", "Accept", "User-Agent", "Max-Forwards"])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_headers_that_old_firmware_leaves_out_are_not_missed(sample: Sample, without: str, line_end: str) -> None:
    lab = Lab()
    text = "".join(line for line in sample.text.splitlines(True) if not line.startswith(f"{without}: "))
    lab.receive(text.replace("\n", line_end).encode(), sample.source)
    lab.run(0.02)
    [(_, _, to_200), (_, notify, to_notify)] = lab.sent
    assert to_200 == sample.source and notify.startswith(b"NOTIFY sip:")
    assert to_notify == (sample.source if without == "Contact" else sample.answer_to)


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:a@198.51.100.1:5060>", "<sip:a@phone.example.com>", "<sip:a@192.0.2.67:5099;maddr=198.51.100.1>",
        "<sip:a@192.0.2.67:5099?Route=%3Csip:198.51.100.1%3E>", "<sips:a@192.0.2.67:5099>", "<sip:a b@192.0.2.67>",
        "<sip:a@192.0.2.67:0>", "<sip:a@192.0.2.67:99999>", "*", "<tel:2001>", "<sip:a@[2001:db8::1]>", "",
    ],
)  # fmt: skip
def test_a_contact_that_names_another_place_is_nowhere(contact: str) -> None:
    lab = Lab()
    lab.receive(SNOM.data().replace(b"<sip:192.0.2.67:5060>", contact.encode()), SNOM.source)
    lab.run(0.02)
    [(_, notify, to)] = lab.notifies
    assert to == SNOM.source and notify.startswith(b"NOTIFY sip:192.0.2.67:5060 SIP/2.0\r\n")


def test_a_contact_at_another_port_of_the_sender_is_where_the_notify_goes() -> None:
    lab = Lab()
    lab.receive(SNOM.data().replace(b"<sip:192.0.2.67:5060>", b"<sip:x@192.0.2.67:5099>"), SNOM.source)
    lab.run(0.02)
    [(_, notify, to)] = lab.notifies
    assert to == ("192.0.2.67", 5099) and notify.startswith(b"NOTIFY sip:x@192.0.2.67:5099 SIP/2.0\r\n")


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


@pytest.mark.parametrize("via", ['SIP/2.0/UDP h;received="é,', "SIP/2.0/UDP a, SIP/2.0/UDP b", "nonsense"])
def test_a_via_that_is_no_via_goes_back_as_it_came(via: str) -> None:
    lab = Lab()
    lab.receive(SNOM.data().replace(b"SIP/2.0/UDP 192.0.2.67:5060;rport", via.encode()), SNOM.source)
    lab.run(0.02)
    assert f"\r\nVia: {via}\r\n".encode() in lab.responses[0] and len(lab.notifies) == 1
