"""Kamailio in front: dialogs live by their route set, and outlive our process."""

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.lab import Lab, eventually

from .edge import Edge
from .matrix import OTHER, USER, address, commit, document, make_certificate, serve
from .peers import need
from .phone import Call, Notify, wait_for
from .stacks import STACKS, Stack

pytestmark = [pytest.mark.system, pytest.mark.peer]
SOFIA, JSSIP = (next(stack for stack in STACKS if stack.name == name) for name in ("sofia", "jssip"))


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    need(Edge.missing())
    return make_certificate(tmp_path / "tls")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with closing(Lab(tmp_path / "lab")) as laboratory:
        yield laboratory
        assert "Traceback" not in laboratory.server.stderr(), laboratory.server.stderr()


def _acknowledged(lab: Lab) -> bool:
    """Without that, the phone would rightly get the old document once more."""
    return [row["delivery"] for row in lab.ask("subscriptions")] == ["acknowledged"]


@pytest.mark.parametrize(("stack", "transport"), [(SOFIA, "udp"), (JSSIP, "ws")], ids=["sofia-udp", "jssip-ws"])
def test_a_dialog_through_the_edge_survives_the_death_of_the_server(
    lab: Lab, certificates: Path, stack: Stack, transport: str
) -> None:
    """The phone is reachable through the edge only: the server has nothing but its route set after the restart."""
    need(stack.missing())
    serve(lab, ["tcp:127.0.0.1:0"], "none", certificates)
    with closing(Edge(lab.folder / "edge", address(lab, "tcp"), certificates)) as edge:
        call = Call(transport, edge.address(transport), USER, certificates=certificates)
        with closing(stack.start(lab.folder / "phone", call)) as phone:
            wait_for(phone, "the document", accepted=1, notifies=1)
            eventually("the acknowledgement is durable", lambda: _acknowledged(lab))
            lab.server.end(signal.SIGKILL)
            commit(lab, **{USER: 2})
            lab.server.start("--config", str(lab.folder / "config.yaml"))
            missed = wait_for(phone, "what changed meanwhile", accepted=1, notifies=2)
            phone.refresh()
            refreshed = wait_for(phone, "the answer to a refresh", accepted=2, notifies=3)
            phone.unsubscribe()
            eventually("the end", phone.has_ended)
            old, new = Notify("active", document(USER, 1)), Notify("active", document(USER, 2))
            assert missed == [old, new]
            assert refreshed == [old, new, new]
            assert len(phone.notifies()) == 4
    assert lab.ask("subscriptions") == []


def test_phones_that_share_the_edges_connection_get_each_their_own_document(lab: Lab, certificates: Path) -> None:
    need(SOFIA.missing())
    serve(lab, ["tcp:127.0.0.1:0"], "none", certificates)
    with closing(Edge(lab.folder / "edge", address(lab, "tcp"), certificates)) as edge:
        calls = {user: Call("udp", edge.address("udp"), user, certificates=certificates) for user in (USER, OTHER)}
        phones = {user: SOFIA.start(lab.folder / user, call) for user, call in calls.items()}
        try:
            for user, phone in phones.items():
                first = wait_for(phone, f"the document of {user}", accepted=1, notifies=1)
                assert first == [Notify("active", document(user, 1))]
            commit(lab, **{OTHER: 2})
            changed = wait_for(phones[OTHER], "the change", accepted=1, notifies=2)
            assert changed[1] == Notify("active", document(OTHER, 2))
            phones[USER].unsubscribe()
            eventually("the end", phones[USER].has_ended)
            assert [notify.state for notify in phones[USER].notifies()] == ["active", "terminated"]
        finally:
            for phone in phones.values():
                phone.close()
