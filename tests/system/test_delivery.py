"""From a commit to the bytes in a NOTIFY, as sipp sees them."""

import pytest

from .lab import Lab, eventually, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


def test_a_commit_and_its_revert_reach_the_phone_and_unsubscribing_ends_it(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    phone = lab.phone("unsubscribe", "alice", 3)
    phone.has(1)
    lab.write(alice=2)
    phone.has(2)
    lab.revert()
    notifies = phone.finish()
    assert [n.body for n in notifies[:3]] == [profile("alice", 1), profile("alice", 2), profile("alice", 1)]
    assert [n.cseq for n in notifies] == list(range(notifies[0].cseq, notifies[0].cseq + 4))
    assert [n.header("Subscription-State").split(";")[0] for n in notifies] == ["active"] * 3 + ["terminated"]
    assert len({(n.header("Call-ID"), n.header("From"), n.header("To")) for n in notifies}) == 1
    assert notifies[0].header("SIP-ETag") == notifies[2].header("SIP-ETag") != notifies[1].header("SIP-ETag")
    assert notifies[0].header("Content-Type") == "text/xml"
    assert lab.ask("subscriptions") == []


def test_an_edit_of_another_file_tells_nobody(lab: Lab) -> None:
    lab.write(alice=1, bob=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 2)
    first = phone.has(1)[0]
    lab.write(bob=2)
    lab.git.commit({"README.md": "nothing for a phone\n", "profiles/README.md": "nor this\n"})
    other = lab.git.head()
    eventually("the other revision is in force", lambda: lab.ask("reconcile")["commit"] == other)
    lab.write(alice=2)
    notifies = phone.finish()
    assert [n.cseq for n in notifies] == [first.cseq, first.cseq + 1]
    assert notifies[1].body == profile("alice", 2)


def test_a_broken_commit_harms_nobody_and_the_next_good_one_goes_past_it(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 2)
    first = phone.has(1)[0]
    broken = lab.git.commit(
        {file_of("alice"): profile("alice", 2), "profiles/user/example.com/carol.yaml": "body: x\nnonsense: 1\n"}
    )
    done = lab.run("reconcile", "--state", str(lab.server.state))
    assert done.returncode == 1 and b"carol.yaml:2" in done.stdout
    done = lab.run("status", "--state", str(lab.server.state))
    assert done.returncode == 1, done.stdout
    assert broken[:12].encode() in done.stdout and b"carol.yaml:2" in done.stdout
    lab.git.commit({file_of("alice"): profile("alice", 3), "profiles/user/example.com/carol.yaml": "body: x\n"})
    notifies = phone.finish()
    assert [n.cseq for n in notifies] == [first.cseq, first.cseq + 1]
    assert notifies[1].body == profile("alice", 3)
    assert lab.run("status", "--state", str(lab.server.state)).returncode == 0


def test_a_fetch_gets_the_document_once(lab: Lab) -> None:
    lab.write(alice=1)
    lab.server.start()
    (notify,) = lab.phone("fetch", "alice").finish()
    assert notify.body == profile("alice", 1)
    assert lab.ask("subscriptions") == []


@pytest.mark.parametrize(
    ("listen", "transport", "options"),
    [
        ("tcp:127.0.0.1:0", "tcp", ("-i", "127.0.0.1", "-t", "t1")),
        ("udp:[::1]:0", "udp", ("-i", "::1")),
        ("tcp:[::1]:0", "tcp", ("-i", "::1", "-t", "t1")),
    ],
)
def test_over_tcp_and_ipv6(lab: Lab, listen: str, transport: str, options: tuple[str, ...]) -> None:
    lab.write(alice=1)
    lab.server.listen = (listen,)
    lab.server.start()
    phone = lab.phone("unsubscribe", "alice", 2, transport=transport, options=options)
    phone.has(1)
    lab.write(alice=2)
    notifies = phone.finish()
    assert [n.body for n in notifies[:2]] == [profile("alice", 1), profile("alice", 2)]
    assert notifies[0].header("Via").startswith(f"SIP/2.0/{transport.upper()} ")
    assert notifies[2].header("Subscription-State") == "terminated;reason=timeout"
