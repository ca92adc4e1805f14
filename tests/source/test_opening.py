"""What cannot be opened says why, and what to do."""

import os
import pwd
from pathlib import Path

import pytest

from gitops_profile.source import NotARepository, Repository, Reverter
from tests.repositories import Git


@pytest.fixture
def work(tmp_path: Path) -> Git:
    repository = Git(tmp_path / "work")
    repository.commit({"a": "1"})
    return repository


def test_no_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotARepository, match="git init"):
        Repository(tmp_path)
    with pytest.raises(NotARepository, match="no such folder"):
        Repository(tmp_path / "nowhere")


def test_a_repository_of_another_user_says_which_command_allows_it(work: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # what git's own tests use instead of a second user
    with pytest.raises(NotARepository) as caught:
        Repository(work.folder)
    user = pwd.getpwuid(os.geteuid()).pw_name
    command = f"git config --global --add safe.directory {work.folder}"
    assert f"as {user}: {command}" in str(caught.value) and "\n" not in str(caught.value)


def test_a_repository_that_git_cannot_read_says_why(work: Git) -> None:
    (work.folder / ".git/config").write_text("[core\n")
    with pytest.raises(NotARepository, match=r"bad config line 1"):
        Repository(work.folder)


def test_an_extension_that_git_does_not_know_is_named(work: Git) -> None:
    (work.folder / ".git/config").write_text("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tfoo = bar\n")
    with pytest.raises(NotARepository, match="unknown repository extension found: foo$"):
        Repository(work.folder)


def test_without_git_it_says_so(work: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotARepository, match="no git in PATH"):
        Repository(work.folder)


@pytest.mark.parametrize("kind", ["LITERAL", "GLOB", "NOGLOB", "ICASE"])
def test_pathspecs_mean_the_same_whatever_git_has_told_a_hook(
    work: Git, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    first = work.commit({"profiles/a": "1", "profiles/b": "1", "Profiles/b": "1"})
    second = work.commit({"profiles/a": "2"})
    monkeypatch.setenv(f"GIT_{kind}_PATHSPECS", "1")
    repository, reverter = Repository(work.folder), Reverter(work.folder)
    assert [file.path for file in repository.changes(first, second, "profiles").changed] == ["a"]
    assert [file.path for file in repository.index_files("profiles")] == ["a", "b"]
    work("rm", "-q", "--cached", "profiles/b")
    assert repository.staged_paths("profiles") == {"b"}
    assert reverter.last_change(second, ["profiles/b"]) == first
    assert reverter.file_at(second, "profiles/a") is not None and reverter.file_at(second, "profiles/c") is None
    repository.close()
    reverter.close()


def test_a_submodule_is_read_by_its_git_folder_wherever_the_process_was_started(
    work: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of ours are told the git folder, and start in the folder of whoever runs the command."""
    around = Git(tmp_path / "around")
    around("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(work.folder), "phones")
    by_files = Repository(around.folder / "phones")
    monkeypatch.chdir(tmp_path)
    by_git_dir = Repository(by_files.git_dir)
    assert by_git_dir.work_tree is not None and by_git_dir.work_tree.samefile(around.folder / "phones")
    assert by_git_dir.git_dir == by_files.git_dir == around.folder / ".git/modules/phones"
    assert [file.path for file in by_git_dir.index_files(".")] == ["a"]
    by_files.close()
    by_git_dir.close()


def test_what_a_hook_of_another_repository_has_in_its_environment_is_not_followed(
    work: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitPython 3.1.60 is the first that reads the repository that was named, in a linked worktree, too."""
    other, side = Git(tmp_path / "other"), tmp_path / "side"
    other.commit({"b": "1"})
    work("worktree", "add", "-q", "-b", "side", str(side))
    (side / "staged").write_text("1")
    work("-C", str(side), "add", "-A")
    linked = Repository(side)
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    repository, by_git_dir = Repository(work.folder), Repository(linked.git_dir)
    head = repository.rev_parse("HEAD~0")
    assert head is not None and [file.path for file in repository.list_files(head, ".")] == ["a"]
    assert by_git_dir.staged_paths(".") == {"staged"}
    for opened in (linked, repository, by_git_dir):
        opened.close()
