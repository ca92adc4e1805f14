"""What `notify:` comes to for a document.

Each of its keys is inherited by itself: from profiles.yaml, every defaults.yaml from the top down, the bases, the
manifest; the nearest that says something counts. A plain document has what its folder says.
"""

from collections.abc import Iterator
from typing import Any

from gitops_profile.presentity import NotifyPolicy

from .layout import folders_above
from .notify import FolderNotify, Notify
from .state import State


class Policies:
    """The policies of the documents of one state; documents with the same one share one object."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._folders: dict[tuple[str, tuple[str, ...]], tuple[dict[str, Any], NotifyPolicy]] = {}
        """What is said by folder and bases, and what that comes to."""
        self._known: dict[NotifyPolicy, NotifyPolicy] = {}

    def of(self, path: str, extends: tuple[str, ...] = (), own: Notify | None = None) -> NotifyPolicy:
        """The policy of the document at `path`; raises UnreadableProfile for a base that cannot be used."""
        folder = path.rpartition("/")[0]
        found = self._folders.get((folder, extends))
        if found is None:
            said: dict[str, Any] = {}
            for layer in self._layers(path, extends):
                said |= _said(layer)
            found = self._folders[folder, extends] = said, self._policy(said)
        said, policy = found
        return policy if own is None else self._policy(said | _said(own))

    def _policy(self, said: dict[str, Any]) -> NotifyPolicy:
        windows = tuple(
            rule.window(allows=name == "allow") for name in ("allow", "deny") for rule in said.get(name, ())
        )
        policy = NotifyPolicy(said.get("reboot") == "allow", said.get("aor"), windows)
        return self._known.setdefault(policy, policy)

    def _layers(self, path: str, extends: tuple[str, ...]) -> Iterator[FolderNotify | None]:
        yield self._state.settings.notify
        for folder in folders_above(path):
            read = self._state.defaults.get(folder)
            if read is not None:
                yield read.defaults.notify
        if extends:
            for base in self._state.bases.in_order(extends):
                yield base.notify


def _said(notify: FolderNotify | None) -> dict[str, Any]:
    if notify is None:
        return {}
    names = ("reboot", "aor", "allow", "deny")
    return {name: value for name in names if (value := getattr(notify, name, None)) is not None}
