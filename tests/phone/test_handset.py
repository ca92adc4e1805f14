"""A desk phone that is played: it asks as the real one does, and does what it is told as the real one does."""

import re

import pytest

from gitops_profile.phone import MAKES, Handset, Make, Password, Told
from gitops_profile.phone.handset import MAX_ANSWERED
from gitops_profile.pnp import PnPRequest, read_request
from gitops_profile.sip.syntax import Response, parse_message
from tests.pnp.samples import SAMPLES

MAC = "0004132a3b4c"
LINE = Password("2001", "s3cret")
ASKING = [make for make in MAKES.values() if make.asking is not None]
TOLD = [make for make in MAKES.values() if make.habits.refetch is not None]
LOOKS_LIKE = {
    "snom": "snom-370", "yealink": "yealink-w52p", "grandstream": "grandstream", "fanvil": "fanvil",
    "gigaset": "gigaset", "audiocodes": "audiocodes", "panasonic": "panasonic",
}  # fmt: skip
"""Make: the capture of one of its phones."""


def handset(make: Make, password: Password | None = None) -> Handset:
    count = iter(range(10000))
    return Handset(
        make, MAC, ("192.0.2.67", 5060), lambda: f"t{next(count)}", password=password, secret=bytes(32),
        clock=lambda: 1000.0,
    )  # fmt: skip


def notify(event: str, *, call_id: str = "push", cseq: int = 1, body: str = "", more: str = "") -> bytes:
    kind = "Content-Type: application/url\r\n" if body else ""
    return (
        f"NOTIFY sip:2001@192.0.2.67:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{call_id}{cseq}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:server@192.0.2.10>;tag=s\r\nTo: <sip:2001@192.0.2.67>\r\n"
        f"Call-ID: {call_id}\r\n"
        f"CSeq: {cseq} NOTIFY\r\nContact: <sip:192.0.2.10:5060>\r\nEvent: {event}\r\n{more}{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def status(answer: bytes | None) -> int:
    assert answer is not None
    response = parse_message(answer)
    assert isinstance(response, Response)
    return response.status


def call_id_of(request: bytes | None) -> str:
    assert request is not None
    [found] = re.findall(rb"^Call-ID: (\S+)\r$", request, re.MULTILINE)
    return str(found.decode())


@pytest.mark.parametrize("make", ASKING, ids=lambda make: make.vendor)
def test_what_it_asks_is_read_as_plug_and_play_of_its_make(make: Make) -> None:
    request = handset(make).ask()
    assert request is not None
    read = read_request(request)
    assert isinstance(read, PnPRequest)
    assert make.asking is not None
    assert read.mac == (MAC if make.asking.user is not None else None)
    assert read.contact == ("192.0.2.67", 5060) and read.accept == "application/url"
    if make.asking.vendor is None and "OEM" in make.asking.said:
        assert read.vendor.name == "snom", "the MAC says more than OEM"
    assert make.vendor != "audiocodes" or read.vendor.name == "audiocodes"


@pytest.mark.parametrize(("vendor", "sample"), LOOKS_LIKE.items())
def test_it_has_the_oddities_of_the_capture(vendor: str, sample: str) -> None:
    [captured] = [one.text for one in SAMPLES if one.name == sample]
    request = handset(MAKES[vendor]).ask()
    assert request is not None
    played = request.decode()
    for oddity in (
        r"^SUBSCRIBE sip:(?:MAC(?:%3[aA])?)?", r";branch=", r"\n(?:CSeq: \d+)", r"profile-type=\"\w+\"", r"\bvende?r",
        r"\nContact: <sip:(?:MAC|[0-9])",
    ):  # fmt: skip
        found = [match[0] if (match := re.search(oddity, text)) else None for text in (captured, played)]
        if vendor == "audiocodes" and oddity.startswith(r"\nContact"):
            continue  # its own number stands there, which is no fact of the make
        assert found[0] == found[1], oddity


def test_snom_and_gigaset_write_no_branch_as_rfc_2543_did() -> None:
    for make in ASKING:
        request = handset(make).ask()
        assert request is not None
        assert (b"branch" in request) == (make.vendor not in ("snom", "gigaset"))


def test_makes_without_plug_and_play_do_not_ask() -> None:
    assert {make.vendor for make in MAKES.values() if handset(make).ask() is None} == {
        "mitel", "cisco-mpp", "cisco-spa", "linphone",
    }  # fmt: skip


def test_of_several_that_say_where_its_files_are_it_takes_the_first() -> None:
    phone = handset(MAKES["snom"])
    call_id = call_id_of(phone.ask())
    first = notify("ua-profile", call_id=call_id, body="https://one/x.xml")
    answer, told = phone.receive(first)
    assert status(answer) == 200 and told == Told("url", "https://one/x.xml")
    assert phone.receive(first) == (answer, None), "a repetition gets the same answer, and says nothing new"
    answer, told = phone.receive(notify("ua-profile", call_id=call_id, cseq=2, body="https://two/x.xml"))
    assert status(answer) == 481 and told is None


@pytest.mark.parametrize(
    "request_", [notify("ua-profile", call_id="somebody's", body="https://evil/"), notify("ua-profile", call_id="t0")]
)
def test_it_takes_a_url_only_in_answer_to_its_question(request_: bytes) -> None:
    phone = handset(MAKES["yealink"])
    assert call_id_of(phone.ask()) == "t0"
    answer, told = phone.receive(request_)
    assert status(answer) == 481 and told is None


def test_a_phone_that_never_asked_takes_no_url() -> None:
    answer, told = handset(MAKES["mitel"]).receive(notify("ua-profile", call_id="x", body="https://evil/"))
    assert status(answer) == 481 and told is None


@pytest.mark.parametrize("make", TOLD, ids=lambda make: make.vendor)
def test_what_the_server_sends_phones_of_its_make_makes_it_fetch_without_a_reboot(make: Make) -> None:
    answer, told = handset(make).receive(notify(str(make.habits.refetch)))
    assert status(answer) == 200
    assert told == Told("fetch", str(make.habits.refetch))


@pytest.mark.parametrize("make", [make for make in TOLD if make.habits.reboot], ids=lambda make: make.vendor)
def test_what_makes_phones_of_its_make_reboot_makes_it_reboot(make: Make) -> None:
    answer, told = handset(make).receive(notify(str(make.habits.reboot)))
    assert status(answer) == 200 and told is not None and told.kind == "reboot"


def test_yealink_reboots_at_a_bare_check_sync_and_snom_does_not() -> None:
    for vendor, kind in (("yealink", "reboot"), ("snom", "fetch")):
        _, told = handset(MAKES[vendor]).receive(notify("check-sync"))
        assert told == Told(kind, "check-sync")


def test_what_means_nothing_to_it_gets_489() -> None:
    for vendor, event in (("linphone", "check-sync"), ("snom", "resync"), ("yealink", "presence"), ("cisco-spa", "x")):
        answer, told = handset(MAKES[vendor]).receive(notify(event))
        assert status(answer) == 489 and told is not None and told.kind == "refused"


@pytest.mark.parametrize("make", TOLD, ids=lambda make: make.vendor)
def test_with_its_lines_password_it_asks_who_tells_it_when_phones_of_its_make_do(make: Make) -> None:
    phone, event = handset(make, LINE), str(make.habits.refetch)
    answer, told = phone.receive(notify(event))
    if not make.habits.challenges:
        assert status(answer) == 200
        return
    assert status(answer) == 401 and told is not None and told.kind == "challenged"
    right = b""
    for password, expected in (("wrong", 401), ("s3cret", 200)):
        challenge = re.search(rb"WWW-Authenticate: (.*)\r\n", answer or b"")
        assert challenge is not None
        given = Password("2001", password).answer(
            [challenge[1].decode()], method="NOTIFY", uri="sip:2001@192.0.2.67:5060", nc=1, cnonce="c"
        )
        right = notify(event, cseq=2 if expected == 401 else 3, more=f"Authorization: {given}\r\n")
        answer, told = phone.receive(right)
        assert status(answer) == expected
    assert told == Told("fetch", event)
    assert phone.receive(right) == (answer, None), "a nonce is good once, its repetition for ever"


def test_what_is_no_request_is_ignored_and_another_method_refused() -> None:
    phone = handset(MAKES["snom"])
    for data in (b"", b"\r\n\r\n", b"\0\1\2", b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n", notify("x").replace(b"CSeq", b"X")):
        assert phone.receive(data) == (None, None)
    assert phone.receive(notify("x").replace(b"NOTIFY", b"ACK")) == (None, None)
    answer, told = phone.receive(notify("x").replace(b"NOTIFY", b"INVITE"))
    assert status(answer) == 405 and told is None


def test_what_it_remembers_is_bounded() -> None:
    phone = handset(MAKES["fanvil"])
    for cseq in range(MAX_ANSWERED + 1):
        assert phone.receive(notify("check-sync", cseq=cseq))[1] is not None
    assert phone.receive(notify("check-sync", cseq=MAX_ANSWERED))[1] is None
    assert phone.receive(notify("check-sync", cseq=0))[1] is not None, "the oldest is forgotten"
