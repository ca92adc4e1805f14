"""A laboratory per test."""

from pathlib import Path

import pytest

from .clone_lab import CloneLab


@pytest.fixture
def lab(tmp_path: Path) -> CloneLab:
    return CloneLab(tmp_path)
