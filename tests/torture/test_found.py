"""What the torture messages found outside `sip/syntax/`."""

import asyncio
from pathlib import Path

from gitops_profile.sip import StoredSubscription
from gitops_profile.sip.syntax import Request
from gitops_profile.subscriptions import SubscriptionStore
from tests.sip.harness import Lab, Phone, parsed

OVERLONG = (Path(__file__).parent / "subscribe" / "overlongname.dat").read_bytes()


async def outcomes(store: SubscriptionStore, *batches: list[StoredSubscription]) -> list[Exception | None]:
    """What the store says of each submission; all are made in one turn of the loop, so that they share a commit."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[Exception | None]] = [loop.create_future() for _ in batches]
    for rows, future in zip(batches, waiting, strict=True):
        store.submit(rows, [], future.set_result)
    return [await future for future in waiting]


async def test_bytes_that_are_no_utf8_can_be_stored_and_harm_no_neighbour(tmp_path: Path) -> None:
    lab = Lab()
    lab.receive(OVERLONG)
    Phone(lab, call_id="neighbour").subscribe()
    strange, neighbour = lab.rows.values()
    store = SubscriptionStore.open(tmp_path / "subscriptions.db")
    try:
        store.start(asyncio.get_running_loop())
        assert await outcomes(store, [strange], [neighbour]) == [None, None]
        assert sorted(row.id for row in store.load()) == sorted([strange.id, neighbour.id])
    finally:
        store.close()


def test_a_route_set_is_bounded() -> None:
    lab = Lab()
    phone = Phone(lab)
    routes = ", ".join(["<sip:a;lr>"] * 5000)
    sent = [message.count(b"\r\n") for message in lab.receive(phone.build(600, Record_Route=routes))]
    assert max(sent) < 200 and len(lab.notifier) == 0


def test_a_route_set_of_five_is_kept() -> None:
    lab = Lab()
    routes = ", ".join(["<sip:192.0.2.9;lr>"] * 5)
    _, notify = map(parsed, lab.receive(Phone(lab).build(600, Record_Route=routes)))
    assert isinstance(notify, Request) and len(notify.headers.all("route")) == 5
