"""What holds for all tests."""

from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import settings

# How long an example takes is the machine's business: a test is never timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

Bound = Callable[[ModuleType, str, float], None]


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Bound:
    """Puts another number in a module's constant, for one test; compiled (the optional wheel), it is in the code."""

    def put(module: ModuleType, name: str, value: float) -> None:
        if not str(module.__file__).endswith(".py"):
            pytest.skip("compiled: its constants cannot be set")
        monkeypatch.setattr(module, name, value)

    return put
