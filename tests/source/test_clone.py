"""A clone that belongs to the server: what is fetched, what a crash leaves, what a disk does."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_profile.source import Clone, NotARepository, Repository, SourceUnavailable
from tests.repositories import Git

from .clone_lab import CloneLab


async def test_the_newest_commit_comes_first_and_its_history_follows(lab: CloneLab) -> None:
    commits = [lab.remote.push(f"a: {number}\n") for number in range(5)]
    lab.remote.work("push", "-q", "origin", "main:another")
    clone = await lab.fetched()
    assert lab.read(clone) == commits[-1]
    repository = Repository(clone.path)
    assert clone.wants_history and repository.rev_parse("main~1") is None
    await clone.fetch()
    assert not clone.wants_history and repository.rev_parse("main~4") == commits[0]
    repository.close()
    assert [report.result for report in lab.reports] == ["updated", "unchanged"]
    assert lab.read(clone, "refs/heads/another") is None, "just the ref"


async def test_without_history_a_fast_forward_is_still_seen_as_such(lab: CloneLab) -> None:
    first = [lab.remote.push(f"a: {number}\n") for number in range(3)][-1]
    clone = lab.clone(history=False)
    await clone.prepare()
    await clone.fetch()
    lab.remote.push("a: 4\n")
    second = lab.remote.push("a: 5\n")
    await clone.fetch()
    repository = Repository(clone.path)
    assert not clone.wants_history
    assert repository.rev_parse("main~2") == first and repository.rev_parse("main~3") is None
    assert repository.is_ancestor(first, second)
    lab.remote.work("reset", "-q", "--hard", "HEAD~1")
    third = lab.remote.push("a: 6\n", "--force")
    await clone.fetch()
    assert lab.read(clone) == third and not repository.is_ancestor(second, third)
    repository.close()


async def test_the_history_is_fetched_when_a_question_needs_it(lab: CloneLab) -> None:
    """As after the loss of the clone: the commit in force is older than the one commit that was fetched."""
    first = lab.remote.push("a: 1\n")
    second = lab.remote.push("a: 2\n")
    clone = lab.clone(history=False)
    await clone.prepare()
    await clone.fetch()
    repository = Repository(clone.path)
    assert not repository.is_ancestor(first, second)
    assert await clone.deepen()
    assert repository.is_ancestor(first, second)
    assert not await clone.deepen(), "there is no more"
    repository.close()


@pytest.mark.parametrize("ref", ["main", "refs/heads/main", "HEAD", "v1", "refs/tags/v1", "commit"])
async def test_a_branch_a_tag_head_and_a_commit_can_be_followed(lab: CloneLab, ref: str) -> None:
    commit = lab.remote.push("a: 1\n")
    lab.remote.work("tag", "-a", "-m", "one", "v1")
    lab.remote.work("push", "-q", "origin", "v1")
    name = commit if ref == "commit" else ref
    clone = await lab.fetched(name)
    assert lab.read(clone, name) == commit


async def test_a_tag_does_not_take_the_place_of_a_branch_that_vanished(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    lab.remote.work("push", "-q", "origin", "main:refs/heads/live")
    clone = await lab.fetched("live")
    lab.remote.work("push", "-q", "origin", ":refs/heads/live", "main:refs/tags/live")
    await clone.fetch()
    assert lab.reports[-1].result == "gone" and lab.read(clone, "live") is None
    lab.remote.work("push", "-q", "origin", "main:refs/heads/live")
    await clone.fetch()
    assert lab.reports[-1].result == "updated" and lab.read(clone, "live") == lab.remote.work.head()


def _of_256(lab: CloneLab) -> Git:
    """A repository with SHA-256 takes the place of the remote."""
    shutil.rmtree(lab.remote.bare.folder)
    Git(lab.remote.bare.folder, bare=True, object_format="sha256")
    work = Git(lab.folder / "work-256", object_format="sha256")
    work("remote", "add", "origin", str(lab.remote.bare.folder))
    return work


async def test_a_remote_with_sha_256_is_fetched(lab: CloneLab) -> None:
    work = _of_256(lab)
    commits = []
    for number in range(3):
        commits.append(work.commit({"profiles/a.yaml": f"a: {number}\n"}))
        work("push", "-q", "origin", "main")
    clone = await lab.fetched()
    assert lab.read(clone) == commits[-1] and len(commits[-1]) == 64
    await clone.fetch()
    assert not clone.wants_history
    again = lab.clone()  # as after a restart
    await again.prepare()
    (again.path / "HEAD").unlink()
    commits.append(work.commit({"profiles/a.yaml": "a: 3\n"}))
    work("push", "-q", "origin", "main")
    await again.fetch()
    assert lab.read(again) == commits[-1], "a damaged one is made anew"


async def test_a_remote_whose_repository_has_other_object_ids_now_is_fetched(lab: CloneLab) -> None:
    first = lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    assert lab.read(clone) == first
    generation = clone.generation
    work = _of_256(lab)
    second = work.commit({"profiles/a.yaml": "a: 1\n"})
    work("push", "-q", "origin", "main")
    await clone.fetch()
    assert lab.read(clone) == second and clone.generation > generation


async def test_an_empty_remote_and_one_that_is_replaced_by_an_unrelated_repository(lab: CloneLab) -> None:
    clone = await lab.fetched()
    assert lab.reports[-1].result == "gone"
    old = lab.remote.push("a: 1\n")
    await clone.fetch()
    other = Git(lab.folder / "other")
    new = other.commit({"b": "2"})
    other("push", "-q", "--force", str(lab.remote.bare.folder), "main")
    lab.remote.bare("gc", "-q", "--prune=now")
    await clone.fetch()
    repository = Repository(clone.path)
    assert lab.read(clone) == new and not repository.is_ancestor(old, new)
    assert repository.revision(old).commit == old, "what is in force can still be compared"
    repository.close()


async def test_another_url_is_another_clone_and_the_same_url_the_same(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    await lab.clone().prepare()
    assert lab.read(clone) is not None
    lab.url = f"file://{lab.folder / 'nowhere'}"
    moved = lab.clone()
    await moved.prepare()
    assert lab.read(moved) is None
    with pytest.raises(SourceUnavailable, match="look at the path"):
        await moved.fetch()


@pytest.mark.parametrize("ref", ["a:b", "--upload-pack=x y", "a*", "", "x..y", "refs/heads/*"])
def test_a_ref_that_would_be_a_refspec_is_refused(lab: CloneLab, ref: str) -> None:
    with pytest.raises(NotARepository, match="--ref"):
        lab.clone(ref)


async def test_no_hook_runs_and_no_submodule_is_fetched(lab: CloneLab) -> None:
    lab.remote.push("a: 0\n")
    lab.remote.work("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(lab.remote.bare.folder), "sub")
    lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    assert not (clone.path / "hooks").exists() and not (clone.path / "modules").exists()
    hook = clone.path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {lab.folder}/ran\n")
    hook.chmod(0o755)
    lab.remote.push("a: 2\n")
    await clone.fetch()
    assert lab.reports[-1].result == "updated" and not (lab.folder / "ran").exists()


async def test_what_many_fetches_have_brought_is_packed_once_in_a_while(
    lab: CloneLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.remote.push("a: 0\n")
    clone = await lab.fetched()
    for number in range(3):
        lab.remote.push(f"a: {number}\n")
        await clone.fetch()
    Git(clone.path, bare=True)("config", "gc.autoPackLimit", "1")
    before = len(list(clone.path.glob("objects/pack/*.pack")))
    await clone.maintain()
    assert len(list(clone.path.glob("objects/pack/*.pack"))) == before > 1, "not after every fetch"
    monkeypatch.setattr("gitops_profile.source.clone.MAINTENANCE_PAUSE", 0.0)
    await clone.maintain()
    assert len(list(clone.path.glob("objects/pack/*.pack"))) == 1, "and it has ended"
    commit = lab.remote.push("a: 9\n")
    await clone.fetch()
    assert lab.read(clone) == commit


# -- what a crash leaves, and what a disk does ---------------------------------------------------------------------


async def test_locks_and_half_packs_of_a_killed_fetch_are_taken_away(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    left = ["shallow.lock", "refs/heads/main.lock", "packed-refs.lock", "config.lock", "HEAD.lock"]
    left += ["objects/pack/tmp_pack_x1", "objects/pack/tmp_idx_x1"]
    for name in left:
        (clone.path / name).write_text("")
    (clone.path.parent / "clone.new").mkdir()
    second = lab.remote.push("a: 2\n")
    again = lab.clone()
    await again.prepare()
    assert [name for name in left if (clone.path / name).exists()] == []
    assert not (clone.path.parent / "clone.new").exists()
    (clone.path / "refs/heads/main.lock").write_text("")  # and of one that was killed while this server runs
    await again.fetch()
    assert lab.read(again) == second


@pytest.mark.parametrize("wreck", ["empty folder", "no HEAD", "no config", "a file"])
async def test_a_clone_that_was_never_finished_is_begun_anew(lab: CloneLab, wreck: str) -> None:
    commit = lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    match wreck:
        case "empty folder":
            shutil.rmtree(clone.path)
            clone.path.mkdir()
        case "a file":
            shutil.rmtree(clone.path)
            clone.path.write_text("")
        case _:
            (clone.path / wreck.removeprefix("no ")).unlink()
    again = await lab.fetched()
    assert lab.read(again) == commit


def _objects(clone: Clone) -> list[Path]:
    found = sorted(clone.path.glob("objects/??/*")) + sorted(clone.path.glob("objects/pack/*.pack"))
    for path in found:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    assert found
    return found


def _flip(clone: Clone) -> None:
    for path in _objects(clone):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)


def _truncate(clone: Clone) -> None:
    for path in _objects(clone):
        os.truncate(path, path.stat().st_size // 2)


def _empty(clone: Clone) -> None:
    for path in _objects(clone):
        os.truncate(path, 0)


def _delete(clone: Clone) -> None:
    for path in _objects(clone):
        path.unlink()


def _break_ref(clone: Clone) -> None:
    (clone.path / "refs/heads/main").write_text("")


DAMAGES: list[Callable[[Clone], None]] = [_flip, _truncate, _empty, _delete, _break_ref]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("moved", [False, True])
async def test_a_damaged_clone_is_noticed_and_made_anew(
    lab: CloneLab, damage: Callable[[Clone], None], moved: bool
) -> None:
    lab.remote.push("a: 1\n")
    commit = lab.remote.push("a: 2\n")
    clone = await lab.fetched()
    repository = Repository(clone.path)  # it is read before, while, and after
    assert repository.resolve("main") == commit
    damage(clone)
    if moved:
        commit = lab.remote.push("a: 3\n")
    assert clone.doubt()
    await clone.fetch()
    assert repository.resolve("main") == commit
    (entry,) = repository.list_files(commit, "profiles")
    assert dict(repository.read_blobs([entry.blob]))[entry.blob].startswith(b"a: ")
    repository.close()
    assert clone.generation == 1
    assert sorted(path.name for path in clone.path.parent.iterdir()) == ["clone"]


async def test_a_sound_clone_is_not_made_anew_and_not_looked_at_again_and_again(lab: CloneLab) -> None:
    lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    assert clone.doubt()
    await clone.fetch()
    assert clone.generation == 0 and not clone.doubt()


async def test_a_damaged_clone_waits_for_a_remote_that_is_down(lab: CloneLab) -> None:
    commit = lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    _delete(clone)
    aside = lab.remote.base.with_name("aside")
    lab.remote.base.rename(aside)
    clone.doubt()
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="the clone is damaged, and a new one cannot be fetched"):
            await clone.fetch()
    aside.rename(lab.remote.base)
    await clone.fetch()
    assert lab.read(clone) == commit and clone.generation == 1


async def test_a_tree_that_is_missing_is_not_its_authors_fault(lab: CloneLab) -> None:
    commit = lab.remote.push("a: 1\n")
    clone = await lab.fetched()
    repository = Repository(clone.path)
    tree = lab.remote.work("rev-parse", "HEAD:profiles")
    for number, pack in enumerate(clone.path.glob("objects/pack/*.pack")):
        data = pack.rename(lab.folder / f"{number}.pack").read_bytes()
        Git(clone.path, bare=True)("unpack-objects", "-q", given=data)
    (clone.path / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(SourceUnavailable, match="is missing"):
        repository.list_files(commit, "profiles")
    repository.close()
