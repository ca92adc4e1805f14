"""The files that say whose signatures count: what is of use, and what is said of the rest."""

from pathlib import Path

import pytest

from gitops_profile.source import KeyFiles, KeysUnusable, keys
from tests.signing import SSHKey, pgp_home


def refusal(files: KeyFiles) -> str:
    with pytest.raises(KeysUnusable) as caught:
        files.read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_digest_changes_with_either_file_and_with_nothing_else(tmp_path: Path) -> None:
    with pgp_home() as pgp:
        one, two = pgp.key("one"), pgp.key("two")
        ring, signers = tmp_path / "ring", tmp_path / "signers"
        signers.write_text(SSHKey(tmp_path, "carol").allowed("carol"))
        digests = []
        for data in (pgp.export(one), pgp.export(one, armor=True), pgp.export(two), pgp.export(one, two)):
            ring.write_bytes(data)
            digests.append(KeyFiles(ring, signers).read().digest)
        assert digests[0] == digests[1] and len(set(digests)) == 3
        assert KeyFiles(ring).read().digest not in digests
        signers.write_text(signers.read_text() + "# a remark\n")
        assert KeyFiles(ring, signers).read().digest not in digests
        several = pgp.export(one, armor=True) + b"\nsome text\n" + pgp.export(two, armor=True)
        ring.write_bytes(several)
        assert KeyFiles(ring).read().keyring == pgp.export(one) + pgp.export(two)


def test_what_is_no_keyring(tmp_path: Path) -> None:
    ring = tmp_path / "ring"
    assert "cannot be read: No such file" in refusal(KeyFiles(ring))
    ring.mkdir()
    (ring / ".hidden").write_text("x")
    assert "holds no file with a public key" in refusal(KeyFiles(ring))
    (ring / "one.asc").write_text("hello")
    assert "one.asc is no file that gpg --export writes" in refusal(KeyFiles(ring))
    (ring / "one.asc").unlink()
    (ring / "below").mkdir()
    assert "below cannot be read: Is a directory" in refusal(KeyFiles(ring))
    ring = tmp_path / "file"
    for data in (b"", b"hello", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n", b"\x88"):
        ring.write_bytes(data)
        assert "no file that gpg --export writes" in refusal(KeyFiles(ring)), data
    with pgp_home() as pgp:
        key = pgp.key("one")
        for armor in ([], ["--armor"]):
            ring.write_bytes(pgp(*armor, "--export-secret-keys", key))
            assert "holds a private key" in refusal(KeyFiles(ring))
        ring.write_bytes(pgp("--local-user", key, "--detach-sign", given=b"x"))
        assert "holds no public key" in refusal(KeyFiles(ring))


def test_a_folder_is_a_keyring_of_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    files, stamps = KeyFiles(folder), []
    with pgp_home() as pgp:
        one, two = pgp.key("one"), pgp.key("two")
        (folder / "b.gpg").write_bytes(pgp.export(two))
        stamps.append(files.stamp())
        (folder / "a.asc").write_bytes(pgp.export(one, armor=True))
        (folder / "a.asc~").write_text("what an editor keeps")
        stamps.append(files.stamp())
        assert files.read().keyring == pgp.export(one) + pgp.export(two)
        (folder / "b.gpg").write_bytes(pgp.export(two, armor=True))
        stamps.append(files.stamp())
        assert files.read().keyring == pgp.export(one) + pgp.export(two)
        (folder / "b.gpg").unlink()
        stamps.append(files.stamp())
        assert files.read().keyring == pgp.export(one)
    assert len(set(stamps)) == 4
    monkeypatch.setattr(keys, "MAX_FILES", 1)
    (folder / "c.gpg").write_bytes(b"")
    assert "more than 1 files" in refusal(files) and files.stamp()


def test_what_is_no_list_of_revoked_keys(tmp_path: Path) -> None:
    signers, revoked = tmp_path / "signers", tmp_path / "revoked"
    carol = SSHKey(tmp_path, "carol")
    signers.write_text(carol.allowed("carol"))
    files = KeyFiles(None, signers, revoked)
    assert "revoked cannot be read: No such file" in refusal(files)
    for text in (carol.allowed("carol"), carol.fingerprint, "hello"):
        revoked.write_text(text)
        assert "neither a list of public SSH keys nor what ssh-keygen -k writes" in refusal(files)
    digests = {KeyFiles(None, signers).read().digest}
    for text in ("", "# nobody yet\n", f"{carol.public} a remark\n"):
        revoked.write_text(text)
        digests.add(files.read().digest)
    assert len(digests) == 4


def test_what_names_no_signer(tmp_path: Path) -> None:
    signers = tmp_path / "signers"
    assert "cannot be read" in refusal(KeyFiles(None, signers))
    for text in ("", "# nobody\n\n"):
        signers.write_text(text)
        assert "names no signer" in refusal(KeyFiles(None, signers))
    assert "holds a private key" in refusal(KeyFiles(None, SSHKey(tmp_path, "carol").path))


def test_a_program_that_is_not_installed_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install gpgv" in refusal(KeyFiles(tmp_path / "ring"))
    assert "apt-get install openssh-client" in refusal(KeyFiles(None, tmp_path / "signers"))


def test_a_file_that_was_touched_has_another_stamp_and_a_missing_one_has_one(tmp_path: Path) -> None:
    files = KeyFiles(None, tmp_path / "signers")
    missing = files.stamp()
    (tmp_path / "signers").write_text("a")
    there = files.stamp()
    (tmp_path / "signers").write_text("ab")
    assert len({missing, there, files.stamp()}) == 3
