"""Where a phone is told: its AoR, or where it was seen, and nowhere else."""

import itertools
from contextlib import suppress

import pytest

from gitops_profile.config import PushSettings
from gitops_profile.devices import How, Sighting
from gitops_profile.inventory import Inventory
from gitops_profile.presentity import ProfileKey
from gitops_profile.server.push import RETRY_FIRST
from gitops_profile.sip import Target
from gitops_profile.sip.syntax import URI, SIPSyntaxError

from .office import AOR, DAY, KEY, MAC, TO_AOR, Office, office_with_a_phone


async def test_a_phone_that_was_never_seen_is_told_through_its_aor() -> None:
    office = Office(PushSettings(settle=0, longest=0, spread=0, proxy="sip:192.0.2.99:5070"))
    office.write(1, notify=TO_AOR)
    await office.run(1)
    [(_, request, flow)] = office.sent
    assert request.uri == AOR and flow.remote == ("192.0.2.99", 5070)
    assert request.headers.get("route") == "<sip:192.0.2.99:5070;lr>"
    assert request.from_.uri == AOR


async def test_a_phone_that_was_expected_under_the_name_of_its_profile_is_told_once_when_it_is_known() -> None:
    lobby, alias = ProfileKey.device("example.com", "lobby"), KEY
    office = Office()
    office.write(1, key=lobby, notify=TO_AOR)
    await office.run(1)
    assert len(office.told) == 1  # nobody knows more than the AoR
    office.see(key=str(lobby))
    office.fetch(lobby)
    office.write(2, key=lobby, notify=TO_AOR)
    await office.run(1)
    await office.restart()
    await office.run(1)
    assert len(office.told) == 2 and alias not in office.table


async def test_name_servers_that_fail_are_tried_again() -> None:
    office = Office()
    known = office.hosts.pop("example.com")
    office.write(1, notify=TO_AOR)
    await office.run(60)
    assert office.sent == [] and "no way to example.com" in (office.holding().fault or "")
    office.hosts["example.com"] = known
    await office.run(RETRY_FIRST)
    assert len(office.told) == 1 and office.holding().heard_status == 200


async def test_a_phone_that_nobody_can_reach_is_said_so_and_told_when_it_shows_where_it_is() -> None:
    office = Office()
    office.write(1)
    office.fetch(contact=None)
    office.write(2)
    await office.run(DAY)
    assert office.sent == [] and "notify.aor" in (office.holding().fault or "")
    office.see()
    await office.run(1)
    assert len(office.told) == 1 and office.holding().fault is None


@pytest.mark.parametrize(
    "contact",
    [
        "sip:192.0.2.66:5060", "sip:victim.example:5060", "sip:192.0.2.7@192.0.2.66", "sip:[2001:db8::66]",
        "nonsense", "tel:123", "sip:x@192.0.2.7;y=@192.0.2.66", "sip:192.0.2.7?y=@192.0.2.66",
    ],
)  # fmt: skip
async def test_no_check_sync_goes_to_an_address_where_the_phone_was_not_seen(contact: str) -> None:
    office = await office_with_a_phone()
    office.see(contact=contact)
    office.write(2)
    await office.run(DAY)
    assert {flow.remote[0] for _, _, flow in office.sent} == {"192.0.2.7"}


def test_no_contact_is_remembered_that_leads_elsewhere_however_it_is_written() -> None:
    parts = ("", "x@192.0.2.7", "192.0.2.7", "@192.0.2.66", ":5060", ";y=", "?y=", "[", "]")
    kept = 0
    for made in itertools.product(parts, repeat=4):
        device = Inventory().see(Sighting(How.PNP, 1.0, "192.0.2.7", mac=MAC, contact="sip:" + "".join(made)))
        assert device is not None
        if device.contact is not None:
            with suppress(SIPSyntaxError):  # it leads nowhere
                assert URI.parse(device.contact).host.strip("[]") == "192.0.2.7"
                kept += 1
    assert kept > 10


async def test_a_phone_with_an_ipv6_address_is_told_there() -> None:
    office = await office_with_a_phone()
    office.see(address="2001:db8::7", contact="sip:[2001:DB8::7]:5062;transport=tcp")
    office.write(2)
    await office.run(1)
    [(_, request, flow)] = office.sent
    assert (flow.transport, flow.remote) == ("tcp", ("2001:db8::7", 5062)) and office.holding().heard_status == 200
    assert request.uri.lower() == "sip:[2001:db8::7]:5062;transport=tcp"


@pytest.mark.parametrize("name", ["pbx.example.com", "pbx.example.com."])
async def test_a_proxy_reached_by_tls_has_to_certify_its_name(name: str) -> None:
    office = Office(PushSettings(settle=0, longest=0, spread=0, proxy=f"sips:{name}"))
    office.hosts[name] = [Target("tls", "192.0.2.99", 5061)]
    office.write(1, notify=TO_AOR)
    await office.run(1)
    [(_, request, flow)] = office.sent
    assert (flow.transport, flow.peer) == ("tls", ("pbx.example.com",))
    assert request.headers.get("route") == f"<sips:{name};lr>"


async def test_a_contact_leads_nowhere_else_by_its_parameters() -> None:
    office = await office_with_a_phone()
    office.see(contact="sip:x@192.0.2.7:5062;maddr=192.0.2.66;transport=udp?Route=sip:192.0.2.66")
    office.write(2)
    await office.run(1)
    [(_, request, flow)] = office.sent
    assert flow.remote == ("192.0.2.7", 5062) and request.uri == "sip:x@192.0.2.7:5062;transport=udp"


async def test_one_who_has_not_shown_to_be_the_phone_gets_no_digest_of_its_password() -> None:
    office = Office(answers_anyone=False)
    office.write(1, notify=TO_AOR)
    office.settings = office.settings.model_copy(update={"to": ["contact"]})
    office.start()
    office.see()
    office.fetch(proven=False)
    office.answer = lambda request: 401 if request.headers.get("authorization") is None else 200
    office.write(2, notify=TO_AOR)
    await office.run(1)
    assert len(office.sent) == 1 and "has not shown" in (office.holding().fault or "")
    office.fetch()  # now it has
    office.write(3, notify=TO_AOR)
    await office.run(1)
    assert office.holding().heard_status == 200
    office.see(address="192.0.2.66")  # and whoever takes its MAC elsewhere has not
    office.write(4, notify=TO_AOR)
    await office.run(1)
    assert all(r.headers.get("authorization") is None for _, r, flow in office.sent if flow.remote[0] == "192.0.2.66")
    assert "has not shown" in (office.holding().fault or "")
