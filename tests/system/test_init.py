"""A new profile repository: written, checked and served."""

from pathlib import Path

import pytest

from tests.repositories import Git

from .lab import Lab, ServerProcess

pytestmark = pytest.mark.system


@pytest.mark.peer
def test_what_init_writes_is_checked_and_served_to_a_phone(lab: Lab) -> None:
    folder = lab.folder / "new"
    done = lab.run("init", str(folder))
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and lines[-3] == "next:", done
    assert lines[-2:] == [f"  gitops-profile serve --repo {folder}", "  gitops-profile phone sip:alice@example.com"]
    git = Git(folder)
    assert git("log", "--format=%an") == "Ann Author" and git("status", "--porcelain") == ""
    done = lab.run("check", "--repo", str(folder))
    assert (done.returncode, done.stdout) == (0, b"2 profiles, 0 problems\n")
    workflows = [folder / ".github/workflows" / name for name in ("profiles.yml", "profiles-comment.yml")]
    assert all(f.is_file() and f".github/workflows/{f.name}" in git("ls-files") for f in workflows)
    lab.server = ServerProcess(folder, folder / ".gitops-profile", lab.folder / "server.log")
    lab.server.start()
    (notify,) = lab.phone("fetch", "alice").finish()
    assert b"<display-name>Alice</display-name>" in notify.body
    assert git("status", "--porcelain") == "", "the state folder is ignored"


def test_init_writes_over_nothing(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    assert lab.run("init", str(folder), "--no-git").returncode == 0
    assert not (folder / ".git").exists()
    alice = folder / "profiles/user/example.com/alice.yaml"
    alice.write_text("body: mine\n")
    done = lab.run("init", str(folder))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and alice.read_text() == "body: mine\n"
    assert not (folder / ".git").exists()
    done = lab.run("init")
    assert done.returncode == 2 and b"--no-git" in done.stderr, "here is a repository already"
