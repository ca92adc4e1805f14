"""The file of credentials, and Apache's own tool as the other party."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.digest import ALGORITHMS, CredentialStore, a1, remove_user, replace_user
from tests.system.lab import need

MD5, SHA = "a" * 32, "b" * 64
FILE = f"""# phones of example.com
alice:example.com:{MD5}

alice:example.com:{SHA}
alice:example.com:SHA-512-256:{"C" * 64}
bob:example.com:md5:{MD5}\r
alice:example.net:{MD5}
"""
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=":"), min_size=1).filter(
    lambda name: name == name.strip() and not name.startswith(("#", "\ufeff"))
)


def test_a_user_has_a_line_for_each_algorithm() -> None:
    store = CredentialStore.parse(FILE)
    assert store.problems == ()
    assert store.lookup("alice", "example.com") == {"MD5": MD5, "SHA-256": SHA, "SHA-512-256": "c" * 64}
    assert store.lookup("bob", "example.com") == {"MD5": MD5}
    assert store.lookup("alice", "example.org") == store.lookup("", "") == {}
    assert len(store) == 3
    assert list(store.users()) == [("alice", "example.com"), ("bob", "example.com"), ("alice", "example.net")]


@pytest.mark.parametrize(
    "line",
    [
        "alice",
        "alice:example.com",
        f"a:b:c:MD5:{MD5}",
        f":example.com:{MD5}",
        f"alice::{MD5}",
        f"alice:example.com:{MD5[1:]}",
        f"alice:example.com:{MD5[1:]}g",
        f"alice:example.com:{SHA}0",
        f"alice:example.com:MD5:{SHA}",
        f"alice:example.com:SHA-256:{MD5}",
        f"alice:example.com:SHA-512:{SHA}",
        f"alice:example.com:MD5-sess:{MD5}",
        f"al\x00ice:example.com:{MD5}",
        f"al\udcffice:example.com:{MD5}",
        "alice:example.com:",
    ],
)
def test_a_bad_line_is_a_problem_with_its_number_and_harms_no_other(line: str) -> None:
    store = CredentialStore.parse(f"# one\nbob:example.com:{MD5}\n{line}\ncarol:example.com:{MD5}\n")
    assert [problem.line for problem in store.problems] == [3]
    assert list(store.users()) == [("bob", "example.com"), ("carol", "example.com")]


def test_no_problem_and_no_repr_shows_a_hash() -> None:
    secret = "deadbeef" * 4
    text = f"a:b:{secret}1\na:b:x:{secret}\na:b:{secret}\na:b:MD5:{secret}\n{secret}\n"
    store = CredentialStore.parse(text)
    assert len(store.problems) == 4
    assert "deadbeef" not in repr(store) + repr(store.problems)


def test_of_two_lines_for_the_same_the_first_counts() -> None:
    store = CredentialStore.parse(f"a:b:{MD5}\na:b:MD5:{'c' * 32}\n")
    assert store.lookup("a", "b") == {"MD5": MD5}
    assert [problem.line for problem in store.problems] == [2]


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert CredentialStore.parse(f"\ufeffa:b:{MD5}\n").lookup("a", "b") == {"MD5": MD5}


def test_a_new_user_comes_last_and_a_known_one_stays_in_his_place() -> None:
    text = replace_user(FILE, "dora", "example.com", {"SHA-512-256": SHA, "MD5": MD5})
    assert text == FILE + f"dora:example.com:SHA-512-256:{SHA}\ndora:example.com:{MD5}\n"
    text = replace_user(FILE, "alice", "example.com", {"SHA-256": "d" * 64})
    assert (
        text
        == f"""# phones of example.com
alice:example.com:{"d" * 64}

bob:example.com:md5:{MD5}\r
alice:example.net:{MD5}
"""
    )


def test_a_last_line_without_an_end_gets_one() -> None:
    assert replace_user("# x", "a", "b", {"MD5": MD5}) == f"# x\na:b:{MD5}\n"
    assert replace_user("", "a", "b", {"MD5": MD5}) == f"a:b:{MD5}\n"


def test_a_user_is_taken_out_with_all_lines_or_some() -> None:
    assert "alice:example.com" not in remove_user(FILE, "alice", "example.com")
    assert "alice:example.net" in remove_user(FILE, "alice", "example.com")
    some = CredentialStore.parse(remove_user(FILE, "alice", "example.com", ("SHA-256", "MD5")))
    assert set(some.lookup("alice", "example.com")) == {"SHA-512-256"}
    assert remove_user(FILE, "nobody", "example.com") == FILE


@pytest.mark.parametrize("name", ["", " a", "a ", "a:b", "a\nb", "#a", "a\udcff", "\ufeffa"])
def test_a_name_that_cannot_stand_in_the_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="user|comment"):
        replace_user("", name, "example.com", {"MD5": MD5})
    if name not in ("#a", "\ufeffa"):
        with pytest.raises(ValueError, match="realm"):
            replace_user("", "a", name, {"MD5": MD5})


@given(st.text())
def test_any_text_gives_a_store(text: str) -> None:
    store = CredentialStore.parse(text)
    lines = text.count("\n") + 1
    assert all(1 <= problem.line <= lines for problem in store.problems)


@given(st.text(), NAMES, NAMES, st.sets(st.sampled_from(ALGORITHMS), min_size=1))
def test_what_is_set_is_found_and_goes_without_a_trace(text: str, user: str, realm: str, names: set[str]) -> None:
    hashes = {name: a1(name, user, realm, "pw") for name in names}
    before = CredentialStore.parse(text)
    written = replace_user(text, user, realm, hashes)
    after = CredentialStore.parse(written)
    assert after.lookup(user, realm) == hashes
    assert {who: after.lookup(*who) for who in after.users() if who != (user, realm)} == {
        who: before.lookup(*who) for who in before.users() if who != (user, realm)
    }
    assert replace_user(written, user, realm, hashes) == written
    if text.endswith("\n") and (user, realm) not in before.users():
        assert remove_user(written, user, realm) == text


def apache(file: Path, realm: str, user: str, password: str, *options: str) -> None:
    """htdigest asks on the terminal; in a session that has none it takes standard input."""
    subprocess.run(
        [need("htdigest"), *options, str(file), realm, user],
        input=f"{password}\n{password}\n".encode(),
        start_new_session=True,
        capture_output=True,
        check=True,
        timeout=20,
    )


@pytest.mark.peer
def test_apaches_htdigest_and_we_write_the_same(tmp_path: Path) -> None:
    file = tmp_path / "users.htdigest"
    apache(file, "example.com", "alice", "geheim", "-c")
    ours = replace_user("", "alice", "example.com", {"MD5": a1("MD5", "alice", "example.com", "geheim")})
    assert file.read_text() == ours


@pytest.mark.peer
def test_apaches_htdigest_keeps_our_lines_and_we_keep_its(tmp_path: Path) -> None:
    file = tmp_path / "users.htdigest"
    hashes = {name: a1(name, "bob", "example.com", "pw") for name in ALGORITHMS}
    file.write_text(replace_user("# phones\n", "bob", "example.com", hashes))
    apache(file, "example.com", "alice", "first")
    apache(file, "example.com", "alice", "second")
    store = CredentialStore.parse(file.read_text())
    assert store.problems == () and store.lookup("bob", "example.com") == hashes
    assert store.lookup("alice", "example.com") == {"MD5": a1("MD5", "alice", "example.com", "second")}
