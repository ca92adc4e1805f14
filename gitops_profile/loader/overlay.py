"""A mapping over another one, which stays as it is until the two are folded."""

from collections import ChainMap
from collections.abc import MutableMapping


class _Overlay(ChainMap):  # type: ignore[type-arg]  # generic at run time only from 3.12 on in typeshed's eyes
    """A mapping over another one, which stays as it is; deletions hide what is below."""

    _GONE = object()

    def __getitem__(self, key: object) -> object:
        value = super().__getitem__(key)
        if value is self._GONE:
            raise KeyError(key)
        return value

    def get(self, key: object, default: object = None) -> object:
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        return self.get(key, self._GONE) is not self._GONE

    def pop(self, key: object, *default: object) -> object:
        value = self.get(key, *default)
        self.maps[0][key] = self._GONE
        return value


def overlay(below: MutableMapping, over: bool) -> MutableMapping:  # type: ignore[type-arg]  # any of Base's mappings
    return _Overlay({}, below) if over else {}


def fold(below: MutableMapping, above: MutableMapping) -> None:  # type: ignore[type-arg]  # as above
    assert isinstance(above, _Overlay)
    for key, value in above.maps[0].items():
        if value is _Overlay._GONE:
            below.pop(key, None)
        else:
            below[key] = value
