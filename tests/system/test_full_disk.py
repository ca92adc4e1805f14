"""The state folder on a disk that runs full: nothing is acknowledged that is not kept, and nothing kept is lost."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.absent import absent

from .lab import Lab, eventually, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        absent(f"a tmpfs cannot be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(file: Path) -> None:
    """Until not one byte more fits."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 4096, 512, 1):
            try:
                while os.write(descriptor, bytes(size)):
                    pass
            except OSError:
                continue
    finally:
        os.close(descriptor)


def test_a_full_disk(disk: Path, lab: Lab) -> None:
    lab.server.state = disk / "state"
    lab.write(alice=1, bob=1)
    lab.server.start()
    alice = lab.phone("watch", "alice", 2)
    first = alice.has(1)[0]
    eventually("alice has it", lambda: lab.ask("subscriptions")[0]["current"])
    _fill(disk / "ballast")
    lab.phone("unavailable", "bob").finish()
    assert "subscriptions cannot be stored" in lab.server.stderr()
    assert [row["key"] for row in lab.ask("subscriptions")] == ["user/example.com/alice"]
    lab.git.commit({"profiles/user/example.com/big.txt": b"x" * 200_000})
    lab.write(alice=2)
    done = lab.run("reconcile", "--state", str(lab.server.state))
    assert done.returncode == 1 and b"unavailable" in done.stdout, done
    (disk / "ballast").unlink()
    notifies = alice.finish()
    assert notifies[-1].body == profile("alice", 2)
    assert [n.cseq for n in notifies] == sorted({n.cseq for n in notifies}) and notifies[0].cseq == first.cseq
    lab.phone("watch", "bob").finish()
    eventually("both have theirs", lambda: all(row["current"] for row in lab.ask("subscriptions")))
    lab.server.end()
    assert lab.run("log", "verify", "--state", str(lab.server.state)).returncode == 0
    lab.server.start()
    keys = [row["key"] for row in lab.ask("subscriptions")]
    assert keys == ["user/example.com/alice", "user/example.com/bob"]
