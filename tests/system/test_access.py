"""Who may have what, and what becomes of those who may no more: the real server, its settings, its files."""

import json
from pathlib import Path

import pytest

from .lab import Lab, eventually, profile, read_trace

pytestmark = [pytest.mark.system, pytest.mark.peer]


def _configure(lab: Lab, **settings: object) -> str:
    """A settings file: JSON is YAML."""
    file = lab.folder / "gitops-profile.yaml"
    file.write_text(json.dumps(settings))
    return str(file)


def _password(lab: Lab, file: Path, user: str, *options: str) -> None:
    done = lab.run("passwd", str(file), f"{user}@example.com", *options, given=b"secret\n")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("policy", "said"), [("deactivate", "deactivated"), ("probation", "probation;retry-after=60")])
def test_a_server_that_stops_sends_its_phones_elsewhere_by_policy(lab: Lab, policy: str, said: str) -> None:
    """Checklist row 61: RFC 6665 §4.4.2."""
    lab.write(alice=1, bob=1)
    lab.server.start("--config", _configure(lab, subscriptions={"on_stop": policy}))
    phones = [lab.phone("ended", name, 2) for name in ("alice", "bob")]
    for phone in phones:
        phone.has(1)
    assert lab.server.end() == 0
    for phone in phones:
        _, last = phone.finish()
        assert last.header("Subscription-State") == f"terminated;reason={said}"
    lab.server.start()
    assert lab.ask("subscriptions") == []


def test_digest_lets_each_user_have_his_own_profile_and_nobody_elses(lab: Lab) -> None:
    """Checklist rows 38, 40 and 41."""
    lab.write(alice=1, bob=1)
    users = lab.folder / "users.htdigest"
    for user in ("alice", "bob"):
        _password(lab, users, user)
    domains = {"example.com": {"auth": "digest", "credentials": str(users)}}
    lab.server.start("--config", _configure(lab, domains=domains))
    alice = lab.phone("digest", "alice", 2, options=("-i", "127.0.0.1", "-au", "alice", "-ap", "secret"))
    assert alice.has(1)[0].body == profile("alice", 1)
    thief = lab.phone("digest", "bob", 1, options=("-i", "127.0.0.1", "-au", "alice", "-ap", "secret"))
    guesser = lab.phone("digest", "bob", 1, options=("-i", "127.0.0.1", "-au", "bob", "-ap", "wrong"))
    for phone, status in ((thief, "403"), (guesser, "401")):
        assert phone.process.wait(20) != 0
        answers = [m for m in read_trace(phone.trace) if m.received]
        # By CSeq: on a busy machine sipp sends a request again, and is answered again.
        said = {(m.cseq, m.start.split()[1]) for m in answers}
        assert said == {(1, "401"), (2, status)} and not any(m.body for m in answers)
    line = "authentication failed source=127.0.0.1 realm=example.com reason=wrong-response user='bob'"
    eventually("the guess is logged", lambda: line in lab.server.stderr())
    assert "secret" not in lab.server.stderr()
    _password(lab, users, "alice", "--delete")
    _, last = alice.finish()
    assert last.header("Subscription-State") == "terminated;reason=rejected"
