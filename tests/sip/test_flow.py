"""Flows as values and as keys."""

import pytest

from gitops_profile.sip import Flow

FLOW = Flow("tls", ("2001:db8::1", 5061), ("192.0.2.7", 40000), 5, ("edge.example.com",))


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "ws", "wss"])
def test_a_stored_flow_has_the_same_addresses_and_no_connection(transport: str) -> None:
    flow = Flow(transport, ("2001:db8::1", 5061), ("192.0.2.7", 40000), 5)
    again = Flow.parse(str(flow))
    assert (again.transport, again.local, again.remote, again.connection) == (*again_of(flow), 0)


def test_a_stored_flow_keeps_its_link() -> None:
    flow = Flow("udp", ("fe80::a", 5060), ("fe80::9%3", 5062))
    assert Flow.parse(str(flow)) == flow and flow.source == "fe80::"


def again_of(flow: Flow) -> tuple[str, tuple[str, int], tuple[str, int]]:
    return flow.transport, flow.local, flow.remote


def test_who_the_peer_is_does_not_make_another_flow() -> None:
    anonymous = Flow("tls", FLOW.local, FLOW.remote, 5)
    assert anonymous == FLOW and hash(anonymous) == hash(FLOW)
    assert Flow.parse(str(FLOW)).peer == ()  # a certificate is seen again on the next connection


@pytest.mark.parametrize(
    ("transport", "reliable", "secure"),
    [("udp", False, False), ("tcp", True, False), ("tls", True, True), ("ws", True, False), ("wss", True, True)],
)
def test_what_a_transport_promises(transport: str, reliable: bool, secure: bool) -> None:
    flow = Flow(transport, FLOW.local, FLOW.remote)
    assert (flow.reliable, flow.secure) == (reliable, secure)


@pytest.mark.parametrize(
    ("local", "is_loopback"), [("127.0.0.9", True), ("::1", True), ("192.0.2.1", False), ("2001:db8::1", False)]
)
def test_only_this_machine_has_a_loopback_address(local: str, is_loopback: bool) -> None:
    assert Flow("udp", (local, 5060), FLOW.remote).is_loopback is is_loopback
