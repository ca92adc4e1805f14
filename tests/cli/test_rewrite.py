"""A file is old or new, whole, whatever happens in between."""

import fcntl
import os
from pathlib import Path

import pytest

from gitops_profile.cli import rewrite as module
from gitops_profile.cli.rewrite import RewriteError, rewriting


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "users"
    file.write_text("old\n")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RewriteError, match="No space left"), rewriting(file) as rewrite:
        rewrite.save("new\n")
    assert file.read_text() == "old\n" and list(tmp_path.iterdir()) == [file]


def test_another_writer_is_waited_for_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_PATIENCE", 0.1)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(RewriteError, match="another command"), rewriting(tmp_path / "users"):
        pytest.fail("it was locked")
    os.close(handle)
    with rewriting(tmp_path / "users") as rewrite:
        rewrite.save("new\n")
    assert (tmp_path / "users").read_text() == "new\n"
