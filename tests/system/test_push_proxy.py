"""A check-sync through the registrar that the phone is registered with: Kamailio between the server and sipp."""

from collections.abc import Iterator

import pytest

from .lab import Lab
from .registrar import Registrar
from .test_push import Building

pytestmark = [pytest.mark.system, pytest.mark.peer]


@pytest.fixture
def registrar(lab: Lab) -> Iterator[Registrar]:
    lab.folder.mkdir(exist_ok=True)
    made = Registrar(lab.folder / "registrar")
    try:
        yield made
    finally:
        made.close()


def building_at(lab: Lab, registrar: Registrar, transport: str) -> Building:
    """The line is registered with the registrar, which nobody looks up by the domain of its AoR."""
    building = Building(lab)
    building.aor = "sip:2001@example.com"
    lines = lab.folder / "lines"
    lines.write_text("2001::s3cret\n")
    lines.chmod(0o600)
    building.settings["push"] |= {"credentials": str(lines), "proxy": f"{registrar.uri};transport={transport}"}
    building.write(1)
    return building


def register(building: Building, registrar: Registrar) -> None:
    address = ("-i", "127.0.0.1", "-p", str(building.port))
    phone = building.lab.phone("register", "2001", options=address, server=registrar.address)
    phone.finish()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_proxy_and_the_phone_challenge_and_both_are_answered(
    lab: Lab, registrar: Registrar, transport: str
) -> None:
    building = building_at(lab, registrar, transport)
    register(building, registrar)
    phone = building.told("challenging")
    building.start()
    challenged, notify = phone.finish()
    assert challenged.header("Call-ID") == notify.header("Call-ID")
    assert notify.start == f"NOTIFY sip:2001@127.0.0.1:{building.port};transport=UDP SIP/2.0"
    assert notify.header("Event") == "check-sync;reboot=false"
    assert notify.data.count(b"\r\nVia:") == 2 and b"\r\nRoute:" not in notify.data
    building.eventually(heard_status=200, fault=None)


def test_a_phone_that_is_not_registered_is_offline(lab: Lab, registrar: Registrar) -> None:
    building = building_at(lab, registrar, "udp")
    building.start()
    building.eventually(heard_status=None, fault="the phone is offline (480)")
    assert building.push() == {"waiting": 1, "under_way": 0, "in_vain": 1}


def test_a_proxy_that_is_down_is_said_so(lab: Lab, registrar: Registrar) -> None:
    building = building_at(lab, registrar, "tcp")
    registrar.close()
    building.start()
    building.eventually(fault="the phone cannot be reached")
