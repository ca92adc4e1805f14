"""What is remembered of phones that were seen, in virtual time."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_profile.devices import How, Sighting
from gitops_profile.inventory import (
    MAX_GUESTS,
    MAX_GUESTS_PER_SOURCE,
    MAX_STRANGERS,
    MAX_STRANGERS_PER_SOURCE,
    Device,
    Inventory,
    InventoryStore,
    InventoryUnavailable,
)

MAC = "000413aabbcc"
KEY = f"device/example.com/{MAC}"
GET = Sighting(
    How.GET, 100.0, "192.0.2.7", mac=MAC, vendor="snom", model="D785", key=KEY, etag="e1", status=200, proven=True
)
PNP = Sighting(How.PNP, 100.0, "192.0.2.7", mac=MAC, vendor="snom", key=KEY, contact="sip:192.0.2.7:5060")


def test_a_fetch_is_remembered_and_the_phone_is_well_when_it_comes_back() -> None:
    inventory = Inventory()
    inventory.see(GET)
    inventory.see(GET._replace(at=103.0, key="device/example.com/y000000000096", etag="c1"))
    phone = inventory.get(MAC)
    assert phone is not None and phone.key == KEY
    assert (phone.holdings[KEY].etag, phone.holdings[KEY].fetched_at) == ("e1", 100.0)
    assert phone.holdings[KEY].returned_at is None  # another file of the same boot
    inventory.see(PNP._replace(at=700.0))
    assert phone.holdings[KEY].returned_at == pytest.approx(700.0) and phone.contact == "sip:192.0.2.7:5060"
    inventory.see(GET._replace(at=800.0, etag="e2"))
    assert (phone.holdings[KEY].etag, phone.holdings[KEY].returned_at) == ("e2", None)


def test_a_phone_that_says_it_has_the_version_has_fetched_it() -> None:
    inventory = Inventory()
    inventory.see(GET._replace(status=304))
    inventory.see(GET._replace(at=200.0, status=304))
    phone = inventory.get(MAC)
    assert phone is not None and phone.holdings[KEY].fetched_at == 100.0


def test_a_fetch_after_a_push_counts_anew_even_of_the_same_version() -> None:
    inventory = Inventory()
    inventory.see(GET)
    inventory.pushed(MAC, KEY, "e1", 300.0)
    inventory.see(GET._replace(at=310.0))
    phone = inventory.get(MAC)
    assert phone is not None and phone.holdings[KEY].fetched_at == 310.0


def test_the_answer_to_a_push_is_kept_until_the_next_one() -> None:
    inventory = Inventory()
    inventory.see(PNP)
    inventory.pushed(MAC, KEY, "e2", 300.0)
    inventory.push_answered(MAC, KEY, 200, 300.5)
    holding = inventory.holders([KEY])[0].holdings[KEY]
    assert [holding.told_etag, holding.heard_status, holding.heard_at] == ["e2", 200, 300.5]
    inventory.pushed(MAC, KEY, "e3", 400.0)
    assert [holding.heard_status, holding.heard_at] == [None, None]
    inventory.push_answered(MAC, KEY, 401, 401.0, fault="it wants other credentials")
    assert holding.fault == "it wants other credentials"
    inventory.see(GET._replace(at=500.0, etag="e3"))
    assert holding.fault is None  # whatever was wrong, it has it now


def test_what_a_known_phone_is_refused_is_a_fault_and_a_challenge_is_none() -> None:
    inventory = Inventory()
    inventory.see(GET)
    inventory.see(GET._replace(at=200.0, status=401, etag=None))
    holding = inventory.holders([KEY])[0].holdings[KEY]
    assert holding.fault is None
    inventory.see(GET._replace(at=201.0, status=403, etag=None))
    assert [holding.fault, holding.fault_at] == ["GET answered 403", 201.0]


@pytest.mark.parametrize("status", [200, 304])
def test_who_only_looks_by_head_has_no_fault_and_no_newer_version(status: int) -> None:
    inventory = Inventory()
    inventory.see(GET)
    inventory.see(GET._replace(at=103.0, status=status, etag=None))
    holding = inventory.holders([KEY])[0].holdings[KEY]
    assert [holding.fault, holding.etag, holding.fetched_at] == [None, "e1", 100.0]


def test_whoever_fetched_a_common_file_holds_it() -> None:
    inventory = Inventory()
    common = "device/example.com/y000000000096"
    for number in range(3):
        inventory.see(GET._replace(mac=f"00156500000{number}", key=common, etag="c1"))
    inventory.see(GET)
    assert [phone.device for phone in inventory.holders([common])] == [f"00156500000{n}" for n in range(3)]
    assert [phone.device for phone in inventory.holders([KEY, common, KEY])][0] == MAC


def test_a_fetch_from_elsewhere_does_not_take_the_way_to_a_phone_away() -> None:
    inventory = Inventory()
    inventory.see(PNP)
    inventory.see(GET._replace(at=200.0, address="192.0.2.99"))
    phone = inventory.get(MAC)
    assert phone is not None and (phone.address, phone.contact) == ("192.0.2.99", "sip:192.0.2.7:5060")
    inventory.see(PNP._replace(at=300.0, address="192.0.2.8", contact="sip:192.0.2.8:5060"))
    assert phone.contact == "sip:192.0.2.8:5060"


@pytest.mark.parametrize(
    "contact", ["sip:198.51.100.9", "sip:192.0.2.7@198.51.100.9", "sip:x.example", "tel:1", "sip:[192.0.2.7", ""]
)
def test_a_contact_that_names_another_address_is_not_believed(contact: str) -> None:
    inventory = Inventory()
    inventory.see(PNP._replace(contact=contact))
    phone = inventory.get(MAC)
    assert phone is not None and phone.contact is None


def test_a_flood_of_invented_phones_pushes_out_nothing_but_itself() -> None:
    inventory = Inventory()
    inventory.see(PNP)
    stranger = Sighting(How.PNP, 50.0, "198.51.100.1")
    inventory.see(stranger._replace(mac="aaaaaaaaaaaa"))
    inventory.take_changed()
    for number in range(10 * MAX_STRANGERS):
        inventory.see(stranger._replace(at=200.0, address="198.51.100.66", mac=f"{number:012x}"))
    assert len(inventory) == MAX_STRANGERS_PER_SOURCE + 2
    assert inventory.get(MAC) is not None and inventory.get("aaaaaaaaaaaa") is not None
    for number in range(10 * MAX_STRANGERS):
        inventory.see(stranger._replace(at=300.0, address=f"203.0.113.{number % 250}", mac=f"b{number:011x}"))
    assert len(inventory) == MAX_STRANGERS + 1 and inventory.get(MAC) is not None
    kept, gone = inventory.take_changed()
    assert len(kept) + len(gone) <= 11 * MAX_STRANGERS + 2 and inventory.take_changed() == ([], [])


def test_a_contact_that_says_nothing_new_is_written_once_a_minute() -> None:
    inventory = Inventory()
    inventory.see(GET)
    assert len(inventory.take_changed()[0]) == 1
    for second in range(1, 50):
        inventory.see(GET._replace(at=100.0 + 0.1 * second))
    assert inventory.take_changed() == ([], [])
    inventory.see(GET._replace(at=170.0))
    assert [phone.last_seen for phone in inventory.take_changed()[0]] == [170.0]


SIGHTINGS = st.builds(
    Sighting,
    how=st.sampled_from(How),
    at=st.floats(0, 1e6),
    address=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    mac=st.sampled_from([None, MAC, "000413000001", "000413000002"]),
    model=st.sampled_from([None, "D785", "\udcff"]),
    key=st.sampled_from([None, KEY, "device/example.com/y1"]),
    etag=st.sampled_from([None, "e1", "e2"]),
    status=st.sampled_from([None, 200, 304, 401, 403, 404]),
    proven=st.booleans(),
)


@settings(deadline=None, max_examples=50)  # each writes to a real disk
@given(st.lists(st.tuples(SIGHTINGS, st.booleans()), max_size=30))
def test_what_is_written_piece_by_piece_is_what_is_known(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Sighting, bool]]
) -> None:
    path = tmp_path_factory.mktemp("inventory") / "devices.db"
    inventory, store = Inventory(), InventoryStore(path)
    for sighting, write in history:
        inventory.see(sighting)
        if sighting.key is not None:
            inventory.pushed(sighting.device, sighting.key, "e3", sighting.at)
        if write:
            store.write(*inventory.take_changed())
    store.write(*inventory.take_changed())
    known = {device.device: written(device) for device in inventory}
    assert {device.device: written(device) for device in store.load()} == known
    again = Inventory(store.load())
    for key in (KEY, "device/example.com/y1"):
        assert {d.device for d in again.holders([key])} == {d.device for d in inventory.holders([key])}
    store.close()


def written(device: Device) -> Device:
    """Without what is not worth writing: when it was seen last, and by what."""
    model = device.model.encode("utf-8", "replace").decode() if device.model else device.model
    return replace(device.copy(), last_seen=0.0, how="", model=model)


def test_a_damaged_name_that_sqlite_cannot_say_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    InventoryStore(path).close()
    path.write_bytes(path.read_bytes().replace(b"tableholding", b"table\xf2olding"))
    with pytest.raises(InventoryUnavailable, match="damaged.*move it away"):
        InventoryStore(path)


def test_what_is_damaged_or_somebody_elses_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    store = InventoryStore(path)
    store.write([Device("x", "192.0.2.1", 1.0, 2.0, "get")], [])
    store.close()
    content = bytearray(path.read_bytes())
    content[100:2000] = b"\xff" * 1900
    path.write_bytes(bytes(content))
    with pytest.raises(InventoryUnavailable, match=r"devices.db: .*move it away"):
        InventoryStore(path).load()
    other = tmp_path / "other.db"
    other.write_bytes(b"SQLite format 3\0" + b"nonsense" * 100)
    with pytest.raises(InventoryUnavailable, match="other.db"):
        InventoryStore(other)


def test_a_flood_of_invented_phones_that_are_given_a_common_file_is_bounded_too() -> None:
    inventory = Inventory()
    inventory.see(GET)
    common = "device/example.com/y000000000096"
    given = GET._replace(key=common, etag="c1", proven=False, address="198.51.100.1")
    inventory.see(given._replace(at=50.0, mac="aaaaaaaaaaaa"))
    for number in range(2 * MAX_GUESTS_PER_SOURCE):
        inventory.see(given._replace(at=200.0, address="198.51.100.66", mac=f"{number:012x}"))
    assert len(inventory) == MAX_GUESTS_PER_SOURCE + 2
    for number in range(MAX_GUESTS + 1000):
        inventory.see(given._replace(at=300.0, address=f"203.0.113.{number % 250}", mac=f"b{number:011x}"))
    assert len(inventory) == MAX_GUESTS + 1 == len(inventory.holders([common, KEY]))
    assert inventory.get(MAC) is not None


def test_strangers_that_are_given_something_one_after_another_are_bounded() -> None:
    inventory = Inventory()
    for number in range(2 * MAX_GUESTS_PER_SOURCE):
        seen = PNP._replace(mac=f"{number:012x}", key=None)
        inventory.see(seen)
        inventory.see(GET._replace(mac=seen.mac, key="device/example.com/common", at=150.0))
    assert len(inventory) == MAX_GUESTS_PER_SOURCE
    gone = inventory.take_changed()[1]
    assert f"{MAX_GUESTS_PER_SOURCE:012x}" in gone


def test_a_guest_that_gets_a_profile_of_its_own_stays_whatever_comes() -> None:
    inventory = Inventory()
    common = "device/example.com/common"
    inventory.see(GET._replace(key=common))
    inventory.see(GET._replace(at=120.0))
    for number in range(MAX_GUESTS + 10):
        inventory.see(GET._replace(at=200.0, key=common, address=f"203.0.113.{number % 250}", mac=f"b{number:011x}"))
    phone = inventory.get(MAC)
    assert phone is not None and sorted(phone.holdings) == [KEY, common]


def test_what_is_too_much_of_an_earlier_life_is_forgotten_on_disk_as_well() -> None:
    earlier = [Device(f"{n:012x}", f"192.0.2.{n % 250}", 1.0, float(n), "pnp") for n in range(MAX_STRANGERS + 3)]
    kept, gone = Inventory(earlier).take_changed()
    assert (kept, gone) == ([], [f"{n:012x}" for n in range(3)])


@pytest.mark.parametrize("how", [How.PNP, How.SUBSCRIBE])
def test_a_model_said_over_http_is_not_replaced_by_what_sip_says_even_after_a_restart(tmp_path: Path, how: How) -> None:
    store = InventoryStore(tmp_path / "devices.db")
    inventory = Inventory()
    inventory.see(PNP._replace(how=how, model="385", firmware="8.9"))
    inventory.see(GET._replace(at=101.0, firmware="10.1"))
    other = PNP._replace(how=how, at=102.0, vendor="yealink", model="VIP", firmware="1.0")
    inventory.see(other)
    store.write(*inventory.take_changed())
    again = Inventory(store.load())
    again.see(other._replace(at=103.0))
    for phone in (inventory.get(MAC), again.get(MAC)):
        assert phone is not None and (phone.vendor, phone.model, phone.firmware) == ("snom", "D785", "10.1")
    again.see(GET._replace(at=104.0, firmware="10.2"))
    assert again.get(MAC).firmware == "10.2"  # type: ignore[union-attr]
    store.close()


def test_a_model_that_only_sip_says_is_not_held_for_one_of_http() -> None:
    inventory = Inventory()
    inventory.see(PNP._replace(model="385", firmware="8.9"))
    inventory.see(PNP._replace(at=101.0, model="386"))
    phone = inventory.get(MAC)
    assert phone is not None and (phone.model, phone.firmware) == ("386", "8.9")
    inventory.see(GET._replace(at=102.0, model=None, firmware="10.1"))
    assert (phone.model, phone.firmware) == (None, "10.1"), "by which it was given its variant"


def test_a_file_of_an_earlier_version_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "devices.db"
    store = InventoryStore(path)
    store.write([Device(MAC, "192.0.2.7", 1.0, 2.0, "get", mac=MAC, model="D785")], [])
    store.close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("ALTER TABLE device DROP COLUMN by_agent")
    store = InventoryStore(path)
    [phone] = store.load()
    assert phone.model == "D785" and not phone.by_agent
    store.write([replace(phone, by_agent=True)], [])
    store.close()
    store = InventoryStore(path)
    assert store.load() == [replace(phone, by_agent=True)]
    store.close()
