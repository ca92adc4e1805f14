"""Kamailio in front: dialogs live by their route set, and outlive our process."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.lab import Lab, eventually

from .edge import Edge
from .laboratory import address, commit, document, make_certificate, missing, serve, start_again
from .peers import need
from .phone import Call, Notify, wait_for
from .stacks import STACKS, Stack

pytestmark = [pytest.mark.system, pytest.mark.peer]
ALICE, BOB = "alice@example.com", "bob@example.com"
SOFIA, JSSIP = (next(stack for stack in STACKS if stack.name == name) for name in ("sofia", "jssip"))


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    need(missing() or Edge.missing())
    return make_certificate(tmp_path / "tls")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with closing(Lab(tmp_path / "lab")) as laboratory:
        yield laboratory
        assert "Traceback" not in laboratory.server.stderr(), laboratory.server.stderr()


@pytest.mark.parametrize(("stack", "transport"), [(SOFIA, "udp"), (JSSIP, "ws")], ids=["sofia-udp", "jssip-ws"])
def test_a_dialog_through_the_edge_survives_the_death_of_the_server(
    lab: Lab, certificates: Path, stack: Stack, transport: str
) -> None:
    """The phone is reachable through the edge only: the server has nothing but its route set after the restart."""
    need(stack.missing())
    serve(lab, ["tcp:127.0.0.1:0"], certificates, [ALICE, BOB])
    with closing(Edge(lab.folder / "edge", address(lab, "tcp"), certificates)) as edge:
        call = Call(transport, edge.address(transport), ALICE)
        with closing(stack.start(lab.folder / "phone", call)) as phone:
            wait_for(phone, "the document", accepted=1, notifies=1)
            lab.settled(1)  # or the phone would rightly get the old document once more
            lab.server.end(signal.SIGKILL)
            commit(lab, {ALICE: 2})
            start_again(lab)
            missed = wait_for(phone, "what changed meanwhile", accepted=1, notifies=2)
            phone.refresh()
            refreshed = wait_for(phone, "the answer to a refresh", accepted=2, notifies=3)
            phone.unsubscribe()
            eventually("the end", phone.has_ended)
            old, new = Notify("active", document(ALICE, 1)), Notify("active", document(ALICE, 2))
            assert missed == [old, new]
            assert refreshed == [old, new, new]
            assert len(phone.notifies()) == 4
    assert lab.ask("subscriptions") == []


def test_phones_that_share_the_edges_connection_get_each_their_own_document(lab: Lab, certificates: Path) -> None:
    need(SOFIA.missing())
    serve(lab, ["tcp:127.0.0.1:0"], certificates, [ALICE, BOB])
    with closing(Edge(lab.folder / "edge", address(lab, "tcp"), certificates)) as edge:
        calls = {aor: Call("udp", edge.address("udp"), aor) for aor in (ALICE, BOB)}
        phones = {aor: SOFIA.start(lab.folder / aor, call) for aor, call in calls.items()}
        try:
            for aor, phone in phones.items():
                first = wait_for(phone, f"the document of {aor}", accepted=1, notifies=1)
                assert first == [Notify("active", document(aor, 1))]
            commit(lab, {BOB: 2})
            changed = wait_for(phones[BOB], "the change", accepted=1, notifies=2)
            assert changed[1] == Notify("active", document(BOB, 2))
            phones[ALICE].unsubscribe()
            eventually("the end", phones[ALICE].has_ended)
            assert [notify.state for notify in phones[ALICE].notifies()] == ["active", "terminated"]
        finally:
            for phone in phones.values():
                phone.close()


@pytest.mark.parametrize(
    ("trusted", "asserted", "answer"),
    [
        ("127.0.0.1/32", "sip:alice@md5.example.com", "accepted 600"),
        ("127.0.0.1/32", "sip:bob@md5.example.com", "failed 403"),  # believed, but it is not his
        ("127.0.0.1/32", None, "failed challenged"),
        ("192.0.2.0/24", "sip:alice@md5.example.com", "failed challenged"),  # not a proxy of ours
    ],
)
def test_a_phone_without_a_password_gets_what_a_trusted_edge_asserts_of_it(
    lab: Lab, certificates: Path, trusted: str, asserted: str | None, answer: str
) -> None:
    need(SOFIA.missing())
    alice = "alice@md5.example.com"
    serve(lab, ["tcp:127.0.0.1:0"], certificates, [alice], f"trusted_proxies: [{trusted}]")
    with (
        closing(Edge(lab.folder / "edge", address(lab, "tcp"), certificates, asserted)) as edge,
        closing(SOFIA.start(lab.folder / "phone", Call("udp", edge.address("udp"), alice))) as phone,
    ):
        eventually("an answer", lambda: answer in phone.diary())
        if answer.startswith("accepted"):
            (first,) = wait_for(phone, "the document", accepted=1, notifies=1)
            assert first == Notify("active", document(alice, 1))
        else:
            assert "notify " not in phone.diary()
