"""`plan` on real repositories."""

import json
from pathlib import Path

import pytest

from tests.repositories import Git

from .command import run


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
    status, out, error = run(work.folder, "plan", *arguments)
    return status, out or error


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
    assert status == 3 and "has 1 problem itself, first: device/example.com/p1.yaml:1:1: " in text


def test_too_many_removals_are_shown_and_would_be_held(work: Git) -> None:
    work.commit({f"profiles/device/example.com/p{n}.yaml": None for n in range(11)})
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 3 and text.startswith("would be held: this revision would remove 11 of 12 profiles"), text
    assert "max_removals: 11" in text and "11 removed of 12" in text
    assert "would remove 11 of 12" in json.loads(plan(work, "HEAD~1", "-o", "json")[1])["held"]
    status, text = plan(work, "HEAD~1", "-o", "markdown")
    assert status == 3 and "**The server would hold this until somebody approves it**" in text


def test_a_base_that_the_head_is_not_built_on_is_explained(work: Git) -> None:
    work("checkout", "-q", "-b", "branch")
    work.commit({"profiles/device/example.com/p1.yaml": "values: {n: 100}\n"})
    work("checkout", "-q", "main")
    work.commit({"profiles/device/example.com/p2.yaml": "values: {n: 200}\n"})
    main, branch = work("rev-parse", "main"), work("rev-parse", "branch")
    status, text = plan(work, "main..branch")
    assert status == 3 and text.startswith(f"note: {main[:12]} is not in the history of {branch[:12]}: ")
    assert "- n = 200\n+ n = 2\n" in text and "+ n = 100" in text
    assert "note:" in plan(work, "main..branch", "-o", "markdown")[1]
    status, text = plan(work, "main...branch")
    assert status == 3 and "note:" not in text and "n = 200" not in text


def test_a_file_that_moves_keeps_its_profile(work: Git) -> None:
    (work.folder / "profiles/device/example.com/hq").mkdir()
    work("mv", "profiles/device/example.com/p1.yaml", "profiles/device/example.com/hq/p1.yaml")
    work.commit({"profiles/device/example.com/hq/p1.yaml": "values: {n: 7}\n"})
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 3 and "0 added, 1 changed, 0 removed of 12 profiles" in text, text
    assert "+ path: device/example.com/hq/" in text and "- n = 1\n+ n = 7\n" in text


def test_what_is_no_text_is_told_by_its_size(work: Git) -> None:
    work.commit({"profiles/device/example.com/logo.bin": b"\x89PNG\0\1"})
    work.commit({"profiles/device/example.com/logo.bin": b"\x89PNG\0\1\2"})
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 3 and "- 6 bytes, sha256 " in text and "+ 7 bytes, sha256 " in text and "PNG" not in text


def test_reboot_policy_and_effective_by_are_shown_where_they_are_written(work: Git) -> None:
    work.commit(
        {
            "profiles/device/example.com/p1.yaml": "values: {n: 100}\nnotify: {reboot: allow}\neffective_by: 30\n",
            "profiles/device/example.com/p2.yaml": "values: {n: 200}\n",
        }
    )
    status, text = plan(work, "HEAD~1..HEAD")
    assert status == 3 and "in effect within 30 s (effective_by: 30):\n    device/example.com/p1\n" in text
    assert "may be rebooted for it (notify.reboot: allow):\n    device/example.com/p1\n" in text
    work.commit({"profiles/defaults.yaml": "template: p.cfg.j2\nvalues: {zone: CET}\nnotify: {reboot: never}\n"})
    rows = json.loads(plan(work, "HEAD~1..HEAD", "-o", "json")[1])["profiles"]
    assert [row["reboot"] for row in rows[:4]] == ["never", "allow", "never", "never"]


def test_nothing_but_git_is_needed_and_nothing_is_written(work: Git, tmp_path: Path) -> None:
    work.commit({"profiles/device/example.com/p1.yaml": "values: {n: 100}\n"})
    bare = Git(tmp_path / "bare.git", bare=True)
    bare("fetch", "-q", str(work.folder), "main:main")
    status, text = plan(bare, "main~1..main", "--repo", str(bare.folder))
    assert status == 3 and "+ n = 100" in text
    assert plan(bare, "main~1..main", "--server", "--state", str(tmp_path / "none"))[0] == 2
    assert plan(work, "main..main")[0] == 0


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
