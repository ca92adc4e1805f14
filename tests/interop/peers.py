"""What a missing stack means to a test."""

from tests.absent import absent


def need(reason: str | None) -> None:
    """Skip for the reason, or fail when REQUIRE_PEERS=1; None: nothing is missing."""
    if reason is not None:
        absent(reason)
