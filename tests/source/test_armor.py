"""Blocks of text and packets, against what gpg and ssh-keygen write."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.source.armor import (
    PGP_SIGNATURE,
    SSH_SIGNATURE,
    BadArmor,
    dearmor,
    enarmor_ssh,
    label_of,
    one_pgp_signature,
    packet,
    parse_ssh_signature,
)
from tests.signing import SSHKey, pgp_home


def test_what_gpg_writes_is_read_as_gpg_reads_it() -> None:
    with pgp_home() as pgp:
        key = pgp.key("one")
        armored = pgp.sign(b"x", key)
        assert label_of(armored) == PGP_SIGNATURE
        assert dearmor(armored, PGP_SIGNATURE) == pgp("--dearmor", given=armored)
        with_remark = pgp.sign(b"x", key, "--comment", "a remark", "--emit-version")
        assert one_pgp_signature(dearmor(with_remark, PGP_SIGNATURE)) == pgp("--dearmor", given=with_remark)
        crlf = armored.replace(b"\n", b"\r\n")
        assert dearmor(crlf, PGP_SIGNATURE) == pgp("--dearmor", given=armored)
        assert packet(pgp.export(key))[0] == 6


def test_an_ssh_signature_has_the_fingerprint_and_namespace_that_ssh_keygen_says(tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa", "rsa"):
        key = SSHKey(tmp_path, kind, kind)
        armored = key.sign(b"x", "somewhere")
        data = dearmor(armored, SSH_SIGNATURE)
        found = parse_ssh_signature(data)
        assert (found.fingerprint, found.namespace) == (key.fingerprint, b"somewhere")
        assert enarmor_ssh(data) == armored
        for wrong in (data[:-1], data + b"x", b"x" + data, data.replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2")):
            with pytest.raises(BadArmor):
                parse_ssh_signature(wrong)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x88\x05", (2, 7)), (b"\x89\x01\x00", (2, 259)), (b"\x8a\x00\x01\x00\x00", (2, 65541)),
        (b"\xc2\x05", (2, 7)), (b"\xc2\xc0\x00", (2, 195)), (b"\xc2\xff\x00\x00\x01\x00", (2, 262)),
        (b"\xc6\x01", (6, 3)),
    ],
)  # fmt: skip
def test_both_forms_of_packet_lengths(data: bytes, expected: tuple[int, int]) -> None:
    """The examples of RFC 9580 §4.2.1 and §4.2.2, by their rules."""
    assert packet(data) == expected


@pytest.mark.parametrize("data", [b"", b"\x88", b"\x00\x00", b"\x8b\x00", b"\xc2\xe1\x00", b"\xc2\xc0"])
def test_packets_whose_length_is_not_known(data: bytes) -> None:
    with pytest.raises(BadArmor):
        packet(data)


@given(st.binary(max_size=200))
def test_no_bytes_are_a_crash(data: bytes) -> None:
    for function in (one_pgp_signature, parse_ssh_signature, lambda d: dearmor(d, PGP_SIGNATURE)):
        try:
            function(data)
        except BadArmor:
            continue
