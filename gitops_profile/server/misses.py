"""Who asks for devices that he may not have: one line each, the metric, and the alarm when it is a decoy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gitops_profile.devices import How, Sighting
from gitops_profile.http import MissBudget
from gitops_profile.metrics import Metrics

from .quiet import Budget
from .views import iso

if TYPE_CHECKING:
    from gitops_profile.http import Missed

logger = logging.getLogger(__name__)

MISS_SECONDS = 600.0
"""In which different misses of one address are counted together, and the same one is said once."""
ALARM_SECONDS = 86400.0
"""How long `status` shows that somebody asked for a decoy."""
_WITHOUT_ANYTHING = frozenset({401, 403, 404, 405, 429})
_PER_SOURCE = 1000


class Misses:
    """Is told of them."""

    def __init__(self, decoys: Callable[[], Collection[str]], metrics: Metrics, clock: Callable[[], float]) -> None:
        """`clock` is in Unix seconds."""
        self.decoys = decoys
        self._metrics = metrics
        self._clock = clock
        self._said = MissBudget(_PER_SOURCE, MISS_SECONDS, MISS_SECONDS)
        self._unproven = Budget(logger, "decoys asked for by plug and play")
        self._count = 0
        self._last_at: float | None = None
        self._last = ""

    def missed(self, missed: Missed) -> None:
        """Over HTTP. One line, always of this form: docs/access.md has the filter for fail2ban."""
        self._metrics.document_misses.labels(missed.reason).inc()
        logger.warning(
            "document refused source=%s reason=%s banned=%s device=%s",
            missed.source, missed.reason, "yes" if missed.banned else "no", quote(missed.device, safe="/@"),
        )  # fmt: skip
        if missed.reason == "decoy":
            self._alarm(missed.source, missed.device)

    def is_nobody(self, sighting: Sighting) -> bool:
        """Whether it is of a decoy, which is no phone: that by plug and play is an alarm too.

        Nobody is banned for a datagram, for its source is whatever its sender wrote into it.
        """
        device = sighting.mac
        if device is None or device not in self.decoys():
            return False
        if sighting.how is How.PNP and self._said.missed(sighting.address, device, sighting.at)[0]:
            self._metrics.document_misses.labels("decoy").inc()
            self._unproven.warn("decoy asked for by plug and play source=%s device=%s", sighting.address, device)
            self._alarm(sighting.address, device)
        return True

    def _alarm(self, source: str, device: str) -> None:
        self._count += 1
        self._last_at, self._last = self._clock(), f"{source} asked for the decoy {device}"

    def alarm(self) -> str:
        """Who asked for a decoy of late; empty when nobody did."""
        if self._last_at is None or self._clock() - self._last_at > ALARM_SECONDS:
            return ""
        times = "" if self._count == 1 else f", and {self._count - 1} such before since the start"
        return f"{self._last} at {iso(self._last_at)}{times}"

    def facts(self) -> dict[str, Any]:
        """For `status`."""
        return {"alarms": self._count, "alarmed_at": iso(self._last_at)}


def is_hearsay(sighting: Sighting, *, is_known: bool) -> bool:
    """Whether it says nothing of the phone: somebody asked for its file and was given nothing.

    A phone that is known is not moved to where a stranger is, and one who guesses fills no list of new phones.
    """
    if sighting.proven or sighting.status not in _WITHOUT_ANYTHING:
        return False
    return is_known or sighting.status == 429
