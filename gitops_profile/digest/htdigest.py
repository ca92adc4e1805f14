"""The file of credentials: `user:realm:HASH` as Apache's htdigest writes it, one line for each user and algorithm.

32 digits are MD5, 64 are SHA-256. SHA-512-256 has 64 digits too, so its lines name the algorithm as a third of four
fields, which any line may do. Hashes stay out of every problem and every `repr`.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from .algorithms import HEX_DIGITS, read_algorithm

_HASH = re.compile(r"[0-9A-Fa-f]+")
_BAD_NAME = re.compile(r"[:\x00-\x1f\x7f\ud800-\udfff]")
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line that could not be used."""

    line: int
    """From 1."""
    message: str


@dataclass(frozen=True, slots=True)
class _Entry:
    user: str
    realm: str
    algorithm: str
    a1_hash: str = field(repr=False)


class CredentialStore:
    """What a file of credentials says; lines with a problem are left out."""

    def __init__(self, hashes: Mapping[tuple[str, str], Mapping[str, str]], problems: tuple[LineProblem, ...]) -> None:
        self._hashes = hashes
        self.problems = problems

    @classmethod
    def parse(cls, text: str) -> "CredentialStore":
        """Of two lines for one user, realm and algorithm the first counts, as for Apache. Raises nothing."""
        hashes: dict[tuple[str, str], dict[str, str]] = {}
        problems = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            entry = _read_line(line)
            if isinstance(entry, str):
                problems.append(LineProblem(number, entry))
            elif entry is not None:
                of_user = hashes.setdefault((entry.user, entry.realm), {})
                if entry.algorithm in of_user:
                    problems.append(LineProblem(number, f"a second {entry.algorithm} line for this user and realm"))
                of_user.setdefault(entry.algorithm, entry.a1_hash)
        return cls(hashes, tuple(problems))

    def lookup(self, user: str, realm: str) -> Mapping[str, str]:
        """Algorithm: A1 in hex; empty for a user who is not known."""
        return self._hashes.get((user, realm), _NOTHING)

    def users(self) -> Iterator[tuple[str, str]]:
        """(user, realm) of everybody."""
        return iter(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)


def replace_user(text: str, user: str, realm: str, *hashes: Mapping[str, str]) -> str:
    """`text` with these lines, and no others, for this user; new ones come last, all other lines stay as they are.

    `hashes` is algorithm: A1 in hex, one for each password (see `read_generations`), in this order. All lines of
    the user go, since a line that stayed would keep an old password.
    Raises ValueError when a name cannot stand in such a file.
    """
    for what, name in (("user", user), ("realm", realm)):
        if not name or name != name.strip() or _BAD_NAME.search(name):
            raise ValueError(f"a {what} is not empty and has no colon, control character or space at its ends")
    if user.startswith(("#", "\ufeff")):
        raise ValueError("a line that begins with # is a comment")
    new = "".join(_write_line(user, realm, algorithm, a1) for one in hashes for algorithm, a1 in one.items())
    kept, at = _without(text, user, realm, None)
    if at is None:
        at = len(kept)
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
    return "".join([*kept[:at], new, *kept[at:]])


def remove_user(text: str, user: str, realm: str, algorithms: Collection[str] | None = None) -> str:
    """`text` without the lines of this user, or without those for `algorithms`; all others stay as they are."""
    return "".join(_without(text, user, realm, algorithms)[0])


def _without(text: str, user: str, realm: str, algorithms: Collection[str] | None) -> tuple[list[str], int | None]:
    """The lines, with their ends, that remain, and where among them the first that went had been."""
    kept: list[str] = []
    at = None
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        entry = _read_line(line.removeprefix("\ufeff"))
        if (
            isinstance(entry, _Entry)
            and (entry.user, entry.realm) == (user, realm)
            and (algorithms is None or entry.algorithm in algorithms)
        ):
            at = len(kept) if at is None else at
        else:
            kept.append(line)
    return kept, at


def _read_line(line: str) -> _Entry | str | None:
    """An entry, what is wrong, or None for a line that says nothing."""
    line = line.strip(" \t\r\n")
    if not line or line.startswith("#"):
        return None
    fields = line.split(":")
    if len(fields) not in (3, 4):
        return "not user:realm:hash or user:realm:algorithm:hash"
    user, realm, a1_hash = fields[0], fields[1], fields[-1]
    if not user or not realm or _BAD_NAME.search(user + realm):
        return "no user, no realm, or a character in them that no phone sends"
    if len(fields) == 4:
        known = read_algorithm(fields[2])
        if known is None or known[1]:
            return "an algorithm other than MD5, SHA-256 and SHA-512-256"
        algorithm = known[0]
    else:
        algorithm = "MD5" if len(a1_hash) == HEX_DIGITS["MD5"] else "SHA-256"
    if len(a1_hash) != HEX_DIGITS[algorithm] or not _HASH.fullmatch(a1_hash):
        return (
            f"the hash is not {HEX_DIGITS[algorithm]} hexadecimal digits"
            if len(fields) == 4
            else ("the hash is neither 32 hexadecimal digits (MD5) nor 64 (SHA-256)")
        )
    return _Entry(user, realm, algorithm, a1_hash.lower())


def _write_line(user: str, realm: str, algorithm: str, a1_hash: str) -> str:
    named = f"{algorithm}:" if algorithm == "SHA-512-256" else ""
    return f"{user}:{realm}:{named}{a1_hash}\n"
