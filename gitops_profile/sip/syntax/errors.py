"""What the peer got wrong, and the status to answer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .message import Request


class SIPSyntaxError(ValueError):
    """Bytes or a header value that RFC 3261 does not allow. The one error that parsing raises."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        """The status that a UAS answers (RFC 3261 §21.4)."""
        self.request: Request | None = None
        """The request as far as it could be read, when an answer is possible at all."""
