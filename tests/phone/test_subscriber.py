"""The dialog that the phone of the command line is in (RFC 3261 §12)."""

from gitops_profile.phone import SubscriberSettings
from gitops_profile.phone.subscriber import Subscriber
from gitops_profile.sip.syntax import Request, parse_message

SERVER = "<sip:192.0.2.1:5060>"


def subscriber() -> Subscriber:
    return Subscriber(SubscriberSettings("sip:alice@example.com"), "udp", ("192.0.2.9", 5070), lambda: "token")


def request(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def accepted(subscribe: bytes, *fields: str, to_tag: str = ";tag=x") -> bytes:
    """A 200 to it, with more fields."""
    sent = request(subscribe).headers
    lines = [f"{name}: {sent.get(name.lower())}" for name in ("Via", "From", "Call-ID", "CSeq")]
    lines += [f"To: {sent.get('to')}{to_tag}", "Expires: 600", f"Contact: {SERVER}", *fields, "Content-Length: 0"]
    return "\r\n".join(["SIP/2.0 200 OK", *lines, "", ""]).encode()


def notified(subscribe: bytes, *fields: str) -> bytes:
    """The first NOTIFY of the dialog that it makes."""
    sent = request(subscribe).headers
    lines = ["Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKn", f"From: {sent.get('to')};tag=x", f"To: {sent.get('from')}"]
    lines += [f"Call-ID: {sent.get('call-id')}", "CSeq: 1 NOTIFY", f"Contact: {SERVER}", "Event: ua-profile", *fields]
    lines += ["Subscription-State: active;expires=600", "Content-Length: 0"]
    return "\r\n".join(["NOTIFY sip:alice@192.0.2.9:5070 SIP/2.0", *lines, "", ""]).encode()


def test_it_goes_back_through_the_proxies_that_asked_for_it() -> None:
    phone = subscriber()
    first = phone.subscribe()
    assert request(first).headers.all("route") == []
    phone.receive(accepted(first, "Record-Route: <sip:inner;lr>, <sip:middle;lr>", "Record-Route: <sip:outer;lr>"))
    refresh = request(phone.subscribe())
    assert refresh.uri == "sip:192.0.2.1:5060"
    assert refresh.headers.all("route") == ["<sip:outer;lr>", "<sip:middle;lr>", "<sip:inner;lr>"]


def test_a_notify_that_comes_before_the_200_has_them_in_the_order_of_the_way_back() -> None:
    """RFC 6665 §4.4.1, RFC 3261 §12.1.1."""
    phone = subscriber()
    first = phone.subscribe()
    phone.receive(notified(first, "Record-Route: <sip:outer;lr>", "Record-Route: <sip:inner;lr>"))
    phone.receive(accepted(first, "Record-Route: <sip:inner;lr>, <sip:outer;lr>"))
    assert request(phone.subscribe(0)).headers.all("route") == ["<sip:outer;lr>", "<sip:inner;lr>"]


def test_an_answer_that_cannot_be_read_is_none() -> None:
    phone = subscriber()
    first = phone.subscribe()
    assert phone.receive(accepted(first, to_tag=">")) == (None, None)
    _, received = phone.receive(accepted(first))
    assert received is not None and received.kind == "accepted"
