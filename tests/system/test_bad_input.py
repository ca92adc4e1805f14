"""Bad revisions, one after the other, on one running server: each is reported with its file, nobody's phone loses
anything, and the next good revision goes straight past it (invariant I5)."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.repositories import ENVIRONMENT

from .lab import Lab, profile

pytestmark = pytest.mark.system

USERS = "profiles/user/example.com"
LAUGHS = "a: &a [" + ", ".join("x" * 9) + "]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)  # fmt: skip
"""The billion laughs: 9⁹ values in some 300 bytes."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A revision that must be rejected: what makes it, and what the problem must name."""

    files: dict[str, str | bytes | None]
    path: str
    words: str


X = f"{USERS}/x.yaml"
NO_FILE, NO_NAME = "there is no files/", "names no profile"

BAD = {
    "broken YAML": Bad({X: "body: 'x\n"}, "x.yaml:1:7", "broken YAML"),
    "a YAML bomb": Bad({X: f"values:\n  {LAUGHS.replace(chr(10), chr(10) + '  ')}"}, "x.yaml:", "aliases stand for"),
    "lists 10 000 deep": Bad({X: "values: " + "[" * 10_000 + "]" * 10_000}, "x.yaml:1:", "nested deeper than"),
    "mappings 10 000 deep": Bad({X: "values: " + "{a: " * 10_000 + "}" * 10_000}, "x.yaml:1:", "nested deeper than"),
    "a template without end": Bad(
        {"profiles/templates/e.j2": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
         X: "template: e.j2\n"}, "x.yaml", "did not finish within"),
    "a template that allocates without end": Bad(
        {"profiles/templates/e.j2": "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}"
                                    "{% endfor %}{{ n.s }}",
         X: "template: e.j2\n"}, "x.yaml", "memory"),
    "a template that reaches out": Bad(
        {"profiles/templates/e.j2": "{{ ''.__class__.__mro__[1].__subclasses__() }}", X: "template: e.j2\n"},
        "templates/e.j2", "unsafe"),
    "a path out of the tree": Bad({X: "file: ../../../etc/passwd\n"}, "x.yaml:1:", NO_FILE),
    "an absolute path": Bad({X: "file: /etc/passwd\n"}, "x.yaml:1:", NO_FILE),
    "a name with a NUL": Bad({f"{USERS}/x%00y.xml": "<x/>"}, "x%00y.xml", NO_NAME),
    "a name that is no UTF-8": Bad({f"{USERS}/{os.fsdecode(bytes([0xff]))}.xml": "<x/>"}, "example.com/\\", NO_NAME),
    "two owners of a key": Bad({f"{USERS}/hq/alice.xml": "<x/>"}, "hq/alice.xml", "is also made by user/example.com/"),
}  # fmt: skip


def reject(lab: Lab, bad: Bad) -> None:
    """The head is rejected with its file named, and phones keep what they have."""
    outcome = lab.ask("reconcile")
    assert outcome["verdict"] == "rejected", outcome
    problems = outcome["problems"]
    assert any(bad.path in problem and bad.words in problem for problem in problems), problems
    held = lab.ask("status")
    assert held["ready"] and held["subscriptions"] == {"held": 1, "current": 1, "behind": 0}


@pytest.fixture
def served(lab: Lab) -> Lab:
    lab.write(alice=0, bob=0)
    lab.server.start()
    return lab


def test_each_bad_revision_is_reported_with_its_file_and_the_next_good_one_goes_past_it(served: Lab) -> None:
    phone = served.phone("watch", "alice", 1 + len(BAD))
    phone.has(1)
    for version, (_, bad) in enumerate(BAD.items(), 1):
        served.git.commit({**bad.files, f"{USERS}/alice.xml": b"<not yet/>"})
        reject(served, bad)
        served.git.commit(dict.fromkeys(bad.files) | {f"{USERS}/alice.xml": profile("alice", version)})
        assert served.ask("reconcile")["verdict"] == "applied"
        assert phone.has(1 + version)[-1].body == profile("alice", version)
    assert [message.body for message in phone.finish()] == [profile("alice", n) for n in range(1 + len(BAD))]


def tree(lab: Lab, *entries: str) -> str:
    """A tree of `mode kind id\\tname` lines that git's porcelain would not make."""
    raw = b""
    for entry in entries:
        meta, _, name = entry.partition("\t")
        mode, _, identifier = meta.split()
        raw += f"{mode.lstrip('0')} {name}\0".encode() + bytes.fromhex(identifier)
    done = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
        cwd=lab.git.folder, env=ENVIRONMENT, input=raw, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.decode().strip()


def blob(lab: Lab, content: str) -> str:
    file = lab.folder / "blob"
    file.write_text(content)
    return lab.git("hash-object", "-w", str(file))


def symlink(lab: Lab) -> str:
    return f"120000 blob {blob(lab, '/etc/passwd')}\tx.xml"


def submodule(lab: Lab) -> str:
    return f"160000 commit {lab.git.head()}\tx"


def dot_dot(lab: Lab) -> str:
    inner = tree(lab, f"100644 blob {blob(lab, '<x/>')}\tx.xml")
    return f"040000 tree {inner}\t.."


@pytest.mark.parametrize("make", [symlink, submodule, dot_dot])
def test_what_git_itself_would_not_check_out_is_refused(served: Lab, make: Callable[[Lab], str]) -> None:
    phone = served.phone("watch", "alice", 2)
    phone.has(1)
    entry = make(served)
    users = tree(served, f"100644 blob {blob(served, '<alice/>')}\talice.xml", entry)
    for name in ("example.com", "user", "profiles"):
        users = tree(served, f"040000 tree {users}\t{name}")
    evil = served.git("commit-tree", users, "-p", "HEAD", "-m", "evil")
    served.git("update-ref", "refs/heads/main", evil)
    reject(served, Bad({}, "user/example.com/" + entry.partition("\t")[2], ""))
    served.git("reset", "-q", "--hard", f"{evil}~1")
    served.write(alice=1)
    assert served.command("reconcile")["verdict"] == "applied"
    assert phone.finish()[-1].body == profile("alice", 1)


def test_a_file_that_is_renamed_over_another_ones_key_is_its_document_from_then_on(served: Lab) -> None:
    phone = served.phone("watch", "alice", 2)
    phone.has(1)
    served.git("rm", "-q", f"{USERS}/alice.xml")
    (served.git.folder / USERS / "hq").mkdir()
    served.git("mv", f"{USERS}/bob.xml", f"{USERS}/hq/alice.xml")
    served.git.commit({})
    outcome = served.command("reconcile")
    assert (outcome["verdict"], outcome["changed"], outcome["removed"]) == ("applied", 1, 1), outcome
    assert phone.finish()[-1].body == profile("bob", 0)
    (row,) = served.command("get", "presentities")
    assert row["key"] == "user/example.com/alice" and row["path"].endswith("hq/alice.xml")


def test_a_commit_from_the_future_or_the_past_is_a_commit(served: Lab) -> None:
    phone = served.phone("watch", "alice", 3)
    phone.has(1)
    for version, when in enumerate(("2099-01-01T00:00:00Z", "1971-01-01T00:00:00Z"), 1):
        served.git.write({f"{USERS}/alice.xml": profile("alice", version)})
        subprocess.run(
            ["git", "commit", "-q", "-a", "-m", when], cwd=served.git.folder, check=True,
            env=ENVIRONMENT | {"GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when},
        )  # fmt: skip
        assert served.command("reconcile")["verdict"] == "applied"
        phone.has(1 + version)
    history = served.command("history", "user/example.com/alice")
    assert [row["committed_at"][:4] for row in history][:2] == ["1971", "2099"], json.dumps(history)
    phone.finish()
