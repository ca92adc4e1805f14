"""How phones go on: refresh, move, reboot, leave; each family, in its own spelling."""

import re
from dataclasses import replace

import pytest

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import Request, Response
from tests.sip.harness import SERVER, parsed, statuses

from .handset import ADDRESS, CONTACT, EVENT, VIA, Handset, Household, body_of, edit, field, reply
from .traffic_index import BY_NAME, INDEX, SUBSCRIBERS, Row

by_row = pytest.mark.parametrize("row", SUBSCRIBERS, ids=[row.name for row in SUBSCRIBERS])


def subscribed(row: Row, transport: str = "udp") -> Handset:
    phone = Handset(Household(), row, transport)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    return phone


def cseq(message: Request | Response | bytes) -> int:
    read = parsed(message) if isinstance(message, bytes) else message
    return int((read.headers.get("cseq") or "").split()[0])


@by_row
def test_a_day_of_refreshes_is_one_dialog(row: Row) -> None:
    phone = subscribed(row)
    tag = phone.to_tag
    for number in range(2, 12):
        phone.lab.run_until(phone.lab.now + 1800)
        answer, notify = phone.send(phone.again())
        assert isinstance(answer, Response) and isinstance(notify, Request)
        assert (answer.status, answer.headers.get("expires"), phone.to_tag) == (200, "3600", tag)
        assert cseq(notify) == number and notify.body == body_of(row.document)
        assert notify.headers.get("subscription-state") == "active;expires=3600"
    assert phone.held == 1
    assert statuses(phone.take(phone.lab.publish(row.document, 2))) == ["NOTIFY"]
    assert phone.notifies[-1].body == body_of(row.document, 2)


@by_row
def test_without_a_refresh_it_ends_and_the_phone_is_told(row: Row) -> None:
    phone = subscribed(row)
    before = len(phone.lab.sent)
    phone.lab.run_until(phone.lab.now + 3602)
    [last] = phone.take(phone.lab.since(before))
    assert last.headers.get("subscription-state") == "terminated;reason=timeout" and phone.held == 0
    assert statuses(phone.send(phone.again())) == [481]
    assert statuses(phone.send(phone.again(to_tag=False))) == [200, "NOTIFY"]


@by_row
def test_a_refresh_with_the_same_cseq_is_500_and_harms_nothing(row: Row) -> None:
    """RFC 3261 §12.2.2. Same number and another branch: no repetition, and out of order. Without a branch it is one."""
    phone = subscribed(row)
    answer, *rest = phone.send(phone.again(0))
    assert statuses([answer, *rest]) == [500] and phone.held == 1
    assert statuses(phone.send(phone.again())) == [200, "NOTIFY"]


@by_row
def test_a_refresh_without_to_tag_is_another_dialog_and_the_old_one_dies_of_its_481(row: Row) -> None:
    phone = subscribed(row)
    old = phone.to_tag
    assert statuses(phone.send(phone.again(to_tag=False))) == [200, "NOTIFY"]
    assert phone.to_tag != old and phone.held == 2
    for message in phone.lab.publish(row.document, 2):
        notify = parsed(message)
        assert isinstance(notify, Request) and notify.body == body_of(row.document, 2)
        is_old = (notify.headers.get("from") or "").endswith(f";tag={old}")
        assert phone.lab.receive(reply(notify, 481 if is_old else 200), phone.flow) == []
    assert phone.held == 1
    assert len(phone.lab.publish(row.document, 3)) == 1


@by_row
def test_after_a_reboot_with_the_same_ids_it_is_served_anew(row: Row) -> None:
    """Same Call-ID, From tag, CSeq and branch, a minute later: the transaction is forgotten, and so is the phone."""
    phone = subscribed(row)
    phone.lab.run_until(phone.lab.now + 60)
    phone.last = phone.first
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.held == 2 and phone.notifies[0].headers.get("from") != phone.notifies[1].headers.get("from")
    before = len(phone.lab.sent)
    phone.lab.run_until(phone.lab.now + 3700)
    assert phone.held == 0, "both end in their time"
    assert all(b"reason=timeout" in message for message in phone.lab.since(before))


@by_row
def test_within_half_a_minute_the_same_bytes_are_a_repetition(row: Row) -> None:
    phone = subscribed(row)
    phone.lab.run_until(phone.lab.now + 31)
    assert statuses(phone.subscribe()) == [200] and phone.held == 1


@by_row
def test_a_contact_that_moves_takes_the_notifies_along(row: Row) -> None:
    phone = subscribed(row)
    data = phone.again()
    contact = re.sub(r"(@|sip:)([\d.]+)(:\d+)?(?=[;>]|$)", rf"\g<1>{ADDRESS}:6000", field(data, CONTACT), count=1)
    seen = phone.send(edit(data, CONTACT, contact))
    assert statuses(seen) == [200, "NOTIFY"]
    assert f"{ADDRESS}:6000" in phone.notifies[-1].uri
    port = phone.port if ";ob" in contact else 6000
    assert phone.lab.sent[-1][2].remote == (ADDRESS, port)
    phone.take(phone.lab.publish(row.document, 2))
    assert phone.lab.sent[-1][2].remote == (ADDRESS, port)


@by_row
def test_a_via_that_moves_takes_the_answers_along(row: Row) -> None:
    """A new source port after the NAT forgot the old one; the Contact stays, as it does in most phones."""
    phone = subscribed(row)
    data = phone.again()
    via = re.sub(r"(?<=[\d]):\d+", ":6001", field(data, VIA), count=1)
    phone.flow = phone.moved(6001)
    seen = phone.send(edit(data, VIA, via) if b"\n ;" not in data else data.replace(b":5060\n ;", b":6001\n ;"))
    assert statuses(seen) == [200, "NOTIFY"]
    assert phone.lab.sent[-2][2].remote == (ADDRESS, 6001)
    here = f"{ADDRESS}:" in phone.notifies[-1].uri or phone.notifies[-1].uri.endswith(ADDRESS)
    assert phone.lab.sent[-1][2].remote[1] == (phone.port if here else 6001)


@by_row
def test_it_leaves_from_another_port(row: Row) -> None:
    phone = subscribed(row)
    data = phone.again(expires=0)
    answer, notify = phone.send(data, flow=phone.moved(6002))
    assert isinstance(answer, Response) and (answer.status, answer.headers.get("expires")) == (200, "0")
    assert notify.headers.get("subscription-state") == "terminated;reason=timeout"
    assert phone.held == 0 and not phone.lab.rows
    rport = "rport" in field(data, VIA)
    assert phone.lab.sent[-2][2].remote == (ADDRESS, 6002 if rport else phone.port)
    assert phone.lab.publish(row.document, 2) == []
    assert statuses(phone.send(phone.again())) == [481]


@by_row
def test_it_leaves_without_a_to_tag_and_that_is_a_fetch(row: Row) -> None:
    phone = subscribed(row)
    answer, notify = phone.send(phone.again(to_tag=False, expires=0))
    assert isinstance(answer, Response) and answer.headers.get("expires") == "0"
    assert notify.headers.get("subscription-state") == "terminated;reason=timeout"
    assert phone.held == 1, "nothing says which dialog was meant: the old one ends with its 481, or in its time"


@by_row
def test_a_subscribe_that_crosses_the_notify_gets_the_next_one(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe(answer=None)
    seen = phone.send(phone.again(), answer=None)
    assert statuses(seen) == [200, "NOTIFY"] and cseq(seen[1]) == 2
    first, second = phone.notifies
    assert phone.lab.receive(reply(first), phone.flow) == [] and phone.delivery == "notified"
    assert phone.lab.receive(reply(second), phone.flow) == [] and phone.delivery == "acknowledged"
    before = len(phone.lab.sent)
    phone.lab.run_until(phone.lab.now + 120)
    assert len(phone.lab.sent) == before


@by_row
def test_it_leaves_while_the_notify_is_unanswered(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe(answer=None)
    seen = phone.send(phone.again(expires=0))
    assert statuses(seen) == [200, "NOTIFY"] and b"terminated;reason=timeout" in phone.lab.sent[-1][1]
    assert phone.held == 0
    phone.lab.run_until(phone.lab.now + 60)
    assert phone.lab.notifier.is_quiet and not phone.lab.rows


@by_row
def test_a_change_while_the_notify_is_unanswered_comes_after_its_answer(row: Row) -> None:
    phone = Handset(Household(), row)
    phone.subscribe(answer=None)
    assert phone.lab.publish(row.document, 2) == [] == phone.lab.publish(row.document, 3)
    [change] = phone.lab.receive(reply(phone.notifies[0]), phone.flow)
    notify = parsed(change)
    assert isinstance(notify, Request) and notify.body == body_of(row.document, 3) and cseq(notify) == 2


@by_row
def test_it_lives_through_a_restart_of_the_server(row: Row) -> None:
    phone = subscribed(row)
    phone.lab.restart()
    assert phone.held == 1
    answer, notify = phone.send(phone.again())
    assert isinstance(answer, Response) and answer.status == 200
    assert isinstance(notify, Request) and cseq(notify) > 1
    assert notify.headers.get("to") == field(phone.first, "From|f")


# -- behind a NAT ------------------------------------------------------------------------------------------------------

NAT = Flow("udp", SERVER, ("198.51.100.7", 61234))


def private(row: Row) -> Handset:
    """The phone under a private address, seen under the NAT's."""
    phone = Handset(Household(), row)
    phone.flow = NAT
    phone.first = phone.last = row.data.replace(ADDRESS.encode(), b"10.20.30.40").replace(
        b"192.168.1.24", b"10.20.30.40"
    )
    return phone


@by_row
def test_behind_a_nat_the_notify_comes_back_through_the_hole(row: Row) -> None:
    phone = private(row)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    (_, answer, back), (_, _, there) = phone.lab.sent[:2]
    rport = "rport" in field(phone.first, VIA)
    assert back.remote == ("198.51.100.7", 61234)
    assert b"received=198.51.100.7" in answer and (b"rport=61234" in answer) == rport
    assert there.remote == ("198.51.100.7", 61234), "never to the private address"
    phone.flow = replace(NAT, remote=("198.51.100.7", 61999))  # the NAT forgot; the next refresh shows the new hole
    phone.send(phone.again())
    phone.take(phone.lab.publish(row.document, 2))
    assert phone.lab.sent[-1][2].remote == ("198.51.100.7", 61999)


WITHOUT_RPORT = [row for row in SUBSCRIBERS if "rport" not in field(row.data, VIA)]


@pytest.mark.parametrize("row", WITHOUT_RPORT, ids=lambda row: row.name)
def test_behind_a_nat_the_answer_comes_back_through_the_hole_without_rport_too(row: Row) -> None:
    """phones.md 2.2 and 3: unicast to the packet's source. A private sent-by that is not the source shows the NAT."""
    phone = private(row)
    phone.subscribe()
    assert phone.lab.sent[0][2].remote == ("198.51.100.7", 61234)


def test_a_contact_of_somebody_else_gets_nothing() -> None:
    """phones.md 2.2: the Contact when it is the packet's own address, else the source; never anything else."""
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, CONTACT, "<sip:203.0.113.99:5060>")
    phone.subscribe()
    assert {flow.remote for _, _, flow in phone.lab.sent} == {(ADDRESS, 5060)}


# -- odd refreshes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [CONTACT, "Accept", "Expires", "Max-Forwards", "User-Agent"])
def test_what_a_refresh_leaves_out_stays_as_it_was(name: str) -> None:
    phone = subscribed(BY_NAME["panasonic-device"])
    assert statuses(phone.send(edit(phone.again(), name, None))) == [200, "NOTIFY"]
    assert phone.notifies[-1].uri == phone.notifies[0].uri
    assert phone.lab.sent[-1][2].remote == (ADDRESS, 5060)


@pytest.mark.parametrize("uri", ["sip:alice@example.com", "sip:192.0.2.1:5060", "sip:192.0.2.1", "sip:x@y.invalid"])
def test_the_request_uri_of_a_refresh_does_not_matter(uri: str) -> None:
    """Phones that keep the AoR there, where our Contact belongs (RFC 3261 §12.2.1.1)."""
    phone = subscribed(BY_NAME["yealink-user"])
    data = re.sub(rb"^SUBSCRIBE \S+", f"SUBSCRIBE {uri}".encode(), phone.again())
    assert statuses(phone.send(data)) == [200, "NOTIFY"]


def test_a_refresh_may_say_less_in_its_event() -> None:
    phone = subscribed(BY_NAME["yealink-user"])
    assert statuses(phone.send(edit(phone.again(), EVENT, "ua-profile"))) == [200, "NOTIFY"]


def test_a_refresh_that_lost_its_event_id_is_refused_and_with_it_it_is_not() -> None:
    """RFC 6665 §4.5.2: with an id is another subscription than without."""
    phone = subscribed(BY_NAME["pjsip-user"])
    assert phone.notifies[0].headers.get("event") == "ua-profile;id=26102"
    assert statuses(phone.send(edit(phone.again(), EVENT, "ua-profile"))) == [403]
    assert statuses(phone.send(edit(phone.again(), EVENT, "ua-profile;id=26102"))) == [200, "NOTIFY"]


def test_another_from_tag_in_the_dialog_is_481() -> None:
    phone = subscribed(BY_NAME["grandstream-user"])
    data = phone.again().replace(b";tag=1273645520", b";tag=1273645521")
    assert statuses(phone.send(data)) == [481] and phone.held == 1


FETCHES = [row for row in INDEX if row.is_pnp and row.status == 200 and b"Expires: 0" in row.data]


@pytest.mark.parametrize("row", FETCHES, ids=lambda row: row.name)
def test_plug_and_play_each_hour_leaves_nothing_behind(row: Row) -> None:
    """phones.md 3: Fanvil and Planet ask periodically, with whatever ids. Each gets its URL, and no state is kept."""
    lab = Household()
    for hour in range(5):
        assert statuses(Handset(lab, row).subscribe()) == [200, "NOTIFY"], hour
        lab.run_until(lab.now + 3601)
    assert len(lab.notifier) == 0 and not lab.rows and lab.notifier.is_quiet


# -- between the messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "noise", [b"\r\n\r\n", b"\r\n", b"\n", b"\0", b"\0\0\0\0", b"jaK", b"hello", b"", b" ", b"\xff" * 40, b"SIP/2.0"]
)
def test_a_keep_alive_by_datagram_is_neither_answered_nor_counted_as_anything(noise: bytes) -> None:
    """protocol.md 9.2: CRLF, NULs and what else keeps a NAT open."""
    phone = subscribed(BY_NAME["snom-device"])
    assert phone.lab.receive(noise, phone.flow) == []
    assert statuses(phone.send(phone.again())) == [200, "NOTIFY"]


# -- IPv6 --------------------------------------------------------------------------------------------------------------


@by_row
@pytest.mark.parametrize("written", ["2001:db8::67", "2001:DB8:0:0:0:0:0:67"])
def test_over_ipv6_in_whatever_spelling(row: Row, written: str) -> None:
    """The address stands in brackets, and phones write it in their own way (RFC 5952 or not)."""
    phone = Handset(Household(), row)
    phone.flow = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::67", phone.port))
    phone.first = phone.last = row.data.replace(ADDRESS.encode(), f"[{written}]".encode())
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.delivery == "acknowledged"
    assert {flow.remote[0] for _, _, flow in phone.lab.sent} == {"2001:db8::67"}
    assert statuses(phone.send(phone.again())) == [200, "NOTIFY"]
    assert statuses(phone.send(phone.again(expires=0))) == [200, "NOTIFY"] and phone.held == 0
