"""A commit as a revision: whether it is urgent."""

from pathlib import Path

import pytest

from gitops_profile.source import Repository, SourceUnavailable
from gitops_profile.source.revision import is_urgent, parse_commit
from tests.repositories import Git


@pytest.mark.parametrize(
    "message",
    [
        "title\n\nDeliver: now\n",
        "title\n\nwhy\n\nDeliver: now",
        "title\r\n\r\nwhy\r\n\r\ndeliver:NOW \r\n",
        "title\n\nwhy\n\nReviewed-by: A <a@example.com>\nDeliver: now\nSigned-off-by: B <b@example.com>\n",
        "title\n\nDeliver: now\nFixes: something that\n takes two lines\n(cherry picked from commit 1234)\n\n\n",
    ],
)
def test_the_trailer_makes_a_commit_urgent(message: str) -> None:
    assert is_urgent(message.encode())


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Deliver: now",
        "title\n\nDeliver: now\n\nand more",
        "title\n\nDeliver: now\n\nReviewed-by: A <a@example.com>",
        "title\n\nNever again write\nDeliver: now\nwithout asking.",
        "title\n\nDeliver: tomorrow",
        "title\n\nDeliver: now or never",
        "title\n\nXDeliver: now",
        "title\nDeliver: now",
    ],
)
def test_what_only_looks_like_it_does_not(message: str) -> None:
    assert not is_urgent(message.encode())


def test_a_header_of_the_commit_is_no_trailer() -> None:
    data = b"tree 1\nauthor A <a@b> 1 +0000\ngpgsig x\n \n Deliver: now\n\ntitle\n"
    assert not parse_commit("c", data).urgent
    assert parse_commit("c", data + b"\nDeliver: now\n").urgent


def test_git_takes_the_same_lines_for_trailers(tmp_path: Path) -> None:
    work = Git(tmp_path)
    message = "title\n\nwhy\n\nReviewed-by: A <a@example.com>\nDeliver: now"
    commit = work.commit({"a": "1"}, message=message)
    found = work("log", "-1", "--format=%(trailers:key=Deliver,valueonly)", commit)
    assert found.strip() == "now"
    assert is_urgent(message.encode())


def test_a_revision_brings_the_urgency_of_whatever_it_merged(tmp_path: Path) -> None:
    work = Git(tmp_path)
    first = work.commit({"a": "1"}, message="first\n\nDeliver: now")
    second = work.commit({"a": "2"}, message="second")
    work("switch", "-q", "-c", "fix")
    work.commit({"b": "1"}, message="fix\n\nDeliver: now")
    work("switch", "-q", "main")
    work("merge", "-q", "--no-ff", "-m", "Merge the fix", "fix")
    merged = work("rev-parse", "HEAD")
    later = work.commit({"c": "1"}, message="no trailer\n\nDeliver: now, he said\nDeliver: now\nand went")
    repository = Repository(tmp_path)
    try:
        assert not repository.brings_urgent(first, second)
        assert repository.brings_urgent(second, merged)
        assert repository.brings_urgent(second, later)
        assert not repository.brings_urgent(merged, later)
        with pytest.raises(SourceUnavailable):
            repository.brings_urgent("0" * 40, later)
        work("config", "grep.patternType", "fixed")
        work("config", "log.showSignature", "true")
        assert repository.brings_urgent(second, merged)
        assert not repository.revision(merged).urgent
        assert repository.revision(first).urgent
        between, _ = repository.first_parents(first, later, 10)
        assert [one.urgent for one in between] == [False, False]
        assert [one.urgent for one in repository.first_parents(second, later, 10)[0]] == [False]
    finally:
        repository.close()
