"""What a server tells about itself: plain data for the admin socket, the command line and /healthz."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gitops_profile.presentity import PresentityTable, RevisionApplied, RevisionHeld, RevisionRejected
from gitops_profile.sip import EventPackage, Subscription
from gitops_profile.workers import Subscriptions


def iso(seconds: float | None) -> str | None:
    """Unix seconds as ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def presentities(table: PresentityTable) -> list[dict[str, Any]]:
    """Every profile document in force, without its body."""
    rows = []
    for document in sorted(table, key=lambda d: d.key):
        stamp = table.revision_of(document.key)
        rows.append(
            {
                "key": str(document.key),
                "content_type": document.content_type,
                "bytes": len(document.body),
                "etag": document.etag,
                "path": document.path,
                "sensitive": document.sensitive,
                "commit": stamp.commit if stamp else None,
                "author": stamp.author if stamp else None,
                "committed_at": stamp.committed_at if stamp else None,
            }
        )
    return rows


def subscriptions(
    held: Subscriptions, package: EventPackage, where: Callable[[Subscription], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Every subscription, whether its phone has the document in force, and `where` it stands."""
    return [
        {
            "id": subscription.id,
            "key": subscription.resource,
            "contact": subscription.dialog.remote_target,
            "flow": str(subscription.flow),
            "user_agent": subscription.user_agent,
            "device": {
                "vendor": subscription.audience.vendor,
                "model": subscription.audience.model,
                "version": subscription.audience.version,
            },
            "identity": subscription.identity,
            "expires_at": iso(subscription.expires_at),
            "delivery": subscription.delivery,
            "delivered_at": iso(subscription.delivered_at),
            "acknowledged_etag": subscription.acknowledged_etag,
            "current": is_current(subscription, package),
            **where(subscription),
        }
        for subscription in sorted(held.subscriptions(), key=lambda s: (s.resource, s.id))
    ]


def is_current(subscription: Subscription, package: EventPackage) -> bool:
    """Whether the phone has acknowledged the document in force."""
    return subscription.has(package.state(subscription.resource, subscription.audience))


def outcome(event: RevisionApplied | RevisionRejected | RevisionHeld | None) -> dict[str, Any] | None:
    """A revision's outcome."""
    if event is None:
        return None
    facts: dict[str, Any] = {
        "commit": event.revision.commit,
        "author": event.revision.author,
        "committed_at": event.revision.committed_at,
        "message": event.revision.message,
        "signer": event.revision.signer,
    }
    if isinstance(event, RevisionRejected | RevisionHeld):
        facts["problems"] = [str(problem) for problem in event.problems]
    else:
        facts |= {"added": event.added, "changed": event.changed, "removed": event.removed}
    return facts
