"""Counts and logs what happens: the one place that knows both the facts and the metrics."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gitops_profile.metrics import Metrics
from gitops_profile.sip import (
    AuthenticationFailed,
    MessageRefused,
    NotifyAnswered,
    SubscriptionEnded,
    SubscriptionEvent,
    SubscriptionRefreshed,
    SubscriptionStarted,
)
from gitops_profile.transport import TransportRefused

from .quiet import Budget

if TYPE_CHECKING:
    from gitops_profile.http import ContentFetched

logger = logging.getLogger(__name__)


class Observer:
    """Is told facts by SIP, its transports and HTTP."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._failures = Budget(logger, "failed NOTIFYs")

    def sip_event(self, event: SubscriptionEvent) -> None:
        """What happened to a subscription, or to a message."""
        metrics, traced = self._metrics, logger.isEnabledFor(logging.DEBUG)
        match event:
            case NotifyAnswered(id_, resource, status, etag, seconds):
                metrics.answers.add(status, seconds)
                if status >= 300:
                    self._failures.warn("NOTIFY key=%s status=%d etag=%s id=%s", resource, status, etag, id_)
                elif traced:
                    logger.debug("NOTIFY key=%s status=%d etag=%s id=%s", resource, status, etag, id_)
            case SubscriptionStarted(id_, resource, source, expires):
                metrics.started.inc()
                if traced:
                    logger.debug(
                        "subscription started key=%s source=%s expires=%d id=%s", resource, source, expires, id_
                    )
            case SubscriptionRefreshed(id_, resource, expires):
                if traced:
                    logger.debug("subscription refreshed key=%s expires=%d id=%s", resource, expires, id_)
            case AuthenticationFailed(source, user, realm, reason):
                metrics.authentication_failures.labels(reason).inc()
                # One line, always of this form: docs/access.md has the filter for fail2ban.
                logger.warning(
                    "authentication failed source=%s realm=%s reason=%s user=%r", source, realm, reason, user
                )
            case MessageRefused(source, status, reason):
                metrics.refused.labels(str(status)).inc()
                logger.debug("refused source=%s status=%d: %s", source, status, reason)
            case SubscriptionEnded(id_, resource, reason):
                metrics.ended.labels(reason).inc()
                logger.debug("subscription ended key=%s reason=%s id=%s", resource, reason, id_)

    def notifies_answered(self, status: int, seconds: list[float]) -> None:
        """Some NOTIFYs of another worker were answered so, after so long."""
        for one in seconds:
            self._metrics.answers.add(status, one)

    def subscriptions_started(self, count: int) -> None:
        """So many began at another worker."""
        self._metrics.started.inc(count)

    def subscriptions_ended(self, reason: str, count: int) -> None:
        """So many of another worker's are over."""
        self._metrics.ended.labels(reason).inc(count)

    def messages_refused(self, status: int, count: int) -> None:
        """So many were refused by another worker."""
        self._metrics.refused.labels(str(status)).inc(count)

    def connections_refused(self, reason: str, count: int) -> None:
        """So many were refused, or cut off, by another worker."""
        self._metrics.connections_refused.labels(reason).inc(count)

    def worker_restarted(self) -> None:
        """Another worker died."""
        self._metrics.worker_restarts.inc()

    def content_fetched(self, fetched: ContentFetched) -> None:
        """Somebody asked for a document by its link."""
        self._metrics.content_fetches.labels(str(fetched.status)).inc()

    def connection_refused(self, refused: TransportRefused) -> None:
        """A connection was refused, or cut off at a bound."""
        self._metrics.connections_refused.labels(refused.reason).inc()
