"""Phones over TCP: connections that come and go, and phones that change between TCP and UDP."""

import re
from dataclasses import replace

import pytest

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import MessageReader, Request
from tests.sip.harness import statuses

from .handset import ADDRESS, CONTACT, Handset, Household, body_of, edit, field
from .test_traffic import LENGTH
from .traffic_index import BY_NAME, SUBSCRIBERS, Row

ON_A_STREAM = [row for row in SUBSCRIBERS if LENGTH.search(row.data)]
by_row = pytest.mark.parametrize("row", ON_A_STREAM, ids=[row.name for row in ON_A_STREAM])


def connected(row: Row) -> Handset:
    phone = Handset(Household(), row, "tcp")
    phone.first = phone.last = re.sub(rb"transport=udp", b"transport=tcp", phone.first, flags=re.IGNORECASE)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    return phone


def flows(phone: Handset, count: int) -> list[Flow]:
    """Of the last messages."""
    return [flow for _, _, flow in phone.lab.sent[-count:]]


@by_row
def test_a_refresh_on_another_connection_takes_the_notifies_along(row: Row) -> None:
    phone = connected(row)
    phone.flow = replace(phone.flow, remote=(ADDRESS, 50123), connection=8)
    assert statuses(phone.send(phone.again())) == [200, "NOTIFY"]
    assert [flow.connection for flow in flows(phone, 2)] == [8, 8]
    phone.take(phone.lab.publish(row.document, 2))
    assert flows(phone, 1)[0].connection == 8


@by_row
def test_a_change_while_no_connection_is_there_is_told_at_the_next_refresh(row: Row) -> None:
    phone = connected(row)
    [notify] = phone.lab.publish(row.document, 2)
    phone.lab.fail(notify, flows(phone, 1)[0])  # it left, and the connection was lost
    phone.lab.run_until(phone.lab.now + 5)
    [again] = [data for _, data, _ in phone.lab.sent[-1:]]
    assert again != notify and again.startswith(b"NOTIFY ")
    phone.lab.fail(again, replace(flows(phone, 1)[0], connection=0))  # no new one can be made
    before = len(phone.lab.sent)
    phone.lab.run_until(phone.lab.now + 1800)
    assert len(phone.lab.sent) == before and phone.held == 1, "no hammering at a closed door"
    phone.flow = replace(phone.flow, remote=(ADDRESS, 50123), connection=9)
    assert statuses(phone.send(phone.again())) == [200, "NOTIFY"]
    assert phone.notifies[-1].body == body_of(row.document, 2) and phone.delivery == "acknowledged"


@by_row
def test_it_leaves_on_a_connection_of_its_own(row: Row) -> None:
    phone = connected(row)
    phone.flow = replace(phone.flow, remote=(ADDRESS, 50124), connection=10)
    assert statuses(phone.send(phone.again(expires=0))) == [200, "NOTIFY"]
    assert [flow.connection for flow in flows(phone, 2)] == [10, 10] and phone.held == 0


@pytest.mark.parametrize("name", ["yealink-user", "grandstream-device", "snom-user", "poly-user"])
def test_from_udp_to_tcp_and_back_in_one_dialog(name: str) -> None:
    """A phone whose longer SUBSCRIBE went to TCP (RFC 3261 §18.1.1): the NOTIFY follows, on that connection."""
    phone = Handset(Household(), BY_NAME[name])
    phone.subscribe()
    udp = phone.flow
    phone.flow = replace(udp, transport="tcp", remote=(ADDRESS, 50125), connection=11)
    assert statuses(phone.send(phone.again().replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))) == [200, "NOTIFY"]
    assert [flow.transport for flow in flows(phone, 2)] == ["tcp", "tcp"]
    phone.flow = udp
    assert statuses(phone.send(phone.again().replace(b"SIP/2.0/TCP", b"SIP/2.0/UDP"))) == [200, "NOTIFY"]
    assert [flow.transport for flow in flows(phone, 2)] == ["udp", "udp"] and phone.held == 1


def test_a_contact_that_asks_for_tcp_gets_tcp_and_if_nobody_listens_udp() -> None:
    phone = Handset(Household(), BY_NAME["snom-user"])
    contact = field(phone.first, CONTACT).replace(">", ";transport=tcp>")
    phone.first = edit(phone.first, CONTACT, contact)
    _, notify = phone.lab.receive(phone.first, phone.flow)
    assert flows(phone, 1)[0].transport == "tcp"
    [again] = phone.lab.fail(notify, flows(phone, 1)[0])
    assert flows(phone, 1)[0] == phone.flow and again.startswith(b"NOTIFY ")
    phone.take([again])
    assert phone.delivery == "acknowledged"


@by_row
def test_keep_alives_between_glued_messages(row: Row) -> None:
    """Double CRLFs are pings, single ones are nothing, wherever the pieces are cut (RFC 5626 §4.4.1, §5.4)."""
    phone = connected(row)
    stream = b"\r\n\r\n" + phone.again() + b"\r\n" + phone.again() + b"\r\n\r\n\r\n\r\n" + phone.again()
    messages: list[bytes] = []
    for size in (1, 7, 100, len(stream)):
        reader = MessageReader()
        messages = []
        pings = 0
        for at in range(0, len(stream), size):
            whole, found = reader.feed(stream[at : at + size])
            messages += whole
            pings += found
        assert (len(messages), pings) == (3, 3)
    seen = [message for data in messages for message in phone.send(data)]
    assert statuses(seen) == [200, "NOTIFY"] * 3
    assert isinstance(seen[-1], Request) and phone.held == 1
