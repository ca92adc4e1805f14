"""Reading real repositories."""

import os
from pathlib import Path

import pytest

from gitops_profile.source import PathNotFound, Repository, SourceUnavailable
from tests.repositories import Git


@pytest.fixture
def work(tmp_path: Path) -> Git:
    repository = Git(tmp_path / "work")
    repository.commit({"profiles/a.yaml": "a: 1\n", "profiles/sub/b.xml": "<b/>", "README": "x"}, "first\n\nbody")
    return repository


def opened(git: Git) -> Repository:
    return Repository(git.folder)


def test_reads_a_revision(work: Git) -> None:
    repository = opened(work)
    revision = repository.revision(work.head())
    assert (revision.author, revision.committer) == (
        "Ann Author <ann@example.com>",
        "Carl Committer <carl@example.com>",
    )
    assert revision.message == "first" and revision.committed_at.endswith("Z")
    repository.close()


def test_lists_and_reads_files(work: Git) -> None:
    repository = opened(work)
    files = repository.list_files(work.head(), "profiles")
    assert [(f.path, f.mode, f.size) for f in files] == [("a.yaml", "100644", 5), ("sub/b.xml", "100644", 4)]
    assert [data for _, data in repository.read_blobs(f.blob for f in files)] == [b"a: 1\n", b"<b/>"]
    assert len(repository.list_files(work.head(), ".")) == 3
    assert repository.read_file_at(work.head(), "README") == b"x"
    assert repository.read_file_at(work.head(), "none") is None
    with pytest.raises(PathNotFound, match="--path"):
        repository.list_files(work.head(), "nowhere")
    repository.close()


def test_says_what_changed_with_renames_as_removal_and_addition(work: Git) -> None:
    first = work.head()
    work("mv", "profiles/sub/b.xml", "profiles/c.xml")
    second = work.commit({"profiles/a.yaml": "a: 2\n", "README": "y", "profiles/äö\n.xml": "<u/>"})
    repository = opened(work)
    changes = repository.changes(second, second, "profiles")
    for _ in range(2):  # the running process answers again and again
        changes = repository.changes(first, second, "profiles")
        assert sorted(f.path for f in changes.changed) == ["a.yaml", "c.xml", "äö\n.xml"]
        assert changes.removed == ("sub/b.xml",)
        assert repository.changes(second, second, "profiles").changed == ()
    assert {f.size for f in changes.changed} == {4, 5}
    repository.close()


@pytest.mark.parametrize("instead", [None, "a file"])
def test_a_folder_that_is_gone_is_not_a_change(work: Git, instead: str | None) -> None:
    first = work.head()
    work("rm", "-q", "-r", "profiles")
    second = work.commit({"profiles": instead} if instead else {})
    repository = opened(work)
    for read in (
        lambda path: repository.list_files(second, path),
        lambda path: repository.changes(first, second, path),
    ):
        for path in ("profiles", "profiles/", "./profiles", "profiles/sub"):
            with pytest.raises(PathNotFound, match="--path"):
                read(path)
    assert repository.changes(first, second, ".").removed == ("profiles/a.yaml", "profiles/sub/b.xml")
    assert {f.path for f in repository.changes(second, first, "./profiles/").changed} == {"a.yaml", "sub/b.xml"}
    repository.close()


def test_symlinks_and_submodules_are_told_by_their_mode(work: Git) -> None:
    (work.folder / "profiles/link.xml").symlink_to("/etc/passwd")
    work("add", "-A")
    work("update-index", "--add", "--cacheinfo", f"160000,{work.head()},profiles/module")
    work("commit", "-q", "-m", "odd files")
    commit = work.head()
    repository = opened(work)
    modes = {f.path: f.mode for f in repository.list_files(commit, "profiles")}
    assert modes["link.xml"] == "120000" and modes["module"] == "160000"
    repository.close()


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_what_is_only_meant_to_be_added_is_not_staged(tmp_path: Path, object_format: str) -> None:
    """`git add -N` has git show a file, and commit nothing of it; a file that is really empty is staged."""
    git = Git(tmp_path / "other", object_format=object_format)
    names = ("empty", "emptied", "gone", "gone-empty", "kept", "plain")
    git.commit({f"p/{name}": "" if "empty" in name else "x" for name in names})
    git.write({"p/new": "x", "p/new-empty": "", "p/emptied": "", "p/meant": "x", "p/meant-empty": ""})
    git("add", "p/new", "p/new-empty", "p/emptied")
    git("rm", "-q", "--cached", "p/gone", "p/gone-empty", "p/plain")
    git("add", "-N", "p/meant", "p/meant-empty", "p/gone", "p/gone-empty")
    repository = opened(git)
    index = [file.path for file in repository.index_files("p")]
    assert index == ["emptied", "empty", "kept", "new", "new-empty"]
    assert repository.staged_paths("p") == {"new", "new-empty", "emptied", "gone", "gone-empty", "plain"}
    git("commit", "-q", "-m", "what git makes of it")
    assert [file.path for file in repository.list_files(git.head(), "p")] == index
    repository.close()


def test_a_submodule_is_a_change_whatever_gitmodules_says_of_it(work: Git) -> None:
    """With `ignore = all` git shows none: what was in the folder before would stay in force (invariants I1 and I5)."""
    first = work.head()
    work.write({".gitmodules": '[submodule "x"]\n\tpath = profiles/sub\n\turl = ../x.git\n\tignore = all\n'})
    work("rm", "-rq", "profiles/sub")
    work("add", ".gitmodules")
    work("update-index", "--add", "--cacheinfo", f"160000,{first},profiles/sub")
    repository = opened(work)
    assert repository.staged_paths("profiles") == {"sub", "sub/b.xml"}
    work("commit", "-q", "-m", "a submodule")
    changes = repository.changes(first, work.head(), "profiles")
    assert [(file.path, file.mode) for file in changes.changed] == [("sub", "160000")]
    assert changes.removed == ("sub/b.xml",)
    repository.close()


def test_names_may_be_any_bytes(work: Git) -> None:
    odd = os.fsdecode(b"caf\xe9")
    first = work.head()
    second = work.commit({f"profiles/{odd}/{odd}.xml": "<odd/>"})
    repository = opened(work)
    assert repository.read_file_at(second, f"profiles/{odd}/{odd}.xml") == b"<odd/>"
    assert repository.read_file_at(first, f"profiles/{odd}/{odd}.xml") is None
    for path in (f"profiles/{odd}", f"profiles/{odd}/"):
        assert [f.path for f in repository.list_files(second, path)] == [f"{odd}.xml"]
        assert [f.path for f in repository.changes(second, second, path).changed] == []
        with pytest.raises(PathNotFound) as caught:
            repository.changes(second, first, path)
        str(caught.value).encode()  # it can be printed
    repository.close()


def test_many_blobs_come_through_one_process(work: Git) -> None:
    commit = work.commit({f"profiles/many/{i}.xml": f"<n>{i}</n>" * 50 for i in range(1500)})
    repository = opened(work)
    files = repository.list_files(commit, "profiles/many")
    read = dict(repository.read_blobs(f.blob for f in files))
    assert len(read) == 1500 and all(len(read[f.blob]) == f.size for f in files)
    repository.close()


@pytest.mark.parametrize("count", [3, 1500])
def test_of_a_blob_longer_than_anybody_wants_to_see_only_the_beginning_is_held(work: Git, count: int) -> None:
    sizes = {f"{i:04}": 300_000 if i in (1, count - 1) else 900 + i % 300 for i in range(count)}
    commit = work.commit({f"profiles/many/{name}.xml": f"{name}{'x' * size}" for name, size in sizes.items()})
    repository = Repository(work.folder, longest=1000)
    files = repository.list_files(commit, "profiles/many")
    read = list(repository.read_blobs(f.blob for f in files))
    assert [id_ for id_, _ in read] == [f.blob for f in files]
    for file, (_, content) in zip(files, read, strict=True):
        whole = f"{file.path[:4]}{'x' * sizes[file.path[:4]]}".encode()
        assert content == whole or (len(whole) > 1001 and len(content) > 1000 and whole.startswith(content))
    assert max(len(content) for _, content in read) < 2000, "the rest was thrown away while it came"
    repository.close()


def test_changes_of_many_files_leave_their_sizes_to_their_contents(work: Git) -> None:
    first = work.head()
    second = work.commit({f"profiles/many/{i}.xml": f"<n>{i}</n>" for i in range(1200)})
    repository = opened(work)
    changes = repository.changes(first, second, "profiles")
    assert len(changes.changed) == 1200 and {f.size for f in changes.changed} == {None}
    assert {f.path: f.blob for f in changes.changed} == {
        f"many/{f.path}": f.blob for f in repository.list_files(second, "profiles/many")
    }
    repository.close()


def test_who_stops_reading_many_blobs_leaves_no_process(work: Git) -> None:
    commit = work.commit({f"profiles/many/{i}.xml": f"<n>{i}</n>" * 50 for i in range(1500)})
    repository = opened(work)
    blobs = [f.blob for f in repository.list_files(commit, "profiles/many")]
    before = children()
    coming = repository.read_blobs(blobs)
    assert len(children()) == len(before) + 1, "git has begun"
    coming.close()  # type: ignore[attr-defined]  # a generator
    assert children() == before
    repository.close()


def children() -> set[str]:
    """Processes that this one has started."""
    return {child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}


def test_resolves_branches_before_tags_and_follows_annotated_tags(work: Git) -> None:
    first = work.head()
    work("tag", "-a", "v1", "-m", "tag")
    second = work.commit({"x": "y"})
    work("branch", "v2", first)
    work("tag", "v2", second)
    repository = opened(work)
    expected = {"main": second, "v1": first, "v2": first, "refs/tags/v2": second, first: first, "HEAD": second}
    assert {ref: repository.resolve(ref) for ref in expected} == expected
    assert repository.resolve("none") is None
    work("pack-refs", "--all")
    assert {ref: repository.resolve(ref) for ref in expected} == expected
    repository.close()


def test_bare_worktree_and_inner_folder(work: Git, tmp_path: Path) -> None:
    bare = Git(tmp_path / "bare.git", bare=True)
    work("push", "-q", str(bare.folder), "main")
    work("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    for location, ref in ((bare.folder, "main"), (tmp_path / "side", "side"), (work.folder / "profiles", "main")):
        repository = Repository(location)
        assert repository.resolve(ref) == work.head()
        assert repository.list_files(work.head(), "profiles")
        repository.close()


def test_an_empty_repository_resolves_to_nothing(tmp_path: Path) -> None:
    repository = opened(Git(tmp_path / "empty"))
    assert repository.resolve("main") is None and repository.is_empty
    repository.close()


def test_a_repository_that_was_moved_away_is_gone_and_another_one_in_its_place_is_read(
    work: Git, tmp_path: Path
) -> None:
    repository = opened(work)
    first = work.head()
    assert repository.list_files(first, "profiles") and repository.resolve("main") == first
    work.folder.rename(tmp_path / "away")
    for read in (
        lambda: repository.resolve("main"),
        lambda: repository.resolve(first),
        lambda: repository.rev_parse("main~1"),
        lambda: repository.revision(first),
        lambda: repository.list_files(first, "profiles"),
        lambda: repository.changes(first, first, "profiles"),
        lambda: repository.is_ancestor(first, first),
    ):
        with pytest.raises(SourceUnavailable, match=f"{work.folder} is gone"):
            read()
    work.folder.mkdir()
    with pytest.raises(SourceUnavailable, match="is gone"):  # a disk that is not mounted
        repository.resolve("main")
    work("clone", "-q", str(tmp_path / "away"), ".")
    second = work.commit({"profiles/new.xml": "<new/>"})
    assert repository.resolve("main") == second and repository.revision(second).message == "change"
    assert [f.path for f in repository.changes(first, second, "profiles").changed] == ["new.xml"]
    repository.close()


def test_ancestry(work: Git) -> None:
    first = work.head()
    second = work.commit({"x": "1"})
    repository = opened(work)
    assert repository.is_ancestor(first, second) and not repository.is_ancestor(second, first)
    assert not repository.is_ancestor("0" * 40, second)
    repository.close()


def test_missing_objects_mean_wait(work: Git) -> None:
    repository = opened(work)
    with pytest.raises(SourceUnavailable):
        repository.revision("1" * 40)
    with pytest.raises(SourceUnavailable):
        list(repository.read_blobs(["1" * 40]))
    assert repository.revision(work.head()).message == "first"  # it goes on afterwards
    repository.close()


def test_a_git_process_that_was_killed_is_started_again(work: Git) -> None:
    repository = opened(work)
    repository.revision(work.head())
    repository._objects._process._process.proc.kill()
    repository._objects._process._process.proc.wait()
    assert repository.revision(work.head()).message == "first"
    repository.close()


def test_what_git_says_on_standard_error_never_stops_it(
    work: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Traced, it says more than a pipe holds; nobody reads it in the meantime."""
    commit = work.commit({f"profiles/many/{i}.xml": f"<n>{i}</n>" for i in range(700)})
    work("repack", "-q", "-a", "-d")
    monkeypatch.setenv("GIT_TRACE_PACK_ACCESS", "2")
    monkeypatch.setenv("GIT_TRACE", "2")
    repository = opened(work)
    files = repository.list_files(commit, "profiles/many")
    for _ in range(10):
        assert len(list(repository.read_blobs(f.blob for f in files))) == 700
        assert len(repository.sizes(f.blob for f in files)) == 700
    repository.close()


def _lose(work: Git, name: str) -> None:
    """Take one loose object away."""
    object_id = work("rev-parse", name)
    (work.folder / ".git/objects" / object_id[:2] / object_id[2:]).unlink()


def test_a_tree_that_is_missing_is_not_a_tree_without_changes(work: Git) -> None:
    first = work.head()
    second = work.commit({"profiles/a.yaml": "a: 2\n"})
    _lose(work, f"{first}^{{tree}}")
    repository = opened(work)
    with pytest.raises(SourceUnavailable, match="missing"):
        repository.changes(first, second, "profiles")
    assert repository.changes(second, second, ".").changed == ()
    repository.close()


def test_the_last_words_of_a_git_process_are_in_the_error(work: Git) -> None:
    first = work.head()
    second = work.commit({"profiles/a.yaml": "a: 2\n"})
    _lose(work, f"{first}:profiles")
    repository = opened(work)
    with pytest.raises(SourceUnavailable, match=r"git diff-tree ended.*(fatal|error): .*tree"):
        repository.changes(first, second, "profiles")
    assert repository.changes(second, second, ".").changed == ()
    repository.close()
