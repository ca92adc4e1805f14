"""The project's prometheus_client collectors, named in one place."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Answers(Collector):
    """How NOTIFYs ended, and how soon. Only the event loop's thread counts.

    A Counter with a label and a Histogram of prometheus_client take 3 µs for each, with their locks; this takes 0.4.
    """

    BUCKETS = (0.005, 0.02, 0.1, 0.5, 1.0, 4.0, 16.0, 32.0)
    """Seconds."""

    def __init__(self) -> None:
        self._ended: dict[int, int] = {}
        self._within = [0] * (len(self.BUCKETS) + 1)
        self._seconds = 0.0

    def add(self, status: int, seconds: float) -> None:
        """One came to its end, with this final status and so long after its first transmission."""
        self._ended[status] = self._ended.get(status, 0) + 1
        self._within[bisect_left(self.BUCKETS, seconds)] += 1
        self._seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        ended = CounterMetricFamily(
            "gitops_profile_notifies", "NOTIFYs that came to an end, by final status", labels=["status"]
        )
        for status, count in self._ended.items():
            ended.add_metric([str(status)], count)
        yield ended
        buckets, count = [], 0
        for bound, within in zip((*map(str, self.BUCKETS), "+Inf"), self._within, strict=True):
            count += within
            buckets.append((bound, count))
        yield HistogramMetricFamily(
            "gitops_profile_notify_seconds",
            "From the first transmission of a NOTIFY to its end",
            buckets=buckets,
            sum_value=self._seconds,
        )


class Metrics:
    """Every collector, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.refused = Counter(
            "gitops_profile_sip_refused",
            "SIP messages refused or dropped",
            ["status"],
            registry=registry,
        )
        self.authentication_failures = Counter(
            "gitops_profile_authentication_failures",
            "Credentials that were wrong, by reason",
            ["reason"],
            registry=registry,
        )
        self.connections_refused = Counter(
            "gitops_profile_connections_refused",
            "SIP connections refused or cut off at a bound, by reason",
            ["reason"],
            registry=registry,
        )
        self.clock_jumps = Counter(
            "gitops_profile_clock_jumps", "Times that the wall clock was set while the server ran", registry=registry
        )
        self.answers = Answers()
        registry.register(self.answers)
        self.started = Counter("gitops_profile_subscriptions_started", "Subscriptions begun", registry=registry)
        self.ended = Counter(
            "gitops_profile_subscriptions_ended", "Subscriptions over, by reason", ["reason"], registry=registry
        )
        self.subscriptions = Gauge("gitops_profile_subscriptions", "Subscriptions held", registry=registry)
        self.worker_restarts = Counter(
            "gitops_profile_worker_restarts", "Workers that died and were started anew", registry=registry
        )
        self.presentities = Gauge("gitops_profile_presentities", "Profile documents in force", registry=registry)
        self.content_fetches = Counter(
            "gitops_profile_content_fetches",
            "Requests for documents over HTTP, by status",
            ["status"],
            registry=registry,
        )
        self.document_misses = Counter(
            "gitops_profile_document_misses",
            "Devices asked for over HTTP by somebody who may not have them, by reason",
            ["reason"],
            registry=registry,
        )
        self.pnp = Counter(
            "gitops_profile_pnp",
            "Plug-and-play requests by what came of them: a status, silent, unknown, source, flood or malformed",
            ["result"],
            registry=registry,
        )
        self.pushes = Counter(
            "gitops_profile_pushes",
            "Check-syncs to phones without a subscription, by what came of them",
            ["verdict"],
            registry=registry,
        )
        self.document_fetches = Counter(
            "gitops_profile_document_requests",
            "Requests for documents by URL, by method and status",
            ["method", "status"],
            registry=registry,
        )
        self.revisions = Counter(
            "gitops_profile_revisions", "Revisions looked at, by verdict", ["verdict"], registry=registry
        )
        self.revision_lag = Gauge(
            "gitops_profile_revision_lag_seconds",
            "Since the head of the ref was seen that is not in force; 0 when it is",
            registry=registry,
        )
        self.revision_seconds = Gauge(
            "gitops_profile_revision_seconds",
            "From when the revision in force was seen until it was in force",
            registry=registry,
        )
        self.suspended = Gauge("gitops_profile_suspended_scopes", "Scopes that are suspended", registry=registry)
        self.held_back = Gauge(
            "gitops_profile_held_back", "Profiles that a suspension keeps from the revision in force", registry=registry
        )
        self.fetches = Counter(
            "gitops_profile_fetches", "Fetches from the remote repository, by result", ["result"], registry=registry
        )
        self.fetch_seconds = Histogram(
            "gitops_profile_fetch_seconds",
            "How long a fetch from the remote repository took",
            buckets=(0.05, 0.2, 0.5, 1, 2, 5, 15, 60, 300),
            registry=registry,
        )
        self.last_fetch = Gauge(
            "gitops_profile_last_fetch_timestamp_seconds",
            "When the remote repository last answered, 0 for never",
            registry=registry,
        )
        self.webhooks = Counter(
            "gitops_profile_webhooks", "Webhooks, by provider and result", ["provider", "result"], registry=registry
        )
        self.commit_statuses = Counter(
            "gitops_profile_commit_statuses",
            "Tries to tell the forge of a commit, by result",
            ["result"],
            registry=registry,
        )
        self.position = Gauge("gitops_profile_log_position", "Position of the last record", registry=registry)

    def exposition(self) -> bytes:
        """The text format."""
        return generate_latest(self.registry)
