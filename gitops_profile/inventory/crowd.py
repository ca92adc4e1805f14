"""Phones that anybody can invent: the newest of them are kept, and a few of each address."""

from collections import Counter


class Crowd:
    """Names by the address that brought them, in the order in which they were seen last."""

    def __init__(self, most: int, most_per_source: int) -> None:
        self._most = most
        self._most_per_source = most_per_source
        self._names: dict[str, str] = {}
        """The address of each; the one that was seen longest ago first."""
        self._sources: Counter[str] = Counter()

    def takes(self, address: str) -> bool:
        """Whether one more of this address may come."""
        return self._sources[address] < self._most_per_source

    def enter(self, name: str, address: str) -> str | None:
        """It was seen now; the name that has to go for it."""
        self.leave(name)
        self._names[name] = address
        self._sources[address] += 1
        return next(iter(self._names)) if len(self._names) > self._most else None

    def leave(self, name: str) -> None:
        """It is one no more, or is looked at again."""
        address = self._names.pop(name, None)
        if address is None:
            return
        self._sources[address] -= 1
        if self._sources[address] <= 0:
            del self._sources[address]
