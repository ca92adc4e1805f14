"""Every version of one profile, folded from the events that name it (pure)."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .document import Presentation, ProfileDocument
from .events import PresentityEvent, ProfileAdded, ProfileChanged, ProfileRemoved, RevisionStamp
from .key import ProfileKey

# GitHub's and Gitea's merge commit and squash, GitLab's reference at the end of its merge commit. A revert quotes the
# subject of another request, which is not its own.
_REQUEST = re.compile(r"^Merge pull request #(\d+)\b|\(#(\d+)\)\s*$|See merge request \S*!(\d+)\s*$|\(!(\d+)\)\s*$")
HIDDEN = "the content is sensitive and not shown"


def request_number(subject: str) -> int | None:
    """The number of the pull or merge request that the subject line of a commit names."""
    found = _REQUEST.search(subject)
    return int(next(number for number in found.groups() if number)) if found else None


@dataclass(frozen=True, slots=True)
class Version:
    """What one event made of a profile."""

    position: int
    """Of the record in the event log."""
    time: str
    """When it was appended, ISO 8601 in UTC."""
    change: str
    """`added`, `changed` or `removed`."""
    path: str
    document: ProfileDocument | None
    """None once it is removed."""
    revision: RevisionStamp

    @property
    def request(self) -> int | None:
        """The pull request, when the subject says so."""
        return request_number(self.revision.message)


class ProfileHistory:
    """The versions of the document that a key stands for; fed with the events of the log in their order."""

    def __init__(self, key: ProfileKey) -> None:
        self._key = key
        self.owner = key
        """Whose versions these are: the key itself, or what it is or was last an alias of."""
        self._owned = False
        self._versions: dict[ProfileKey, list[Version]] = {}

    def apply(self, position: int, time: str, event: PresentityEvent) -> None:
        """Fold in one event; those that do not concern the key are passed over."""
        match event:
            case ProfileAdded(document, revision) | ProfileChanged(document, revision):
                change = "added" if isinstance(event, ProfileAdded) else "changed"
                version = Version(position, time, change, document.path, document, revision)
                self._keep(document.key, version)
                if document.key == self._key:
                    self.owner, self._owned = document.key, True
                elif self._key in document.aliases and not self._owned:
                    self.owner = document.key
            case ProfileRemoved(key, path, revision):
                self._keep(key, Version(position, time, "removed", path, None, revision))
                if key == self._key:
                    self._owned = False
            case _:
                return  # of a revision, not of a profile

    def _keep(self, key: ProfileKey, version: Version) -> None:
        self._versions.setdefault(key, []).append(version)

    def versions(self) -> list[Version]:
        """Oldest first; empty for a key that never was."""
        return self._versions.get(self.owner, [])


def difference(before: ProfileDocument | None, after: ProfileDocument | None) -> list[str]:
    """How two versions differ as phones see them, as lines; nothing of a sensitive body is in them."""
    old, new = _presentations(before), _presentations(after)
    lines = [*_facts(before, after)]
    for name in dict.fromkeys((*old, *new)):
        lines += _bodies(name, old.get(name), new.get(name))
    return lines


def _presentations(document: ProfileDocument | None) -> dict[str, Presentation]:
    if document is None:
        return {}
    found: dict[str, Presentation] = {"document": document}
    for variant in document.variants:
        when = {"vendor": variant.vendor, "model": variant.model, "version": variant.version}
        found["variant " + " ".join(f"{name}={glob}" for name, glob in when.items() if glob is not None)] = variant
    return found


def _facts(before: ProfileDocument | None, after: ProfileDocument | None) -> Iterator[str]:
    """What changed besides bodies."""
    if before is None or after is None:
        return
    for name in ("path", "content_type", "sensitive", "effective_by"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {old} -> {new}"
    for sign, some, others in (("-", before, after), ("+", after, before)):
        yield from (f"{sign}alias {alias}" for alias in some.aliases if alias not in others.aliases)


def _bodies(name: str, before: Presentation | None, after: Presentation | None) -> list[str]:
    old, new = (b"" if one is None else one.body for one in (before, after))
    if old == new and (before is None) == (after is None):
        return []
    if any(one is not None and one.sensitive for one in (before, after)):
        return [f"{name}: {HIDDEN}"]
    try:
        was, now = old.decode().splitlines(), new.decode().splitlines()
    except UnicodeDecodeError:
        return [f"{name}: binary, {len(old)} -> {len(new)} bytes"]
    lines = list(difflib.unified_diff(was, now, f"{name} before", f"{name} after", lineterm=""))
    return lines or [f"{name}: {len(old)} -> {len(new)} bytes, the lines are the same"]
