"""What the main process knows of another worker's subscriptions: their rows as they are durable, read when asked."""

from collections.abc import Iterable, Iterator, KeysView

from gitops_profile.sip import Subscription

from .rows import Row, key_text, unpack


class Mirror:
    """The rows of one worker."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}
        """By id, packed: some 1060 bytes each with all that is here."""
        self._of: dict[str, str | dict[str, None]] = {}
        """By resource: the id of its subscription, or of several; most have one, and a dictionary takes 230 bytes."""

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[bytes]:
        """All of them, packed."""
        return list(self._rows.values())

    def ids(self) -> Iterable[str]:
        """Of all of them."""
        return self._rows.keys()

    def find(self, id_: str) -> Subscription | None:
        """The subscription with this id, as its worker has stored it last."""
        packed = self._rows.get(id_)
        return None if packed is None else _read(packed)

    def ids_to(self, resource: str) -> list[str]:
        """Of the subscriptions to a resource."""
        found = self._of.get(resource, ())
        return [found] if isinstance(found, str) else list(found)

    def count_to(self, resource: str) -> int:
        """How many there are."""
        found = self._of.get(resource, ())
        return 1 if isinstance(found, str) else len(found)

    def to(self, resource: str) -> Iterator[Subscription]:
        """The subscriptions to a resource."""
        for id_ in self.ids_to(resource):
            yield _read(self._rows[id_])

    def resources(self) -> KeysView[str]:
        """Every resource that somebody is subscribed to."""
        return self._of.keys()

    def save(self, rows: Iterable[Row]) -> list[str]:
        """Rows became durable; the resources that are new."""
        fresh = []
        for row_id, row_resource, packed in rows:
            id_ = key_text(row_id)
            if id_ not in self._rows:
                resource = key_text(row_resource)
                known = self._of.get(resource)
                if known is None:
                    self._of[resource] = id_
                    fresh.append(resource)
                elif isinstance(known, str):
                    self._of[resource] = {known: None, id_: None}
                else:
                    known[id_] = None
            self._rows[id_] = packed
        return fresh

    def delete(self, ids: Iterable[str]) -> None:
        """Subscriptions are over."""
        for id_ in ids:
            packed = self._rows.pop(id_, None)
            if packed is None:
                continue
            resource = unpack(packed).resource
            known = self._of[resource]
            if isinstance(known, dict):
                del known[id_]
            if isinstance(known, str) or not known:
                del self._of[resource]


def _read(packed: bytes) -> Subscription:
    """A copy to look at. A row is written before its NOTIFY leaves, so that it says nothing yet of one under way."""
    stored = unpack(packed)
    found = Subscription.from_stored(stored)
    if stored.told_at is not None and stored.got_at is None and stored.failed_at is None:
        found.delivery = "notified"
    return found
