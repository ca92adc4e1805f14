"""A merge, as the workflows roll it out: their own scripts, a server that is told by their webhook only, and phones."""

import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflows.runner import Runner, steps
from tests.workflows.test_gitlab import JOBS
from tests.workflows.test_profiles import STARTERS

from .lab import Lab, eventually, profile
from .test_webhook import SECRET, Forge

pytestmark = [pytest.mark.system, pytest.mark.peer]

PATIENCE, SHORT = "--timeout 300s", "--timeout 8s"
"""What the workflows wait for phones, and what they do where one never answers."""


@pytest.fixture
def forge(lab: Lab) -> Iterator[Forge]:
    made = Forge(lab)
    token = lab.folder / "token"
    token.write_text(secrets.token_hex(32) + "\n")
    lab.server.environment["GITOPS_PROFILE_HTTP__TOKEN_FILE"] = str(token)
    made.push(alice=1, bob=1)
    made.serve()
    yield made


def is_settled(forge: Forge, phones: int) -> bool:
    """Whether so many phones are known to have what they were told."""
    rows = forge.lab.ask("subscriptions")
    return len(rows) == phones and all(row["current"] for row in rows)


def token_of(forge: Forge) -> str:
    return (forge.lab.folder / "token").read_text().strip()


class Workflow:
    """The job `rollout` on a machine that has no repository and no server's folder."""

    def __init__(self, forge: Forge, folder: Path) -> None:
        self._steps = steps(STARTERS / "profiles.yml", "rollout")
        self._here = folder / "here"
        self._here.mkdir(parents=True)
        contexts = {
            "vars.PROVISIONING_URL": str(forge.lab.ask("status")["http"]),
            "secrets.PROVISIONING_WEBHOOK_SECRET": SECRET,
            "secrets.PROVISIONING_TOKEN": token_of(forge),
        }
        variables = {"GITHUB_REF": "refs/heads/main", "GITHUB_REPOSITORY": "owner/repo", "no_proxy": "127.0.0.1"}
        self.runner = Runner(folder / "runner", self._here, contexts, variables)

    def roll_out(self, commit: str, patience: str = PATIENCE) -> tuple[int, str]:
        """Exit status of the last step and the job's summary."""
        self.runner.variables["GITHUB_SHA"] = commit
        told = self.runner.run(self._steps["Tell the server"])
        assert told.returncode == 0 and "::warning" not in told.stdout, told
        wait = self._steps["Wait for the phones"]
        done = self.runner.run(wait | {"run": wait["run"].replace(PATIENCE, patience)})
        assert "Traceback" not in done.stderr and hides_token(done, self.runner), done
        return done.returncode, self.runner.summary.read_text() + done.stderr


def hides_token(done: subprocess.CompletedProcess[str], runner: Runner) -> bool:
    """Whether the token is nowhere to be seen."""
    token = runner.contexts["secrets.PROVISIONING_TOKEN"]
    return token not in done.stdout + done.stderr + runner.summary.read_text()


def test_a_merge_is_told_waited_for_and_summed_up(forge: Forge, tmp_path: Path) -> None:
    alice, bob = forge.lab.phone("watch", "alice", 2), forge.lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    eventually("both are known to have it", lambda: is_settled(forge, 2))
    workflow = Workflow(forge, tmp_path / "one")
    commit = forge.push(alice=2, bob=2)
    status, summary = workflow.roll_out(commit)
    assert status == 0 and f"**{commit[:12]}**: planned 2, notified 2, acknowledged 2\n" in summary, summary
    assert alice.finish()[1].body == profile("alice", 2) and bob.finish()[1].body == profile("bob", 2)


def test_a_phone_that_is_silent_fails_the_job_and_is_named(forge: Forge, tmp_path: Path) -> None:
    alice, bob = forge.lab.phone("watch", "alice", 2), forge.lab.phone("watch", "bob", 2)
    alice.has(1), bob.has(1)
    eventually("both are known to have it", lambda: is_settled(forge, 2))
    bob.process.send_signal(signal.SIGSTOP)
    status, summary = Workflow(forge, tmp_path / "one").roll_out(forge.push(alice=2, bob=2), SHORT)
    bob.process.send_signal(signal.SIGCONT)
    assert status == 1 and "planned 2, notified 2, acknowledged 1" in summary, summary
    assert "| user/example.com/bob |" in summary and "user/example.com/alice" not in summary


def test_a_revision_that_is_rejected_fails_the_job_with_its_reason(forge: Forge, tmp_path: Path) -> None:
    forge.work.commit({"profiles/user/example.com/carol.yaml": "valuess: {}\n"})
    commit = forge.push(alice=2)
    status, summary = Workflow(forge, tmp_path / "one").roll_out(commit)
    assert status == 1 and "rejected" in summary and "valuess" in summary, summary


def test_a_wrong_token_is_said_in_one_line(forge: Forge, tmp_path: Path) -> None:
    workflow = Workflow(forge, tmp_path / "one")
    workflow.runner.contexts = {**workflow.runner.contexts, "secrets.PROVISIONING_TOKEN": "wrong-but-long-enough"}
    status, text = workflow.roll_out(forge.push(alice=2))
    assert status == 1 and text.count("\n") == 1 and "does not take this token" in text, text


def test_gitlab_rolls_out_the_same(forge: Forge, tmp_path: Path) -> None:
    alice = forge.lab.phone("watch", "alice", 2)
    alice.has(1)
    eventually("alice is known to have it", lambda: is_settled(forge, 1))
    here = tmp_path / "here"
    here.mkdir()
    commit = forge.push(alice=2)
    machine = Runner(
        tmp_path / "runner", here,
        variables={
            "PROVISIONING_URL": str(forge.lab.ask("status")["http"]), "PROVISIONING_TOKEN": token_of(forge),
            "PROVISIONING_WEBHOOK_SECRET": SECRET, "CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": commit,
            "CI_JOB_ID": "7", "no_proxy": "127.0.0.1",
        },
    )  # fmt: skip
    script = "\n".join(JOBS["profiles:rollout"]["script"])
    done = machine.run({"run": script})
    assert done.returncode == 0 and "planned 1, notified 1, acknowledged 1" in done.stdout, done
    assert alice.finish()[1].body == profile("alice", 2)
    commit = forge.push(bob=2, carol=1)
    forge.work.commit({"profiles/user/example.com/dora.yaml": "valuess: {}\n"})
    machine.variables |= {"CI_COMMIT_SHA": forge.push(bob=3), "CI_JOB_ID": "8"}
    done = machine.run({"run": script})
    assert done.returncode == 1 and "rejected" in done.stdout + (here / "rollout.md").read_text(), done


def test_without_a_token_file_there_is_nothing_to_ask(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start("--http", "127.0.0.1:0")
    token = lab.folder / "token"
    token.write_text("0123456789abcdef0123")
    url = str(lab.ask("status")["http"])
    done = lab.run("wait", "--url", url, "--token-file", str(token), "--revision", lab.git.head())
    assert (
        done.returncode == 1 and b"answers 404: is it a gitops-profile server with http.token_file set?" in done.stderr
    )


def test_a_token_that_cannot_be_used_stops_the_start_in_one_line(lab: Lab) -> None:
    lab.write(alice=1)
    short = lab.folder / "short"
    short.write_text("short\n")
    for file, reason in ((short, b"fewer than 16 characters"), (lab.folder / "none", b"No such file")):
        lab.server.environment["GITOPS_PROFILE_HTTP__TOKEN_FILE"] = str(file)
        lab.server.launch("--http", "127.0.0.1:0")
        assert lab.server.wait() == 2 and reason in lab.server.stderr().encode()
