"""Several workers are one server: whichever has a dialog, wherever a packet comes from, whoever is killed."""

import hashlib
import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from .crowd import Crowd, Dialog, Line
from .lab import Lab, eventually, profile

pytestmark = [pytest.mark.system]

USERS = [f"u{number}" for number in range(24)]
HA1 = {user: hashlib.md5(f"{user}:example.com:secret".encode()).hexdigest() for user in USERS}


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    phones = Crowd()
    yield phones
    phones.close()


def write(lab: Lab, version: int | str, users: list[str] = USERS) -> str:
    return lab.write(**dict.fromkeys(users, version))


def start(lab: Lab, workers: int = 2) -> None:
    lab.server.start("--workers", str(workers), "--http", "127.0.0.1:0")


def workers(lab: Lab) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.ask("status")["workers"]
    return found


def metrics(lab: Lab) -> dict[str, float]:
    with urllib.request.urlopen(f"{lab.ask('status')['http']}metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name.removeprefix("gitops_profile_"): float(value) for name, _, value in samples}


def settled(lab: Lab, phones: int) -> None:
    expected = {"held": phones, "current": phones, "behind": 0}
    eventually(f"{phones} phones have what is in force", lambda: lab.ask("status")["subscriptions"] == expected)


def none_is_alive(pids: Iterable[int]) -> bool:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return False
    return True


def authorization(dialog: Dialog, ha1: str) -> str:
    """The header field that answers the challenge in the dialog's last answer."""
    found = re.search(rb'nonce="([^"]+)"', dialog.answers[-1])
    assert found is not None
    nonce, uri = found[1].decode(), f"sip:{dialog.user}@example.com"
    ha2 = hashlib.md5(f"SUBSCRIBE:{uri}".encode()).hexdigest()
    response = hashlib.md5(f"{ha1}:{nonce}:00000001:c:auth:{ha2}".encode()).hexdigest()
    return (
        f'Authorization: Digest username="{dialog.user}", realm="example.com", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, cnonce="c", qop=auth, nc=00000001\r\n'
    )


def from_many_ports(lab: Lab, crowd: Crowd) -> list[Dialog]:
    return [crowd.subscribe(user, crowd.line(lab.server.port)) for user in USERS]


def refreshed(crowd: Crowd, lab: Lab, expected: list[int]) -> None:
    """Every dialog is refreshed through one new port; the CSeqs of each one's NOTIFYs up to now."""
    line, answers = crowd.line(lab.server.port), len(next(iter(crowd.dialogs.values())).answers)
    tags = {call_id: dialog.tag for call_id, dialog in crowd.dialogs.items()}
    for dialog in crowd.dialogs.values():
        crowd.subscribe(dialog.user, line, dialog)
    crowd.until(answers + 1, len(expected), line=line)
    for call_id, dialog in crowd.dialogs.items():
        assert dialog.answers[-1].startswith(b"SIP/2.0 200 "), dialog.answers[-1]
        assert dialog.tag == tags[call_id] and dialog.cseqs == expected


def test_phones_of_all_workers_are_told_counted_and_shown_as_those_of_one_server(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    start(lab)
    dialogs = from_many_ports(lab, crowd)
    crowd.until(1, 1)
    assert {dialog.worker for dialog in dialogs} == {0, 1}, "one worker has them all"
    settled(lab, len(USERS))
    (other,) = workers(lab)
    assert other["subscriptions"] == sum(dialog.worker for dialog in dialogs)
    commit = write(lab, 2)
    crowd.until(1, 2)
    for dialog in dialogs:
        assert dialog.notifies[1].endswith(profile(dialog.user, 2)) and dialog.cseqs == [1, 2]
    settled(lab, len(USERS))
    rows = lab.ask("subscriptions")
    assert {row["key"] for row in rows} == {f"user/example.com/{user}" for user in USERS}
    assert all(row["current"] and row["delivery"] == "acknowledged" and row["rung"] == "acknowledged" for row in rows)
    done = lab.command("wait", "--revision", commit)
    assert (done["planned"], done["acknowledged"], done["pending"]) == (len(USERS), len(USERS), 0)
    eventually("all NOTIFYs are counted", lambda: metrics(lab)['notifies_total{status="200"}'] == 2 * len(USERS))
    counted = metrics(lab)
    assert counted["subscriptions"] == counted["subscriptions_started_total"] == len(USERS)
    assert counted["notify_seconds_count"] == 2 * len(USERS)
    for dialog in dialogs:
        crowd.subscribe(dialog.user, crowd.line(lab.server.port), dialog, expires=0)
    crowd.until(2, 3)
    assert all(b"\r\nSubscription-State: terminated" in dialog.notifies[2] for dialog in dialogs)
    eventually("nobody is left", lambda: lab.ask("status")["subscriptions"]["held"] == 0)
    eventually(
        "all ends are counted", lambda: metrics(lab)['subscriptions_ended_total{reason="timeout"}'] == len(USERS)
    )


def test_dialogs_behind_one_address_spread_and_find_their_owner_from_any_port(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    start(lab, 3)
    line = crowd.line(lab.server.port)
    dialogs = [crowd.subscribe(user, line) for user in USERS]
    crowd.until(1, 1)
    line.send(dialogs[0].request)  # a repetition finds the worker that has answered it
    crowd.until(1, 1)
    assert {(int(dialog.tag[0], 36) % 5 + 1) // 2 for dialog in dialogs} == {0, 1, 2}
    refreshed(crowd, lab, [1, 2])
    write(lab, 2)
    crowd.until(2, 3)
    settled(lab, len(USERS))
    assert len(lab.ask("subscriptions")) == len(USERS), "a repetition made a second dialog"


def test_a_killed_worker_comes_back_with_its_dialogs_and_nobody_misses_anything(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    start(lab)
    dialogs = from_many_ports(lab, crowd)
    crowd.until(1, 1)
    settled(lab, len(USERS))
    (before,) = workers(lab)
    os.kill(before["process"], signal.SIGKILL)
    write(lab, 2)
    crowd.until(1, 2)
    for dialog in dialogs:
        assert dialog.notifies[-1].endswith(profile(dialog.user, 2)) and dialog.cseqs == [1, 2]
    settled(lab, len(USERS))
    (after,) = workers(lab)
    assert after["process"] != before["process"] and (after["restarts"], after["ready"]) == (1, True)
    assert "WARNING worker 1 ended status=-9" in lab.server.stderr()
    assert metrics(lab)["worker_restarts_total"] == 1
    refreshed(crowd, lab, [1, 2, 3])
    write(lab, 3)
    crowd.until(2, 4)
    assert all(dialog.cseqs == [1, 2, 3, 4] for dialog in dialogs)


def test_what_comes_while_a_worker_is_down_is_answered_when_it_is_back(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    start(lab)
    (other,) = workers(lab)
    os.kill(other["process"], signal.SIGKILL)
    dialogs = from_many_ports(lab, crowd)  # none is sent again
    crowd.until(1, 1)
    assert {dialog.worker for dialog in dialogs} == {0, 1}
    settled(lab, len(USERS))
    refreshed(crowd, lab, [1, 2])


def test_dialogs_outlive_kills_of_the_whole_server_with_other_numbers_of_workers(lab: Lab, crowd: Crowd) -> None:
    write(lab, 0)
    start(lab, 2)
    from_many_ports(lab, crowd)
    crowd.until(1, 1)
    settled(lab, len(USERS))
    expected = [1]
    for version, count in enumerate((3, 1, 2), 1):
        pids = [worker["process"] for worker in workers(lab)]
        lab.server.end(signal.SIGKILL)
        eventually("no worker outlives its server", partial(none_is_alive, pids))
        write(lab, version)
        start(lab, count)
        assert len(workers(lab)) == count - 1
        expected.append(expected[-1] + 1)
        crowd.until(version, len(expected))
        expected.append(expected[-1] + 1)
        refreshed(crowd, lab, expected)
        settled(lab, len(USERS))
    assert lab.server.end() == 0


def lines_to_both(lab: Lab, crowd: Crowd) -> list[Line]:
    """Sixteen connections, eight accepted by each of two workers: the other one is held meanwhile.

    All accept from one socket, and whoever is awake has them: on a busy machine that may be one for all of them.
    """
    port = int(lab.server.address("tcp").rpartition(":")[2])
    (other,), process = workers(lab), lab.server.process
    assert process is not None
    lines = []
    for held in (process.pid, other["process"]):
        os.kill(held, signal.SIGSTOP)
        try:
            some = [crowd.line(port, "tcp") for _ in range(8)]
            for line in some:
                line.send(b"\r\n\r\n")
                assert line.sock.recv(2) == b"\r\n"  # the pong of whoever has accepted it (RFC 5626 §4.4.1)
            lines += some
        finally:
            os.kill(held, signal.SIGCONT)
    return lines


def test_a_dialog_goes_on_over_another_workers_connection(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    start(lab)
    port = int(lab.server.address("tcp").rpartition(":")[2])
    lines = [crowd.line(port, "tcp") for _ in range(16)]
    time.sleep(0.1)
    dialogs = [crowd.subscribe(user, lines[number % 16]) for number, user in enumerate(USERS)]
    crowd.until(1, 1)
    assert {dialog.worker for dialog in dialogs} == {0, 1}
    for number, dialog in enumerate(dialogs):  # each over eight others' connections in turn
        crowd.subscribe(dialog.user, lines[(number + 1) % 8], dialog)
    crowd.until(2, 2)
    large = "x" * 500_000
    write(lab, large)
    crowd.until(2, 3)
    assert all(dialog.notifies[2].endswith(profile(dialog.user, large)) for dialog in dialogs)
    settled(lab, len(USERS))
    for line in lines:
        crowd.hang_up(line)
    line = crowd.line(port, "tcp")
    for dialog in dialogs:
        crowd.subscribe(dialog.user, line, dialog)
    crowd.until(3, 4)
    assert all(dialog.answers[-1].startswith(b"SIP/2.0 200 ") for dialog in dialogs)
    settled(lab, len(USERS))


def test_what_was_for_a_dead_workers_connection_reaches_nobody_else(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    start(lab)
    port = int(lab.server.address("tcp").rpartition(":")[2])
    old = lines_to_both(lab, crowd)
    dialogs = [crowd.subscribe(user, old[number % 16]) for number, user in enumerate(USERS)]
    crowd.until(1, 1)
    settled(lab, len(USERS))
    (other,) = workers(lab)
    os.kill(other["process"], signal.SIGKILL)
    eventually("it is back", lambda: workers(lab)[0]["restarts"] == 1 and workers(lab)[0]["ready"])
    lost = [line for line in old if line.is_closed()]
    assert len(lost) == 8
    for line in lost:
        crowd.leave(line)
    new = [crowd.line(port, "tcp") for _ in range(32)]  # as many as there were, and their numbers begin anew
    fresh = [crowd.subscribe("u0", line) for line in new]
    gone = [dialog for dialog in dialogs if dialog.line not in crowd.lines.values()]
    for dialog in gone:
        del crowd.dialogs[dialog.call_id]
    for dialog in crowd.dialogs.values():
        dialog.answers, dialog.notifies = dialog.answers[:1], dialog.notifies[:1]
    crowd.until(1, 1)
    write(lab, 2)
    crowd.until(1, 2)  # a message of a dialog that is gone would be an error here
    crowd.hear(1.0)
    assert all(dialog.notifies[1].endswith(profile("u0", 2)) for dialog in fresh)
    assert all(dialog.strays == 0 for dialog in crowd.dialogs.values())


def test_a_worker_that_hangs_is_ended_and_its_phones_go_on(lab: Lab, crowd: Crowd) -> None:
    """One that answers is left alone meanwhile, however many questions it was asked."""
    write(lab, 1)
    start(lab, 3)
    line = crowd.line(lab.server.port)
    dialogs = [crowd.subscribe(user, line) for user in USERS]
    crowd.until(1, 1, line=line)
    settled(lab, len(USERS))
    hung, well = workers(lab)
    os.kill(hung["process"], signal.SIGSTOP)
    write(lab, 2)
    eventually("it is started anew", lambda: workers(lab)[0]["restarts"] == 1 and workers(lab)[0]["ready"], 40)
    assert f"worker {hung['worker']} does not answer any more" in lab.server.stderr()
    crowd.until(1, 2, 30.0)
    settled(lab, len(USERS))
    for dialog in dialogs:
        crowd.subscribe(dialog.user, line, dialog)
    crowd.until(2, 3, line=line)
    assert all(dialog.answers[1].startswith(b"SIP/2.0 200 ") for dialog in dialogs)
    assert workers(lab)[1] == well


def test_users_who_are_gone_lose_their_subscriptions_at_every_worker(lab: Lab, crowd: Crowd) -> None:
    write(lab, 1)
    users, config = lab.folder / "users.htdigest", lab.folder / "settings.yaml"
    lines = {user: f"{user}:example.com:{HA1[user]}\n" for user in USERS}
    users.write_text("".join(lines.values()))
    config.write_text(f"workers: 2\ndomains: {{example.com: {{auth: digest, credentials: {users}}}}}\n")
    lab.server.start("--config", str(config), "--http", "127.0.0.1:0")
    line = crowd.line(lab.server.port)
    dialogs = [crowd.subscribe(user, line) for user in USERS]
    crowd.until(1, 0)
    for dialog in dialogs:
        assert dialog.answers[0].startswith(b"SIP/2.0 401 ")
        wrong = dialog is dialogs[0]
        crowd.subscribe(
            dialog.user, line, dialog, fields=authorization(dialog, "0" * 32 if wrong else HA1[dialog.user])
        )
    crowd.until(2, 0)
    said = [dialog.answers[1][8:11] for dialog in dialogs]
    assert said == [b"401"] + [b"200"] * (len(USERS) - 1)
    eventually("the guess is logged, once", lambda: lab.server.stderr().count("authentication failed") == 1)
    assert "reason=wrong-response user='u0'" in lab.server.stderr()
    assert metrics(lab)['authentication_failures_total{reason="wrong-response"}'] == 1
    del crowd.dialogs[dialogs.pop(0).call_id]
    crowd.until(2, 1)
    fresh = users.with_suffix(".new")
    fresh.write_text(lines["u0"] + lines["u1"])
    fresh.replace(users)  # at once: an empty file would end u1's too
    kept = crowd.dialogs.pop(dialogs.pop(0).call_id)
    assert {dialog.worker for dialog in dialogs} == {0, 1}
    crowd.until(2, 2)
    assert all(b"terminated;reason=rejected" in dialog.notifies[1] for dialog in dialogs)
    assert [row["key"] for row in lab.ask("subscriptions")] == [f"user/example.com/{kept.user}"]


def test_a_second_server_on_the_port_is_told_that_it_is_taken(lab: Lab) -> None:
    write(lab, 1)
    start(lab)
    done = lab.run(
        "serve", "--workers", "2", "--state", str(lab.folder / "other"),
        *(part for one in lab.server.listen for part in ("--listen", one)),
    )  # fmt: skip
    assert done.returncode == 2 and b"in use by another program" in done.stderr
