"""Many phones at once, and those whose window is closed."""

import pytest

from gitops_profile.config import PushSettings
from gitops_profile.presentity import NotifyPolicy, ProfileKey
from gitops_profile.sip import Target

from .office import DAY, KEY, TO_AOR, Office, office_with_a_phone


async def test_a_held_change_is_told_when_its_window_opens_and_not_before() -> None:
    office = await office_with_a_phone()
    office.closed_until = office.now + 7200
    office.write(2)
    await office.run(7000)
    assert office.sent == []
    opens, office.closed_until = office.closed_until, None
    office.pusher.opened([KEY])
    await office.run(1)
    assert len(office.told) == 1 and office.told[0] < opens


async def test_a_window_that_is_never_in_sight_keeps_the_change_until_it_is() -> None:
    office = await office_with_a_phone()
    office.closed_until = float("inf")
    office.write(2)
    await office.run(DAY)
    assert office.sent == []
    office.closed_until = None
    await office.run(601)
    assert len(office.told) == 1


async def test_when_a_window_opens_its_phones_are_spread_like_any_wave() -> None:
    office = Office(PushSettings(settle=0, longest=0, spread=30))
    keys = []
    for number in range(300):
        mac = f"00041300{number:04x}"
        keys.append(ProfileKey.device("example.com", mac))
        office.write(1, key=keys[-1])
        office.see(mac=mac, address=f"192.0.2.{number % 250}")
        office.fetch(keys[-1], mac=mac, address=f"192.0.2.{number % 250}")
    office.closed_until = office.now + 3600
    for key in keys:
        office.write(2, key=key)
    await office.run(3590)
    opens, office.closed_until = office.closed_until, None
    await office.run(10)
    office.pusher.opened(keys)
    await office.run(60)
    assert len(office.told) == 300
    seconds = [sum(opens + n <= at < opens + n + 1 for at in office.told) for n in range(31)]
    assert max(seconds) < 30 and sum(seconds) == 300


async def test_a_document_that_must_be_in_effect_soon_is_spread_over_no_more() -> None:
    office = Office(PushSettings(settle=0, longest=0, spread=30))
    for number in range(100):
        key = ProfileKey.device("example.com", f"00041300{number:04x}")
        office.write(1, key=key, notify=TO_AOR, effective_by=2)
    begun = office.now
    await office.run(40)
    assert len(office.told) == 100 and max(office.told) <= begun + 2


async def test_where_it_is_switched_off_nobody_is_told_and_nothing_piles_up() -> None:
    office = await office_with_a_phone()
    office.pusher.line = None
    office.write(2)
    await office.run(DAY)
    assert office.sent == [] and office.pusher.facts() == {"waiting": 0, "under_way": 0, "in_vain": 0}


async def test_a_phone_that_trips_a_bug_keeps_no_other_from_being_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office()
    resolve = office._resolve

    async def trip(scheme: str, host: str, port: int | None, transport: str | None) -> list[Target]:
        if host == "bug.example":
            raise RuntimeError("a bug")
        return await resolve(scheme, host, port, transport)

    monkeypatch.setattr(office, "_resolve", trip)
    office.start()
    for number, domain in enumerate(("bug.example", "example.com")):
        key = ProfileKey.device("example.com", f"00041300000{number}")
        office.write(1, key=key, notify=NotifyPolicy(aor=f"sip:x@{domain}"))
    await office.run(1)
    assert [request.uri for _, request, _ in office.sent] == ["sip:x@example.com"]
    assert "could not be told device=000413000000" in caplog.text


async def test_a_mass_change_is_decided_in_small_turns() -> None:
    office = Office()
    for number in range(1000):
        office.write(1, key=ProfileKey.device("example.com", f"00041300{number:04x}"), notify=TO_AOR)
    await office.pusher.step()
    assert 0 < len(office.told) <= 50
    await office.run(1)
    assert len(office.told) == 1000
