"""A laboratory per test; whatever a server said, it never was a traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transport.authority import Authority, Issued

from .lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    laboratory = Lab(tmp_path / "lab")  # short: the admin socket's path has to fit into 107 bytes
    try:
        yield laboratory
    finally:
        laboratory.close()
    assert "Traceback" not in laboratory.server.stderr(), laboratory.server.stderr()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue("web", "IP:127.0.0.1")
