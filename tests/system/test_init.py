"""A new profile repository: written, checked and served."""

from pathlib import Path

import pytest

from tests.repositories import ENVIRONMENT, Git

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


def test_the_phone_that_init_writes_may_be_of_any_make(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    assert lab.run("init", str(folder)).returncode == 0
    phone = folder / "profiles/device/example.com/001565a1b2c3.yaml"
    bases = sorted(path.stem for path in (folder / "profiles/bases").iterdir())
    assert bases == ["fanvil", "grandstream", "linphone", "poly", "snom", "yealink"]
    text = phone.read_text()
    for base in bases:
        phone.write_text(text.replace("extends: yealink", f"extends: {base}"))
        done = lab.run("render", "device/example.com/001565a1b2c3", "--repo", str(folder))
        assert done.returncode == 0 and b"Alice" in done.stdout and b"sip.example.com" in done.stdout, (base, done)
    origin = lab.run("blame", "device/example.com/001565a1b2c3", "template", "--repo", str(folder))
    assert origin.stdout.startswith(b"template = yealink.cfg.j2"), origin


@pytest.mark.parametrize("is_there", [False, True])
def test_init_without_a_git_identity_leaves_nothing_behind(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        for part in ("NAME", "EMAIL"):
            monkeypatch.delitem(ENVIRONMENT, f"GIT_{name}_{part}")
    nobody, somebody = tmp_path / "nobody", tmp_path / "somebody"
    nobody.write_text("[user]\n\tuseConfigOnly = true\n")
    somebody.write_text("[user]\n\tname = Ann\n\temail = ann@example.com\n")
    folder = tmp_path / "new"
    if is_there:
        folder.mkdir()
        (folder / "mine").write_text("kept")
    monkeypatch.setitem(ENVIRONMENT, "GIT_CONFIG_GLOBAL", str(nobody))
    done = lab.run("init", str(folder))
    assert done.returncode == 2 and not done.stdout
    assert b"git config --global user.name" in done.stderr and len(done.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == ([folder / "mine"] if is_there else []) and folder.exists() is is_there
    monkeypatch.setitem(ENVIRONMENT, "GIT_CONFIG_GLOBAL", str(somebody))
    assert lab.run("init", str(folder)).returncode == 0, "the same command is good once git knows"
    assert Git(folder)("log", "--format=%an %cn") == "Ann Ann"
