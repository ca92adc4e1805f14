"""A ref is what git says it is: exactly the one that was named, or an error that says what to do."""

from pathlib import Path

import pytest

from gitops_profile.source import Repository, SourceUnavailable, glance
from tests.repositories import Git


@pytest.fixture
def work(tmp_path: Path) -> Git:
    repository = Git(tmp_path / "work")
    repository.commit({"a": "1"})
    repository.commit({"a": "2"})
    return repository


@pytest.mark.parametrize("packed", [False, True])
def test_a_full_name_is_that_ref_and_no_other(work: Git, packed: bool) -> None:
    first, second = work("rev-parse", "HEAD~1"), work.head()
    work("update-ref", "refs/tags/refs/heads/live", second)
    work("update-ref", "refs/heads/refs/heads/live", second)
    work("update-ref", "refs/heads/HEAD", first)
    if packed:
        work("pack-refs", "--all")
    repository = Repository(work.folder)
    for resolve in (repository.resolve, repository.rev_parse):
        assert resolve("refs/heads/live") is None, "somebody who may push a tag would take the deployment over"
        assert resolve("HEAD") == second
    work("update-ref", "refs/heads/live", first)
    for resolve in (repository.resolve, repository.rev_parse):
        assert resolve("refs/heads/live") == first
    assert repository.rev_parse("refs/heads/main~1") == repository.rev_parse(first[:10]) == first
    repository.close()


def test_the_command_line_means_the_same_by_a_name_as_the_server(work: Git) -> None:
    first, second = work("rev-parse", "HEAD~1"), work.head()
    work("branch", "both", first)
    work("tag", "both", second)
    repository = Repository(work.folder)
    assert repository.rev_parse("both") == repository.resolve("both") == first
    repository.close()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"12345\n", b"ref:\n"])
def test_a_ref_whose_file_is_damaged_is_neither_gone_nor_another_one(work: Git, content: bytes) -> None:
    work("tag", "live")
    work("branch", "live")
    work("pack-refs", "--all")
    (work.folder / ".git/refs/heads/live").write_bytes(content)
    repository = Repository(work.folder)
    for name in ("live", "refs/heads/live"):
        with pytest.raises(SourceUnavailable, match=r"refs/heads/live.*update-ref"):
            repository.resolve(name)
    (work.folder / ".git/refs/heads/live").write_text(work.head() + "\n")
    assert repository.resolve("live") == work.head()
    repository.close()


def test_symbolic_refs_are_followed_but_not_round_in_circles(work: Git) -> None:
    work("symbolic-ref", "refs/heads/live", "refs/heads/main")
    work("symbolic-ref", "refs/heads/lost", "refs/heads/nowhere")
    work("symbolic-ref", "refs/heads/one", "refs/heads/two")
    work("symbolic-ref", "refs/heads/two", "refs/heads/one")
    repository = Repository(work.folder)
    assert repository.resolve("live") == work.head()
    assert repository.resolve("lost") is None
    with pytest.raises(SourceUnavailable, match="refs/heads/one"):
        repository.resolve("one")
    repository.close()


def test_names_of_other_refs_may_be_any_bytes(work: Git) -> None:
    work("update-ref", b"refs/heads/caf\xe9".decode("utf-8", "surrogateescape"), "HEAD")
    work("pack-refs", "--all")
    repository = Repository(work.folder)
    assert repository.resolve("refs/heads/main") == work.head()
    assert repository.resolve(b"caf\xe9".decode("utf-8", "surrogateescape")) == work.head()
    repository.close()


@pytest.mark.parametrize("name", ["", ".", "..", "../../secret", "a..b", "main/", "ma\0in", "ma\nin", "main.lock"])
def test_what_is_no_name_names_nothing(work: Git, name: str) -> None:
    (work.folder / ".git/secret").write_text(work.head())
    (work.folder / ".git/refs/heads/main.lock").write_text(work.head())
    repository = Repository(work.folder)
    assert repository.resolve(name) is None
    repository.close()


def test_a_ref_that_may_not_be_read_does_not_fall_back_to_an_older_one(
    work: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    work("pack-refs", "--all")
    work.commit({"a": "3"})
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "main":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    repository = Repository(work.folder)
    with pytest.raises(SourceUnavailable, match="Permission denied"):
        repository.resolve("main")
    repository.close()


@pytest.mark.parametrize("packed", [False, True])
def test_a_glance_finds_a_branch_where_it_plainly_is_and_nothing_else(work: Git, tmp_path: Path, packed: bool) -> None:
    head = work.head()
    work("tag", "v1")
    work("worktree", "add", "-q", str(tmp_path / "side"), "-b", "side")
    (work.folder / "inside").mkdir()
    if packed:
        work("pack-refs", "--all")
    for location in (work.folder, work.folder / ".git"):
        assert glance(location, "main") == glance(location, "refs/heads/main") == head
        for ref in ("v1", "refs/tags/v1", "HEAD", "nowhere", "../main"):
            assert glance(location, ref) is None, "git has to be asked"
    for location in (work.folder / "inside", tmp_path / "side", tmp_path, tmp_path / "nowhere"):
        assert glance(location, "main") is None
    (work.folder / ".git/refs/heads/main").write_text("damaged")
    assert glance(work.folder, "main") is None
