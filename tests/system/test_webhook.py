"""Webhooks by the vendors' own schemes, to the real server in front of a real repository that nothing else looks at."""

import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook as StandardWebhook

from tests.repositories import ENVIRONMENT, Git

from .lab import Lab, eventually, file_of, need, profile

pytestmark = pytest.mark.system

SECRET = "It's a Secret to Everybody"
SIGNING_TOKEN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCS = Path(__file__).parents[2] / "docs/operating.md"


class Forge:
    """A bare repository, somebody who pushes to it, and a server of a clone that fetches it when it is told only."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.bare = Git(lab.folder / "forge.git", bare=True)
        self.work = Git(lab.folder / "work")
        self.work("remote", "add", "origin", self.bare.folder.as_uri())
        self.push(alice=1)
        self.secrets = lab.folder / "webhook.secrets"
        self.secrets.write_text(f"{SECRET}\n{SIGNING_TOKEN}\n")

    def push(self, branch: str = "main", **versions: int) -> str:
        commit = self.work.commit({file_of(name): profile(name, v) for name, v in versions.items()})
        self.work("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return commit

    def serve(self) -> None:
        self.lab.server.environment |= {
            "GITOPS_PROFILE_WEBHOOK__SECRET_FILE": str(self.secrets),
            "GITOPS_PROFILE_REPOSITORY__FETCH": "1h",
            "GITOPS_PROFILE_REPOSITORY__HISTORY": "false",  # else a second fetch follows the first
        }
        self.lab.server.repository = self.bare.folder.as_uri()  # type: ignore[assignment]  # a URL is as good
        self.lab.server.start("--http", "127.0.0.1:0", "--poll", "1h")

    @property
    def url(self) -> str:
        return str(self.lab.ask("status")["http"]) + "hooks/git"

    def post(self, body: bytes, headers: dict[str, str], *, method: str = "POST") -> tuple[int, str]:
        request = urllib.request.Request(
            self.url, body, {"Content-Type": "application/json"} | headers, method=method
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def applied(self, commit: str) -> bool:
        return bool(self.lab.ask("status")["applied"]["commit"] == commit)


@pytest.fixture
def forge(lab: Lab) -> Iterator[Forge]:
    made = Forge(lab)
    made.serve()
    yield made


def hex_mac(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def payload(commit: str, ref: str = "refs/heads/main") -> bytes:
    return json.dumps({"ref": ref, "before": "0" * 40, "after": commit, "repository": {"id": 1}}).encode()


def github(body: bytes) -> dict[str, str]:
    return {
        "X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={hex_mac(body)}",
    }  # fmt: skip


def gitea(body: bytes) -> dict[str, str]:
    return github(body) | {
        "X-Gitea-Event": "push", "X-Gitea-Delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473",
        "X-Gitea-Signature": hex_mac(body), "X-Gogs-Event": "push",
    }  # fmt: skip


def gitlab_token(body: bytes) -> dict[str, str]:
    identity = hashlib.sha256(body).hexdigest()
    return {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET, "Idempotency-Key": identity}


def standard(body: bytes) -> dict[str, str]:
    """Signed by the library of Standard Webhooks' own project."""
    identity, now = f"msg_{hashlib.sha256(body).hexdigest()[:20]}", datetime.now(UTC)
    signature = StandardWebhook(SIGNING_TOKEN).sign(identity, now, body.decode())
    return {"webhook-id": identity, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def gitlab_signed(body: bytes) -> dict[str, str]:
    return standard(body) | {"X-Gitlab-Event": "Push Hook"}


SCHEMES = [github, gitea, gitlab_token, gitlab_signed, standard]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.__name__)
def test_a_push_and_its_webhook_become_a_notify(forge: Forge, scheme: object) -> None:
    assert callable(scheme)
    phone = forge.lab.phone("watch", "alice", 2)
    phone.has(1)
    commit = forge.push(alice=2)
    time.sleep(0.3)
    assert not forge.applied(commit), "noticed without a webhook: this test shows nothing"
    body = payload(commit)
    assert forge.post(body, scheme(body)) == (202, "looking\n")
    assert profile("alice", 2) in phone.has(2)[-1].body  # nothing else would look within an hour
    assert forge.post(body, scheme(body)) == (200, "seen already\n")
    facts = forge.lab.ask("status")["webhook"]
    assert (facts["accepted"], facts["refused"], facts["replayed"]) == (2, 0, 1)
    assert facts["result"] == "replayed" and facts["last"] is not None


def test_a_replay_is_known_after_a_kill_and_a_wrong_signature_is_one_line_for_fail2ban(forge: Forge) -> None:
    body = payload(forge.push(alice=2))
    assert forge.post(body, github(body))[0] == 202
    forge.lab.server.end(signal.SIGKILL)
    forge.lab.server.start("--http", "127.0.0.1:0", "--poll", "1h")
    assert forge.post(body, github(body) | {"X-GitHub-Delivery": "another"}) == (200, "seen already\n")
    assert forge.post(body + b" ", github(body)) == (403, "not accepted\n")
    assert forge.post(body, {}) == (403, "not accepted\n")
    stderr = forge.lab.server.stderr()
    failregex = re.search(r"^failregex = (.*)$", (DOCS.parent / "access.md").read_text(), re.MULTILINE)
    assert failregex is not None
    # fail2ban takes the time stamp away and puts an address pattern in.
    lines = [re.sub(r"^\S+ \S+ ", "", line) for line in stderr.splitlines() if "realm=webhook" in line]
    assert len(lines) == 2
    assert all(re.search(failregex[1].replace("<HOST>", r"127\.0\.0\.1"), line) for line in lines), lines
    assert SECRET not in stderr and '"before"' not in stderr and "sha256=" not in stderr


def test_the_one_liner_of_the_documentation_works(forge: Forge) -> None:
    for program in ("openssl", "curl"):
        need(program)
    block = re.search(r"```sh\n(id=.*?)```", DOCS.read_text(), re.DOTALL)
    assert block is not None
    commit = forge.push(alice=3)
    environment = ENVIRONMENT | {"SECRET": SECRET, "URL": forge.url, "PATH": os.environ["PATH"]}
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, "-euc", block[1]], env=environment, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, b"looking\n"), done
    eventually("the commit is in force", lambda: forge.applied(commit))


def test_a_secret_is_changed_without_a_restart(forge: Forge) -> None:
    body = payload(forge.push(alice=4))
    forge.secrets.write_text("another secret, and long enough\n")
    eventually("the secrets are read again", lambda: "webhook secrets read again" in forge.lab.server.stderr())
    assert forge.post(body, github(body))[0] == 403
    forge.secrets.write_text(f"another secret, and long enough\n{SECRET}\n")
    eventually("the old secret is back", lambda: forge.post(body, github(body))[0] == 202)


def test_without_a_secret_there_is_no_webhook_and_with_an_empty_file_no_server(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start("--http", "127.0.0.1:0")
    assert lab.ask("status")["webhook"] is None
    lab.server.end()
    empty = lab.folder / "empty"
    empty.write_text("short\n")
    lab.server.environment |= {"GITOPS_PROFILE_WEBHOOK__SECRET_FILE": str(empty)}
    lab.server.launch("--http", "127.0.0.1:0")
    assert lab.server.wait() == 2
    assert "webhook.secret_file: there is no secret of 16 bytes or more in it" in lab.server.stderr()
