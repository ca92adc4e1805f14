"""Whether a revision is signed by somebody whose signature counts, before anything else of it is read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gitops_profile.loader import Problem
from gitops_profile.presentity import PresentityTable, RevisionRejected
from gitops_profile.source import Keys, KeysUnusable, Revision, SourceUnavailable, VerificationUnavailable

if TYPE_CHECKING:
    from gitops_profile.source import Checked, Verifier

logger = logging.getLogger(__name__)

Signatures = Literal["head", "all"]
Unseen = Callable[[str, str, int], Awaitable[Sequence[str]]]
"""Old commit, new commit, limit: what the new one has in its history and the old one has not, the newest first."""

MAX_COMMITS = 1000
"""New commits of one revision whose signatures are checked."""
MAX_UNSIGNED = 20
"""Of one revision that are named; the rest is not looked at."""
WATCH = 1.0
"""Seconds between looks at the files of keys."""
SECONDS = 120.0
"""For all signatures of one revision; what was found by then is kept for the next try."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the signatures of a revision are worth."""

    signer: str | None
    problems: tuple[Problem, ...]
    keys: str
    """With which keys, in which mode and of which tag that was found out."""


class Trust:
    """Signatures are checked in a thread, and the keys read anew for each revision."""

    def __init__(
        self, verifier: Verifier, mode: Signatures, ref: str, unseen: Unseen, *, seconds: float = SECONDS
    ) -> None:
        self._verifier = verifier
        self._mode = mode
        self._ref = ref
        self._unseen = unseen
        self._seconds = seconds
        self._known: dict[str, Checked] = {}
        """What was found with the same keys at a try that was not finished."""
        self._known_with = ""
        self._judged_at: object = None
        """The stamp of the files and the tag before they were read last: what came later may not be in it."""

    async def judge(self, revision: Revision, table: PresentityTable) -> Judged:
        """Whether it may come into force. Raises SourceUnavailable when that cannot be found out now."""
        keys = await self._read_keys()
        name = await self._name(keys, revision.commit)
        found, too_many = await self._checked(revision, table, keys)
        wrong = [one for one in found if one.reason]
        problems = [Problem("", 0, 0, f"{one.what}: {one.reason}", _hint(one)) for one in wrong[:MAX_UNSIGNED]]
        if too_many is not None:
            problems.append(too_many)
        return Judged(None if problems else found[0].signer, tuple(problems), name)

    async def judges_anew(self, rejected: RevisionRejected) -> bool:
        """Whether a revision that was rejected for its signature is to be looked at again: there are other keys, or
        another tag on it.
        """
        try:
            return rejected.keys != await self._name(await self._read_keys(), rejected.revision.commit)
        except SourceUnavailable as error:
            logger.warning("the rejected revision is not looked at again: %s", error)
            return False

    async def watch(self, table: PresentityTable, again: Callable[[], None]) -> None:
        """Say so when the files of keys or the tag change while a revision is rejected for its signature."""
        told: object = None
        while True:
            await asyncio.sleep(WATCH)
            if table.rejected is None or table.rejected.keys is None:
                continue
            stamp = await asyncio.to_thread(self._verifier.stamp, self._ref)
            if stamp not in (self._judged_at, told):  # once: while all is suspended, nobody looks
                told = stamp
                again()

    async def _checked(
        self, revision: Revision, table: PresentityTable, keys: Keys
    ) -> tuple[list[Checked], Problem | None]:
        """Whose signature it is comes first; and a problem when there is too much to look at."""
        if self._known_with != keys.digest:
            self._known, self._known_with = {}, keys.digest
        tag = await asyncio.to_thread(self._verifier.tag, self._ref, revision.commit, keys)
        found = [] if tag is None else [tag]
        if tag is not None and self._mode == "head":
            return found, None
        commits, too_many = [revision.commit], None
        if self._mode == "all" and table.applied is not None:
            fresh = await self._unseen(table.applied.revision.commit, revision.commit, MAX_COMMITS + 1)
            if len(fresh) > MAX_COMMITS:
                what = f"it brings more than {MAX_COMMITS} commits whose signatures would have to be checked"
                too_many = Problem("", 0, 0, what, "push them in parts, or set trust.signatures to head meanwhile")
            else:
                commits = list(dict.fromkeys((revision.commit, *fresh)))
        self._known = {commit: self._known[commit] for commit in commits if commit in self._known}
        asked, end = 0, time.monotonic() + self._seconds
        for commit in commits:
            if commit not in self._known:
                if asked and time.monotonic() > end:
                    raise VerificationUnavailable(f"signatures were not checked within {self._seconds:g} seconds")
                asked += 1
            found.append(await self._commit(commit, keys))
            if sum(bool(one.reason) for one in found) > MAX_UNSIGNED:
                break
        self._known = {}
        return found, too_many

    async def _commit(self, commit: str, keys: Keys) -> Checked:
        known = self._known.get(commit)
        if known is None:
            known = self._known[commit] = await asyncio.to_thread(self._verifier.commit, commit, keys)
        return known

    async def _read_keys(self) -> Keys:
        self._judged_at = await asyncio.to_thread(self._verifier.stamp, self._ref)
        try:
            return await asyncio.to_thread(self._verifier.files.read)
        except KeysUnusable as error:
            raise VerificationUnavailable(str(error)) from error

    async def _name(self, keys: Keys, commit: str) -> str:
        tag = await asyncio.to_thread(self._verifier.tag_at, self._ref, commit)
        return ":".join((self._mode, keys.digest, *([tag] if tag is not None else [])))


def _hint(one: Checked) -> str:
    if one.reason.startswith("unknown key"):
        return "add the key if it may sign, or sign with another one"
    return "sign it with git commit -S, or git tag -s" if one.reason == "it has no signature" else ""
