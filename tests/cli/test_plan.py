"""`plan` on real repositories."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repositories import ENVIRONMENT, Git


@pytest.fixture
def work(tmp_path: Path) -> Git:
    git = Git(tmp_path / "repository")
    files: dict[str, str | bytes | None] = {
        f"profiles/device/example.com/p{n}.yaml": f"values: {{n: {n}}}\n" for n in range(12)
    }
    files["profiles/templates/p.cfg.j2"] = "n = {{ n }}\nzone = {{ zone }}\n"
    files["profiles/defaults.yaml"] = "template: p.cfg.j2\nvalues: {zone: UTC}\n"
    git.commit(files)
    return git


def plan(work: Git, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gitops_profile", "plan", *arguments],
        cwd=work.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout or done.stderr


def test_one_line_of_defaults_is_one_group(work: Git) -> None:
    work("checkout", "-q", "-b", "paris")
    work.commit({"profiles/defaults.yaml": "template: p.cfg.j2\nvalues: {zone: Europe/Paris}\n"})
    status, text = plan(work)
    assert status == 3 and "12 devices:\n- zone = UTC\n+ zone = Europe/Paris\n" in text, text
    assert plan(work, "main..paris", "-o", "text") == (status, text) == plan(work, "main")
    status, text = plan(work, "main...paris", "-o", "json")
    found = json.loads(text)
    assert found["summary"]["changed"] == 12 and len(found["differences"][0]["places"]) == 12
    assert (status, found["base"], found["head"]) == (3, work("rev-parse", "main"), work.head())
    assert plan(work, "-o", "markdown")[1].startswith("<!-- gitops-profile plan -->\n")


def test_what_main_has_got_meanwhile_is_no_part_of_a_branch(work: Git) -> None:
    work("checkout", "-q", "-b", "branch")
    work("checkout", "-q", "main")
    work.commit({"profiles/user/example.com/a.xml": "<a/>"})
    work("checkout", "-q", "branch")
    work.commit({"README.md": "nothing that a phone sees"})
    assert plan(work)[0] == 0
    status, text = plan(work, "main..branch")
    assert status == 3 and "removed: user/example.com/a" in text


def test_a_head_with_problems_is_said_as_check_says_it(work: Git) -> None:
    work.commit({"profiles/device/example.com/p1.yaml": "nonsense: 1\n"})
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 1 and text.startswith("device/example.com/p1.yaml:1:1: ")
    assert json.loads(plan(work, "HEAD~1", "-o", "json")[1])["problems"][0]["line"] == 1
    work.commit({"profiles/device/example.com/p1.yaml": "values: {n: 5}\n"})
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 3 and "has problems itself" in text


def test_too_many_removals_are_a_problem_as_for_the_server(work: Git) -> None:
    work.commit({f"profiles/device/example.com/p{n}.yaml": None for n in range(11)})
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 1 and "max_removals: 11" in text, text


def test_a_first_revision_and_one_that_does_not_exist(work: Git) -> None:
    first = work.head()
    work("checkout", "-q", "--orphan", "other")
    work("rm", "-rfq", ".")
    work.commit({"README.md": "x"})
    status, text = plan(work, f"other..{first}")
    assert status == 3 and "12 added" in text
    status, text = plan(work, f"other...{first}")
    assert status == 2 and "no common history" in text
    assert plan(work, "nowhere..HEAD")[0] == 2
    assert plan(work, f"{first}..other")[0] == 1
