"""Who signed a commit, or the tag that is served: objects are read from the repository, and judged apart from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import NotARepository, SourceUnavailable
from .keys import KeyFiles, Keys
from .signature import SECONDS, Signed, verify
from .signed_object import Malformed, SignedTag, parse_commit_object, parse_tag_object
from .trouble import shown

if TYPE_CHECKING:
    from .repository import Repository

_TAGS = "refs/tags/"
MAX_TAGS = 10
"""Tags of tags that are followed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the signature of one object."""

    what: str
    """For people: the object and whose it is."""
    signer: str | None = None
    reason: str = ""
    """Why it does not count; empty when it does."""


class Verifier:
    """A repository of its own, so that nobody else's thread is in it; one thread at a time."""

    def __init__(
        self, location: Path, files: KeyFiles, *, now: Callable[[], float] = time.time, seconds: float = SECONDS
    ) -> None:
        """Nothing is opened before the first question: a log may be served while git does not read the repository."""
        self.files = files
        self._location = location
        self._opened: Repository | None = None
        self._opening = threading.Lock()
        self._now = now
        self._seconds = seconds

    def close(self) -> None:
        """End its git processes."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _repository(self) -> Repository:
        """Raises SourceUnavailable."""
        with self._opening:  # whoever asks only for the stamp may be in another thread
            if self._opened is None:
                try:
                    from .repository import Repository  # with GitPython, which looks for git when it is imported

                    self._opened = Repository(self._location, fetches=False)
                except (ImportError, NotARepository) as error:
                    raise SourceUnavailable(str(error).partition("\n")[0]) from error
            return self._opened

    def stamp(self, ref: str) -> tuple[object, ...]:
        """Another one when a file of keys was touched, or the ref moved. Reads no object; raises nothing."""
        try:
            found = self._repository.find(ref)
        except SourceUnavailable:
            found = None
        return found, self.files.stamp()

    def tag_at(self, ref: str, commit: str) -> str | None:
        """The tag object that leads from `ref` to the commit, when that is how it gets there; raises SourceUnavailable.

        Nothing is read to see whether it does lead there.
        """
        found = self._repository.find(ref)
        return found[1] if found is not None and found[0].startswith(_TAGS) and found[1] != commit else None

    def tag(self, ref: str, commit: str, keys: Keys) -> Checked | None:
        """The signed tag that is served, when that is what `ref` is on; None when the commit must speak for itself.

        Raises SourceUnavailable.
        """
        found = self._repository.find(ref)
        if found is None or not found[0].startswith(_TAGS) or found[1] == commit:
            return None
        name, object_id = found
        if self._repository.peel(object_id) != commit:
            raise SourceUnavailable(f"{name} is on another commit than {commit[:12]} by now")
        try:
            tag = self._read_tag(object_id, commit)
        except Malformed as error:
            return Checked(f"the tag at {name}", reason=str(error))
        if tag.signature is None:
            return None
        what = f"the tag {shown(tag.name)}" + (f" by {shown(tag.who)}" if tag.who else "")
        if name != _TAGS + tag.name:
            return Checked(what, reason=f"it is served as {name}, and its signature is for another name")
        return _checked(what, verify(tag, keys, now=self._now, seconds=self._seconds))

    def commit(self, commit: str, keys: Keys) -> Checked:
        """One commit; raises SourceUnavailable."""
        kind, data = self._repository.read_object(commit)
        what = f"commit {commit[:12]}"
        if kind != "commit":
            return Checked(what, reason=f"it is a {kind}")
        try:
            signed = parse_commit_object(commit, data)
        except Malformed as error:
            return Checked(what, reason=str(error))
        what = f"{what} by {shown(signed.who)}"
        return _checked(what, verify(signed, keys, now=self._now, seconds=self._seconds))

    def _read_tag(self, object_id: str, commit: str) -> SignedTag:
        """The tag, once it is certain that it leads to the commit; raises Malformed, SourceUnavailable."""
        outer = inner = self._one_tag(object_id)
        for _ in range(MAX_TAGS):
            if inner.target == commit:
                return outer
            inner = self._one_tag(inner.target)
        raise Malformed("it is a tag of a tag of too many others")

    def _one_tag(self, object_id: str) -> SignedTag:
        kind, data = self._repository.read_object(object_id)
        if kind != "tag":
            raise Malformed("it does not lead to the commit that is served")
        return parse_tag_object(object_id, data)


def _checked(what: str, signed: Signed) -> Checked:
    return Checked(what, signed.signer, signed.reason)
