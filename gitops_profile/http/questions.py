"""What phones ask for, found out once: the same path means the same until the table changes.

Nothing in here depends on who asks: the gate judges each request, and what is kept of a document that nobody has costs
as much as what is kept of somebody's (invariant I10).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from gitops_profile.devices import Claim, Vendor, read_user_agent, vendor_of
from gitops_profile.presentity import Presentation, PresentityTable, ProfileDocument, ProfileKey

from .document_path import Asked, may_hold_capability
from .whole_answer import WholeAnswer

MAX_KEPT = 4096
"""Questions; of one more the one that came first is forgotten."""
MAX_LENGTH = 512
"""Characters of a path and a User-Agent that are worth keeping."""


class Changed(NamedTuple):
    """When a document was changed last."""

    at: float
    """Unix seconds."""
    text: str
    """As HTTP writes it."""


NEVER = Changed(math.inf, "")
"""Of what no time tells apart."""


class Found:
    """What a question finds in the table."""

    __slots__ = ("changed", "document", "is_dated", "is_only", "key", "name", "shown", "tag", "unchanged", "whole")

    def __init__(
        self,
        key: ProfileKey | None,
        document: ProfileDocument | None,
        shown: Presentation,
        tag: str,
        *,
        is_only: bool,
    ) -> None:
        self.key = key
        self.name = str(key) if key is not None else None
        self.document = document
        """None when there is none: then `shown` is nobody's."""
        self.shown = shown
        """What a phone of this kind is given of it."""
        self.tag = tag
        self.is_only = is_only
        """Whether no other document could be found by what was asked."""
        self.changed: Changed | None = None
        """Set when it was looked up."""
        self.is_dated = False
        """Whether the answers below say when it was changed."""
        self.whole: WholeAnswer | None = None
        self.unchanged: WholeAnswer | None = None
        """The 200 and the 304, once they were asked for."""


class Question:
    """A path, and who says that he asks."""

    __slots__ = ("agent", "asked", "claim", "device", "found", "vendor")

    def __init__(self, asked: Asked, agent: str | None) -> None:
        self.asked = asked
        self.device = asked.device
        self.agent = agent
        self.claim: Claim = read_user_agent(agent)
        self.vendor: Vendor = vendor_of(None, asked.file.mac, self.claim.vendor)
        self.found: Found | None = None
        """Set when it was looked up."""


class Questions:
    """The newest ones. Without them a GET costs some 20 µs more (bench_http.py)."""

    def __init__(self, table: PresentityTable, read: Callable[[str], Asked]) -> None:
        """`read` says what a path asks for: another when the table changed, and later when it holds a capability."""
        self._table = table
        self._read = read
        self._kept: dict[tuple[str, str | None], Question] = {}
        self._changes = table.changes

    def question(self, path: str, agent: str | None) -> Question:
        """The one of this path, as it came, and this User-Agent."""
        if self._changes != self._table.changes:
            self._changes = self._table.changes
            self._kept.clear()
        known = self._kept.get((path, agent))
        if known is not None:
            return known
        question = Question(self._read(path), agent)
        if len(path) + len(agent or "") <= MAX_LENGTH and not may_hold_capability(path):
            if len(self._kept) >= MAX_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[path, agent] = question
        return question
