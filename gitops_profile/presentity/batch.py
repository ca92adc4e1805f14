"""A batch of events that is folded into the table as a whole: nobody sees half a revision.

What it leads to is laid out beside the table in slices, and put into it in one go: 100 000 documents hold the loop for
30 ms, where folding them in one after the other took 200 (tests/bench/bench_reconcile.py, invariant I8).
"""

from collections import Counter
from collections.abc import Iterable

from .document import ProfileDocument
from .events import PresentityEvent, ProfileAdded, ProfileChanged, ProfileRemoved, RevisionStamp
from .key import ProfileKey
from .table import PresentityTable


class Batch:
    """One batch; from `lay_out` to `fold` nothing else may be folded into the table."""

    def __init__(self, table: PresentityTable) -> None:
        self._table = table
        self._documents: dict[ProfileKey, ProfileDocument] = {}
        self._stamps: dict[ProfileKey, RevisionStamp] = {}
        self._domains: Counter[str] = Counter()
        self._others: list[PresentityEvent] = []
        """What is more than a document in the place of another one: removals, aliases, windows, revisions."""
        self.replaced: list[ProfileDocument] = []
        """What had the place of the documents: whoever lets go of 100 000 at once holds up the loop for 30 ms."""
        self._late: set[ProfileKey] = set()
        """Keys of profiles among the others, so that the order of events of one key is kept."""

    def lay_out(self, events: Iterable[PresentityEvent]) -> None:
        """The next events of the batch."""
        known_of, documents, stamps = self._table.get, self._documents, self._stamps
        for event in events:
            if not isinstance(event, ProfileAdded | ProfileChanged):
                self._others.append(event)
                if isinstance(event, ProfileRemoved):
                    self._late.add(event.key)
                continue
            document = event.document
            key, known = document.key, known_of(document.key)
            if not _is_plain(document) or (known is not None and not _is_plain(known)) or key in self._late:
                self._others.append(event)
                self._late.add(key)
                continue
            if known is None and key not in documents:
                self._domains[key.domain] += 1
            if known is not None:
                self.replaced.append(known)
                key = known.key  # the one that the table has: it is found there by its identity
            documents[key] = document
            stamps[key] = event.revision

    def fold(self) -> list[ProfileKey]:
        """Put all of it into the table; the keys whose subscribers may have to be told, as of `apply`, each once."""
        keys = dict.fromkeys(self._documents)
        self._table.put(self._documents, self._stamps, self._domains)
        for event in self._others:
            keys.update(dict.fromkeys(self._table.apply(event)))
        return list(keys)


def _is_plain(document: ProfileDocument) -> bool:
    """Whether the table keeps nothing of it but itself."""
    return not document.aliases and not document.notify.windows
