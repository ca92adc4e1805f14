"""The webhook as this server has it: its secrets from a file, what it has seen, what it counts and says."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_profile.config import Config, ConfigError
from gitops_profile.forge import Secrets, read_secrets
from gitops_profile.metrics import Metrics

from .quiet import Budget
from .views import iso
from .watched_file import FileSignature, file_signature
from .whole_file import write_whole

if TYPE_CHECKING:
    from aiohttp import web

    from gitops_profile.http import WebhookReceived

logger = logging.getLogger(__name__)

REMEMBERED = 1024
"""Deliveries that are known again. An older one, sent again, has git looked at once more, and no more than that."""
MAX_SECRET_FILE = 64 << 10
"""Bytes that are read of it."""
LOOK = 1.0
"""Seconds between looks at the secret file."""


class SeenDeliveries:
    """The newest deliveries that had git looked at, in a file that outlives the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._writing = asyncio.Lock()
        self._broken = False

    def load(self) -> None:
        """Read them; a file that cannot be read is an empty one. Blocks."""
        try:
            lines = self._path.read_text("ascii", "replace").splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("%s cannot be read, an old webhook may be heard once more: %s", self._path, error)
            return
        for line in lines[-REMEMBERED:]:
            if re.fullmatch("[0-9a-f]{64}", line):
                self._seen[line] = None

    async def is_new(self, identity: str) -> bool:
        """Whether it is seen for the first time; it is durable on return."""
        if identity in self._seen:
            return False
        self._seen[identity] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        async with self._writing:
            data = "".join(f"{one}\n" for one in self._seen).encode()
            try:
                await asyncio.to_thread(write_whole, self._path, data)
                self._broken = False
            except OSError as error:
                if not self._broken:
                    logger.warning("webhooks are not remembered beyond a restart: %s", error)
                self._broken = True
        return True


class SecretFile:
    """The secrets, read again when their file changes; one that cannot be read leaves the old ones in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature: FileSignature | None = None
        self.secrets = Secrets()

    def read(self) -> None:
        """Read it for the first time. Blocks; raises ConfigError."""
        try:
            self._take()
        except OSError as error:
            raise ConfigError(str(self._path), "webhook.secret_file", f"cannot be read: {error.strerror}") from error
        if not self.secrets.texts:
            raise ConfigError(str(self._path), "webhook.secret_file", "there is no secret of 16 bytes or more in it")

    def read_changed(self) -> None:
        """Read it when it changed. Blocks; raises nothing."""
        try:
            if file_signature(self._path) != self._signature:
                self._take()
                logger.info("webhook secrets read again count=%d", len(self.secrets.texts))
        except OSError as error:
            if self._signature is not None:
                logger.warning("webhook secrets cannot be read, the old ones stay: %s", error)
            self._signature = None

    def _take(self) -> None:
        signature = file_signature(self._path)
        with self._path.open("rb") as file:
            text = file.read(MAX_SECRET_FILE).decode("utf-8", "surrogateescape")
        self.secrets, self._signature = read_secrets(text), signature
        for problem in self.secrets.problems:
            logger.warning("%s %s", self._path, problem)


class Webhook:
    """Hears from the forge, when the settings name a secret file; else it is nothing."""

    def __init__(self, config: Config, seen: Path, metrics: Metrics, nudge: Callable[[], None]) -> None:
        """`seen` is the file of deliveries; `nudge()` has git looked at, or the remote fetched, and returns at once."""
        settings = config.webhook
        self._metrics = metrics
        self._file = SecretFile(settings.secret_file) if settings.secret_file is not None else None
        self._seen = SeenDeliveries(seen)
        self._refusals = Budget(logger, "refused webhooks")
        self._config = config
        self._nudge = nudge
        self._counts: dict[str, int] = {}
        self._last: dict[str, Any] = {"last": None}
        self._last_refused: dict[str, Any] = {"last_refused": None}

    async def open(self) -> None:
        """Read the secrets and what was seen. Raises ConfigError."""
        if self._file is not None:
            await asyncio.to_thread(self._file.read)
            await asyncio.to_thread(self._seen.load)

    def routes(self) -> list[web.RouteDef]:
        """For the HTTP listener."""
        if self._file is None:
            return []
        from gitops_profile.http import WebhookReceiver  # with aiohttp, which a server without HTTP does not need

        config = self._config
        receiver = WebhookReceiver(
            config.webhook.path,
            config.repository.ref,
            secrets=self._secrets,
            is_new=self._seen.is_new,
            nudge=self._nudge,
            on_received=self._received,
            proxies=config.trusted_proxies,
        )
        return receiver.routes()

    async def watch(self) -> None:
        """Read the secrets again whenever they change."""
        while self._file is not None:
            await asyncio.sleep(LOOK)
            await asyncio.to_thread(self._file.read_changed)

    def facts(self) -> dict[str, Any] | None:
        """For `status`; None when there is no webhook."""
        if self._file is None:
            return None
        accepted = ("fetch", "ignored", "ping", "replayed")
        return {
            "accepted": sum(self._counts.get(result, 0) for result in accepted),
            "refused": sum(count for result, count in self._counts.items() if result not in accepted),
            "replayed": self._counts.get("replayed", 0),
            **self._last,
            **self._last_refused,
        }

    def _secrets(self) -> Secrets:
        return self._file.secrets if self._file is not None else Secrets()

    def _received(self, received: WebhookReceived) -> None:
        result = received.result
        self._counts[result] = self._counts.get(result, 0) + 1
        self._metrics.webhooks.labels(received.provider or "unknown", result).inc()
        at = iso(time.time())
        if result in ("fetch", "ignored", "ping", "replayed"):
            self._last = {"last": at, "provider": received.provider, "result": result}
            logger.info("webhook %s provider=%s source=%s", result, received.provider, received.source)
            return
        self._last_refused = {"last_refused": at, "refused_source": received.source}
        self._last_refused["refused_reason"] = received.reason or result
        if result == "refused":
            # The form of every other line about wrong credentials: docs/access.md has the filter for fail2ban.
            self._refusals.warn(
                "authentication failed source=%s realm=webhook reason=%s user=%r",
                received.source, received.reason, received.provider,
            )  # fmt: skip
        else:
            self._refusals.warn("webhook refused source=%s: %s", received.source, result)
