"""`render` and `log verify` without a server: what they say to people and to programs."""

import json
import zlib
from pathlib import Path
from typing import NoReturn

import pytest

from gitops_profile.reconcile import LoaderProcess, LoadStalled
from tests.repositories import Git

from .command import run

ALICE = "profiles/user/example.com/alice.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Git:
    """A repository, and beside it a state folder with a log of it."""
    git = Git(tmp_path / "repository")
    git.commit({ALICE: "body: one\n"})
    status, _, error = run(git.folder, "log", "rebuild", "--state", str(tmp_path / "state"))
    assert status == 0, error
    return git


def verify(work: Git, *arguments: str) -> tuple[int, str, str]:
    return run(work.folder, "log", "verify", "--state", str(work.folder.parent / "state"), *arguments)


def test_what_was_verified_is_told_to_programs(work: Git) -> None:
    status, out, error = verify(work, "-o", "json")
    assert (status, error) == (0, "")
    assert json.loads(out) == {
        "records": 2, "segments": 1, "commit": work.head(), "differences": [], "held_back": 0
    }  # fmt: skip


def test_a_log_that_a_newer_version_wrote_is_said_to_be_one_in_a_line(work: Git) -> None:
    (segment,) = (work.folder.parent / "state" / "log").glob("*.jsonl")
    record = {"position": 3, "left": 0, "time": "2026-11-28T17:00:00.000Z", "stream": "ref:main"}
    record |= {"type": "RevisionApplied", "version": 99, "data": {"x": 1}}
    body = json.dumps(record, separators=(",", ":")).encode()
    with segment.open("ab") as file:
        file.write(body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body))
    for form in ("text", "json"):
        status, out, error = verify(work, "-o", form)
        assert (status, out, len(error.splitlines())) == (2, "", 1) and "upgrade it" in error, (out, error)


def test_a_file_that_uses_up_its_time_is_named_in_a_line(work: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalled(*_: object) -> NoReturn:
        raise LoadStalled("user/example.com/alice.yaml", "did not finish")

    monkeypatch.setattr(LoaderProcess, "load", stalled)
    status, _, error = verify(work)
    assert status == 1 and "user/example.com/alice.yaml: did not finish" in error and error.count("\n") == 1


@pytest.mark.parametrize("key", ["user/example.com/carol", "sip:carol@example.com"])
def test_of_a_profile_that_cannot_be_made_its_own_problem_is_named(work: Git, key: str) -> None:
    work.write({f"profiles/user/example.com/{name}.yaml": "boddy: x\n" for name in ("bob", "carol")})
    status, _, error = run(work.folder, "render", key)
    assert status == 1 and "first problem: user/example.com/carol.yaml:1:1" in error, error
