"""Who last changed a line, as git itself says it."""

from pathlib import Path

import pytest

from gitops_profile.source import Repository, SourceUnavailable
from tests.repositories import Git


def test_each_line_has_the_commit_that_changed_it(tmp_path: Path) -> None:
    git = Git(tmp_path / "r")
    first = git.commit({"profiles/a b.yaml": "a\nb\nc\n"})
    second = git.commit({"profiles/a b.yaml": "a\nB\nc\n"})
    git.commit({"other": "x"})
    repository = Repository(git.folder)
    assert repository.blame(git.head(), "profiles/a b.yaml", [1, 2, 2]) == {1: first, 2: second}
    assert repository.blame(first, "profiles/a b.yaml", {2}) == {2: first}
    assert repository.blame(git.head(), "profiles/a b.yaml", ()) == {}
    git.write({"profiles/a b.yaml": "a\nB\nC\n", "new.yaml": "x\n"})
    assert repository.blame(None, "profiles/a b.yaml", [2, 3]) == {2: second, 3: None}
    assert repository.blame(None, "new.yaml", [1]) == {1: None}
    with pytest.raises(SourceUnavailable, match="no such path"):
        repository.blame(first, "new.yaml", [1])
    repository.close()


def test_many_lines_are_asked_for_at_once_and_a_text_that_looks_like_a_header_is_none(tmp_path: Path) -> None:
    git = Git(tmp_path / "r")
    head = git.commit({"f": "".join(f"{'a' * 40} 1 {n} 1\n" for n in range(2000))})
    repository = Repository(git.folder)
    assert repository.blame(head, "f", range(1, 1001)) == dict.fromkeys(range(1, 1001), head)
    repository.close()


def test_no_line_of_a_repository_without_a_commit_is_committed(tmp_path: Path) -> None:
    git = Git(tmp_path / "r")
    git.write({"f": "x\n"})
    repository = Repository(git.folder)
    assert repository.blame(None, "f", [1]) == {1: None}
    repository.close()
