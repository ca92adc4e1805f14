"""What is refused is freed at once."""

import pytest

from gitops_profile.sip import Flow
from gitops_profile.sip.subscription_events import MessageRefused
from tests.garbage import garbage

from .harness import TCP, UDP, Lab, Phone, statuses

MANY = 20


@pytest.mark.parametrize("flow", [UDP, TCP], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("status", "user", "method", "fields"),
    [
        (200, "alice", "SUBSCRIBE", {}),
        (400, "alice", "SUBSCRIBE", {"CSeq": "x SUBSCRIBE"}),
        (400, "alice", "SUBSCRIBE", {"Contact": "<nonsense"}),
        (403, "mallory", "SUBSCRIBE", {}),
        (405, "alice", "INVITE", {}),
        (420, "alice", "SUBSCRIBE", {"Require": "mind-reading"}),
        (423, "alice", "SUBSCRIBE", {"Expires": "1"}),
        (481, "alice", "SUBSCRIBE", {"To": "<sip:alice@example.com>;tag=gone"}),
        (489, "alice", "SUBSCRIBE", {"Event": "presence"}),
        (501, "alice", "BREW", {}),
    ],
)
def test_a_refusal_leaves_nothing_to_the_collector(
    flow: Flow, status: int, user: str, method: str, fields: dict[str, str]
) -> None:
    lab = Lab()
    phones = [Phone(lab, user, flow, f"call-{number}") for number in range(MANY + 1)]
    assert status in statuses(phones[-1].send(phones[-1].build(600, method, **fields)))
    requests = [phone.build(600, method, **fields) for phone in phones[:MANY]]
    with garbage() as left:
        for request in requests:
            lab.receive(request, flow)
    assert left.objects < MANY


@pytest.mark.parametrize(("start", "status"), [(b"SUBSCRIBE", 400), (b"ACK", 0)])
def test_of_what_cannot_be_read_the_status_is_told_that_was_answered(start: bytes, status: int) -> None:
    lab = Lab()
    sent = lab.receive(start + b" sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\r\n")
    assert len(sent) == bool(status)
    assert [event.status for event in lab.happened if isinstance(event, MessageRefused)] == [status]
