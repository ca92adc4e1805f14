"""Files on disk are loaded like the files of the commit they will be."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitops_profile.reconcile.folder import Folder
from gitops_profile.source import PathNotFound, SourceUnavailable

from .lab import Lab

USERS = "profiles/user/example.com"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    laboratory = Lab(tmp_path / "work")
    yield laboratory
    await laboratory.close()


async def test_what_is_on_disk_is_what_its_commit_is(lab: Lab) -> None:
    lab.git.write(
        {
            f"{USERS}/alice.xml": "<a/>", f"{USERS}/bob.yaml": "template: t.j2\nvalues: {x: 1}\n", "README": "x",
            "profiles/templates/t.j2": "{{ x }}", f"{USERS}/.hidden.xml": "<h/>", "profiles/.git/x": "not a profile",
        }
    )  # fmt: skip
    (lab.git.folder / USERS / "link.xml").symlink_to("/etc/passwd")
    (lab.git.folder / USERS / "folder").symlink_to("/etc")
    on_disk = await lab.loading.load_folder(lab.git.folder / "profiles")
    (lab.git.folder / "profiles/.git/x").unlink()
    (lab.git.folder / "profiles/.git").rmdir()
    committed = await lab.loading.load(lab.git.commit({}), None, "profiles")
    assert on_disk == committed and len(on_disk.documents) == 2
    assert [p.path for p in on_disk.problems] == ["user/example.com/folder", "user/example.com/link.xml"]


async def test_what_is_no_file_is_left_out_as_git_leaves_it_out(lab: Lab) -> None:
    lab.git.write({f"{USERS}/alice.xml": "<a/>"})
    os.mkfifo(lab.git.folder / USERS / "pipe.xml")
    loaded = await lab.loading.load_folder(lab.git.folder / "profiles")
    assert [str(key) for key in loaded.documents] == ["user/example.com/alice"] and loaded.problems == ()


async def test_a_folder_that_is_not_there_is_said(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match="--path"):
        await lab.loading.load_folder(tmp_path / os.fsdecode(b"nowh\xe9re"))


def test_a_file_that_goes_away_meanwhile_means_once_more(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a/>")
    folder = Folder(tmp_path)
    (file,) = folder.list_files()
    (tmp_path / "a.xml").unlink()
    with pytest.raises(SourceUnavailable, match=r"a\.xml cannot be read"):
        folder.read_blobs([file.blob])
