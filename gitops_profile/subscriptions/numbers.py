"""Which row is whose: subscriptions are numbered in the order of their making, and so do their rows lie (`by_number`).

Kept in memory, some 130 bytes each: an index of ids in the database would be as random as the ids, and cost more to
write than the rows.
"""

from collections.abc import Iterable, Sequence


class Numbers:
    """The numbers of all rows that there are, or will be when what was submitted is committed."""

    def __init__(self, highest: int = 0) -> None:
        """`highest` is that of all rows there are; which rows these are is told to `learn`."""
        self._of: dict[str, int] = {}
        self._next = highest + 1
        self._leaving: dict[str, int] = {}
        """Whose row is to be deleted, by the submission that says so."""

    def learn(self, id_: str, number: int) -> None:
        """There is a row with this number."""
        self._of[id_] = number

    def of(self, id_: str) -> int:
        """The number of a subscription whose row is written."""
        if self._leaving:
            self._leaving.pop(id_, None)
        number = self._of.get(id_)
        if number is None:
            number = self._of[id_] = self._next
            self._next += 1
        return number

    def leave(self, ids: Sequence[str], submission: int) -> list[int]:
        """The numbers of those whose rows are to be deleted, as far as they have one."""
        self._leaving.update(dict.fromkeys(ids, submission))
        return [number for id_ in ids if (number := self._of.get(id_)) is not None]

    def left(self, ids: Iterable[str], submission: int) -> None:
        """That was committed."""
        for id_ in ids:
            if self._leaving.get(id_) == submission:  # else its row was written again, or is deleted once more
                del self._leaving[id_]
                self._of.pop(id_, None)
