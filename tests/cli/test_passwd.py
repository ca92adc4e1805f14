"""`gitops-profile passwd` as a person and as a script use it."""

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from gitops_profile.cli.app import app
from gitops_profile.digest import CredentialStore, a1, read_generations
from tests.absent import absent


class Done(NamedTuple):
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


COMMAND = [sys.executable, "-m", "gitops_profile", "passwd"]
ALICE = ("alice", "example.com")


def run(file: Path, *options: str, typed: str | bytes = "geheim\n") -> Done:
    """The command with a pipe as its standard input; in this process, since starting one takes a second."""
    result = CliRunner().invoke(app, ["passwd", str(file), *options], input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def on_a_terminal(file: Path, *lines: str) -> tuple[int, bytes, bytes, bytes]:
    """Exit status, standard output, standard error, and what the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, str(file), "alice@example.com"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    asked = b""
    for line in lines:
        before = asked.count(b": ")
        while asked.count(b": ") == before:
            asked += os.read(process.stderr.fileno(), 1024)
        os.write(ours, line.encode() + b"\n")
    out, error = process.communicate(timeout=60)
    os.write(theirs, b"END")  # so that there is something to read
    shown = os.read(ours, 65536)
    os.close(theirs)
    os.close(ours)
    return process.returncode, out, asked + error, shown


def lookup(file: Path, user: str = "alice", realm: str = "example.com") -> dict[str, str]:
    store = CredentialStore.parse(file.read_text())
    assert store.problems == ()
    return dict(store.lookup(user, realm))


def md5(password: str, user: str = "alice", realm: str = "example.com") -> dict[str, str]:
    return {"MD5": a1("MD5", user, realm, password)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users.htdigest"


def test_a_new_file_is_for_its_owner_only_and_holds_no_password(file: Path) -> None:
    done = run(file, "alice@Example.com")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: added alice, realm example.com (MD5)\n"
    assert lookup(file) == md5("geheim")
    assert "geheim" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name], "nothing is left behind"


def test_it_asks_twice_on_a_terminal_and_shows_nothing(file: Path) -> None:
    status, out, error, shown = on_a_terminal(file, "geheim", "geheim")
    assert status == 0, error
    assert lookup(file) == md5("geheim")
    assert error == b"Password for alice, realm example.com: \nAgain: \n"
    assert b"geheim" not in shown + out + error


def test_two_different_passwords_change_nothing(file: Path) -> None:
    status, _, error, _ = on_a_terminal(file, "geheim", "geheimer")
    assert status == 2 and b"not the same" in error and not file.exists()


@pytest.mark.parametrize(
    ("typed", "what"),
    [
        ("", "no password"),
        ("\n", "no password"),
        ("one\ntwo\n", "more than one line"),
        (b"\xff\n", "UTF-8"),
        ("a\tb\n", "control"),
        ("x" * 1025, "1024"),
    ],
)
def test_no_good_password_changes_nothing(file: Path, typed: str | bytes, what: str) -> None:
    done = run(file, "alice@example.com", typed=typed)
    assert done.returncode == 2 and what in done.stderr and len(done.stderr.splitlines()) == 1
    assert not file.exists()


@pytest.mark.parametrize("typed", ["geheim", "geheim\n", "geheim\r\n"])
def test_a_line_end_is_no_part_of_the_password(file: Path, typed: str) -> None:
    assert run(file, "alice@example.com", typed=typed).returncode == 0
    assert lookup(file) == md5("geheim")


def test_other_lines_and_the_mode_stay_and_the_algorithms_too(file: Path) -> None:
    other = b"# phones\nbob:example.com:" + b"a" * 32 + b"\r\n\xff nonsense\n"
    assert run(file, "alice@example.com", "--algorithm", "SHA-512-256", "--algorithm", "sha-256").returncode == 0
    ours = file.read_bytes()
    file.write_bytes(ours + other)
    file.chmod(0o640)
    done = run(file, "alice@example.com", "-o", "json", typed="neu\n")
    assert json.loads(done.stdout) == {
        "file": str(file),
        "user": "alice",
        "realm": "example.com",
        "algorithms": ["SHA-256", "SHA-512-256"],
        "action": "changed",
    }
    assert done.stderr.startswith(f"{file}:5: ")
    assert file.read_bytes().endswith(other) and stat.S_IMODE(file.stat().st_mode) == 0o640
    hashes = CredentialStore.parse(file.read_text("utf-8", "surrogateescape")).lookup(*ALICE)
    assert hashes == {name: a1(name, *ALICE, "neu") for name in ("SHA-256", "SHA-512-256")}


def test_a_new_password_leaves_no_line_with_the_old_one(file: Path) -> None:
    run(file, "alice@example.com", "--algorithm", "MD5", "--algorithm", "SHA-256")
    run(file, "alice@example.com", "--algorithm", "MD5", typed="neu\n")
    assert lookup(file) == md5("neu")


def test_the_realm_need_not_be_the_domain(file: Path) -> None:
    run(file, "alice@example.com", "--realm", "Phones of ours")
    run(file, "bob", "--realm", "example.net")
    assert lookup(file, "alice", "Phones of ours") == md5("geheim", "alice", "Phones of ours")
    assert lookup(file, "bob", "example.net") == md5("geheim", "bob", "example.net")


def test_a_password_is_made_and_printed_once(file: Path) -> None:
    done = run(file, "alice@example.com", "--generate", typed="")
    password = done.stdout.removesuffix("\n")
    assert done.returncode == 0 and len(password) == 22 and password.isalnum()
    assert lookup(file) == md5(password) and password not in done.stderr
    other = json.loads(run(file, "alice@example.com", "--generate", "-o", "json", typed="").stdout)
    assert other["password"] != password and lookup(file) == md5(other["password"])


def test_a_user_is_deleted(file: Path) -> None:
    run(file, "alice@example.com", "--algorithm", "MD5", "--algorithm", "SHA-256")
    run(file, "bob@example.com")
    done = run(file, "alice@example.com", "--delete", "--algorithm", "SHA-256", typed="")
    assert done.stdout == f"{file}: deleted alice, realm example.com (SHA-256)\n"
    assert lookup(file) == md5("geheim")
    assert run(file, "alice@example.com", "--delete", typed="").returncode == 0
    assert lookup(file) == {} and lookup(file, "bob")
    again = run(file, "alice@example.com", "--delete", typed="")
    assert again.returncode == 1 and "no alice in realm example.com" in again.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("alice",),
        ("@example.com",),
        ("a:b@example.com",),
        ("alice@example.com", "--realm", "a:b"),
        ("alice@example.com", "--realm", ""),
        ("alice@example.com", "--algorithm", "SHA-1"),
        ("alice@example.com", "--generate", "--delete"),
        ("alice@example.com", "--delete"),
    ],
)
def test_what_cannot_be_is_said_in_a_line_and_ends_with_2(file: Path, options: tuple[str, ...]) -> None:
    done = run(file, *options)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("gitops-profile: ") and not file.exists()


def test_a_folder_that_is_not_there_and_one_that_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "users", tmp_path, Path("/dev/null")):
        done = run(path, "alice@example.com")
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


def test_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file.symlink_to(tmp_path / "real" / "users")
    assert run(file, "alice@example.com").returncode == 0
    assert file.is_symlink() and lookup(tmp_path / "real" / "users") == md5("geheim")


def test_many_at_once_lose_nobody(file: Path) -> None:
    names = [f"user{n}" for n in range(6)]
    processes = [
        subprocess.Popen([*COMMAND, str(file), f"{name}@example.com"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for name in names
    ]
    for process in processes:
        assert process.stdin is not None
    for process in processes:
        process.communicate(b"geheim\n", timeout=60)
        assert process.returncode == 0
    assert [lookup(file, name) for name in names] == [md5("geheim", name) for name in names]


def test_roots_passwd_leaves_the_file_to_its_owner(file: Path) -> None:
    if os.geteuid() != 0:
        absent("only root can give a file away")
    run(file, "alice@example.com")
    os.chown(file, 12345, 54321)
    run(file, "alice@example.com", typed="neu\n")
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321) and lookup(file) == md5("neu")


# -- devices

DEVICE = ("0004132a1122", "provisioning")


def passwords(file: Path, *given: str) -> list[bool]:
    """Which of these are a device's, by what the server reads."""
    stores, problems = read_generations(file.read_text())
    assert problems == ()
    hashes = [dict(store.lookup(*DEVICE)) for store in stores]
    return [md5(password, *DEVICE) in hashes for password in given]


@pytest.mark.parametrize("mac", ["0004132a1122", "00:04:13:2A:11:22", "00-04-13-2a-11-22"])
def test_a_device_has_its_mac_as_its_name_in_the_realm_of_provisioning(file: Path, mac: str) -> None:
    done = run(file, "--device", mac)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: added 0004132a1122, realm provisioning (MD5)\n"
    assert lookup(file, *DEVICE) == md5("geheim", *DEVICE)


def test_an_old_password_stays_good_until_it_is_retired(file: Path) -> None:
    run(file, "--device", DEVICE[0], typed="old")
    done = run(file, "--device", DEVICE[0], "--keep", typed="new")
    assert done.stdout == f"{file}: changed 0004132a1122, realm provisioning (MD5); 2 passwords are good\n"
    assert done.stderr == ""
    assert passwords(file, "old", "new") == [True, True]
    done = run(file, "--device", DEVICE[0], "--retire", "-o", "json", typed="")
    assert json.loads(done.stdout) | {"file": ""} == {
        "file": "", "user": "0004132a1122", "realm": "provisioning", "algorithms": ["MD5"], "passwords": 1,
        "action": "retired the older passwords of",
    }  # fmt: skip
    assert passwords(file, "old", "new") == [False, True]


def test_without_keep_a_new_password_is_the_only_one(file: Path) -> None:
    run(file, "--device", DEVICE[0], typed="old")
    run(file, "--device", DEVICE[0], "--keep", typed="newer")
    run(file, "--device", DEVICE[0], typed="newest")
    assert passwords(file, "old", "newer", "newest") == [False, False, True]


def test_a_generated_password_of_a_device_may_overlap(file: Path) -> None:
    run(file, "--device", DEVICE[0], typed="old")
    made = run(file, "--device", DEVICE[0], "--generate", "--keep", typed="").stdout.strip()
    assert passwords(file, "old", made) == [True, True]


def test_a_kept_password_in_another_algorithm_is_refused_and_nothing_changes(file: Path) -> None:
    run(file, "--device", DEVICE[0], typed="old")
    before = file.read_bytes()
    done = run(file, "--device", DEVICE[0], "--keep", "--algorithm", "SHA-256", typed="new")
    assert done.returncode == 2 and "MD5 too" in done.stderr
    assert file.read_bytes() == before


def test_a_device_is_taken_out_with_all_its_passwords(file: Path) -> None:
    run(file, "--device", DEVICE[0], typed="old")
    run(file, "--device", DEVICE[0], "--keep", typed="new")
    assert run(file, "--device", DEVICE[0], "--delete", typed="").returncode == 0
    assert file.read_text() == ""
    assert run(file, "--device", DEVICE[0], "--delete", typed="").returncode == 1
    assert run(file, "--device", DEVICE[0], "--retire", typed="").returncode == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "hello"), "twelve hexadecimal digits"),
        ((), "name a user"),
        (("alice@example.com", "--device", DEVICE[0]), "name a user"),
        (("alice@example.com", "--keep"), "for --device"),
        (("--device", DEVICE[0], "--keep", "--retire"), "give one"),
        (("--device", DEVICE[0], "--delete", "--generate"), "give one"),
    ],
)
def test_what_cannot_be_meant_for_a_device_is_refused(file: Path, options: tuple[str, ...], said: str) -> None:
    done = run(file, *options)
    assert done.returncode == 2 and said in done.stderr
    assert not file.exists()
