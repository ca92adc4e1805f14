"""Several passwords of one user in one file, while they are changed."""

import pytest

from gitops_profile.digest import (
    MAX_GENERATIONS,
    CredentialStore,
    a1,
    add_generation,
    generations_of,
    read_generations,
    replace_user,
)

WHO = ("0004132a1122", "provisioning")


def hashed(password: str, *algorithms: str) -> dict[str, str]:
    return {algorithm: a1(algorithm, *WHO, password) for algorithm in algorithms or ("MD5",)}


def test_each_line_of_a_user_is_a_password_of_his() -> None:
    text = replace_user("", *WHO, hashed("new"), hashed("old")) + f"other:provisioning:{'0' * 32}\n"
    stores, problems = read_generations(text)
    assert problems == ()
    assert [dict(store.lookup(*WHO)) for store in stores] == [hashed("new"), hashed("old")]
    assert [len(store) for store in stores] == [2, 1]


def test_lines_of_several_algorithms_go_together() -> None:
    both = ("MD5", "SHA-512-256")
    text = replace_user("", *WHO, hashed("new", *both), hashed("old", *both))
    assert generations_of(text, *WHO) == (hashed("new", *both), hashed("old", *both))


def test_an_empty_file_has_one_store_with_nobody() -> None:
    stores, problems = read_generations("# nobody yet\n\n")
    assert ([len(store) for store in stores], problems) == ([0], ())


def test_the_newest_password_comes_first_and_the_oldest_of_many_goes() -> None:
    text = "# phones\n"
    for number in range(MAX_GENERATIONS + 2):
        text = add_generation(text, *WHO, hashed(str(number)))
    assert generations_of(text, *WHO) == tuple(hashed(str(number)) for number in (5, 4, 3, 2))
    assert text.startswith("# phones\n") and read_generations(text)[1] == ()


def test_a_password_that_is_there_already_is_not_there_twice() -> None:
    text = add_generation(add_generation("", *WHO, hashed("a")), *WHO, hashed("b"))
    assert generations_of(add_generation(text, *WHO, hashed("a")), *WHO) == (hashed("a"), hashed("b"))


def test_a_password_in_fewer_algorithms_than_the_older_one_is_refused() -> None:
    """Else the older one's other line would look like the newer one's."""
    text = replace_user("", *WHO, hashed("old", "MD5", "SHA-256"))
    with pytest.raises(ValueError, match="SHA-256"):
        add_generation(text, *WHO, hashed("new"))
    added = add_generation(text, *WHO, hashed("new", "MD5", "SHA-256"))
    assert generations_of(added, *WHO)[0] == hashed("new", "MD5", "SHA-256")


def test_a_line_too_many_and_a_line_that_is_none_are_told_by_their_numbers() -> None:
    lines = [f"{':'.join(WHO)}:{number:032x}" for number in range(MAX_GENERATIONS + 1)]
    text = "\n".join(["nonsense", *lines])
    _, problems = read_generations(text)
    assert [problem.line for problem in problems] == [1, MAX_GENERATIONS + 2]
    assert not any(f"{MAX_GENERATIONS:032x}" in problem.message for problem in problems)


def test_where_users_have_one_password_nothing_of_this_counts() -> None:
    """The files of the domains: the first line counts, and the second is a problem."""
    store = CredentialStore.parse(replace_user("", *WHO, hashed("new"), hashed("old")))
    assert dict(store.lookup(*WHO)) == hashed("new")
    assert len(store.problems) == 1
