"""What every family of phones gets for its SUBSCRIBE (traffic/INDEX.md), over UDP and TCP, however it is written."""

import re

import pytest

from gitops_profile.sip.syntax import URI, MessageReader, Request, Response
from tests.sip.harness import statuses

from .handset import ADDRESS, CONTACT, EVENT, TO, VIA, Handset, Household, body_of, edit, field
from .traffic_index import BY_NAME, FOLDER, INDEX, SUBSCRIBERS, Row

by_row = pytest.mark.parametrize("row", INDEX, ids=[row.name for row in INDEX])
SERVED = [row for row in INDEX if row.status == 200]
by_served = pytest.mark.parametrize("row", SERVED, ids=[row.name for row in SERVED])


def test_every_file_has_a_row_and_every_row_a_file() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.sip")) == sorted(row.name for row in INDEX)


def check_answer(phone: Handset, response: Response) -> None:
    """The 200: what it copies comes back letter by letter; `received` only where it must (RFC 3261 §8.2.6, §18.2.1)."""
    data = phone.first
    via = re.sub(r"\s+", " ", field(data.replace(b"\r\n ", b" ").replace(b"\n ", b" "), VIA))
    answered = response.headers.get("via") or ""
    if "rport" in via:
        assert f"rport={phone.port}" in answered and f"received={ADDRESS}" in answered
    else:
        assert answered == via
    for name in ("From|f", "Call-ID|i", "CSeq"):
        assert response.headers.get(name.lower().partition("|")[0]) == field(data, name)
    to = response.headers.get("to") or ""
    assert to.startswith(f"{field(data, TO)};tag=") and phone.to_tag
    assert response.headers.get("contact") and response.headers.get("expires") is not None
    assert response.headers.get("event") is None


def check_notify(phone: Handset, notify: Request) -> None:
    """The NOTIFY: its From is the phone's To, its To the phone's From, both to the letter (phones.md 2.2)."""
    data = phone.first
    contact = field(data, CONTACT)
    bracketed = re.search(r"<(.*?)>", contact)
    assert notify.uri == (bracketed[1] if bracketed else contact)
    assert notify.headers.get("from") == f"{field(data, TO)};tag={phone.to_tag}"
    assert notify.headers.get("to") == field(data, "From|f")
    assert notify.headers.get("call-id") == field(data, "Call-ID|i")
    assert (notify.headers.get("event") or "").startswith("ua-profile")
    assert "vend" not in (notify.headers.get("event") or "")
    assert notify.body == body_of(phone.row.document)


def destination(phone: Handset) -> tuple[str, int]:
    """Where its NOTIFY must go: to the Contact when that is the packet's own address, else to where it came from."""
    contact = field(phone.first, CONTACT)
    bracketed = re.search(r"<(.*?)>", contact)
    uri = URI.parse(bracketed[1] if bracketed else contact)
    if uri.host == ADDRESS and "ob" not in uri.parameters:
        return ADDRESS, uri.port or 5060
    return ADDRESS, phone.port


def check_conversation(phone: Handset) -> None:
    """One answer, one NOTIFY to the right place, and nothing afterwards."""
    lab = phone.lab
    seen = phone.subscribe()
    if phone.row.status != 200:
        assert statuses(seen) == [phone.row.status] and phone.held == 0
        return
    assert statuses(seen) == [200, "NOTIFY"]
    assert isinstance(seen[0], Response) and isinstance(seen[1], Request)
    check_answer(phone, seen[0])
    check_notify(phone, seen[1])
    assert lab.sent[-2][2].remote == (ADDRESS, phone.port)
    assert lab.sent[-1][2].remote == destination(phone)
    fetch = re.search(rb"(?im)^expires: 0\r?$", phone.first) is not None
    state = seen[1].headers.get("subscription-state") or ""
    assert state == "terminated;reason=timeout" if fetch else state.startswith("active;expires=")
    assert phone.held == (0 if fetch else 1) == len(lab.rows)
    before = len(lab.sent)
    lab.run_until(lab.now + 600)
    assert len(lab.sent) == before


@by_row
def test_by_datagram(row: Row) -> None:
    check_conversation(Handset(Household(), row))


# Without Content-Length nothing can be framed on a stream, and what follows a datagram's blank line is its body.
LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:")


@pytest.mark.parametrize("row", [row for row in SUBSCRIBERS if LENGTH.search(row.data)], ids=lambda row: row.name)
def test_by_stream(row: Row) -> None:
    phone = Handset(Household(), row, "tcp")
    phone.first = re.sub(rb"transport=udp", b"transport=tcp", phone.first, flags=re.IGNORECASE)
    reader = MessageReader()
    whole = [message for at in range(len(phone.first)) for message in reader.feed(phone.first[at : at + 1])[0]]
    assert whole == [phone.first]
    check_conversation(phone)
    assert all(flow.connection == 7 for _, _, flow in phone.lab.sent), "on the connection that the phone has opened"


@by_served
def test_with_the_other_line_ends(row: Row) -> None:
    phone = Handset(Household(), row)
    crlf = b"\r\n" in row.data
    phone.first = row.data.replace(b"\r\n", b"\n") if crlf else row.data.replace(b"\n", b"\r\n")
    check_conversation(phone)


OPTIONAL = ("Max-Forwards", "User-Agent", "Content-Length|l", "Supported|k", "Allow", "Allow-Events|u", "Accept")


WITHOUT = [
    pytest.param(row, name, id=f"{row.name}-{name.partition('|')[0]}")
    for row in SERVED
    for name in OPTIONAL
    if re.search(rb"(?im)^(?:%s)[ \t]*:" % name.encode(), row.data)
]


@pytest.mark.parametrize(("row", "name"), WITHOUT)
def test_without_a_field_that_may_be_missing(row: Row, name: str) -> None:
    phone = Handset(Household(), row)
    phone.first = edit(row.data, name, None)
    check_conversation(phone)


@by_served
def test_with_the_fields_in_the_reverse_order(row: Row) -> None:
    phone = Handset(Household(), row)
    end = b"\r\n" if b"\r\n" in row.data else b"\n"
    start, *fields = row.data.replace(end + b" ", b" ").rstrip(b"\r\n").split(end)
    phone.first = end.join([start, *reversed(fields), b"", b""])
    check_conversation(phone)


@pytest.mark.parametrize("row", [row for row in SERVED if LENGTH.search(row.data)], ids=lambda row: row.name)
def test_with_bytes_behind_the_end(row: Row) -> None:
    """A NUL, a line end, an old buffer: what follows Content-Length in a datagram is nothing (RFC 3261 §18.3)."""
    for tail in (b"\0", b"\r\n", b"\r\n\r\n", b"\0" * 4, b"SUBSCRIBE sip:x@y SIP/2.0\r\n"):
        phone = Handset(Household(), row)
        phone.first = row.data + tail
        check_conversation(phone)


@by_served
def test_a_storm_of_repetitions_is_one_subscription_and_one_notify(row: Row) -> None:
    """phones.md 3 (AudioCodes repeats for 5 s) and 7.2 (Snom, which has no branch); RFC 3261 §17.2.2."""
    lab = Household()
    phone = Handset(lab, row)
    first = lab.receive(row.data, phone.flow)
    answers = [message for _ in range(10) for message in lab.receive(row.data, phone.flow)]
    assert answers == [first[0]] * 10
    phone.take(first)
    assert lab.receive(row.data, phone.flow) == [first[0]], "and after the NOTIFY's answer"
    assert len(phone.notifies) == 1


@by_served
def test_a_storm_before_the_store_has_written(row: Row) -> None:
    lab = Household()
    phone = Handset(lab, row)
    lab.holding = []
    for _ in range(11):
        assert lab.receive(row.data, phone.flow) == []
    assert len(lab.holding) == 1
    [batch], lab.holding = lab.holding, None
    lab.retry(batch, works=True)
    assert statuses(phone.take(lab.since(0))) == [200, "NOTIFY"]


# -- whose spelling is whose -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in INDEX if row.is_pnp], ids=lambda row: row.name)
def test_plug_and_play_by_unicast_without_a_profile_there_is_refused_and_leaves_nothing(row: Row) -> None:
    """The group is another listener's (phones.md 3): here its hosts are domains like any other, and nobody's."""
    phone = Handset(Household(), row)
    phone.first = re.sub(rb"@(224\.0\.1\.75|fake|gigaset\.com|intern\.snom\.de)", b"@nobody.example.net", row.data)
    seen = phone.subscribe()
    assert statuses(seen) == [404 if row.status == 404 else 403] and phone.held == 0


@pytest.mark.parametrize(
    "user",
    [
        "MAC%3a001565F4F9E1", "MAC%3A001565f4f9e1", "MAC:001565f4f9e1", "MAC=001565f4f9e1", "MAC%3D001565f4f9e1",
        "MAC-001565f4f9e1", "MAC001565F4F9E1", "mac001565f4f9e1", "001565f4f9e1", "00%3a15%3a65%3af4%3af9%3ae1",
        "MAC:00:15:65:f4:f9:e1", "MAC%3a00-15-65-F4-F9-E1", "MAC%20001565f4f9e1", "00-15-65-F4-F9-E1",
        "urn:uuid:00000000-0000-1000-8000-001565F4F9E1", "00000000-0000-1000-0000-001565f4f9e1",
        "00:15:65:f4:f9:e1",
    ],
)  # fmt: skip
def test_every_spelling_of_one_mac_is_one_phone(user: str) -> None:
    phone = Handset(Household(), BY_NAME["yealink-device"])
    phone.first = phone.first.replace(b"MAC001565f4f9e1", user.encode())
    seen = phone.subscribe()
    assert statuses(seen) == [200, "NOTIFY"]
    assert phone.notifies[0].body == body_of("device/example.com/001565f4f9e1")


@pytest.mark.parametrize(
    "event",
    [
        'ua-profile;profile-type="device"', "ua-profile;profile-type=device", "ua-profile;PROFILE-TYPE=Device",
        "ua-profile ;profile-type=device", "ua-profile; profile-type = device ; vendor = x",
        'ua-profile;vendor="a;b,c";model="say \\"x\\"";profile-type=device', "ua-profile;;profile-type=device;",
        'ua-profile;profile-type="device";vendor="";model=;version', 'ua-profile;profile-type="device";vendor=snom.com',
        'ua-profile;profile-type="device";vendor="Bäcker"', 'ua-profile\t;profile-type="device"',
        "ua-profile;", "ua-profile",
        'ua-profile;profile-type=""',
    ],
)  # fmt: skip
def test_every_writing_of_the_event_is_understood(event: str) -> None:
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, EVENT, event)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.notifies[0].headers.get("event") == "ua-profile"


@pytest.mark.parametrize("event", ["UA-Profile", "ua-profile.winfo", "presence", "", '"ua-profile"', "check-sync"])
def test_another_event_is_489_with_what_there_is(event: str) -> None:
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, EVENT, event)
    [answer] = phone.subscribe()
    assert isinstance(answer, Response) and (answer.status, answer.headers.get("allow-events")) == (489, "ua-profile")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/xml", 200), ("TEXT/XML", 200), ("text/*", 200), ("*/*", 200), ("", 406), ("text/xml;level=1", 200),
        ("application/url, text/xml;q=0.5", 200), ("application/url", 406), ("application/x-gs-ucm-url", 406),
        ("text/xml;q=0", 406),
    ],
)  # fmt: skip
def test_what_a_phone_accepts_decides(accept: str, expected: int) -> None:
    """A phone that only takes a URL is told so at once, with 406, and gets no document that it cannot read."""
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, "Accept", accept)
    assert statuses(phone.subscribe())[0] == expected


@pytest.mark.parametrize(
    ("expires", "granted"),
    [("3600", "3600"), ("0003600", "3600"), ("86401", "86400"), ("4294967295", "86400"), ("99999999999", "86400"),
     ("300", "300"), ("60", "60"), ("", "3600"), ("soon", "3600")],
)  # fmt: skip
def test_the_time_that_a_phone_gets(expires: str, granted: str) -> None:
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, "Expires", expires)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    assert phone.responses[0].headers.get("expires") == granted


def test_a_time_too_short_is_423_with_the_least_and_that_is_then_granted() -> None:
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, "Expires", "30")
    [answer] = phone.subscribe()
    assert isinstance(answer, Response) and (answer.status, answer.headers.get("min-expires")) == (423, "60")
    phone.last = phone.first
    assert statuses(phone.send(phone.again(to_tag=False, expires=60))) == [200, "NOTIFY"]


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:192.0.2.67:5060>", "sip:192.0.2.67:5060", "<sip:192.0.2.67>", "<sip:192.0.2.67:5060.>",
        '"A, B" <sip:a@192.0.2.67:5060>', "<sip:a@192.0.2.67:5060;transport=UDP>;expires=3600",
        "<sip:MAC%3a00135E874B49@192.0.2.67:5060;line=x7z>;q=1.0",
        '<sip:a@192.0.2.67:5060>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-00135E874B49>";reg-id=1',
        "<sip:a@192.0.2.67:5060>;+sip.instance=<urn:uuid:00000000-0000-1000-8000-00135E874B49>",
        '<sip:a@192.0.2.67:5060;user=phone>;audio;mobility="fixed";duplex="full";description="<SNOM>"',
        '<sip:a@192.0.2.67:5060;ob>', "<SIP:a@192.0.2.67:5060>", "Snom <sip:a@192.0.2.67:5060>",
        "<sip:a@192.0.2.67:5060;+sip.instance=x>", "<sip:MAC=00135E874B49@192.0.2.67:5060>;schemes=\"http,https\"",
    ],
)  # fmt: skip
def test_every_writing_of_the_contact_is_where_the_notify_goes(contact: str) -> None:
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, CONTACT, contact)
    assert statuses(phone.subscribe()) == [200, "NOTIFY"]
    written = re.search(r"<(.*?)>", contact)
    assert phone.notifies[0].uri == (written[1] if written else contact)
    assert phone.lab.sent[-1][2].remote == (ADDRESS, 5060)


@pytest.mark.parametrize("contact", ["<sip:a@192.0.2.67:5060>, <sip:a@192.0.2.67:5061>", "*", "", "<tel:+4930123>"])
def test_a_contact_that_names_no_place_is_400(contact: str) -> None:
    """Two are no dialog (RFC 3261 §12.1.1), and whom to ask for nobody knows."""
    phone = Handset(Household(), BY_NAME["snom-device"])
    phone.first = edit(phone.first, CONTACT, contact)
    assert statuses(phone.subscribe()) == [400] and phone.held == 0
