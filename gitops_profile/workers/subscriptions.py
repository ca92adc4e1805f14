"""The subscriptions of all workers, as one server has them: what everything beside SIP asks."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain

from gitops_profile.sip import Notifier, Subscription

from .mirror import Mirror


class Subscriptions:
    """This process's own notifier, and mirrors of the others'. Those that a mirror gives are copies to look at."""

    def __init__(
        self,
        notifier: Notifier,
        mirrors: Sequence[Mirror] = (),
        owner_of: Callable[[str], int] = lambda id_: 0,
        tell: Callable[..., None] = lambda *message: None,
    ) -> None:
        """`owner_of(id)` is the worker of a subscription, of which 0 is this one; `tell` says a word to all others."""
        self._notifier = notifier
        self._mirrors = mirrors
        self._owner_of = owner_of
        self._tell = tell
        self.unquiet: set[int] = set()
        """Workers that were told to drain and have NOTIFYs under way."""

    def __len__(self) -> int:
        return len(self._notifier) + sum(map(len, self._mirrors))

    def find(self, id_: str) -> Subscription | None:
        """The subscription held under an id."""
        owner = self._owner_of(id_)
        return self._notifier.find(id_) if not owner else self._mirrors[owner - 1].find(id_)

    def ids(self) -> list[str]:
        """Of every subscription held. Whoever looks at all of them finds one after the other, and pauses (I8)."""
        own = (held.id for held in self._notifier.subscriptions())
        return [*own, *chain.from_iterable(mirror.ids() for mirror in self._mirrors)]

    def subscriptions(self) -> Iterator[Subscription]:
        """Every subscription held."""
        yield from self._notifier.subscriptions()
        for mirror in self._mirrors:
            for id_ in mirror.ids():
                held = mirror.find(id_)
                assert held is not None
                yield held

    def ids_to(self, resource: str) -> list[str]:
        """Of the subscriptions to a resource."""
        ids = [held.id for held in self._notifier.subscriptions_to(resource)]
        for mirror in self._mirrors:
            ids += mirror.ids_to(resource)
        return ids

    def subscriptions_to(self, resource: str) -> Iterable[Subscription]:
        """The subscriptions to a resource."""
        own = self._notifier.subscriptions_to(resource)
        return own if not self._mirrors else chain(own, *(mirror.to(resource) for mirror in self._mirrors))

    def resources(self) -> Collection[str]:
        """Every resource that somebody is subscribed to."""
        own = self._notifier.resources()
        return own if not self._mirrors else _Union([own, *(mirror.resources() for mirror in self._mirrors)])

    def count_to(self, resources: Iterable[str]) -> int:
        """How many subscriptions there are to these resources."""
        names = list(resources)
        others = sum(mirror.count_to(name) for mirror in self._mirrors for name in names)
        return self._notifier.count_to(names) + others

    def drain(self, reason: str, *, now: float) -> None:
        """See `Notifier.drain`; of all workers."""
        self._notifier.drain(reason, now=now)
        self.unquiet = set(range(1, len(self._mirrors) + 1))
        self._tell("drain", reason)

    @property
    def is_quiet(self) -> bool:
        """Whether no NOTIFY waits or is unanswered, once all are told to drain."""
        return self._notifier.is_quiet and not self.unquiet

    def reauthorize(self, *, now: float) -> None:
        """See `Notifier.reauthorize`; the others read the credentials files again, too."""
        self._notifier.reauthorize(now=now)
        self._tell("reauthorize")


class _Union(Collection[str]):
    """Some collections as one, without a copy."""

    def __init__(self, parts: Sequence[Collection[str]]) -> None:
        self._parts = parts

    def __contains__(self, name: object) -> bool:
        return any(name in part for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        seen: set[str] = set()
        for number, part in enumerate(self._parts):
            for name in part:
                if number and name in seen:
                    continue
                seen.add(name)
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)
