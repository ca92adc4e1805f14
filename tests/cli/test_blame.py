"""`blame` on real repositories; what it says of a line is what `git log -L` says of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.repositories import ENVIRONMENT, Git

from . import command

PHONE = "profiles/device/example.com/hq/001565a1b2c3.yaml"
TOP = "profiles/defaults.yaml"


@pytest.fixture
def work(tmp_path: Path) -> Git:
    git = Git(tmp_path / "repository")
    git.commit({
        TOP: "values:\n  time: {zone: UTC, server: ntp}\n  dials: [1, 2]\n  sip: {password: hunter2, port: 5060}\n",
        "profiles/bases/yealink.yaml": "template: y.cfg.j2\nvalues:\n  dials: [3]\n  time:\n    zone: CET\n",
        "profiles/templates/y.cfg.j2": "zone = {{ time.zone }}\n",
        PHONE: "extends: yealink\nvalues:\n  time: {zone: Europe/Paris}\naliases: [lobby]\n"
        "variants:\n  - when: {model: CP9*}\n    values: {time: {zone: Asia/Tokyo}}\n",
        "profiles/user/example.com/plain.xml": "<a/>",
        "profiles/user/example.com/hidden.yaml": "sensitive: true\nbody: top-secret\nvalues: {n: 7}\n",
    }, "All of it")  # fmt: skip
    return git


def run(work: Git, *arguments: str) -> tuple[int, str, str]:
    return command.run(work.folder, "blame", *arguments)


def rows(work: Git, *arguments: str) -> dict[str, dict[str, Any]]:
    status, out, error = run(work, *arguments, "-o", "json")
    assert status == 0, error
    return {row["path"]: row for row in json.loads(out)["values"]}


def place(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["file"], row["line"], row["column"]


def test_a_value_has_its_line_its_commit_and_what_it_overrides(work: Git) -> None:
    first = work.head()
    second = work.commit({TOP: (work.folder / TOP).read_text().replace("UTC", "GMT")}, "Summer (#12)")
    third = work.commit({PHONE: (work.folder / PHONE).read_text().replace("Paris", "Rome")}, "Moved to Rome")
    (row,) = rows(work, "device/example.com/00-15-65-A1-B2-C3", "values.time.zone").values()
    assert place(row) == ("device/example.com/hq/001565a1b2c3.yaml", 3, 10) and row["value"] == "Europe/Rome"
    assert (row["commit"], row["subject"], row["request"]) == (third, "Moved to Rome", None)
    assert row["author"] == "Ann Author <ann@example.com>" and row["committed_at"].endswith("Z")
    base, top = row["overrode"]
    assert (base["value"], base["commit"], place(base)) == ("CET", first, ("bases/yealink.yaml", 5, 5))
    assert (top["value"], top["commit"], top["request"], place(top)) == ("GMT", second, 12, ("defaults.yaml", 2, 10))
    for found, file in ((row, PHONE), (base, "profiles/bases/yealink.yaml"), (top, TOP)):
        line = f"-L{found['line']},{found['line']}:{file}"
        assert found["commit"] == work("log", "-s", "-n1", "--format=%H", line)
    (before,) = rows(work, "device/example.com/lobby", "time.zone", "--at", "HEAD~1").values()
    assert (before["value"], before["commit"]) == ("Europe/Paris", first)


def test_the_text_says_it_in_words(work: Git) -> None:
    status, out, _ = run(work, "device/example.com/lobby", "time.zone")
    commit = f"{work.head()[:12]} of "
    lines = out.splitlines()
    assert status == 0 and lines[0] == "values.time.zone = Europe/Paris"
    assert lines[1].startswith(f"  written    device/example.com/hq/001565a1b2c3.yaml:3:10, {commit}")
    assert lines[2].startswith(f"  instead of CET, bases/yealink.yaml:5:5, {commit}")
    assert lines[3].startswith("  instead of UTC, defaults.yaml:2:10, ") and lines[3].endswith(">: All of it")


def test_without_a_path_every_value_is_told_and_nothing_of_a_credential(work: Git) -> None:
    found = rows(work, "device/example.com/001565a1b2c3")
    assert {path: row["value"] for path, row in found.items()} == {
        "values.time.zone": "Europe/Paris",
        "values.time.server": "ntp",
        "values.dials.0": 3,
        "values.sip.password": "<secret>",
        "values.sip.port": 5060,
        "template": "y.cfg.j2",
        "aliases.0": "lobby",
        "variants.0.when.model": "CP9*",
        "variants.0.values.time.zone": "Asia/Tokyo",
    }
    assert [(o["path"], o["value"]) for o in found["values.dials.0"]["overrode"]] == [("values.dials.0", 1)]
    status, out, _ = run(work, "device/example.com/001565a1b2c3")
    assert status == 0 and "hunter2" not in out and len(out.splitlines()) == 1 + len(found)
    hidden = rows(work, "user/example.com/hidden")
    assert (hidden["body"]["value"], hidden["values.n"]["value"]) == ("<secret>", "<secret>")


def test_what_a_phone_of_a_kind_gets_is_its_variant_over_the_rest(work: Git) -> None:
    (row,) = rows(work, "device/example.com/lobby", "time.zone", "--model", "CP960").values()
    assert (row["value"], row["line"]) == ("Asia/Tokyo", 7)
    assert [below["value"] for below in row["overrode"]] == ["Europe/Paris", "CET", "UTC"]
    (row,) = rows(work, "device/example.com/lobby", "time.zone", "--model", "T46").values()
    assert row["value"] == "Europe/Paris"


def test_a_container_is_all_that_is_in_it(work: Git) -> None:
    assert set(rows(work, "device/example.com/lobby", "values.time")) == {"values.time.zone", "values.time.server"}


def test_what_is_not_committed_is_said_to_be_so(work: Git) -> None:
    work.write({PHONE: (work.folder / PHONE).read_text().replace("Paris", "Oslo")})
    work.write({"profiles/user/example.com/new.yaml": "body: x\n"})
    (row,) = rows(work, "device/example.com/lobby", "time.zone").values()
    assert (row["value"], row["commit"], row["author"]) == ("Europe/Oslo", None, None)
    assert rows(work, "user/example.com/new")["body"]["commit"] is None
    assert "not committed yet" in run(work, "sip:new@example.com", "body")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("user/example.com/plain",), 1, "user/example.com/plain.xml is a plain document"),
        (("user/example.com/hidden", "bdoy"), 1, "has no value bdoy (did you mean 'body'?)"),
        (("device/example.com/lobby", "time.zoone"), 1, "(did you mean 'values.time.zone'?)"),
        (("device/example.com/nobody",), 1, "there is no profile device/example.com/nobody"),
        (("device/example.com/lobby", "--at", "nonsense"), 2, "the revision 'nonsense' does not exist"),
        (("nonsense",), 2, "nonsense"),
        (("user/example.com/broken",), 1, "user/example.com/broken.yaml:1:1: unknown key 'valus'"),
        (("device/example.com/lobby", "--path", "nowhere"), 2, "nowhere"),
    ],
)
def test_what_cannot_be_told_is_said_in_one_line(work: Git, arguments: tuple[str, ...], status: int, said: str) -> None:
    work.write({"profiles/user/example.com/broken.yaml": "valus: {}\n"})
    code, out, error = run(work, *arguments)
    assert (code, out) == (status, "") and said in error and error.count("\n") == 1, error


def test_one_git_process_blames_each_file_however_many_values_it_has(work: Git, tmp_path: Path) -> None:
    log = tmp_path / "trace"
    done = subprocess.run(
        [sys.executable, "-m", "gitops_profile", "blame", "device/example.com/001565a1b2c3"],
        cwd=work.folder, env={**ENVIRONMENT, "GIT_TRACE": str(log)}, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert sum("git blame" in line for line in log.read_text().splitlines()) == 3, log.read_text()
