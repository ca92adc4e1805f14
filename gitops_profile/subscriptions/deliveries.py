"""How many phones were told a version of a document, and how many acknowledged it: facts that outlive both.

The version that a phone was told last stands in its own row of `subscription`, written with it and therefore as durable
as it is. Triggers count a phone into `delivery` when it turns to another version or is gone: in the same transaction,
so that no restart counts it twice, and with no row of its own for a NOTIFY. What was ever told is the sum of both.

Rule for what is kept: of each resource the `VERSIONS` newest versions, of all together the newest `ROWS`.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

VERSIONS = 50
"""Of one resource."""
ROWS = 1_000_000
"""Some 150 MB."""
ENDED = 100_000
"""Subscriptions that are over and can still be asked about."""
_BUSY_SECONDS = 2.0
_PER_QUERY = 16_000
"""Ids that are looked for in one reading of `ended`, of half the parameters that SQLite takes."""

_NOW = "((julianday('now') - 2440587.5) * 86400.0 - (SELECT ahead FROM clock))"
"""As the server counts, which does not follow a clock that is set while it runs."""

_COUNT = """
    INSERT INTO delivery (resource, etag, notified, acknowledged, failed, first_notified, last_notified,
                          first_acknowledged, last_acknowledged, first_failed, last_failed)
    {facts}
    ON CONFLICT (resource, etag) DO UPDATE SET
        notified = notified + excluded.notified,
        acknowledged = acknowledged + excluded.acknowledged,
        failed = failed + excluded.failed,
        first_notified = coalesce(min(first_notified, excluded.first_notified),
                                  first_notified, excluded.first_notified),
        last_notified = coalesce(max(last_notified, excluded.last_notified), last_notified, excluded.last_notified),
        first_acknowledged = coalesce(min(first_acknowledged, excluded.first_acknowledged),
                                      first_acknowledged, excluded.first_acknowledged),
        last_acknowledged = coalesce(max(last_acknowledged, excluded.last_acknowledged),
                                     last_acknowledged, excluded.last_acknowledged),
        first_failed = coalesce(min(first_failed, excluded.first_failed), first_failed, excluded.first_failed),
        last_failed = coalesce(max(last_failed, excluded.last_failed), last_failed, excluded.last_failed)
"""
# A subscription that is over and has not acknowledged what it was told never will: that counts as failed.
_GONE_AT = f"CASE WHEN OLD.got_at IS NULL THEN coalesce(OLD.failed_at, {_NOW}) END"

TURNED = f"""
    CREATE TRIGGER subscription_turned AFTER UPDATE OF told_etag ON subscription
        WHEN OLD.told_etag IS NOT NEW.told_etag AND OLD.told_etag IS NOT NULL BEGIN
        {
    _COUNT.format(
        facts='''
        SELECT OLD.resource, OLD.told_etag, OLD.told_at IS NOT NULL, OLD.got_at IS NOT NULL, OLD.failed_at IS NOT NULL,
               OLD.told_at, OLD.told_at, OLD.got_at, OLD.got_at, OLD.failed_at, OLD.failed_at WHERE 1'''
    )
};
    END
"""
GONE = f"""
    CREATE TRIGGER subscription_ended AFTER DELETE ON subscription WHEN OLD.told_etag IS NOT NULL BEGIN
        {
    _COUNT.format(
        facts=f'''
        SELECT OLD.resource, OLD.told_etag, OLD.told_at IS NOT NULL, OLD.got_at IS NOT NULL, OLD.got_at IS NULL,
               OLD.told_at, OLD.told_at, OLD.got_at, OLD.got_at, {_GONE_AT}, {_GONE_AT} WHERE 1'''
    )
};
        INSERT INTO ended (id, resource, contact, user_agent, told_at, got_at, failed_at)
            VALUES (OLD.id, OLD.resource, OLD.remote_target, OLD.user_agent, OLD.told_at, OLD.got_at, {_GONE_AT});
    END
"""
"""The triggers on `subscription`: whoever makes that table anew makes them anew."""

DELIVERIES = f"""
    ALTER TABLE subscription ADD COLUMN told_etag TEXT;
    ALTER TABLE subscription ADD COLUMN told_at REAL;    -- unix seconds, as are the following
    ALTER TABLE subscription ADD COLUMN got_at REAL;
    ALTER TABLE subscription ADD COLUMN failed_at REAL;
    UPDATE subscription SET told_etag = acknowledged_etag, told_at = delivered_at, got_at = delivered_at
        WHERE acknowledged_etag IS NOT NULL AND delivered_at IS NOT NULL;
    CREATE TABLE delivery (
        number INTEGER PRIMARY KEY,
        resource TEXT NOT NULL,
        etag TEXT NOT NULL,              -- as phones are shown it: of sensitive documents it is concealed
        notified INTEGER NOT NULL,       -- phones, as are the following
        acknowledged INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        first_notified REAL,             -- unix seconds, as are the following
        last_notified REAL,
        first_acknowledged REAL,
        last_acknowledged REAL,
        first_failed REAL,
        last_failed REAL,
        UNIQUE (resource, etag)
    );
    CREATE TABLE ended (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        resource TEXT NOT NULL,
        contact TEXT NOT NULL,
        user_agent TEXT,
        told_at REAL,                    -- unix seconds, as are the following
        got_at REAL,
        failed_at REAL
    );
    CREATE INDEX ended_id ON ended (id);
    CREATE TABLE rollout (
        number INTEGER PRIMARY KEY,
        revision TEXT NOT NULL UNIQUE,   -- a commit
        applied_at REAL NOT NULL,        -- unix seconds
        planned TEXT NOT NULL            -- JSON list of the ids of subscriptions
    );
    {TURNED};
    {GONE};
    CREATE TRIGGER delivery_bounded AFTER INSERT ON delivery BEGIN
        DELETE FROM delivery WHERE number <= NEW.number - {ROWS};
        DELETE FROM delivery WHERE number IN (
            SELECT number FROM delivery WHERE resource = NEW.resource ORDER BY number DESC LIMIT -1 OFFSET {VERSIONS}
        );
    END;
    CREATE TRIGGER ended_bounded AFTER INSERT ON ended BEGIN
        DELETE FROM ended WHERE number <= NEW.number - {ENDED};
    END
"""
"""The migration that brings the facts; like every migration it is never edited, only followed by another."""

NO_ENDED_ID = "DROP INDEX ended_id"
"""The migration after that of the numbers. The index was on random ids, one more page to write for each end: 9 of the
24 µs of the writer's CPU. Who asks, which is a person, waits 5 to 50 ms for all rows to be read."""

BOUNDED_SELDOM = f"""
    DROP TRIGGER delivery_bounded;
    CREATE TRIGGER delivery_bounded AFTER INSERT ON delivery WHEN NEW.number > {ROWS} BEGIN
        DELETE FROM delivery WHERE number <= NEW.number - {ROWS};
    END;
    CREATE TRIGGER delivery_versions AFTER INSERT ON delivery
        WHEN (SELECT count(*) FROM delivery WHERE resource = NEW.resource) > {VERSIONS} BEGIN
        DELETE FROM delivery WHERE number IN (
            SELECT number FROM delivery WHERE resource = NEW.resource ORDER BY number DESC LIMIT -1 OFFSET {VERSIONS}
        );
    END
"""
"""The migration after that: whether there is anything to delete is asked before it is sorted out what. That was 9 of
24 µs of the writer's CPU for a phone's end, and 3 of 15 for its turning to another version."""

_FACTS = """
    SELECT resource, etag, sum(notified), sum(acknowledged), sum(failed), min(first_notified), max(last_notified),
           min(first_acknowledged), max(last_acknowledged), min(first_failed), max(last_failed)
    FROM (
        SELECT resource, etag, notified, acknowledged, failed, first_notified, last_notified, first_acknowledged,
               last_acknowledged, first_failed, last_failed
        FROM delivery WHERE resource IN ({names})
        UNION ALL
        SELECT resource, told_etag, told_at IS NOT NULL, got_at IS NOT NULL, failed_at IS NOT NULL, told_at, told_at,
               got_at, got_at, failed_at, failed_at
        FROM subscription WHERE told_etag IS NOT NULL AND resource IN ({names})
    )
    GROUP BY resource, etag
"""


@dataclass(frozen=True, slots=True)
class VersionDelivery:
    """What became of one version of what a resource has. Times are Unix seconds, None when there was no such thing."""

    resource: str
    etag: str
    """As phones are shown it: of a sensitive document it is concealed."""
    notified: int
    """Subscriptions that a NOTIFY with it left for, each counted once."""
    acknowledged: int
    failed: int
    """Without an acknowledgement so far: an error, no answer, nowhere to send it, or over before it answered."""
    first_notified: float | None
    last_notified: float | None
    """Of the phone that was told last; a NOTIFY that was sent again does not count."""
    first_acknowledged: float | None
    last_acknowledged: float | None
    first_failed: float | None
    last_failed: float | None


@dataclass(frozen=True, slots=True)
class EndedSubscription:
    """A subscription that is over; times are Unix seconds."""

    id: str
    resource: str
    contact: str
    user_agent: str | None
    told_at: float | None
    got_at: float | None
    failed_at: float | None
    """When it failed; None when it had acknowledged what it was told."""


def read_deliveries(path: Path, resources: Iterable[str]) -> list[VersionDelivery]:
    """The facts of some resources, while a server writes or without one; empty when there is no database.

    Raises sqlite3.Error for one that cannot be read, or is of an older version without facts.
    """
    if not path.exists():
        return []
    names = list(dict.fromkeys(resources))
    marks = ",".join("?" * len(names))
    with closing(connect_to_read(path)) as connection:
        rows = connection.execute(_FACTS.format(names=marks), names * 2)
        return [VersionDelivery(*row) for row in rows]


def read_ended(connection: sqlite3.Connection, ids: Iterable[str]) -> list[EndedSubscription]:
    """The subscriptions with these ids that are over, as far as they are still known. Raises sqlite3.Error."""
    found, wanted = [], list(ids)
    for start in range(0, len(wanted), _PER_QUERY):
        some = wanted[start : start + _PER_QUERY]
        marks = ",".join("?" * len(some))
        rows = connection.execute(
            "SELECT id, resource, contact, user_agent, told_at, got_at, failed_at FROM ended "
            f"WHERE id IN ({marks}) ORDER BY number",
            some,
        )
        found += [EndedSubscription(*row) for row in rows]
    return found


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; raises sqlite3.Error."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_BUSY_SECONDS, uri=True)
