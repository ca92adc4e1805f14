"""What a missing stack means to a test."""

import os

import pytest


def need(reason: str | None) -> None:
    """Skip for the reason, or fail when REQUIRE_PEERS=1; None: nothing is missing."""
    if reason is None:
        return
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"{reason}, and REQUIRE_PEERS=1")
    pytest.skip(reason)
