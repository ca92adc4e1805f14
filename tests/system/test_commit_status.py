"""Commit statuses of a real server, to a double of each forge; killed, and with the forge away."""

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from tests.server.forge_double import TOKEN, ForgeDouble, answering

from .lab import Lab, eventually, file_of, profile

pytestmark = pytest.mark.system


@contextmanager
def running(forge: ForgeDouble) -> Iterator[asyncio.AbstractEventLoop]:
    """The double in a loop of its own, so that it answers while the test waits."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        do(loop, forge.start(forge.port))
        yield loop
        do(loop, forge.close())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert forge.problems == []


def do(loop: asyncio.AbstractEventLoop, coroutine: object) -> None:
    future: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, loop)  # type: ignore[arg-type]
    future.result(10)


def configure(lab: Lab, forge: ForgeDouble, **more: object) -> str:
    token = lab.folder / "status.token"
    token.write_text(f"{TOKEN}\n")
    settings = {
        "provider": forge.provider, "token_file": str(token), "url": forge.url, "repository": "example/profiles",
        **more,
    }  # fmt: skip
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps({"commit_status": settings}))  # JSON is YAML
    return str(file)


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea"])
def test_applied_with_its_phones_and_rejected_with_its_problem(lab: Lab, provider: str) -> None:
    forge = ForgeDouble(provider)
    first = lab.write(alice=1, bob=1)
    with running(forge):
        lab.server.start("--config", configure(lab, forge))
        eventually("the first commit", lambda: (first, "success") in forge.states())
        phone = lab.phone("watch", "alice", 2)
        phone.has(1)
        changed = lab.write(alice=2, bob=2)
        phone.has(2)
        eventually("the second commit", lambda: (changed, "success") in forge.states())
        assert forge.statuses[-1][2]["description"] == "applied: 2 changed, 1 phone"
        bad = lab.git.commit({"profiles/user/example.com/carol.yaml": "body: x\nnonsense: 1\n"})
        word = "failed" if provider == "gitlab" else "failure"
        eventually("the rejected commit", lambda: (bad, word) in forge.states())
        assert "carol.yaml:2" in forge.statuses[-1][2]["description"]
        facts = lab.ask("status")["commit_status"]
        assert facts["pending"] == 0 and facts["last_sent"]["commit"] == bad and facts["last_error"] is None
        # The same state twice is what GitLab refuses and what at-least-once can do.
        lab.server.end()
        (lab.server.state / "commit-status.json").unlink()
        lab.server.start("--config", str(lab.folder / "gitops-profile.yaml"))
        eventually("told again", lambda: lab.ask("status")["commit_status"]["last_sent"] is not None)
    assert TOKEN not in lab.server.stderr()
    assert TOKEN not in (lab.server.state / "commit-status.json").read_text()


def test_killed_between_the_verdict_and_its_delivery(lab: Lab) -> None:
    forge = ForgeDouble("github")
    with running(forge) as loop:
        lab.write(alice=1)
        lab.server.start("--config", configure(lab, forge))
        eventually("the first commit", lambda: len(forge.statuses) == 1)
        do(loop, forge.close())  # the forge is away
        commits = [lab.write(alice=2)]
        eventually("in force", lambda: lab.ask("status")["applied"]["commit"] == commits[-1])
        commits.append(lab.write(alice=3))
        eventually("in force", lambda: lab.ask("status")["applied"]["commit"] == commits[-1])
        assert lab.ask("status")["commit_status"]["pending"] >= 1
        lab.server.end(signal.SIGKILL)
        do(loop, forge.start(forge.port))
        lab.server.start("--config", str(lab.folder / "gitops-profile.yaml"))
        eventually("both are told", lambda: {sha for sha, _ in forge.states()} >= set(commits))


def test_killed_before_anything_was_noted_the_commit_in_force_is_told(lab: Lab) -> None:
    forge = ForgeDouble("github")
    with running(forge):
        lab.write(alice=1)
        lab.server.start()
        applied = lab.ask("status")["applied"]["commit"]
        assert lab.ask("status")["commit_status"] is None
        lab.server.end(signal.SIGKILL)
        lab.server.start("--config", configure(lab, forge))
        eventually("told", lambda: forge.states() == [(applied, "success")])


def test_a_forge_that_never_answers_is_in_nobodys_way(lab: Lab) -> None:
    forge = ForgeDouble("github")
    with running(forge):
        forge.answers = [answering(500, "x" * 1_000_000)] * 1000
        lab.write(alice=1)
        lab.server.start("--config", configure(lab, forge))
        phone = lab.phone("watch", "alice", 3)
        phone.has(1)
        lab.write(alice=2)
        phone.has(2)
        lab.write(alice=3)
        assert phone.finish()[-1].body == profile("alice", 3)
        assert lab.ask("status")["commit_status"]["last_error"] == "500"
        assert lab.server.end() == 0


def test_what_the_settings_cannot_mean_is_said_at_the_start(lab: Lab) -> None:
    lab.git.commit({file_of("alice"): profile("alice", 1)})
    file = lab.folder / "wrong.yaml"
    for settings, said in (
        ({"provider": "github"}, "needs token_file"),
        ({"provider": "github", "token_file": "t"}, "commit_status.repository: say owner/name"),
        ({"provider": "gitea", "token_file": "t", "url": "http://git.example.com/api/v1"}, "must begin with https"),
        ({"url": "https://user:secret@git.example.com/"}, "must be a plain URL"),
    ):
        file.write_text(json.dumps({"commit_status": settings}))
        lab.server.launch("--config", str(file))
        assert lab.server.wait() == 2
        assert said in lab.server.stderr() and "secret@" not in lab.server.stderr()
