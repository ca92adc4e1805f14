"""A request that is answered with an error."""

from .subscription_events import AuthenticationFailed


class Refused(Exception):
    """The status, reason and header fields to answer; an empty reason stands for the status's usual one."""

    def __init__(self, status: int, reason: str = "", *fields: tuple[str, str]) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.fields = fields
        self.fact: AuthenticationFailed | None = None
        """What is to be told about it, beside that it happened."""
