"""`check` as people, hooks and workflows run it: real git, real processes, the real pre-commit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.repositories import ENVIRONMENT, Git

from .lab import Lab

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
USERS = "profiles/user/example.com"


@pytest.fixture
def work(lab: Lab) -> Git:
    """Two good profiles, committed."""
    lab.git.commit({f"{USERS}/alice.yaml": "body: a\n", f"{USERS}/bob.xml": "<b/>", "README": "x"})
    return lab.git


def findings(lab: Lab, *arguments: str, status: int = 1) -> list[dict[str, object]]:
    done = lab.run("check", "-o", "json", *arguments)
    assert done.returncode == status, done
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_what_is_staged_is_checked_and_nothing_else(lab: Lab, work: Git) -> None:
    work.write({f"{USERS}/alice.yaml": "body: [\n"})
    assert findings(lab, "--staged", status=0) == [], "it is not staged"
    work("add", "-A")
    work.write({f"{USERS}/alice.yaml": "body: mended on disk only\n"})
    (row,) = findings(lab, "--staged")
    assert (row["file"], row["line"], row["rule"]) == (f"{USERS}/alice.yaml", 2, "broken-yaml")
    assert findings(lab, status=0) == []
    work("commit", "-q", "-m", "broken")
    assert findings(lab, "--staged", status=0) == [], "what is committed already is no longer staged"
    assert findings(lab, "--ref", "HEAD")


def test_a_staged_file_meets_the_keys_of_files_that_are_not_staged(lab: Lab, work: Git) -> None:
    work.write({f"{USERS}/hq/bob.yaml": "body: b\n"})
    work("add", "-A")
    (row,) = findings(lab, "--staged")
    assert row["rule"] == "duplicate-key" and "user/example.com/bob.xml" in str(row["message"])
    work("rm", "-q", "--cached", f"{USERS}/bob.xml")
    assert findings(lab, "--staged", status=0) == [], "the other one goes in the same commit"


def test_a_file_that_is_only_meant_to_be_added_refuses_no_commit(lab: Lab, work: Git) -> None:
    work.commit({"profiles/templates/t.j2": "{{ n }}", f"{USERS}/carol.yaml": "template: t.j2\nvalues: {n: 1}\n"})
    work.write({f"{USERS}/dora.yaml": "body: d\n", "profiles/templates/t.j2": "n={{ n }}"})
    work("add", "-N", f"{USERS}/dora.yaml")
    work("add", "profiles/templates")
    assert findings(lab, "--staged", status=0) == []


def test_a_staged_template_is_checked_with_all_that_are_made_of_it(lab: Lab, work: Git) -> None:
    work.commit({"profiles/templates/t.j2": "{{ n }}", f"{USERS}/carol.yaml": "template: t.j2\nvalues: {n: 1}\n"})
    work.write({"profiles/templates/t.j2": "{{ missing }}"})
    work("add", "-A")
    (row,) = findings(lab, "--staged")
    assert row["file"] == f"{USERS}/carol.yaml" and row["rule"] == "template"


def test_before_the_first_commit_everything_is_staged(lab: Lab) -> None:
    lab.git.write({f"{USERS}/alice.yaml": "body: [\n"})
    lab.git("add", "-A")
    assert [row["rule"] for row in findings(lab, "--staged")] == ["broken-yaml"]


def test_a_credential_is_a_warning_and_a_problem_when_it_is_strict(lab: Lab, work: Git) -> None:
    work.commit({f"{USERS}/bob.xml": "<b password='hunter2'/>"})
    (row,) = findings(lab, status=0)
    assert (row["severity"], row["rule"], row["line"], row["column"]) == ("warning", "plaintext-credential", 1, 14)
    (row,) = findings(lab, "--strict")
    assert row["severity"] == "error"
    for form in ("text", "json", "github", "sarif"):
        for option in ((), ("--ref", "HEAD")):
            done = lab.run("check", "--strict", "-o", form, *option)
            assert done.returncode == 1 and b"hunter2" not in done.stdout + done.stderr
    text = lab.run("check").stdout.decode()
    assert "user/example.com/bob.xml:1:14: warning: " in text and "sensitive: true" in text


def test_a_path_of_another_repository_is_checked_there_or_refused(lab: Lab, work: Git, tmp_path: Path) -> None:
    other = Git(tmp_path / "other")
    other.write({f"{USERS}/zoe.yaml": "body: [\n"})
    path = str(other.folder / USERS / "zoe.yaml")
    (row,) = findings(lab, path)
    assert row["file"] == f"{USERS}/zoe.yaml"
    done = lab.run("check", path, str(work.folder / USERS))
    assert done.returncode == 2 and b"is not in the repository" in done.stderr
    assert lab.run("check", "--repo", str(work.folder), path).returncode == 2
    assert lab.run("check", "--staged", "--ref", "HEAD").returncode == 2


def hooked(home: Path) -> dict[str, str]:
    """The environment in which hooks find pre-commit and this program."""
    return ENVIRONMENT | {"PRE_COMMIT_HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"}


def pre_commit(git: Git, home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pre_commit", *arguments]
    return subprocess.run(command, cwd=git.folder, env=hooked(home), capture_output=True, check=False)


@pytest.mark.parametrize("hook", ["gitops-profile-check", "gitops-profile-check-all"])
def test_the_hooks_of_this_repository_run_in_the_real_pre_commit(work: Git, tmp_path: Path, hook: str) -> None:
    # As a local hook, with the entry and the filters that are published: an environment of its own needs the network.
    hooks = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (published,) = [one for one in hooks if one["id"] == hook]
    published |= {"language": "system", "stages": ["pre-commit"]}
    config = {"repos": [{"repo": "local", "hooks": [published]}]}
    work.commit({".pre-commit-config.yaml": json.dumps(config)})
    assert pre_commit(work, tmp_path, "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")).returncode == 0
    assert pre_commit(work, tmp_path, "install").returncode == 0

    def commit(files: dict[str, str | bytes | None]) -> subprocess.CompletedProcess[bytes]:
        work.write(files)
        work("add", "-A")
        return subprocess.run(
            ["git", "commit", "-q", "-m", "by hand"],
            cwd=work.folder,
            env=hooked(tmp_path),
            capture_output=True,
            check=False,
        )

    done = commit({f"{USERS}/alice.yaml": "body: x\nvalus: 1\n"})
    said = done.stdout + done.stderr
    assert done.returncode == 1 and b"alice.yaml:2:1: unknown key 'valus'" in said and b"'values'" in said, said
    assert commit({f"{USERS}/alice.yaml": "body: x\nvalues: {n: 1}\n"}).returncode == 0
