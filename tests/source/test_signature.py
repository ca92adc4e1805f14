"""Who signed a commit or a tag, asked of real gpgv and ssh-keygen; and everything that must not count."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_profile.source import Checked, KeyFiles, SourceUnavailable, VerificationUnavailable, Verifier
from gitops_profile.source.signature import read_status
from tests.repositories import ENVIRONMENT, Git
from tests.signing import OLD, PGP, SSHKey, pgp_home, raw, signed_commit, store, with_signature

FILE: dict[str, str | bytes | None] = {"profiles/user/example.com/alice.xml": "<a/>"}


@dataclass
class Keys:
    """Alice, Bob and (once) Erin may sign with OpenPGP, Carol with SSH; Mallory may not."""

    pgp: PGP
    alice: str
    bob: str
    mallory: str
    expired: str
    ring: Path
    ssh: SSHKey
    ssh_mallory: SSHKey


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    folder = tmp_path_factory.mktemp("keys")
    with pgp_home() as pgp:
        alice, bob, mallory = (pgp.key(name) for name in ("alice", "bob", "mallory"))
        expired = pgp.key("erin", expires="2020-12-31", at="20200101T000000")
        ring = folder / "keyring"
        ring.write_bytes(pgp.export(alice, bob, expired, armor=True))
        yield Keys(pgp, alice, bob, mallory, expired, ring, SSHKey(folder, "carol"), SSHKey(folder, "mallory"))


class Signing:
    """A repository, and whose signatures count."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.git = Git(folder / "work")
        self.keys = keys
        self.signers = folder / "allowed_signers"
        self.signers.write_text(keys.ssh.allowed("carol@example.com"))
        self.files = KeyFiles(keys.ring, self.signers)
        self.verifier = Verifier(self.git.folder, self.files)

    def checked(self, commit: str) -> Checked:
        return self.verifier.commit(commit, self.files.read())

    def reason(self, commit: str) -> str:
        found = self.checked(commit)
        assert found.signer is None
        return found.reason

    def tagged(self, ref: str, commit: str | None = None) -> Checked | None:
        return self.verifier.tag(ref, commit or self.git("rev-parse", f"{ref}^{{commit}}"), self.files.read())

    def by_alice(self, message: str = "change") -> str:
        return signed_commit(self.git, FILE, self.keys.pgp.commit(self.keys.alice), message)

    def by_carol(self, message: str = "change") -> str:
        return signed_commit(self.git, FILE, self.keys.ssh.commit(), message)


@pytest.fixture
def lab(tmp_path: Path, keys: Keys) -> Iterator[Signing]:
    laboratory = Signing(tmp_path, keys)
    yield laboratory
    laboratory.verifier.close()


# -- what counts -----------------------------------------------------------------------------------------------------


def test_a_commit_that_git_signed_with_gpg_is_by_the_owner_of_the_key(lab: Signing) -> None:
    found = lab.checked(lab.by_alice())
    assert found.signer == f"Alice <alice@example.com> {lab.keys.alice}" and not found.reason


def test_a_commit_that_git_signed_with_ssh_is_by_the_principal_of_the_key_not_by_its_author(lab: Signing) -> None:
    found = lab.checked(lab.by_carol())
    assert found.signer == f"carol@example.com {lab.keys.ssh.fingerprint}"
    assert "Ann Author" in found.what


def test_a_binary_keyring_is_as_good_as_an_armored_one(lab: Signing, tmp_path: Path) -> None:
    ring = tmp_path / "binary"
    ring.write_bytes(lab.keys.pgp.export(lab.keys.alice))
    assert lab.verifier.commit(lab.by_alice(), KeyFiles(ring).read()).signer


def test_a_signed_tag_speaks_for_its_commit(lab: Signing) -> None:
    commit = lab.git.commit(FILE)
    lab.git(*lab.keys.pgp.commit(lab.keys.bob), "tag", "-s", "-m", "x", "v1")
    lab.git(*lab.keys.ssh.commit(), "tag", "-s", "-m", "x", "v2")
    for ref, name in (("v1", "Bob"), ("refs/tags/v2", "carol@example.com")):
        found = lab.tagged(ref, commit)
        assert found is not None and found.signer is not None and found.signer.startswith(name)


def test_a_merge_of_a_signed_tag_is_checked_as_what_was_signed(lab: Signing) -> None:
    lab.by_alice("one")
    lab.git("checkout", "-q", "-b", "side")
    lab.by_alice("two")
    lab.git(*lab.keys.pgp.commit(lab.keys.bob), "tag", "-s", "-m", "x", "v1")
    lab.git("checkout", "-q", "main")
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "merge", "-q", "--no-ff", "-S", "-m", "merged", "v1")
    assert b"\nmergetag object" in raw(lab.git, lab.git.head())
    assert (lab.checked(lab.git.head()).signer or "").startswith("Alice")


def test_a_repository_of_sha256_has_its_own_header(tmp_path: Path, keys: Keys) -> None:
    git = Git(tmp_path / "sha256", object_format="sha256")
    commit = signed_commit(git, FILE, keys.pgp.commit(keys.alice))
    verifier = Verifier(git.folder, KeyFiles(keys.ring))
    assert (verifier.commit(commit, verifier.files.read()).signer or "").startswith("Alice")
    verifier.close()


def test_a_certificate_counts_by_the_authority_that_is_allowed(lab: Signing, tmp_path: Path) -> None:
    authority, dora = SSHKey(tmp_path, "authority"), SSHKey(tmp_path, "dora")
    public = dora.path.with_suffix(".pub")
    for principal, days in (
        ("dora@example.com", "-1w:+1w"),
        ("eve@elsewhere", "-1w:+1w"),
        ("dora@example.com", "-2w:-1w"),
    ):
        command = ["ssh-keygen", "-q", "-s", str(authority.path), "-I", "id", "-n", principal, "-V", days, str(public)]
        subprocess.run(command, check=True)
        lab.signers.write_text(authority.allowed("*@example.com", "cert-authority"))
        certificate = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={dora.path}-cert.pub"]
        found = lab.checked(signed_commit(lab.git, FILE, certificate))
        if principal == "eve@elsewhere" or days == "-2w:-1w":
            assert found.signer is None and found.reason
        else:
            assert found.signer == f"dora@example.com {dora.fingerprint}"


# -- what does not ---------------------------------------------------------------------------------------------------


def test_a_commit_without_a_signature(lab: Signing) -> None:
    assert lab.reason(lab.git.commit(FILE)) == "it has no signature"


@pytest.mark.parametrize("kind", ["pgp", "ssh"])
def test_a_signature_that_was_copied_from_another_commit(lab: Signing, kind: str) -> None:
    data = raw(lab.git, lab.by_alice() if kind == "pgp" else lab.by_carol())
    reason = lab.reason(store(lab.git, data.replace(b"\n\nchange", b"\n\nanother change")))
    assert reason.startswith("bad signature: key ")
    assert (lab.keys.alice[-16:] if kind == "pgp" else lab.keys.ssh.fingerprint) in reason


@pytest.mark.parametrize("kind", ["pgp", "ssh"])
def test_a_key_that_nobody_allowed_is_named(lab: Signing, kind: str) -> None:
    strange, fingerprint = lab.keys.pgp.commit(lab.keys.mallory), lab.keys.mallory
    if kind == "ssh":
        strange, fingerprint = lab.keys.ssh_mallory.commit(), lab.keys.ssh_mallory.fingerprint
    assert f"unknown key {fingerprint}" in lab.reason(signed_commit(lab.git, FILE, strange))


def test_whoever_writes_a_principal_into_a_commit_is_not_that_principal(lab: Signing) -> None:
    lab.signers.write_text(lab.keys.ssh.allowed("carol@example.com") + lab.keys.ssh_mallory.allowed("mallory@example"))
    how = [*lab.keys.ssh_mallory.commit(), "-c", "user.email=carol@example.com", "-c", "user.name=carol@example.com"]
    commit = signed_commit(lab.git, FILE, how, "change", "--author=carol@example.com <carol@example.com>")
    assert lab.checked(commit).signer == f"mallory@example {lab.keys.ssh_mallory.fingerprint}"


def test_a_commit_with_two_signatures(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    alice, mallory = (lab.keys.pgp.sign(payload, key) for key in (lab.keys.alice, lab.keys.mallory))
    assert lab.checked(store(lab.git, with_signature(payload, alice))).signer
    for first, second in ((alice, mallory), (mallory, alice), (alice, alice)):
        twice = with_signature(with_signature(payload, first), second)
        assert lab.reason(store(lab.git, twice)) == "it has more than one signature"
        both = with_signature(payload, first.strip() + b"\n" + second)
        assert "not one block" in lab.reason(store(lab.git, both)) or "not base64" in lab.reason(store(lab.git, both))


@pytest.mark.parametrize("behind", [b"\nparent ", b"\nauthor ", b"\ncommitter "])
def test_a_signature_that_was_moved_so_that_git_does_not_see_what_was_signed(lab: Signing, behind: bytes) -> None:
    """With `all`, parents that git does not see would never be asked for their signatures."""
    old = lab.by_alice("old")
    lab.git.commit(FILE, "unsigned")
    head, gap, message = raw(lab.git, lab.by_alice("new")).partition(b"\n\n")
    others, _, signature = head.partition(b"\ngpgsig ")
    moved = others.replace(behind, b"\ngpgsig " + signature + behind, 1) + gap + message
    evil = store(lab.git, moved)
    if behind == b"\nparent ":
        assert lab.verifier._repository.unseen(old, evil, 10) == [(evil, ())], "git is deceived"
    assert lab.reason(evil) == "its headers are not in the order in which git writes them"


def test_two_signatures_in_one_block(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    both = lab.keys.pgp(
        "--local-user", lab.keys.alice, "--local-user", lab.keys.mallory, "--armor", "--detach-sign", given=payload
    )
    reason = lab.reason(store(lab.git, with_signature(payload, both)))
    assert reason == "its signature cannot be read: it is not one signature and nothing else"


def test_a_signed_message_about_something_else_is_no_signature(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    message = lab.keys.pgp("--local-user", lab.keys.alice, "--armor", "--sign", given=payload)
    assert "unknown kind (PGP MESSAGE)" in lab.reason(store(lab.git, with_signature(payload, message)))


def test_a_signature_of_a_text_with_other_line_ends(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    signature = lab.keys.pgp.sign(payload, lab.keys.alice, "--textmode")
    assert lab.reason(store(lab.git, with_signature(payload, signature))) == "its signature cannot be checked by gpgv"


def test_a_signature_over_sha1(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    rsa = lab.keys.pgp.key("roger", kind="rsa2048")
    ring = lab.git.folder.parent / "ring"
    ring.write_bytes(lab.keys.pgp.export(rsa))
    lab.files = KeyFiles(ring)
    signature = lab.keys.pgp.sign(payload, rsa, "--digest-algo", "SHA1")
    assert "uses SHA-1" in lab.reason(store(lab.git, with_signature(payload, signature)))
    signature = lab.keys.pgp.sign(payload, rsa, "--digest-algo", "SHA256")
    assert lab.checked(store(lab.git, with_signature(payload, signature))).signer


def test_a_key_that_has_expired_since(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    signature = lab.keys.pgp.sign(payload, lab.keys.expired, at=OLD)
    assert "Erin" in lab.reason(store(lab.git, with_signature(payload, signature)))
    assert lab.reason(store(lab.git, with_signature(payload, signature))).endswith("has expired")


def test_a_key_that_was_revoked(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    # gpg itself refuses to sign with it: so by a copy of the key in which it is not revoked yet.
    with pgp_home() as other:
        other("--import", given=lab.keys.pgp("--export-secret-keys", lab.keys.bob))
        signature = other.sign(payload, lab.keys.bob)
        revocation = lab.keys.pgp.home / "openpgp-revocs.d" / f"{lab.keys.bob}.rev"
        (other.home / "openpgp-revocs.d").mkdir(exist_ok=True)
        (other.home / "openpgp-revocs.d" / revocation.name).write_bytes(revocation.read_bytes())
        commit = store(lab.git, with_signature(payload, signature))
        assert lab.checked(commit).signer
        other.revoke(lab.keys.bob)
        ring = lab.git.folder.parent / "ring"
        ring.write_bytes(other.export(lab.keys.bob))
    lab.files = KeyFiles(ring)
    assert "was revoked" in lab.reason(commit)


def test_an_ssh_signature_for_something_else_than_git(lab: Signing) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    signature = lab.keys.ssh.sign(payload, "file")
    assert "is for 'file', not for 'git'" in lab.reason(store(lab.git, with_signature(payload, signature)))
    lab.signers.write_text(lab.keys.ssh.allowed("carol@example.com", 'namespaces="file"'))
    assert "may not sign for 'git'" in lab.reason(lab.by_carol())


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ('valid-before="20210101"', True),
        ('valid-before="20200101"', False),
        ('valid-after="20200101",valid-before="20210101"', True),
        ('valid-after="20210101"', False),
    ],
)
def test_the_times_of_an_allowed_signer_are_compared_with_the_time_of_the_commit(
    lab: Signing, options: str, counts: bool
) -> None:
    lab.signers.write_text(lab.keys.ssh.allowed("carol@example.com", options))
    payload = raw(lab.git, lab.git.commit(FILE))
    then = b"1590969600"  # in June 2020
    payload = b"\n".join(
        line.rpartition(b" ")[0].rpartition(b" ")[0] + b" " + then + b" +0000" if line[:6] in (b"author", b"commit")
        else line for line in payload.split(b"\n")
    )  # fmt: skip
    found = lab.checked(store(lab.git, with_signature(payload, lab.keys.ssh.sign(payload))))
    assert bool(found.signer) is counts
    assert counts or found.reason.endswith("had expired, or was not valid yet, when the commit was made")


def test_a_commit_from_the_future_makes_no_key_valid_that_is_not_yet(lab: Signing) -> None:
    lab.signers.write_text(lab.keys.ssh.allowed("carol@example.com", 'valid-after="20900101"'))
    payload = raw(lab.git, lab.git.commit(FILE))
    when = payload.split(b"\ncommitter ")[1].split(b"\n")[0].split()[-2]
    payload = payload.replace(when, b"3900000000")
    found = lab.checked(store(lab.git, with_signature(payload, lab.keys.ssh.sign(payload))))
    assert "not valid yet" in found.reason


def test_a_revoked_ssh_key_counts_for_nobody(lab: Signing, tmp_path: Path) -> None:
    """By its public key in a list, or in a KRL."""
    revoked, krl, carol = tmp_path / "revoked", tmp_path / "krl", lab.keys.ssh
    commit = lab.by_carol()
    lab.files = KeyFiles(lab.keys.ring, lab.signers, revoked)
    revoked.write_text(f"# gone\n{lab.keys.ssh_mallory.public}\n")
    assert lab.checked(commit).signer == f"carol@example.com {carol.fingerprint}"
    revoked.write_text(f"{carol.public}\n")
    assert lab.reason(commit) == f"key {carol.fingerprint} was revoked, by trust.revoked_keys"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(krl), f"{carol.path}.pub"], check=True)
    lab.files = KeyFiles(lab.keys.ring, lab.signers, krl)
    assert lab.reason(commit) == f"key {carol.fingerprint} was revoked, by trust.revoked_keys"
    krl.write_bytes(krl.read_bytes()[:20])
    with pytest.raises(VerificationUnavailable, match="cannot read trust.revoked_keys"):
        lab.checked(commit)


def test_a_certificate_is_revoked_while_its_authority_is_not(lab: Signing, tmp_path: Path) -> None:
    authority, dora, krl = SSHKey(tmp_path, "authority"), SSHKey(tmp_path, "dora"), tmp_path / "krl"
    sign = ["ssh-keygen", "-q", "-s", str(authority.path), "-I", "id", "-n", "dora@example.com", "-z"]
    lab.signers.write_text(authority.allowed("*@example.com", "cert-authority"))
    (tmp_path / "spec").write_text("serial: 7\n")
    command = ["ssh-keygen", "-q", "-k", "-f", str(krl), "-s", f"{authority.path}.pub", str(tmp_path / "spec")]
    subprocess.run(command, check=True)
    lab.files = KeyFiles(None, lab.signers, krl)
    for serial in ("7", "8"):
        subprocess.run([*sign, serial, f"{dora.path}.pub"], check=True)
        certificate = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={dora.path}-cert.pub"]
        found = lab.checked(signed_commit(lab.git, FILE, certificate))
        assert bool(found.signer) is (serial == "8"), found
        assert serial == "8" or "was revoked" in found.reason


def test_a_kind_of_signature_for_which_there_are_no_keys(lab: Signing) -> None:
    pgp, ssh = lab.by_alice(), lab.by_carol()
    lab.files = KeyFiles(lab.keys.ring)
    assert "there is no trust.allowed_signers" in lab.reason(ssh)
    lab.files = KeyFiles(None, lab.signers)
    assert "there is no trust.keyring" in lab.reason(pgp)


@pytest.mark.parametrize(
    "signature",
    [
        b"x", b"", b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----",
        b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----",
        b"-----BEGIN PGP SIGNATURE-----\n\nyAAA\n-----END PGP SIGNATURE-----",
        b"-----BEGIN PGP SIGNATURE-----\n\nwgQA\n-----END PGP SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----",
        b"-----BEGIN PGP SIGNATURE-----\n" + b"A" * 70000 + b"\n-----END PGP SIGNATURE-----",
    ],
)  # fmt: skip
def test_rubbish_is_a_reason_and_no_crash(lab: Signing, signature: bytes) -> None:
    payload = raw(lab.git, lab.git.commit(FILE))
    assert lab.reason(store(lab.git, with_signature(payload, signature)))


# -- tags ------------------------------------------------------------------------------------------------------------


def test_an_old_signed_tag_that_is_served_under_another_name(lab: Signing) -> None:
    lab.git.commit(FILE)
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "v1")
    lab.git("update-ref", "refs/tags/live", lab.git("rev-parse", "v1"))
    found = lab.tagged("live")
    assert found is not None and found.signer is None and "its signature is for another name" in found.reason


def test_a_signed_tag_that_was_put_on_another_commit(lab: Signing) -> None:
    first = lab.git.commit(FILE)
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "v1")
    second = lab.git.commit(FILE, "evil")
    forged = raw(lab.git, "v1", "tag").replace(first.encode(), second.encode())
    lab.git("update-ref", "refs/tags/v1", store(lab.git, forged, "tag"))
    found = lab.tagged("v1", second)
    assert found is not None and found.reason.startswith("bad signature")


def test_a_tag_that_moves_while_it_is_looked_at_is_looked_at_again(lab: Signing) -> None:
    first = lab.git.commit(FILE)
    lab.git.commit(FILE, "second")
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "v1")
    with pytest.raises(SourceUnavailable, match="by now"):
        lab.tagged("v1", first)


def test_a_tag_of_a_signed_tag_is_signed_by_whoever_signed_the_outer_one(lab: Signing) -> None:
    commit = lab.git.commit(FILE)
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "inner")
    lab.git("tag", "-a", "-m", "x", "plain", "inner")
    assert lab.tagged("plain", commit) is None, "the commit must speak for itself"
    lab.git(*lab.keys.pgp.commit(lab.keys.bob), "tag", "-s", "-m", "x", "outer", "inner")
    found = lab.tagged("outer", commit)
    assert found is not None and (found.signer or "").startswith("Bob")


def test_a_signed_tag_with_something_behind_its_signature(lab: Signing) -> None:
    commit = lab.git.commit(FILE)
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "v1")
    data = raw(lab.git, "v1", "tag")
    for more in (b"and more\n", data[data.index(b"-----BEGIN") :]):
        lab.git("update-ref", "refs/tags/v1", store(lab.git, data + more, "tag"))
        found = lab.tagged("v1", commit)
        assert found is not None and found.signer is None and found.reason


def test_a_branch_of_the_same_name_goes_before_the_tag(lab: Signing) -> None:
    commit = lab.git.commit(FILE)
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "main")
    assert lab.tagged("main", commit) is None


# -- a repository that lies ------------------------------------------------------------------------------------------


def test_the_repositorys_own_settings_run_no_program_and_change_nothing(lab: Signing, tmp_path: Path) -> None:
    commit = lab.git.commit(FILE)
    data = raw(lab.git, commit)
    forged = store(lab.git, with_signature(data, lab.keys.pgp.sign(data, lab.keys.mallory)))
    evil, ran = tmp_path / "evil", tmp_path / "ran"
    evil.write_text(f'#!/bin/sh\ntouch {ran}\necho "[GNUPG:] GOODSIG 1 Alice" >&1\nexit 0\n')
    evil.chmod(0o755)
    for name in ("gpg.program", "gpg.openpgp.program", "gpg.ssh.program", "core.fsmonitor"):
        lab.git("config", name, str(evil))
    lab.git("config", "gpg.ssh.allowedSignersFile", str(lab.keys.ssh_mallory.path))
    lab.git("config", "gpg.minTrustLevel", "undefined")
    # Git asks a remote for what a partial clone has not.
    for name, value in (("promisor", "true"), ("url", str(tmp_path)), ("uploadpack", str(evil))):
        lab.git("config", f"remote.origin.{name}", value)
    lab.git("config", "core.repositoryformatversion", "1")
    lab.git("config", "extensions.partialClone", "origin")
    assert "unknown key" in lab.reason(forged) and lab.reason(commit) == "it has no signature"
    cut_off = store(lab.git, data.replace(b"\nauthor", b"\nparent " + b"1" * 40 + b"\nauthor", 1))
    for missing in (lambda: lab.reason("1" * 40), lambda: lab.verifier._repository.unseen("2" * 40, cut_off, 9)):
        with pytest.raises(SourceUnavailable):
            missing()
    assert not ran.exists()


def test_a_replaced_commit_is_seen_as_it_is(lab: Signing) -> None:
    good, evil = lab.by_alice("good"), lab.git.commit(FILE, "evil")
    lab.git("replace", evil, good)
    assert lab.reason(evil) == "it has no signature"
    lab.git("replace", "-d", evil)
    lab.git("replace", good, evil)
    assert lab.checked(good).signer


def test_an_object_that_was_put_in_the_place_of_another_is_noticed(lab: Signing) -> None:
    good, evil = lab.by_alice("good"), lab.git.commit(FILE, "evil")
    places = [lab.git.folder / ".git/objects" / one[:2] / one[2:] for one in (good, evil)]
    places[1].unlink()
    places[1].write_bytes(places[0].read_bytes())
    assert "are not those of its id" in lab.reason(evil)


def test_a_tag_that_was_put_in_the_place_of_another_is_noticed(lab: Signing) -> None:
    lab.git.commit(FILE)
    lab.git("tag", "-a", "-m", "x", "inner")
    lab.git(*lab.keys.pgp.commit(lab.keys.alice), "tag", "-s", "-m", "x", "live", "inner")
    inner = lab.git("rev-parse", "inner")
    evil = lab.git.commit(FILE, "evil")
    lab.git("tag", "-a", "-f", "-m", "x", "inner")
    places = [lab.git.folder / ".git/objects" / one[:2] / one[2:] for one in (inner, lab.git("rev-parse", "inner"))]
    places[0].unlink()
    places[0].write_bytes(places[1].read_bytes())
    found = lab.tagged("live", evil)
    assert found is not None and found.signer is None and "are not those of its id" in found.reason


def test_grafts_and_shallow_files_hide_no_commit(lab: Signing) -> None:
    old = lab.by_alice("old")
    middle = lab.git.commit(FILE, "unsigned")
    new = lab.by_alice("new")
    expected = [(new, (middle,)), (middle, (old,))]
    repository = lab.verifier._repository
    assert repository.unseen(old, new, 10) == expected
    (lab.git.folder / ".git/info").mkdir(exist_ok=True)
    (lab.git.folder / ".git/info/grafts").write_text(f"{new} {old}\n")
    (lab.git.folder / ".git/shallow").write_text(f"{new}\n")
    seen = subprocess.run(
        ["git", "rev-list", f"{old}..{new}"], cwd=lab.git.folder, env=ENVIRONMENT, capture_output=True
    )
    assert middle.encode() not in seen.stdout, "git itself is deceived"
    assert repository.unseen(old, new, 10) == expected
    assert repository.unseen("1" * 40, new, 10) == [*expected, (old, ())], "all, when the old one is gone"


# -- programs that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pgp", "ssh"])
def test_a_program_that_hangs_or_dies_says_nothing_of_the_commit(
    lab: Signing, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = lab.by_alice() if kind == "pgp" else lab.by_carol()
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    verifier = Verifier(lab.git.folder, lab.files, seconds=0.3)
    for script, match in (("exec sleep 60", "within 0.3 s"), ("kill -9 $$", "signal 9")):
        for name in ("gpgv", "ssh-keygen"):
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        with pytest.raises(VerificationUnavailable, match=match):
            verifier.commit(commit, lab.files.read())
    verifier.close()


GOOD = """[GNUPG:] NEWSIG
[GNUPG:] GOODSIG E0887E0B18D8F2E1 A <a@x>
[GNUPG:] VALIDSIG 3342F27106AFAD33868922DEE0887E0B18D8F2E1 2026-11-27 1795781168 0 4 0 22 8 00 3342F27106AFAD33868922DEE0887E0B18D8F2E1
"""  # noqa: E501


@pytest.mark.parametrize(
    "status",
    [
        "", "[GNUPG:] ", "GOODSIG x", GOOD + GOOD, GOOD + "[GNUPG:] BADSIG E0887E0B18D8F2E1 A\n",
        GOOD + "[GNUPG:] NEWSIG\n", GOOD.replace("VALIDSIG", "VALID"), GOOD.replace("GOODSIG", "REVKEYSIG"),
        GOOD.replace(" 00 ", " 01 "), GOOD.replace("[GNUPG:] GOODSIG", "[GNUPG:]GOODSIG"),
    ],
)  # fmt: skip
def test_nothing_but_one_good_and_valid_signature_is_one(status: str) -> None:
    assert read_status(GOOD, 0).signer == "A <a@x> 3342F27106AFAD33868922DEE0887E0B18D8F2E1"
    assert read_status(GOOD, 2).signer is None
    assert read_status(status, 0).signer is None and read_status(status, 0).reason
