"""A file of credentials in which a user may have several passwords at once: while they are being changed, the old and
the new one are both right (the order of the lines is the order in which they are tried)."""

from collections import Counter

from .htdigest import CredentialStore, LineProblem

MAX_GENERATIONS = 4
"""Passwords of one user, each of which costs every wrong guess one hash."""


def read_generations(text: str) -> tuple[tuple[CredentialStore, ...], tuple[LineProblem, ...]]:
    """A store for the first line of each user, one for the second, and so on; what is wrong with the rest."""
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
    return tuple(store for store in stores if len(store)) or (stores[0],), tuple(problems)
