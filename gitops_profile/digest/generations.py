"""A file of credentials in which a user may have several passwords at once: while they are being changed, the old and
the new one are both right (the order of the lines is the order in which they are tried, the newest first)."""

from collections import Counter
from collections.abc import Mapping

from .htdigest import CredentialStore, LineProblem, replace_user

MAX_GENERATIONS = 4
"""Passwords of one user, each of which costs every wrong guess one hash."""


def read_generations(text: str) -> tuple[tuple[CredentialStore, ...], tuple[LineProblem, ...]]:
    """A store for the first line of each user, one for the second, and so on; what is wrong with the rest.

    There is one store at least, and none that nobody is in but the first.
    """
    seen: Counter[str] = Counter()
    lines: list[list[str]] = [[] for _ in range(MAX_GENERATIONS)]
    problems = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        who = line.strip().rpartition(":")[0] + f":{len(line.strip().rpartition(':')[2])}"
        generation = min(seen[who], MAX_GENERATIONS)
        is_entry = bool(line.strip()) and not line.strip().startswith("#")
        if is_entry and generation == MAX_GENERATIONS:
            problems.append(LineProblem(number, f"a user has at most {MAX_GENERATIONS} passwords at once"))
        seen[who] += is_entry
        for store, kept in enumerate(lines):
            kept.append(line if store == generation else "")  # so that the line numbers stay
    stores = [CredentialStore.parse("\n".join(kept)) for kept in lines]
    problems += [problem for store in stores for problem in store.problems]
    problems.sort(key=lambda problem: problem.line)
    return tuple(store for store in stores if len(store)) or (stores[0],), tuple(problems)


def generations_of(text: str, user: str, realm: str) -> tuple[Mapping[str, str], ...]:
    """The user's passwords, each as algorithm: A1 in hex, the newest first."""
    stores, _ = read_generations(text)
    return tuple(found for store in stores if (found := store.lookup(user, realm)))


def add_generation(text: str, user: str, realm: str, hashes: Mapping[str, str]) -> str:
    """`text` with this password as the user's newest; the others stay right, but for the oldest when there are many.

    `hashes` is algorithm: A1 in hex, for at least the algorithms of the older ones, so that each line's place says
    which password it is of. Raises ValueError when it is not, or when a name cannot stand in such a file.
    """
    older = [one for one in generations_of(text, user, realm) if one != hashes]
    missing = {algorithm for one in older for algorithm in one} - set(hashes)
    if missing:
        raise ValueError(f"the older password has {', '.join(sorted(missing))} too: give that as well")
    return replace_user(text, user, realm, hashes, *older[: MAX_GENERATIONS - 1])
