"""A SUBSCRIBE for each defect (subscribe/INDEX.md): whole as a datagram, and byte by byte as a stream."""

from pathlib import Path

import pytest

from gitops_profile.sip.syntax import URI, MessageReader, Request, Response
from tests.sip.harness import PHONE, UDP, FakePackage, Lab, Phone, parsed

from .index import Row, feed, read_index

FOLDER = Path(__file__).parent / "subscribe"
USERS = ("alice", "bob", "user;par=u@example.net")
PING = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n" + b"\r\n".join(
    Phone(Lab(), call_id="ping").build(method="OPTIONS").split(b"\r\n")[1:]
)


INDEX = read_index(FOLDER)
by_name = pytest.mark.parametrize("row", INDEX, ids=[row.name for row in INDEX])


class Household(FakePackage):
    """Goes by the decoded user of the Request-URI, as the real package does, and by nothing else."""

    def resource(self, request: Request, event: object) -> str:
        user = URI.parse(request.uri).decoded_user or ""
        if user not in USERS:
            return super().resource(Request("SUBSCRIBE", f"sip:{user}@nobody"), event)  # type: ignore[arg-type]
        return user


def household() -> Lab:
    return Lab(package=Household(documents=dict.fromkeys(USERS, b"<a/>")))


def check(lab: Lab, sent: list[bytes], expected: list[set[int]]) -> None:
    """The statuses, and what must hold for every message: whole, no injected line, no wrong 2xx, nothing half made."""
    messages = [parsed(message) for message in sent]
    statuses = [message.status for message in messages if isinstance(message, Response)]
    assert len(statuses) == len(expected), statuses
    assert all(status in allowed for status, allowed in zip(statuses, expected, strict=True)), statuses
    accepted = statuses.count(200)
    notifies = [message for message in messages if isinstance(message, Request)]
    assert len(notifies) == len(lab.notifier) == len(lab.rows) == accepted
    for message, raw in zip(messages, sent, strict=True):
        assert message.headers.get("x-evil") is None and b"\r" not in raw.replace(b"\r\n", b"")
        if isinstance(message, Response):
            vias = message.headers.items("via")
            assert "198.51.100.66" not in vias[0] or "maddr" in vias[0]
        else:
            assert message.method == "NOTIFY" and (message.headers.get("event") or "").startswith("ua-profile")
    assert all(flow.remote[0] == PHONE[0] for _, _, flow in lab.sent)


def test_every_file_has_a_row_and_every_row_a_file() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.dat")) == sorted(row.name for row in INDEX)


@by_name
def test_as_a_datagram(row: Row) -> None:
    """Checklist rows 22, 64: SUBSCRIBE with each defect."""
    lab = household()
    check(lab, lab.receive(row.data, UDP), row.datagram)


@by_name
def test_byte_by_byte_as_a_stream(row: Row) -> None:
    """Checklist rows 31, 64: SUBSCRIBE with each defect."""
    lab, reader = household(), MessageReader()
    sent, lost = feed(lab, reader, row.data)
    check(lab, sent, row.stream)
    assert lost == (row.ending == "closed")
    assert reader.waiting == (row.ending == "waits") or lost
    if row.ending == "open":
        answers, lost = feed(lab, reader, PING)
        assert [m.status for m in map(parsed, answers) if isinstance(m, Response)] == [200] and not lost


@by_name
def test_the_repetition_of_a_datagram_changes_nothing(row: Row) -> None:
    lab = household()
    first = [message for message in lab.receive(row.data, UDP) if message.startswith(b"SIP/")]
    held = len(lab.notifier)
    again = lab.receive(row.data, UDP)
    assert again == first and len(lab.notifier) == held  # the same bytes, and no second NOTIFY


def sent_for(name: str) -> list[bytes]:
    return household().receive((FOLDER / f"{name}.dat").read_bytes(), UDP)


def first_line(message: bytes) -> bytes:
    return message.partition(b"\r\n")[0]


def test_unfamiliar_bytes_come_back_as_they_came() -> None:
    for name, field in (("intquote", b"To: "), ("overlongname", b"From: "), ("commaname", b"From: ")):
        data = (FOLDER / f"{name}.dat").read_bytes()
        [line] = [line for line in data.split(b"\r\n") if line.startswith(field)]
        answer, notify = sent_for(name)
        assert line in answer and line[len(field) :] in notify


def test_all_34_vias_come_back_in_order() -> None:
    answer = parsed(sent_for("longreq")[0])
    vias = answer.headers.items("via")
    assert [via.split()[1].partition(".")[0].partition(";")[0] for via in vias] == (
        [f"sip{number}" for number in range(33, 0, -1)] + ["host"]
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cparam01", b"NOTIFY sip:alice@192.0.2.9:5062 SIP/2.0"),
        ("cparam02", b"NOTIFY sip:alice@192.0.2.9:5062;unknownparam SIP/2.0"),
        ("regescrt", b"NOTIFY sip:alice@192.0.2.9:5062 SIP/2.0"),
        ("escnull", b"NOTIFY sip:%00%00@192.0.2.9:5062 SIP/2.0"),
        ("crlfcontact", b"NOTIFY sip:alice%0d%0aX-Evil:%20yes@192.0.2.9:5062 SIP/2.0"),
    ],
)
def test_the_notify_goes_to_the_contact_as_it_was_written(name: str, line: bytes) -> None:
    assert first_line(sent_for(name)[1]) == line


def test_only_require_is_called_unsupported() -> None:
    [answer] = sent_for("bext01")
    assert parsed(answer).headers.items("unsupported") == ["nothingSupportsThis", "nothingSupportsThisEither"]


def test_a_senders_received_is_replaced_by_where_it_came_from() -> None:
    via = parsed(sent_for("viareceived")[0]).headers.get("via")
    assert via == "SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK-viareceived;rport=5062;received=192.0.2.9"


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("expires2e32", "86400"), ("expireshuge", "86400"), ("expiresneg", "3600"), ("expiresdecimal", "3600")],
)
def test_an_odd_expires_is_granted_so_much(name: str, seconds: str) -> None:
    assert parsed(sent_for(name)[0]).headers.get("expires") == seconds


def test_an_event_id_comes_back_and_nothing_else_of_event() -> None:
    assert parsed(sent_for("eventid")[1]).headers.get("event") == "ua-profile;id=7"
    assert parsed(sent_for("crlfevent")[1]).headers.get("event") == "ua-profile;id=a%0d%0aX-Evil"


def test_two_callers_with_the_bare_cookie_are_two() -> None:
    lab = household()
    data = (FOLDER / "badbranch.dat").read_bytes()
    lab.receive(data)
    lab.receive(data.replace(b"Call-ID: badbranch", b"Call-ID: another"))
    assert len(lab.notifier) == 2
