"""Plug and play: what leaves goes to the sender, is one 200 and one NOTIFY, and has no line too many."""

from random import Random

from gitops_profile.pnp import Offer, PnPResponder
from gitops_profile.sip import Flow
from tests.pnp.samples import SAMPLES

from . import generate

OURS, SENDER = ("192.0.2.10", 40000), ("192.0.2.9", 5062)
URL = "https://prov.example.com/p/"
NOTIFY_LINES, RESPONSE_LINES = 13, 9
"""Without a Via of the phone's, of which a 200 repeats all."""


def datagram(r: Random) -> bytes:
    """What a phone was seen to send, or what the grammar allows, and damaged."""
    if r.random() < 0.4:
        data = r.choice(SAMPLES).data(r.choice(["\r\n", "\n"]))
    elif r.random() < 0.2:
        data = generate.valid(r)
    else:
        fields = [
            f"Via: {generate.via(r)}", f"From: {generate.address(r)}", f"To: {generate.address(r)}", "Call-ID: c",
            f"CSeq: {r.choice(['1', '0', '99999999999'])} SUBSCRIBE", f"Event: {generate.event(r)}",
            f"Contact: {r.choice([generate.address(r), '<sip:a@192.0.2.9:5070>', '<sip:a@192.0.2.9;lr>'])}",
            f"Accept: {r.choice(['application/url', 'application/x-gs-ucm-url', generate.event(r)])}",
        ]  # fmt: skip
        lines = [f"SUBSCRIBE {generate.uri(r)} SIP/2.0", *(generate.mutated(r, field) for field in fields), "", ""]
        data = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    for _ in range(r.choice([0, 0, 0, 1, 2])):
        data = r.choice(generate.DAMAGES)(r, data)
    return data


def check_responder(data: bytes) -> None:
    """Send it twice, and let time pass."""
    tokens = iter(range(100))
    responder = PnPResponder(lambda request: Offer(URL), lambda address: True, lambda: f"t{next(tokens)}")
    sent: list[tuple[bytes, Flow]] = []
    for now in (0.0, 0.2):
        responder.receive(data, Flow("udp", OURS, SENDER), now=now)
        sent += responder.messages_to_send()
        responder.handle_deadline(now=now + 0.1)
        sent += responder.messages_to_send()
    kinds = [message.split(b" ", 1)[0] for message, _ in sent]
    assert kinds in ([], [b"SIP/2.0", b"NOTIFY", b"SIP/2.0"]), kinds
    for message, flow in sent:
        head, _, body = message.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert flow.remote[0] == SENDER[0] and b"\r" not in b"".join(lines) and b"\n" not in head.replace(b"\r\n", b"")
        if lines[0].startswith(b"NOTIFY "):
            assert len(lines) == NOTIFY_LINES and body == URL.encode() and lines[0].endswith(b" SIP/2.0")
            assert lines[0].count(b" ") == 2 and lines[1].startswith(b"Via: SIP/2.0/UDP 192.0.2.10:40000;")
        else:
            vias = sum(line.startswith(b"Via: ") for line in lines)
            assert len(lines) == RESPONSE_LINES + vias and body == b"" and lines[0] == b"SIP/2.0 200 OK"
    for now in (1.0, 10.0, 60.0, 120.0):
        responder.handle_deadline(now=now)
    assert responder.next_deadline() is None
