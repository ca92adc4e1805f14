"""Who is asking, and what he may have: what the notifier asks of whoever knows (RFC 6665 §4.2.1.3, RFC 6080 §9)."""

from typing import Protocol

from .flow import Flow
from .syntax import Request, Response


class AccessControl(Protocol):
    """Authentication and authorisation of subscribers. It may keep counts; it does no I/O."""

    def identify(self, request: Request, flow: Flow, domain: str, *, now: float) -> str | None:
        """Whoever sent `request`, about a profile of `domain`; None when nobody needs to say. Two equal ones are one.

        Raises Refused: 401 with challenges (never 407: a notifier is a UA), 403 for a domain that is not served by
        this listener, 503 for a source that has guessed too often.
        """

    def permits(self, identity: str | None, resource: str) -> bool:
        """Whether `identity` may have the profile `resource`, now."""

    def serves(self, domain: str, flow: Flow) -> bool:
        """Whether profiles of `domain` are served to whoever comes by `flow`."""

    def trusts(self, flow: Flow) -> bool:
        """Whether `flow` comes from an edge proxy of ours."""

    def answer(self, response: Response, identity: str | None, uri: str) -> tuple[str, str] | None:
        """The header field that answers a challenge (401, 407) to our NOTIFY to `uri`; None when we cannot."""


class OpenAccess:
    """Everybody may have everything: for a laboratory, and for domains with `auth: none`."""

    def identify(self, request: Request, flow: Flow, domain: str, *, now: float) -> str | None:
        """Nobody needs to say who he is."""
        return None

    def permits(self, identity: str | None, resource: str) -> bool:
        """Everything is permitted."""
        return True

    def serves(self, domain: str, flow: Flow) -> bool:
        """Every domain is."""
        return True

    def trusts(self, flow: Flow) -> bool:
        """There are no proxies."""
        return False

    def answer(self, response: Response, identity: str | None, uri: str) -> tuple[str, str] | None:
        """There are no credentials."""
        return None
