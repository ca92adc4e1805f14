"""What the peer got wrong, and the status to answer."""

from typing import Any


class SIPSyntaxError(ValueError):
    """Bytes or a header value that RFC 3261 does not allow. The one error that parsing raises."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        """The status that a UAS answers (RFC 3261 §21.4)."""
        self.messages: list[bytes] = []
        """Whole messages that came before a stream lost its frame."""
        self.request: Any = None
        """The Request as far as it could be read, when an answer is possible at all; else None. Its type is not named
        here because messages are made of values that raise this error."""
