"""The workflows of a profile repository: sound for those who check workflows, and each script run for real."""

import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from gitops_profile.cli.init import STARTER
from tests.plan.test_plan import prose_of
from tests.repositories import Git
from tests.system.lab import need

from .github import BOT, TOKEN, GitHub, serving
from .runner import ROOT, Runner, read, steps

OURS = ROOT / ".github/workflows"
STARTERS = STARTER / ".github/workflows"
NAMES = ("profiles.yml", "profiles-comment.yml")
FILES = [folder / name for folder in (OURS, STARTERS) for name in NAMES]
MARKER = "<!-- gitops-profile plan -->\n"

files = pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.parent.parent.name}/{file.name}")


# -- as others read them -----------------------------------------------------------------------------------------


@files
def test_they_follow_the_schema_of_workflows(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@files
def test_who_looks_for_holes_finds_none(file: Path) -> None:
    """zizmor, without network; what it is told to ignore has its reason beside it."""
    zizmor = Path(sys.executable).parent / "zizmor"
    done = subprocess.run(
        [str(zizmor) if zizmor.exists() else need("zizmor"), "--offline", "--no-config", "--format=json", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout) == [], done.stdout
    ignored = [line for line in file.read_text().splitlines() if "zizmor: ignore" in line]
    assert len(ignored) == (1 if file.name == "profiles-comment.yml" else 0)
    assert all(len(line.partition("] ")[2]) > 20 for line in ignored)


@files
def test_their_scripts_are_sound_for_shellcheck(file: Path, tmp_path: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    for job in read(file)["jobs"]:
        for step in steps(file, job).values():
            script = tmp_path / "script.sh"
            script.write_text("#!/bin/bash\nset -eo pipefail\n" + step["run"])
            program = str(shellcheck) if shellcheck.exists() else need("shellcheck")
            done = subprocess.run([program, str(script)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout


@files
def test_rights_are_the_least_and_actions_are_pinned(file: Path) -> None:
    workflow = read(file)
    assert workflow["permissions"] == {}
    assert not set(workflow["on"]) & {"pull_request_target", "issue_comment"}
    lines = file.read_text().splitlines()
    for name, job in workflow["jobs"].items():
        writes = {right for right, kind in job["permissions"].items() if kind != "read"}
        assert writes == ({"pull-requests"} if name == "comment" else set())
        assert job["timeout-minutes"] <= 15
        for step in job["steps"]:
            if "uses" in step:
                ours = next(line for line in lines if step["uses"] in line)
                commit, _, version = ours.partition("@")[2].partition(" # ")
                assert len(commit) == 40 and int(commit, 16) and version.startswith("v")
                assert step["uses"].startswith("actions/")
                if "checkout" in step["uses"]:
                    assert step["with"]["persist-credentials"] is False


@files
def test_a_secret_is_only_where_no_pull_request_comes(file: Path) -> None:
    for name, job in read(file)["jobs"].items():
        text = str(job)
        if "secrets." in text:
            assert name == "rollout" and job["if"].startswith("github.event_name == 'push' && ")
            assert job["environment"] == "phones"
        if "github.token" in text:
            assert name == "comment" and "checkout" not in text and "pip " not in text


@files
def test_no_text_of_others_is_part_of_a_script(file: Path) -> None:
    for job in read(file)["jobs"]:
        for step in steps(file, job).values():
            assert "${{" not in step["run"]


def test_the_starter_differs_from_ours_in_what_is_installed_only() -> None:
    ours, starter = (read(folder / "profiles.yml") for folder in (OURS, STARTERS))
    assert ours["env"].pop("GITOPS_PROFILE") == "."
    wanted = Requirement(starter["env"].pop("GITOPS_PROFILE"))
    assert wanted.name == "gitops-profile" and version("gitops-profile") in wanted.specifier
    assert ours["jobs"]["rollout"].pop("permissions") == {"contents": "read"}
    assert starter["jobs"]["rollout"].pop("permissions") == {}
    checkout = ours["jobs"]["rollout"]["steps"].pop(0)
    assert checkout["uses"].startswith("actions/checkout@") and ours == starter
    assert (OURS / NAMES[1]).read_text() == (STARTERS / NAMES[1]).read_text()


def test_the_comment_finds_the_plan_by_the_names_that_the_plan_has() -> None:
    plan, comment = (read(STARTERS / name) for name in NAMES)
    assert comment["on"]["workflow_run"] == {"workflows": [plan["name"]], "types": ["completed"]}
    (upload,) = (s for s in plan["jobs"]["check"]["steps"] if "upload-artifact" in s.get("uses", ""))
    script = comment["jobs"]["comment"]["steps"][0]
    assert f"artifacts?name={upload['with']['name']}" in script["run"] and script["env"]["MARKER"] + "\n" == MARKER


# -- the check of a pull request ---------------------------------------------------------------------------------


@pytest.fixture
def merge(tmp_path: Path) -> Git:
    """A new profile repository at the merge that GitHub tries for a pull request, as deep as the workflow says."""
    origin = Git(tmp_path / "origin")
    command = [sys.executable, "-m", "gitops_profile", "init", "--no-git", str(origin.folder)]
    subprocess.run(command, check=True, capture_output=True)
    origin.commit({})
    origin("checkout", "-q", "-b", "change")
    origin.commit({"profiles/defaults.yaml": (STARTER / "profiles/defaults.yaml").read_text() + "# a remark\n"})
    alice = "profiles/user/example.com/alice.yaml"
    origin.commit({alice: (origin.folder / alice).read_text().replace("Alice", "Alice ``` @team <b>")})
    origin("checkout", "-q", "main")
    origin.commit({"README.md": "main goes on\n"})
    origin("checkout", "-q", "--detach")
    origin("merge", "-q", "--no-ff", "-m", "the merge that is tried", "change")
    origin("branch", "-f", "pull", "HEAD")
    clone = tmp_path / "checkout"
    source = f"file://{origin.folder}"
    origin("clone", "-q", "--depth", "2", "--branch", "pull", source, str(clone))
    return Git(clone)


def test_a_pull_request_is_checked_and_planned(merge: Git, tmp_path: Path) -> None:
    runner = Runner(tmp_path / "runner", merge.folder)
    scripts = steps(STARTERS / "profiles.yml", "check")
    done = runner.run(scripts["Check"])
    assert done.returncode == 0, done
    done = runner.run(scripts["Plan"])
    assert done.returncode == 0, done
    plan = (runner.temp / "plan.md").read_text()
    assert plan == runner.summary.read_text() and plan.startswith(MARKER)
    prose, code = prose_of(plan)
    assert "0 added, 1 changed, 0 removed of 2 profiles" in prose and "@team" in code and "@team" not in prose


def test_a_pull_request_with_a_problem_is_annotated_and_fails(merge: Git, tmp_path: Path) -> None:
    merge.commit({"profiles/user/example.com/alice.yaml": "valuess: {}\n"})
    runner = Runner(tmp_path / "runner", merge.folder)
    scripts = steps(STARTERS / "profiles.yml", "check")
    done = runner.run(scripts["Check"])
    assert done.returncode == 1 and "::error file=profiles/user/example.com/alice.yaml,line=1" in done.stdout
    done = runner.run(scripts["Plan"])
    assert done.returncode == 1
    prose, code = prose_of((runner.temp / "plan.md").read_text())
    assert "this cannot be applied" in prose and "user/example.com/alice.yaml:1:1" in code


# -- the comment -------------------------------------------------------------------------------------------------

SHA = "1" * 40


class Comment:
    """The comment's script with a GitHub to talk to."""

    def __init__(self, github: GitHub, folder: Path) -> None:
        self.github = github
        self._folder = folder
        self._runs = 0
        (self._step,) = steps(STARTERS / "profiles-comment.yml", "comment").values()

    def __call__(self, plan: bytes | None, *, sha: str = SHA, branch: str = "change", owner: str = "owner") -> str:
        self._runs += 1
        run = self._runs
        if plan is not None:
            self.github.artifacts[run] = {"plan.md": plan}
        event = "github.event.workflow_run"
        contexts = {
            "github.token": TOKEN,
            f"{event}.id": str(run),
            f"{event}.head_sha": sha,
            f"{event}.head_branch": branch,
            f"{event}.head_repository.owner.login": owner,
            f"{event}.head_repository.full_name": f"{owner}/repo",
        }
        runner = Runner(
            self._folder / str(run), self._folder, contexts,
            {"GITHUB_API_URL": self.github.url, "GITHUB_REPOSITORY": "owner/repo", "no_proxy": "127.0.0.1"},
        )  # fmt: skip
        done = runner.run(self._step)
        assert done.returncode == 0 and TOKEN not in done.stdout + done.stderr, done
        return done.stdout


@pytest.fixture
def comment(tmp_path: Path) -> Iterator[Comment]:
    for program in ("curl", "jq"):
        need(program)
    github = GitHub()
    github.pull(7, "owner", "change", SHA)
    with serving(github):
        yield Comment(github, tmp_path)
    assert github.refused == []


@pytest.mark.peer
def test_the_comment_is_written_once_and_then_kept_up_to_date(comment: Comment) -> None:
    github = comment.github
    for number in range(150):  # the bot's own is on the second page
        github.comment(7, "someone", f"remark {number}")
    github.comment(7, "someone", MARKER + "a decoy")
    github.comment(7, BOT, "of another workflow")
    comment(MARKER.encode() + "### Profile plan\n\n1 — ä 🙂 `x`\n".encode())
    (made,) = github.comments[7][152:]
    assert made["body"] == MARKER + "### Profile plan\n\n1 — ä 🙂 `x`\n" and made["user"]["login"] == BOT
    comment(MARKER.encode() + b"second\n")
    assert len(github.comments[7]) == 153 and made["body"] == MARKER + "second\n"
    assert github.comments[7][150]["body"] == MARKER + "a decoy"
    assert [r for r in github.requests if not r.startswith("GET")] == [
        "POST /repos/owner/repo/issues/7/comments",
        f"PATCH /repos/owner/repo/issues/comments/{made['id']}",
    ]


@pytest.mark.peer
def test_a_fork_writes_text_and_nothing_that_acts(comment: Comment) -> None:
    comment.github.pull(8, "stranger", "evil`$(touch x)`&state=closed", "2" * 40)
    evil = MARKER.encode() + b"@team #1 <script>\n```\n~~~\n````\n@all <!-- \xff\n" + b"`" * 50
    comment(evil, sha="2" * 40, branch="evil`$(touch x)`&state=closed", owner="stranger")
    (made,) = comment.github.comments[8]
    assert made["body"].startswith(MARKER)
    prose, code = prose_of(made["body"])
    assert prose == "The plan of a pull request from a fork, as its own run has written it:"
    assert "@team #1 <script>" in code and "@all <!-- " in code and "'" * 50 in code


@pytest.mark.peer
def test_what_is_too_long_is_cut_and_what_is_no_plan_is_left_alone(comment: Comment) -> None:
    comment(MARKER.encode() + "🙂".encode() * 40_000)
    (made,) = comment.github.comments[7]
    assert len(made["body"].encode()) <= 65_000
    comment.github.pull(8, "stranger", "b", "2" * 40)
    comment(MARKER.encode() + b"`" * 200_000, sha="2" * 40, branch="b", owner="stranger")
    assert 64_000 < len(comment.github.comments[8][0]["body"]) <= 65_536
    for plan in (b"", b"something else", None):
        assert "plan" in comment(plan)
    assert len(comment.github.comments[7]) == 1


@pytest.mark.peer
def test_an_older_run_and_a_closed_pull_request_change_nothing(comment: Comment) -> None:
    assert "no open pull request is at this commit" in comment(MARKER.encode(), sha="3" * 40)
    assert "no open pull request is at this commit" in comment(MARKER.encode(), branch="other")
    assert comment.github.comments[7] == []


@pytest.mark.peer
def test_the_comment_of_a_real_plan(comment: Comment, merge: Git, tmp_path: Path) -> None:
    runner = Runner(tmp_path / "runner", merge.folder)
    assert runner.run(steps(STARTERS / "profiles.yml", "check")["Plan"]).returncode == 0
    plan = (runner.temp / "plan.md").read_bytes()
    comment(plan)
    assert [c["body"] for c in comment.github.comments[7]] == [plan.decode()]


# -- the rollout -------------------------------------------------------------------------------------------------


@pytest.mark.peer
def test_the_webhook_is_signed_as_github_signs_it(tmp_path: Path) -> None:
    need("curl"), need("jq")
    seen: list[tuple[str, Any, bytes]] = []
    answers = [503, 202]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers, body))
            self.send_response(answers.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    contexts = {"vars.PROVISIONING_URL": url, "secrets.PROVISIONING_WEBHOOK_SECRET": "s3cret ä'$x"}
    variables = {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": SHA, "GITHUB_REPOSITORY": 'owner/re"po'}
    runner = Runner(tmp_path / "runner", tmp_path, contexts, variables | {"no_proxy": "127.0.0.1"})
    step = steps(STARTERS / "profiles.yml", "rollout")["Tell the server"]
    try:
        done = runner.run(step)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert done.returncode == 0 and "s3cret" not in done.stdout + done.stderr and "::warning" not in done.stdout, done
    assert len(seen) == 2, "asked again after 503"
    path, headers, body = seen[-1]
    expected = hmac.new("s3cret ä'$x".encode(), body, hashlib.sha256).hexdigest()
    assert (path, headers["X-Hub-Signature-256"], headers["X-GitHub-Event"]) == (
        "/hooks/git",
        f"sha256={expected}",
        "push",
    )
    assert len(headers["X-GitHub-Delivery"]) == 36 and headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"ref": "refs/heads/main", "after": SHA, "repository": {"full_name": 'owner/re"po'}}
    done = runner.run(step)
    assert done.returncode == 0 and done.stdout.startswith("::warning::the webhook was not taken"), done
    runner.contexts = contexts | {"secrets.PROVISIONING_WEBHOOK_SECRET": ""}
    assert runner.run(step).returncode == 0
