"""Tags and branches: 64 random bits as hexadecimal digits (RFC 3261 §8.1.1.7, §19.3 asks for 32)."""

import os
from collections.abc import Callable

BYTES = 8
AT_ONCE = 256
"""Tokens for which the kernel is asked together: asking for each took 5 µs, twice for every subscription."""


class Tokens:
    """A source of tokens that nobody can guess."""

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random_bytes = random_bytes
        self._left: list[str] = []

    def __call__(self) -> str:
        """The next one."""
        if not self._left:
            text = self._random_bytes(BYTES * AT_ONCE).hex()
            self._left = [text[start : start + 2 * BYTES] for start in range(0, len(text), 2 * BYTES)]
        return self._left.pop()
