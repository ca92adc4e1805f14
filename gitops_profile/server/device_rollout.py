"""Phones that fetch, as a revision concerns them: told by check-sync, and done when they have fetched."""

from collections.abc import Collection, Iterable, Iterator

from gitops_profile.devices import HEARD_WITHOUT_EFFECT
from gitops_profile.inventory import Device, Holding
from gitops_profile.presentity import InvalidKey, ProfileDocument, ProfileKey

from .ladder import Ladder
from .owing import Owing
from .stage import Phone, Stage

_MARK = "device\n"
"""What the name of such a phone begins with among the ids of subscriptions, which have no line end."""


class DeviceRollout:
    """Reads from the ladder whom a revision concerns, and what became of each."""

    def __init__(self, ladder: Ladder, owing: Owing) -> None:
        self._ladder = ladder
        self._owing = owing

    def concerned(self, keys: Collection[ProfileKey] | None, since: float) -> Iterator[str | None]:
        """The phones that have one of these documents in another version, or fetched it since; `keys` None: any.

        A name for each phone that is looked at, None for one that is not concerned: so whoever asks can pause.
        """
        for device in self._ladder.devices(keys):
            found: list[str] = []
            if device.only_subscribes:
                yield None  # counted while its subscription lasts, and gone with it
                continue
            for document, etag, holding in self._owing.documents(device):
                if keys is not None and document.key not in keys:
                    continue
                if self._owing.subscription(device, document) is not None:
                    continue  # counted as a subscriber
                fetched = holding is not None and _since(holding.fetched_at, since)
                if fetched or holding is None or holding.etag != etag:
                    found.append(str(document.key))
            yield "\n".join(("device", device.device, *found)) if found else None

    @staticmethod
    def is_one(name: str) -> bool:
        """Whether a name is one of `concerned`."""
        return name.startswith(_MARK)

    @staticmethod
    def merged(names: Iterable[str]) -> list[str]:
        """The same names, but one for each phone, with all documents that it is concerned by."""
        found: dict[str, dict[str, None]] = {}
        for name in names:
            head = "\n".join(name.split("\n")[:2])
            found.setdefault(head, {}).update(dict.fromkeys(name.split("\n")[2:]))
        return ["\n".join((head, *keys)) for head, keys in found.items()]

    def stage(self, name: str, since: float) -> tuple[Stage, Phone, bool]:
        """Where it stands, with the document that has come least far; and whether anything left for it."""
        _, device_name, *texts = name.split("\n")
        device = self._ladder.device(device_name)
        if device is None:
            return Stage.GONE, Phone("", "", None), False
        found = [(*self._of_document(device, document, since), key) for key, document in self._documents(texts)]
        if not found:
            return Stage.GONE, Phone("", "", None), False  # of documents that are there no more
        stage, told, key = min(found, key=lambda one: _ORDER.index(one[0]))
        phone = Phone(str(key), device.contact or device.address, device.user_agent)
        return stage, phone, told or stage is Stage.FETCHED

    def _documents(self, texts: list[str]) -> Iterator[tuple[ProfileKey, ProfileDocument]]:
        for text in texts:
            try:
                key = ProfileKey.parse(text)
            except InvalidKey:
                continue
            document = self._ladder.document(key)
            if document is not None:
                yield key, document

    def _of_document(self, device: Device, document: ProfileDocument, since: float) -> tuple[Stage, bool]:
        holding = device.holdings.get(str(document.key)) or Holding(str(document.key))
        told = _since(holding.told_at, since)
        if _since(holding.fetched_at, since) or holding.etag == self._owing.desired(device, document):
            return Stage.FETCHED, True
        subscription = self._owing.subscription(device, document)
        if subscription is not None and self._ladder.has(subscription):
            return Stage.ACKNOWLEDGED, True  # it subscribed meanwhile
        if holding.fault is not None and _since(holding.fault_at, since):
            return Stage.UNREACHABLE, told
        status = holding.heard_status or 0
        if told and 200 <= status < 300:
            return Stage.HEARD, True
        if told and status in HEARD_WITHOUT_EFFECT:
            return Stage.UNREACHABLE, True  # it comes when it wants to
        if told:
            return Stage.NOTIFIED, True
        return (Stage.PENDING if self._ladder.can_be_told(device) else Stage.UNREACHABLE), False


_ORDER = tuple(Stage)


def _since(at: float | None, since: float) -> bool:
    return at is not None and at >= since
