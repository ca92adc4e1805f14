"""A resolver whose DNS library is imported at the first question: 0.04 s, which no start has to wait for."""

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from gitops_profile.sip import Target


class Unresolvable(Exception):
    """A URI leads nowhere; the message says why."""


class NameResolver(Protocol):
    """Whoever knows where a SIP URI is: `Resolver`."""

    async def resolve(self, scheme: str, host: str, port: int | None, transport: str | None) -> list[Target]:
        """The targets of a URI, the first to be tried first; raises Unresolvable."""


class LateResolver:
    """A `Resolver`, made when it is first asked."""

    def __init__(self, **options: Any) -> None:
        """`options` are those of `Resolver`."""
        self._options = options
        self._resolver: NameResolver | None = None

    async def resolve(self, scheme: str, host: str, port: int | None, transport: str | None) -> list[Target]:
        """As `Resolver.resolve`."""
        if self._resolver is None:
            module = await asyncio.to_thread(import_module, f"{__package__}.resolver")  # not in the loop's way (I8)
            self._make(module.Resolver)
        assert self._resolver is not None
        return await self._resolver.resolve(scheme, host, port, transport)

    def _make(self, kind: Callable[..., NameResolver]) -> None:
        """Unless whoever asked meanwhile has: there is one, with one memory of answers."""
        if self._resolver is None:
            self._resolver = kind(**self._options)
