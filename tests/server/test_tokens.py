"""Tokens are as many random bits as they say, and no two are the same."""

import re

from gitops_profile.server.tokens import AT_ONCE, BYTES, Tokens


def test_a_token_is_a_word_of_64_bits_that_does_not_come_again() -> None:
    tokens = Tokens()
    made = [tokens() for _ in range(5 * AT_ONCE)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[0-9a-f]{16}", token) for token in made)


def test_every_random_byte_is_in_one_token_only() -> None:
    asked: list[int] = []

    def counted(count: int) -> bytes:
        asked.append(count)
        return b"".join(number.to_bytes(BYTES, "big") for number in range(count // BYTES))

    tokens = Tokens(counted)
    assert sorted(int(tokens(), 16) for _ in range(AT_ONCE)) == list(range(AT_ONCE))
    assert asked == [AT_ONCE * BYTES]
