"""`rollback` when something is in its way; tests/system/test_rollback.py has what reaches the phones."""

from pathlib import Path
from typing import NoReturn

import pytest

from gitops_profile.source import SourceUnavailable
from tests.repositories import Git

from .command import run

ALICE = "profiles/user/example.com/alice.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Git:
    git = Git(tmp_path / "repository")
    Git(tmp_path / "remote.git", bare=True)
    git.commit({ALICE: "body: one\n"})
    git.commit({ALICE: "body: two\n"})
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    git("push", "-q", "origin", "main")
    return git


@pytest.mark.parametrize("how", [(), ("--push", "--branch", "main"), ("-o", "json"), ("--push", "-o", "json")])
def test_a_commit_whose_plan_cannot_be_made_is_not_published(
    work: Git, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    async def unreadable(*_: object) -> NoReturn:
        raise SourceUnavailable("git is out of reach")

    monkeypatch.setattr("gitops_profile.cli.plan.load_sides", unreadable)
    head = work.head()
    status, out, error = run(work.folder, "rollback", "HEAD", *how)
    assert status == 2 and "git is out of reach" in error, (out, error)
    assert "pushed" not in out and "branch" not in out
    assert work("for-each-ref", "--format=%(refname) %(objectname)").splitlines() == [
        f"refs/heads/main {head}", f"refs/remotes/origin/main {head}"
    ]  # fmt: skip
    assert work("ls-remote", "origin", "main").startswith(head)


def test_what_can_be_planned_is_pushed(work: Git) -> None:
    status, out, error = run(work.folder, "rollback", "HEAD", "--push", "--branch", "main")
    assert status == 0 and out.splitlines()[-1].startswith("pushed "), (out, error)
    assert work("show", "origin/main:" + ALICE) == "body: one"
