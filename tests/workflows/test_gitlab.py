"""The pipeline for GitLab in the documents: by the schema of GitLab's own, and each script run for real."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ruamel.yaml import YAML

from tests.plan.test_plan import prose_of
from tests.system.lab import need

from .runner import ROOT, Runner
from .test_profiles import MARKER, SHA, merge

__all__ = ["merge"]

(PIPELINE,) = re.findall(r"```yaml\n(stages:.*?)```", (ROOT / "docs/workflows.md").read_text(), re.DOTALL)
JOBS: dict[str, Any] = YAML(typ="safe", pure=True).load(PIPELINE)
ME = 42


class GitLab:
    """The notes of one merge request; it refuses what GitLab would refuse."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []
        self.hooks: list[tuple[Any, bytes]] = []
        self.refused: list[str] = []
        self.url = ""

    def note(self, author: int, body: str) -> dict[str, Any]:
        made = {"id": 100 + len(self.notes), "author": {"id": author}, "body": body}
        self.notes.append(made)
        return made

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        if (method, parts.path) == ("POST", "/hooks/git"):
            self.hooks.append((headers, body))
            return 202, {}
        notes = "/api/v4/projects/5/merge_requests/9/notes"
        if headers["PRIVATE-TOKEN"] == "glpat-x":
            if (method, parts.path) == ("GET", "/api/v4/user"):
                return 200, {"id": ME}
            if (method, parts.path) == ("GET", notes):
                query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
                at = (query["page"] - 1) * query["per_page"]
                return 200, self.notes[at : at + query["per_page"]]
            if (method, parts.path) == ("POST", notes):
                return 201, self.note(ME, json.loads(body)["body"])
            for note in self.notes:
                if (method, parts.path) == ("PUT", f"{notes}/{note['id']}") and note["author"]["id"] == ME:
                    note["body"] = json.loads(body)["body"]
                    return 200, note
        self.refused.append(f"{method} {target}")
        return 404, {}


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    made = GitLab()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, data = made.answer(self.command, self.path, self.headers, body)
            payload = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
    assert made.refused == []


def runner(folder: Path, checkout: Path, **variables: str) -> Runner:
    return Runner(folder, checkout, variables={"no_proxy": "127.0.0.1", **variables})


def run(machine: Runner, script: list[str]) -> subprocess.CompletedProcess[str]:
    """All lines of a script in one shell, as GitLab does."""
    return machine.run({"run": "\n".join(script)})


def test_the_pipeline_follows_the_schema(tmp_path: Path) -> None:
    file = tmp_path / ".gitlab-ci.yml"
    file.write_text(PIPELINE)
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci",
         "--data-transform", "gitlab-ci", str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_secrets_are_used_by_the_job_of_the_default_branch_and_the_comment_only() -> None:
    for name, job in JOBS.items():
        text = str(job)
        if "PROVISIONING_TOKEN" in text or "WEBHOOK_SECRET" in text:
            assert name == "profiles:rollout" and "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in job["rules"][0]["if"]
        if "PLAN_COMMENT_TOKEN" in text:
            assert name == "profiles:comment"
            # Nothing of the merge request is there to be run.
            assert job["variables"]["GIT_STRATEGY"] == "none" and job["before_script"] == []
    stages = [job["stage"] for name, job in JOBS.items() if name.startswith("profiles:")]
    assert stages == JOBS["stages"]


@pytest.mark.peer
def test_a_merge_request_is_planned_and_commented_once(gitlab: GitLab, merge: Any, tmp_path: Path) -> None:
    base, head = merge("rev-parse", "HEAD^1"), merge.head()
    machine = runner(
        tmp_path / "one", merge.folder, CI_MERGE_REQUEST_DIFF_BASE_SHA=base, CI_COMMIT_SHA=head,
        CI_API_V4_URL=f"{gitlab.url}/api/v4", CI_PROJECT_ID="5", CI_MERGE_REQUEST_IID="9", PLAN_COMMENT_TOKEN="glpat-x",
    )  # fmt: skip
    check, comment = JOBS["profiles:check"], JOBS["profiles:comment"]
    assert run(machine, check["script"]).returncode == 0
    assert run(machine, check["after_script"]).returncode == 3
    plan = (merge.folder / "plan.md").read_text()
    assert "0 added, 1 changed, 0 removed" in prose_of(plan)[0]
    for number in range(120):
        gitlab.note(7, f"{MARKER}a decoy {number}")
    done = run(machine, comment["script"])
    assert done.returncode == 0 and gitlab.notes[120]["body"] == plan, done
    (merge.folder / "plan.md").write_text(MARKER + "second ä🙂\n")
    assert run(machine, comment["script"]).returncode == 0
    assert len(gitlab.notes) == 121 and gitlab.notes[120]["body"] == MARKER + "second ä🙂\n"
    (merge.folder / "plan.md").write_text("")
    assert run(machine, comment["script"]).returncode != 0 and len(gitlab.notes) == 121


@pytest.mark.peer
def test_the_webhook_is_as_gitlab_sends_it(gitlab: GitLab, tmp_path: Path) -> None:
    need("curl")
    machine = runner(
        tmp_path / "one", tmp_path, PROVISIONING_URL=f"{gitlab.url}/", PROVISIONING_WEBHOOK_SECRET="s3cret $x",
        CI_JOB_ID="77", CI_COMMIT_BRANCH="main", CI_COMMIT_SHA=SHA,
    )  # fmt: skip
    webhook = JOBS["profiles:rollout"]["script"][0]
    done = run(machine, [webhook])
    assert done.returncode == 0 and done.stdout == "", done
    ((headers, body),) = gitlab.hooks
    assert (headers["X-Gitlab-Token"], headers["X-Gitlab-Event"]) == ("s3cret $x", "Push Hook")
    assert json.loads(body) == {"object_kind": "push", "ref": "refs/heads/main", "after": SHA}
    machine.variables["PROVISIONING_WEBHOOK_SECRET"] = ""
    assert run(machine, [webhook]).returncode == 0 and len(gitlab.hooks) == 1
