"""What a person finds out later: every version of a profile, as it was at a date, and who has what now."""

import json
import shutil

import pytest

from tests.repositories import ENVIRONMENT

from .lab import Lab, eventually

pytestmark = pytest.mark.system
DORA = "profiles/user/example.com/dora.yaml"


def commit(lab: Lab, body: str, message: str, when: str, more: str = "") -> str:
    """Commit dora's manifest at a time of its own, and have the server apply it."""
    lab.git.write({DORA: f"body: '{body}'\n{more}"})
    lab.git("add", "-A")
    before = ENVIRONMENT.get("GIT_COMMITTER_DATE")
    ENVIRONMENT["GIT_COMMITTER_DATE"] = when
    try:
        lab.git("commit", "-q", "-m", message)
    finally:
        del ENVIRONMENT["GIT_COMMITTER_DATE"]
    assert before is None
    return lab.git.head()


def test_history_has_every_version_also_under_an_alias_and_without_a_server(lab: Lab) -> None:
    first = commit(lab, "one", "Dora comes (#7)", "2026-03-01T12:00:00Z")
    lab.server.start()
    second = commit(lab, "two", "Dora moves", "2026-03-02T12:00:00Z", "aliases: ['sip:d@example.com']\n")
    assert lab.command("reconcile")["verdict"] == "applied"
    beside = lab.command("history", "user/example.com/dora")
    lab.server.end()
    assert lab.command("history", "sip:d@example.com") == beside, "an alias has the history of its document"
    assert [(row["commit"], row["change"], row["request"], row["bytes"]) for row in beside] == [
        (second, "changed", None, 3),
        (first, "added", 7, 3),
    ]
    assert beside[1]["author"] == "Ann Author <ann@example.com>"
    assert beside[1]["committed_at"] == "2026-03-01T12:00:00Z"
    assert lab.command("history", "user/example.com/dora", "--reverse") == beside[::-1]
    done = lab.run("history", "user/example.com/dora", "--diff", "--state", str(lab.server.state))
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and {"  -one", "  +two", "  +alias user/example.com/d"} <= set(lines), lines
    done = lab.run("history", "user/example.com/nobody", "--state", str(lab.server.state))
    assert done.returncode == 1 and not done.stdout and b"gitops-profile events" in done.stderr


def test_a_sensitive_body_is_in_no_difference(lab: Lab) -> None:
    commit(lab, "open-one", "a", "2026-03-01T12:00:00Z")
    lab.server.start()
    for body, more in (("secret-two", "sensitive: true\n"), ("open-three", "")):
        commit(lab, body, body[:4], "2026-03-02T12:00:00Z", more)
        assert lab.command("reconcile")["verdict"] == "applied"
    done = lab.run("history", "user/example.com/dora", "--diff", "--state", str(lab.server.state))
    assert b"secret-two" not in done.stdout and done.stdout.count(b"sensitive and not shown") == 2, done.stdout
    assert b"+open-one" in done.stdout and b"open-three" not in done.stdout
    rows = lab.command("history", "user/example.com/dora", "--diff")
    assert "secret-two" not in json.dumps(rows) and [bool(row["etag"]) for row in rows] == [True, False, True]


def test_render_gives_the_document_of_a_date(lab: Lab) -> None:
    first = commit(lab, "one", "a", "2026-03-01T12:00:00Z")
    commit(lab, "two", "b", "2026-03-02T12:00:00Z")
    lab.git("checkout", "-q", "-b", "side", first)
    commit(lab, "never on main then", "side", "2026-03-03T12:00:00Z")
    lab.git("checkout", "-q", "main")
    for at, body in (
        ("2026-03-01", b"one"),
        ("2026-03-02T11:59:59Z", b"one"),
        ("2026-03-02T12:00:00Z", b"two"),
        ("yesterday", b"two"),
        (first[:10], b"one"),
    ):
        done = lab.run("render", "user/example.com/dora", "--at", at)
        assert done.stdout == body, (at, done)
        assert done.stderr.startswith(b"at ") is (at != first[:10]), done.stderr
    for at in ("2026-02-01", "main~9", "fnord 3"):
        done = lab.run("render", "user/example.com/dora", "--at", at)
        assert done.returncode != 0 and not done.stdout and len(done.stderr.splitlines()) == 1, (at, done)


def test_render_gives_the_document_of_the_log_when_the_repository_is_gone(lab: Lab) -> None:
    commit(lab, "one", "a", "2026-03-01T12:00:00Z")
    lab.server.start()
    commit(lab, "two", "b", "2026-03-02T12:00:00Z")
    assert lab.command("reconcile")["verdict"] == "applied"
    state = ("--state", str(lab.server.state))
    assert lab.run("render", "user/example.com/dora", "--from-log", *state).stdout == b"two"
    lab.server.end()
    shutil.rmtree(lab.git.folder / ".git")
    assert lab.run("render", "user/example.com/dora", *state).stdout == b"two"
    assert lab.run("render", "user/example.com/dora", "--at", "2", *state).stdout == b"one"
    assert lab.run("render", "user/example.com/dora", "--at", "3", *state).stdout == b"one", "half a revision"
    done = lab.run("render", "user/example.com/dora", "--at", "2026-03-03", *state)
    assert done.returncode == 1, "the log knows nothing of a time before it was begun"


@pytest.mark.peer
def test_trace_says_where_a_document_is_from_and_who_has_it(lab: Lab) -> None:
    more = "aliases: ['sip:d@example.com']\nvariants:\n  - when: {vendor: 'yea*'}\n    body: for yealink\n"
    made = commit(lab, "one", "Dora (#7)", "2026-03-01T12:00:00Z", more)
    lab.server.start()
    phone = lab.phone("watch", "d", 1)
    phone.has(1)
    eventually("it is acknowledged", lambda: lab.ask("subscriptions") and lab.ask("subscriptions")[0]["current"])
    facts = lab.command("trace", "sip:d@example.com", "--vendor", "Yealink")
    assert (facts["asked"], facts["key"]) == ("user/example.com/d", "user/example.com/dora")
    assert (facts["path"], facts["commit"], facts["request"]) == ("user/example.com/dora.yaml", made, 7)
    assert facts["gets"] == facts["variants"][0] and facts["gets"]["bytes"] == len("for yealink")
    (held,) = facts["subscribers"]
    assert (held["key"], held["current"]) == ("user/example.com/d", True) and held["delivered_at"]
    assert (held["has"]["commit"], held["acknowledged_etag"]) == (made, facts["document"]["etag"])
    done = lab.run("trace", "user/example.com/dora", "--state", str(lab.server.state))
    assert b"1 subscribed" in done.stdout and not done.stderr
    lab.server.end()
    assert lab.command("trace", "user/example.com/dora")["subscribers"] is None
    done = lab.run("trace", "user/example.com/nobody", "--state", str(lab.server.state))
    assert done.returncode == 1 and b"history" in done.stderr


def test_trace_says_what_a_document_is_made_of(lab: Lab) -> None:
    lab.git.write({
        "profiles/defaults.yaml": "values: {a: 1}\n",
        "profiles/user/example.com/defaults.yaml": "values: {b: 2}\ntemplate: own.txt.j2\n",
        "profiles/bases/odd.yaml": "values: {c: 3}\ntemplate: odd.txt.j2\n",
        "profiles/templates/odd.txt.j2": "{{ a }}{{ b }}{{ c }}",
        "profiles/templates/own.txt.j2": "{{ a }}{{ b }}",
    })  # fmt: skip
    lab.git("add", "-A")
    lab.git.commit({DORA: "extends: odd\n"}, "Dora is odd")
    lab.server.start()
    assert lab.command("trace", "user/example.com/dora")["made_of"] == {
        "defaults": ["defaults.yaml", "user/example.com/defaults.yaml"],
        "bases": ["bases/odd.yaml"],
        "source": {"kind": "template", "file": "templates/odd.txt.j2", "named_in": "bases/odd.yaml", "line": 2},
    }
    text = lab.run("trace", "user/example.com/dora", "--state", str(lab.server.state)).stdout.decode()
    assert "defaults   defaults.yaml, user/example.com/defaults.yaml\nbases      bases/odd.yaml\n" in text, text
    assert "template   templates/odd.txt.j2, by bases/odd.yaml:2\n" in text, text
    made = lab.git.head()
    lab.git.commit({"profiles/bases/odd.yaml": "values: {c: 4}\ntemplate: odd.txt.j2\n"}, "Odder")
    assert lab.command("reconcile")["verdict"] == "applied"
    assert lab.command("trace", "user/example.com/dora")["commit"] != made
    lab.server.end()
    (lab.git.folder / ".git").rename(lab.git.folder / "gone")
    assert lab.command("trace", "user/example.com/dora")["made_of"] is None
    text = lab.run("trace", "user/example.com/dora", "--state", str(lab.server.state)).stdout.decode()
    assert "made of    not known" in text, text
