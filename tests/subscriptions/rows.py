"""Subscriptions to store, and a store to put them in and wait for."""

import asyncio
import sqlite3
from collections.abc import Sequence

from gitops_profile.sip import StoredSubscription
from gitops_profile.subscriptions import SubscriptionStore, schema
from gitops_profile.subscriptions.numbers import Numbers

ALICE = StoredSubscription(
    id="s1",
    resource="user/example.com/alice",
    call_id="a84b4c76e66710@pc33.example.com",
    local_tag="l1",
    remote_tag="r1",
    local_uri="sip:alice@example.com",
    remote_uri='"Älice \\ \'" <sip:alice@example.com>',
    local_cseq=7,
    remote_cseq=4294967295,
    remote_target="sip:alice@192.0.2.1:5060;transport=tcp",
    route_set=("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"),
    secure=True,
    event="ua-profile;id=1",
    accept="text/xml, application/x-yealink",
    contact_flow="udp|192.0.2.9:5060|192.0.2.1:5060",
    expires_at=1_800_000_000.25,
    acknowledged_etag="0" * 32,
    suppress=None,
    delivery="acknowledged",
    delivered_at=1_799_999_000.5,
    user_agent="Yealink SIP-T46S 66.86.0.15",
    vendor="yealink",
    model="T46S",
    version="66.86.0.15",
    identity="alice@example.com",
    schemes="https",
    follows=True,
    told_etag="1" * 32,
    told_at=1_799_999_000.0,
    got_at=1_799_999_000.5,
    failed_at=None,
)
BARE = ALICE._replace(
    id="s2",
    route_set=(),
    secure=False,
    accept=None,
    acknowledged_etag=None,
    suppress="*",
    delivery="held",
    delivered_at=None,
    user_agent=None,
    vendor=None,
    model=None,
    version=None,
    identity=None,
    schemes=None,
    follows=False,
    told_etag=None,
    told_at=None,
    got_at=None,
)


def many(count: int, *, first: int = 0) -> list[StoredSubscription]:
    """`count` subscriptions with ids of their own."""
    return [
        ALICE._replace(id=f"n{number}", resource=f"user/example.com/u{number}")
        for number in range(first, first + count)
    ]


def submit(
    store: SubscriptionStore, saves: Sequence[StoredSubscription] = (), deletes: Sequence[str] = ()
) -> asyncio.Future[Exception | None]:
    """Submit; the future is what `done` will be called with."""
    answer: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    store.submit(saves, deletes, answer.set_result)
    return answer


async def commit(
    store: SubscriptionStore, saves: Sequence[StoredSubscription] = (), deletes: Sequence[str] = ()
) -> Exception | None:
    """Submit and wait."""
    return await submit(store, saves, deletes)


def save(connection: sqlite3.Connection, subscriptions: Sequence[StoredSubscription]) -> None:
    """Write them by a connection of one's own."""
    numbers = _numbers(connection)
    schema.save_rows(connection, [schema.row_of(one, numbers.of(one.id)) for one in subscriptions])


def delete(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Delete their rows by a connection of one's own."""
    schema.delete_rows(connection, _numbers(connection).leave(ids, 1))


def _numbers(connection: sqlite3.Connection) -> Numbers:
    numbers = Numbers(connection.execute(schema.SELECT_HIGHEST).fetchone()[0])
    for id_, number in connection.execute("SELECT id, number FROM subscription"):
        numbers.learn(schema.text_of(id_), number)
    return numbers
