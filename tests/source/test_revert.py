"""What takes a commit back is what `git revert` makes of it in another clone."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_profile.source import CannotRevert, RevertConflict, Reverter
from tests.repositories import ENVIRONMENT, Git
from tests.signing import SSHKey


@pytest.fixture
def git(tmp_path: Path) -> Git:
    repository = Git(tmp_path / "repository")
    repository.commit({"a": "".join(f"{n}\n" for n in range(30)), "b": "b\n"}, "first")
    return repository


@pytest.fixture
def reverter(git: Git, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reverter]:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        if name.startswith("GIT_"):
            monkeypatch.setenv(name, value)
    made = Reverter(git.folder)
    yield made
    made.close()


def lines(**changed: str) -> str:
    return "".join(changed.get(f"n{n}", str(n)) + "\n" for n in range(30))


def reverted_by_git(git: Git, commit: str, *options: str) -> tuple[str, str]:
    """Tree and message that `git revert` makes in a second clone."""
    clone = Git(git.folder.parent / "second")
    clone("fetch", "-q", str(git.folder), "HEAD")
    clone("reset", "-q", "--hard", "FETCH_HEAD")
    clone("revert", "--no-edit", *options, commit)
    return clone("rev-parse", "HEAD^{tree}"), clone("log", "-1", "--format=%B")


def check(git: Git, reverter: Reverter, commit: str, *options: str) -> None:
    head, status = git.head(), git("status", "--porcelain")
    tree = reverter.reverted_tree(commit, head)
    made = reverter.commit(tree, head, reverter.revert_message(commit))
    assert (git("rev-parse", f"{made}^{{tree}}"), git("log", "-1", "--format=%B", made)) == reverted_by_git(
        git, commit, *options
    )
    assert git("log", "-1", "--format=%an %cn %P", made) == f"Ann Author Carl Committer {head}"
    assert (git.head(), git("status", "--porcelain")) == (head, status)


def test_a_change_is_taken_back_beneath_later_ones(git: Git, reverter: Reverter) -> None:
    commit = git.commit({"a": lines(n3="three")}, 'say "three"\n\nand why\n')
    git.commit({"a": lines(n3="three", n20="twenty"), "c": "c\n"})
    git.write({"b": "not committed\n"})
    check(git, reverter, commit)


def test_a_change_of_a_file_that_was_renamed_since_is_taken_back_there(git: Git, reverter: Reverter) -> None:
    commit = git.commit({"a": lines(n3="three")}, "three")
    git("mv", "a", "moved")
    git.commit({}, "moved")
    check(git, reverter, commit)


@pytest.mark.parametrize("files", [{"b": None}, {"new/file": "new\n"}, {"b": b"\0\xff\n"}])
def test_removed_added_and_binary_files_are_taken_back(
    git: Git, reverter: Reverter, files: dict[str, str | bytes | None]
) -> None:
    commit = git.commit(files, "files")
    git.commit({"other": "x\n"})
    check(git, reverter, commit)


def test_a_revert_is_taken_back(git: Git, reverter: Reverter) -> None:
    git.commit({"b": "c\n"}, "change b")
    git("revert", "--no-edit", "HEAD")
    check(git, reverter, git.head())


def test_of_a_merge_is_taken_back_what_it_brought_in(git: Git, reverter: Reverter) -> None:
    git("checkout", "-q", "-b", "side")
    git.commit({"side": "1\n"}, "one")
    git.commit({"a": lines(n3="three")}, "two")
    git("checkout", "-q", "main")
    git.commit({"b": "on main\n"}, "main goes on")
    git("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from side", "side")
    merge = git.head()
    git.commit({"a": lines(n3="three", n20="twenty")}, "later")
    check(git, reverter, merge, "-m", "1")


def test_the_first_commit_is_taken_back(git: Git, reverter: Reverter) -> None:
    first = git.head()
    git.commit({"later": "x\n"})
    check(git, reverter, first)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_oldest_commit_of_a_shallow_clone_is_not_taken_for_the_one_that_made_everything(
    git: Git, reverter: Reverter, depth: int
) -> None:
    second = git.commit({"b": "2\n"}, "second")
    head = git.commit({"b": "3\n"}, "third")
    oldest = head if depth == 1 else second
    location = git.folder.parent / "shallow"
    git("clone", "-q", f"--depth={depth}", f"file://{git.folder}", str(location))
    shallow = Reverter(location)
    told = f"shallow and has nothing before {oldest[:12]}; .*: git fetch --unshallow"
    with pytest.raises(CannotRevert, match=told):
        shallow.reverted_tree(oldest, head)
    with pytest.raises(CannotRevert, match=told):
        shallow.first_parent(oldest)
    assert depth == 1 or shallow.first_parent(head) == second
    shallow.close()


def test_a_conflict_names_its_files_and_what_to_do(git: Git, reverter: Reverter) -> None:
    commit = git.commit({"a": lines(n3="three"), "b": "c\n"}, "three")
    git.commit({"a": lines(n3="drei"), "b": "d\n"})
    with pytest.raises(RevertConflict, match=f"git revert {commit[:12]}, mend") as caught:
        reverter.reverted_tree(commit, git.head())
    assert caught.value.files == ("a", "b")


def test_the_subject_is_that_of_the_commit_where_git_shows_signatures(
    git: Git, reverter: Reverter, tmp_path: Path
) -> None:
    key = SSHKey(tmp_path, "ann")
    (tmp_path / "allowed").write_text(key.allowed("ann@example.com"))
    git.write({"b": "c\n"})
    git(*key.commit(), "commit", "-q", "-a", "-S", "-m", "a signed change")
    git("config", "gpg.ssh.allowedSignersFile", str(tmp_path / "allowed"))
    git("config", "log.showSignature", "true")
    assert git("log", "-1", "--format=%B") != "a signed change", "git says first how good the signature is"
    assert reverter.revert_message(git.head()).partition("\n")[0] == 'Revert "a signed change"'


def test_a_file_is_removed_in_a_repository_with_sha_256(tmp_path: Path, reverter: Reverter) -> None:
    git = Git(tmp_path / "sha256", object_format="sha256")
    git.commit({"a": "a\n", "b": "b\n"})
    of_256 = Reverter(git.folder)
    assert git("ls-tree", "--name-only", of_256.tree_with("HEAD", {"b": None})) == "a"
    of_256.close()


def test_files_are_set_without_an_index_of_their_own(git: Git, reverter: Reverter) -> None:
    first = git.head()
    git.commit({"b": "c\n", "x": "x\n", "d/e": "e\n"})
    git("update-index", "--chmod=+x", "b")
    old = reverter.file_at(first, "b")
    tree = reverter.tree_with("HEAD", {"b": old, "x": None, "d/e": None, "d": old})
    assert git("ls-tree", "-r", "--name-only", tree).split() == ["a", "b", "d"]
    assert git("cat-file", "blob", f"{tree}:b") == "b" == git("cat-file", "blob", f"{tree}:d")
    assert git("diff", "--cached", "--name-only") == "b", "the index of the person is as it was"
    assert reverter.file_at(first, "x") is None


def test_without_an_identity_git_is_told_who(git: Git, reverter: Reverter, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        for part in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{name}_{part}")
    git("config", "user.useConfigOnly", "true")
    with pytest.raises(CannotRevert, match=r"git config --global user\.name"):
        reverter.commit(reverter.tree_of("HEAD"), git.head(), "x\n")


def test_it_is_signed_when_git_is_told_to(git: Git, reverter: Reverter, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"carl@example.com {key.with_suffix('.pub').read_text()}")
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingkey", str(key)),
        ("commit.gpgsign", "true"),
        ("gpg.ssh.allowedSignersFile", str(allowed)),
    ):
        git("config", name, value)
    made = reverter.commit(reverter.tree_of("HEAD"), git.head(), "signed\n")
    assert git("log", "-1", "--format=%G? %GS", made) == "G carl@example.com"


def test_a_branch_is_made_once_and_never_moved(git: Git, reverter: Reverter) -> None:
    tree = reverter.tree_of("HEAD")
    made = reverter.commit(tree, git.head(), "one\n")
    assert reverter.create_branch("revert-x", made) and git("rev-parse", "revert-x") == made
    assert not reverter.create_branch("revert-x", reverter.commit(tree, git.head(), "the same again\n"))
    with pytest.raises(CannotRevert, match="name another one with --branch"):
        reverter.create_branch("main", made)
    with pytest.raises(CannotRevert, match="no name for a branch"):
        reverter.create_branch("a..b", made)
    assert git("rev-parse", "revert-x") == made


def test_a_push_that_would_not_be_a_fast_forward_is_refused(git: Git, reverter: Reverter, tmp_path: Path) -> None:
    remote = Git(tmp_path / "remote", bare=True)
    git("remote", "add", "origin", str(remote.folder))
    git("push", "-q", "origin", "main")
    made = reverter.commit(reverter.tree_of("HEAD"), git.head(), "one\n")
    reverter.push("origin", made, "main")
    assert remote("rev-parse", "main") == made
    other = reverter.commit(reverter.tree_of("HEAD"), git.head(), "two\n")
    with pytest.raises(CannotRevert, match="rejected"):
        reverter.push("origin", other, "main")
    assert remote("rev-parse", "main") == made


def test_commits_are_found_by_what_they_touched(git: Git, reverter: Reverter) -> None:
    own = git.commit({"p/own": "1\n"}, "own")
    shared = git.commit({"p/shared": "1\n"}, "shared")
    gone = git.commit({"p/own": None, "README": "x\n"}, "gone")
    assert reverter.last_change("HEAD", ["p/own"]) == gone
    assert reverter.last_change(shared, ["p/own"]) == own
    assert reverter.last_change("HEAD", ["p/never"]) is None
    assert reverter.first_parent(shared) == own
    assert reverter.changes_between(own, "HEAD", "p", "p/own", 10) == [f"{shared[:7]} shared"]
    assert reverter.removals("HEAD", "p") == [(gone, "p/own")]
