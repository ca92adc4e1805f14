"""Signed commits, with a real server, git, gpg, ssh-keygen and a phone."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitops_profile.http import AdminError
from tests.repositories import Git
from tests.signing import PGP, SSHKey, pgp_home, signed_commit

from .lab import Lab, eventually, file_of, profile

pytestmark = [pytest.mark.system, pytest.mark.peer]


class Signers:
    """Alice signs with OpenPGP and Carol with SSH; Mallory's key is not allowed."""

    def __init__(self, lab: Lab, pgp: PGP) -> None:
        self.lab = lab
        self.alice = pgp.key("alice")
        self.carol, self.mallory = (SSHKey(lab.folder, name) for name in ("carol", "mallory"))
        self.keyring, self.allowed = lab.folder / "keyring.asc", lab.folder / "allowed_signers"
        self.keyring.write_bytes(pgp.export(self.alice, armor=True))
        self.allowed.write_text(self.carol.allowed("carol@example.com"))
        self.by_alice, self.by_carol, self.by_mallory = (
            pgp.commit(self.alice),
            self.carol.commit(),
            self.mallory.commit(),
        )
        self.want("head")

    def want(self, mode: str, **others: str) -> None:
        self.lab.server.environment = {
            "GITOPS_PROFILE_TRUST__SIGNATURES": mode, "GITOPS_PROFILE_TRUST__KEYRING": str(self.keyring),
            "GITOPS_PROFILE_TRUST__ALLOWED_SIGNERS": str(self.allowed), **others,
        }  # fmt: skip

    def write(self, how: list[str], git: Git | None = None, **versions: int) -> str:
        files: dict[str, str | bytes | None] = {file_of(name): profile(name, one) for name, one in versions.items()}
        return signed_commit(git or self.lab.git, files, how)

    def rejected(self, commit: str) -> str:
        """Wait until it is; the first problem."""
        eventually(f"{commit} is rejected", lambda: (self.lab.ask("status")["rejected"] or {}).get("commit") == commit)
        return str(self.lab.ask("status")["rejected"]["problems"][0])


@pytest.fixture
def signers(lab: Lab) -> Iterator[Signers]:
    with pgp_home() as pgp:
        yield Signers(lab, pgp)


def test_a_phone_is_told_what_is_signed_and_keeps_it_while_something_unsigned_is_there(
    lab: Lab, signers: Signers, tmp_path: Path
) -> None:
    first = signers.write(signers.by_alice, alice=1)
    lab.git("config", "receive.denyCurrentBranch", "ignore")
    lab.server.start()
    phone = lab.phone("watch", "alice", 3)
    phone.has(1)
    clone = Git(tmp_path / "clone")
    clone("pull", "-q", str(lab.git.folder), "main")
    unsigned = clone.commit({file_of("alice"): profile("alice", 666)}, "unsigned")
    clone("push", "-q", str(lab.git.folder), "main")
    said = signers.rejected(unsigned)
    assert said.startswith(f"commit {unsigned[:12]} by Ann Author <ann@example.com>: it has no signature"), said
    facts = lab.command("status")
    assert facts["applied"]["commit"] == first
    assert facts["applied"]["signer"] == f"Alice <alice@example.com> {signers.alice}"
    reasons = {one["type"]: (one["status"], one["reason"]) for one in facts["conditions"]}
    assert reasons["Ready"] == ("False", "VerificationError") and reasons["Stalled"][0] == "True"
    text = lab.run("status", "--state", str(lab.server.state))
    assert text.returncode == 1 and said.encode() in text.stdout and b"signed by  Alice" in text.stdout
    assert len(phone.notifies()) == 1
    signers.write(signers.by_carol, clone, alice=2)
    clone("push", "-q", str(lab.git.folder), "main")
    phone.has(2)
    third = signers.write(signers.by_alice, clone, alice=3)
    clone("push", "-q", str(lab.git.folder), "main")
    assert [notify.body for notify in phone.finish()] == [profile("alice", number) for number in (1, 2, 3)]
    eventually("it is in force", lambda: lab.ask("status")["applied"]["commit"] == third)
    carol = f"carol@example.com {signers.carol.fingerprint}"
    assert [row["signer"] for row in lab.command("history", "user/example.com/alice")] == [
        f"Alice <alice@example.com> {signers.alice}", carol, f"Alice <alice@example.com> {signers.alice}",
    ]  # fmt: skip
    assert lab.command("trace", "user/example.com/alice")["signer"].endswith(signers.alice)
    shown = lab.run("trace", "user/example.com/alice", "--state", str(lab.server.state)).stdout.decode()
    assert f"signed by  Alice <alice@example.com> {signers.alice}" in shown
    lines = lab.run("events", "--state", str(lab.server.state)).stdout.decode()
    assert f"signed by {carol}" in lines and "666" not in lines


def test_a_key_that_is_allowed_at_last_has_the_rejected_head_applied_without_a_new_commit(
    lab: Lab, signers: Signers
) -> None:
    signers.write(signers.by_carol, alice=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    second = signers.write(signers.by_mallory, alice=2)
    assert f"unknown key {signers.mallory.fingerprint}" in signers.rejected(second)
    lab.server.end(signal.SIGKILL)
    lab.server.start()
    assert lab.ask("status")["rejected"]["commit"] == second
    signers.allowed.write_text(signers.allowed.read_text() + signers.mallory.allowed("mallory@example.com"))
    phone.has(2)
    assert phone.finish()[-1].body == profile("alice", 2)
    assert lab.ask("status")["applied"]["signer"].startswith("mallory@example.com SHA256:")


def test_all_from_a_remote_whose_history_the_clone_does_not_have(lab: Lab, signers: Signers) -> None:
    bare = Git(lab.folder / "srv/profiles.git", bare=True)
    lab.git("remote", "add", "origin", str(bare.folder))
    lab.git.commit({file_of("bob"): profile("bob", 0)}, "from before signatures were wanted")
    base = signers.write(signers.by_alice, alice=0)
    for number in (1, 2):  # of which the clone has the last one only
        signers.write(signers.by_alice, alice=number)
    lab.git("push", "-q", "origin", "main")
    signers.want("all", GITOPS_PROFILE_REPOSITORY__HISTORY="false")
    url = f"file://{bare.folder}"
    lab.server.start("--repo", url, "--fetch", "1s")
    assert (lab.server.state / "clone/shallow").exists()
    lab.git("checkout", "-q", "-b", "side", base)
    signers.write(signers.by_carol, bob=1)
    lab.git("checkout", "-q", "main")
    lab.git(*signers.by_alice, "merge", "-q", "--no-ff", "-S", "-m", "signed all", "side")
    merged = lab.git.head()
    lab.git("push", "-q", "origin", "main")
    eventually("it is applied", lambda: lab.ask("status")["applied"]["commit"] == merged)
    lab.git("checkout", "-q", "side")
    unsigned = lab.write(bob=666)
    lab.git("checkout", "-q", "main")
    lab.git(*signers.by_alice, "merge", "-q", "--no-ff", "-S", "-m", "one is not", "side")
    lab.git("push", "-q", "origin", "main")
    assert f"commit {unsigned[:12]} by " in signers.rejected(lab.git.head())


def test_a_signed_tag_of_a_remote_is_served_by_its_own_name(lab: Lab, signers: Signers) -> None:
    bare = Git(lab.folder / "srv/profiles.git", bare=True)
    lab.git("remote", "add", "origin", str(bare.folder))

    def tag(name: str, *how: str) -> None:
        lab.git(*how, "tag", "-f", "-a", *(["-s"] if how else []), "-m", "release", name)
        lab.git("push", "-q", "-f", "origin", f"refs/tags/{name}")

    lab.write(alice=1)
    tag("live", *signers.by_carol)
    tag("v1", *signers.by_carol)
    lab.server.start("--repo", f"file://{bare.folder}", "--ref", "live", "--fetch", "1s")
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    second = lab.write(alice=2)
    tag("live")
    assert "it has no signature" in signers.rejected(second)
    tag("live", *signers.by_alice)
    assert [notify.body for notify in phone.finish()] == [profile("alice", 1), profile("alice", 2)]
    eventually("it is in force", lambda: lab.ask("status")["applied"]["commit"] == second)
    assert lab.ask("status")["applied"]["signer"].startswith("Alice ")
    lab.git("push", "-q", "-f", "origin", "refs/tags/v1:refs/tags/live")
    said = signers.rejected(lab.git("rev-parse", "v1^{commit}"))
    assert said.startswith("the tag v1 by Carl Committer") and "served as refs/tags/live" in said


def test_a_server_without_its_keys_or_programs_does_not_start_and_says_what_to_do(lab: Lab, signers: Signers) -> None:
    signers.write(signers.by_alice, alice=1)
    keyring = signers.keyring.read_bytes()

    def refusal() -> str:
        lab.server.log.unlink(missing_ok=True)
        lab.server.launch()
        assert lab.server.wait() == 2
        (line,) = [one for one in lab.server.stderr().splitlines() if " INFO " not in one]
        return line

    for data, said in ((None, "cannot be read"), (b"rubbish", "no file that gpg --export writes")):
        signers.keyring.write_bytes(data) if data is not None else signers.keyring.unlink()
        assert f"{signers.keyring} " in refusal() and said in refusal()
    signers.keyring.write_bytes(keyring)
    programs = lab.folder / "programs"
    programs.mkdir()
    for name in ("git", "sh", "ssh-keygen"):
        (programs / name).symlink_to(shutil.which(name) or "")
    signers.want("head", PATH=str(programs))
    assert "apt-get install gpgv" in refusal()
    signers.want("head", PATH=os.environ["PATH"])
    lab.server.start()


def test_keys_that_vanish_while_the_server_runs_have_revisions_wait(lab: Lab, signers: Signers) -> None:
    signers.write(signers.by_alice, alice=1)
    lab.server.start()
    phone = lab.phone("watch", "alice", 2)
    phone.has(1)
    keyring = signers.keyring.read_bytes()
    signers.keyring.unlink()
    signers.write(signers.by_alice, alice=2)
    eventually("it waits", lambda: "cannot be read" in (lab.ask("status")["waiting"] or ""))
    assert len(phone.notifies()) == 1
    ready = lab.ask("status")["conditions"][0]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "VerificationError")
    signers.keyring.write_bytes(keyring)
    assert phone.has(2)[-1].body == profile("alice", 2)


def test_a_log_is_not_written_anew_from_an_unsigned_head(lab: Lab, signers: Signers) -> None:
    signers.write(signers.by_alice, alice=1)
    lab.server.start()
    lab.server.end()
    lab.write(alice=666)
    file = lab.folder / "settings.yaml"
    settings = {"signatures": "head", "keyring": str(signers.keyring)}
    file.write_text(json.dumps({"trust": settings, "repository": {"url": str(lab.git.folder)}}))
    arguments = ("log", "rebuild", "--state", str(lab.server.state), "--config", str(file))
    done = lab.run(*arguments)
    assert done.returncode == 1 and b"it has no signature" in done.stdout
    signers.write(signers.by_alice, alice=2)
    assert lab.run(*arguments).returncode == 0


def test_what_was_signed_is_served_from_the_log_while_git_does_not_open_the_repository(
    lab: Lab, signers: Signers
) -> None:
    signers.write(signers.by_alice, alice=1)
    lab.server.start()
    lab.server.end()
    config = lab.git.folder / ".git/config"
    sound = config.read_text()
    config.write_text(f"{sound}[core\n")
    lab.server.start()
    eventually("it says what is wrong", lambda: "bad config line" in str(lab.ask("status")["source"]))
    config.write_text(sound)
    unsigned = lab.write(alice=666)
    with suppress(AdminError):
        lab.ask("reconcile")
    assert "it has no signature" in signers.rejected(unsigned)
    signed = signers.write(signers.by_carol, alice=2)
    eventually("it is in force", lambda: lab.ask("status")["applied"]["commit"] == signed)
