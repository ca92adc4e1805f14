"""A laboratory per test; whatever a server said, it never was a traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    laboratory = Lab(tmp_path / "lab")  # short: the admin socket's path has to fit into 107 bytes
    try:
        yield laboratory
    finally:
        laboratory.close()
    assert "Traceback" not in laboratory.server.stderr(), laboratory.server.stderr()
