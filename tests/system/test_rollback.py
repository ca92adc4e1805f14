"""`rollback`: from the command to the phone that has its old document again."""

import json
from pathlib import Path

import pytest

from tests.repositories import Git

from .lab import Lab, file_of, profile

pytestmark = pytest.mark.system
DORA = "profiles/user/example.com/dora.yaml"


def rollback(lab: Lab, *arguments: str, status: int = 0) -> tuple[str, str]:
    done = lab.run("rollback", *arguments)
    assert done.returncode == status, done
    return done.stdout.decode(), done.stderr.decode()


def branch_of(lab: Lab, said: str) -> str:
    """The branch in the command that is printed last."""
    line = said.splitlines()[-1]
    assert line.startswith("  git push origin "), said
    return line.rpartition(" ")[2]


@pytest.mark.peer
def test_a_rollback_pushed_to_main_gives_the_phone_its_old_document(lab: Lab, tmp_path: Path) -> None:
    remote = Git(tmp_path / "remote.git", bare=True)
    lab.git("remote", "add", "origin", str(remote.folder))
    lab.write(alice=1, bob=1)
    lab.git("push", "-q", "origin", "main")
    lab.server.repository = remote.folder
    lab.server.start()
    phone = lab.phone("watch", "alice", 3)
    phone.has(1)
    bad = lab.write(alice=2)
    lab.write(bob=2)
    lab.git("push", "-q", "origin", "main")
    phone.has(2)
    head = lab.git.head()
    said, _ = rollback(lab, bad[:10], "--push", "--branch", "main")
    assert "user/example.com/alice" in said and "user/example.com/bob" not in said, "the plan"
    assert said.splitlines()[-1].endswith("to the branch main of origin")
    notifies = phone.finish()
    assert [notify.body for notify in notifies] == [profile("alice", version) for version in (1, 2, 1)]
    assert notifies[2].header("SIP-ETag") == notifies[0].header("SIP-ETag")
    assert remote("log", "-1", "--format=%s %P", "main") == f'Revert "change" {head}'
    assert remote("show", f"main:{file_of('bob')}") == profile("bob", 2).decode().strip(), "only that is taken back"
    assert lab.git.head() == head and lab.git("status", "--porcelain") == ""


def test_what_was_done_is_told_to_programs(lab: Lab) -> None:
    lab.write(alice=1)
    bad = lab.write(alice=2)
    facts = json.loads(rollback(lab, bad, "-o", "json")[0])
    assert facts["base"] == bad and facts["pushed_to"] is None and facts["branch"] == f"revert-{bad[:12]}"
    assert facts["commit"] == lab.git("rev-parse", facts["branch"]) == facts["plan"]["head"]
    assert facts["plan"]["summary"]["changed"] == 1 and facts["message"].startswith('Revert "change"')
    lab.git.commit({DORA: "body: [\n"})
    broken = lab.write(alice=3)
    facts = json.loads(rollback(lab, broken, "-o", "json", status=1)[0])
    assert facts["branch"] is None and facts["plan"]["problems"][0]["path"] == "user/example.com/dora.yaml"


def test_an_emergency_rollback_waits_for_no_window(lab: Lab) -> None:
    lab.write(alice=1)
    lab.write(alice=2)
    done, _ = rollback(lab, "HEAD", "--now", "-o", "json")
    message = json.loads(done)["message"]
    assert message.endswith("\n\nDeliver: now\n")
    commit = json.loads(done)["commit"]
    assert lab.git("log", "-1", "--format=%(trailers:key=Deliver,valueonly)", commit) == "now"


def test_without_push_there_is_a_branch_and_a_command(lab: Lab) -> None:
    lab.write(alice=1)
    bad = lab.write(alice=2)
    said, _ = rollback(lab, bad)
    branch = branch_of(lab, said)
    assert branch == f"revert-{bad[:12]}" and lab.git("rev-parse", f"{branch}~1") == bad
    assert "user/example.com/alice" in said, "its plan"
    assert lab.git("show", f"{branch}:{file_of('alice')}") == profile("alice", 1).decode().strip()
    assert (lab.git.folder / file_of("alice")).read_bytes() == profile("alice", 2)
    again, _ = rollback(lab, bad)
    assert "already" in again and lab.git("branch", "--list").count("revert") == 1


@pytest.mark.parametrize("path", ["./profiles", "profiles/"])
def test_the_profiles_folder_may_be_named_as_the_shell_completes_it(lab: Lab, tmp_path: Path, path: str) -> None:
    lab.git.commit({DORA: "body: one\n"}, "one")
    lab.git.commit({DORA: "body: two\n"}, "two")
    branch = branch_of(lab, rollback(lab, "user/example.com/dora", "--path", path)[0])
    assert lab.git("show", f"{branch}:{DORA}") == "body: one"
    lab.git("clone", "-q", "--bare", ".", str(tmp_path / "bare.git"))
    blamed = lab.run("blame", "user/example.com/dora", "--repo", str(tmp_path / "bare.git"), "--path", path)
    assert blamed.returncode == 0 and b"two" in blamed.stdout, blamed


def test_a_profile_goes_back_by_its_alias_and_others_stay(lab: Lab) -> None:
    lab.git.commit({DORA: "body: one\naliases: ['sip:d@example.com']\n"}, "one")
    lab.git.commit({DORA: "body: two\naliases: ['sip:d@example.com']\n", file_of("bob"): profile("bob", 1)}, "two")
    lab.git.commit({"README": "x"}, "later")
    said, _ = rollback(lab, "sip:d@example.com")
    branch = branch_of(lab, said)
    assert lab.git("diff", "--name-only", "main", branch) == DORA
    assert lab.git("show", f"{branch}:{DORA}").startswith("body: one")
    assert lab.git("log", "-1", "--format=%s", branch).startswith("Roll back user/example.com/dora to ")


def test_a_profile_goes_back_to_where_its_file_was_and_comes_back_when_it_was_removed(lab: Lab) -> None:
    there = "profiles/user/example.com/floor/dora.yaml"
    first = lab.git.commit({DORA: "body: one\n", "profiles/user/example.com/x.yaml": "body: x\n"}, "one")
    lab.git.commit({DORA: None, there: "body: two\n"}, "moved")
    branch = branch_of(lab, rollback(lab, "user/example.com/dora", "--to", first)[0])
    assert lab.git("diff", "--name-status", "--no-renames", "main", branch).split() == ["A", DORA, "D", there]
    branch = branch_of(lab, rollback(lab, "user/example.com/dora", "--branch", "other")[0])
    assert branch == "other" and lab.git("show", f"other:{DORA}") == "body: one"
    lab.git.commit({there: None}, "removed")
    branch = branch_of(lab, rollback(lab, "user/example.com/dora")[0])
    assert lab.git("show", f"{branch}:{there}") == "body: two"


def test_a_change_by_shared_files_is_warned_of(lab: Lab) -> None:
    template = "extends: [base]\nvalues: {name: NAME}\n"
    base = "profiles/bases/base.yaml"
    manifests = {
        base: "template: t.j2\nvalues: {zone: UTC}\n",
        "profiles/templates/t.j2": "{{ name }} {{ zone }}",
        DORA: template.replace("NAME", "old"),
    }
    lab.git.commit({**manifests}, "one")
    changed = lab.git.commit({DORA: template.replace("NAME", "new")}, "own")
    shared = lab.git.commit({base: "template: t.j2\nvalues: {zone: CET}\n"}, "the zone")
    _, warned = rollback(lab, "user/example.com/dora")
    assert warned.startswith("warning: user/example.com/dora") and changed[:12] in warned, warned
    assert warned.splitlines()[1:] == [f"  {shared[:7]} the zone"]


def test_what_cannot_be_taken_back_says_what_to_do(lab: Lab) -> None:
    first = lab.write(alice=1)
    bad = lab.write(alice=2)
    lab.write(alice=3)
    _, said = rollback(lab, bad, status=1)
    assert file_of("alice") in said and f"git revert {bad[:12]}" in said
    assert "does not exist" in rollback(lab, "fnord", status=2)[1]
    assert "no profile user/example.com/nobody" in rollback(lab, "user/example.com/nobody", status=1)[1]
    assert "--to belongs" in rollback(lab, bad, "--to", first, status=2)[1]
    assert "name a clone" in rollback(lab, bad, "--repo", "https://git.example.com/x.git", status=2)[1]
    lab.git("checkout", "-q", "-b", "side", first)
    side = lab.write(bob=1)
    lab.git("checkout", "-q", "main")
    assert "not in the history" in rollback(lab, side, status=1)[1]
    assert lab.git("branch", "--list", "--format=%(refname:short)").split() == ["main", "side"]


def test_a_rollback_that_a_server_would_refuse_has_no_branch(lab: Lab) -> None:
    broken: dict[str, str | bytes | None] = {"profiles/user/example.com/e.yaml": "extends: [b]\n"}
    lab.git.commit({"profiles/bases/b.yaml": "body: one\n"}, "a base")
    base = lab.git.head()
    lab.git.commit(broken, "uses it")
    said, error = rollback(lab, base, status=1)
    assert "no branch has it" in error and "e.yaml" in said
    assert lab.git("branch", "--list", "--format=%(refname:short)") == "main"


def test_a_profile_of_the_first_commit_has_no_version_before(lab: Lab) -> None:
    lab.write(alice=1)
    assert "first commit" in rollback(lab, "user/example.com/alice", status=1)[1]
    assert "first commit" not in rollback(lab, "user/example.com/alice", "--to", "HEAD", status=1)[1]


def test_pushing_without_a_remote_fails_and_says_so(lab: Lab) -> None:
    lab.write(alice=1)
    bad = lab.write(alice=2)
    _, error = rollback(lab, bad, "--push", status=1)
    assert "git push failed" in error and len(error.splitlines()) == 1
    assert lab.git("branch", "--list", "--format=%(refname:short)") == "main"
