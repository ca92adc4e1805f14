"""The lines' credentials, for phones that challenge a check-sync.

A file of `user:realm:HA1` lines, as htdigest writes them, and of `user::password` lines, which fit any realm.
"""

from collections.abc import Mapping

from gitops_profile.access import answer_challenge
from gitops_profile.digest import ALGORITHMS, CredentialStore, LineProblem, a1
from gitops_profile.sip.syntax import Response


class LineCredentials:
    """What is known of the lines; passwords stay out of every `repr` and problem."""

    def __init__(self, store: CredentialStore, passwords: Mapping[str, str], problems: tuple[LineProblem, ...]) -> None:
        self._store = store
        self._passwords = passwords
        self.problems = problems

    @classmethod
    def parse(cls, text: str) -> "LineCredentials":
        """Lines that cannot be used are problems. Raises nothing."""
        passwords: dict[str, str] = {}
        hashed = []
        for line in text.removeprefix("\ufeff").split("\n"):
            user, separator, password = line.rstrip("\r").partition("::")
            is_clear = bool(separator) and bool(user) and ":" not in user and not user.startswith("#")
            if is_clear:
                passwords.setdefault(user, password)
            hashed.append("" if is_clear else line)
        store = CredentialStore.parse("\n".join(hashed))
        return cls(store, passwords, store.problems)

    def __len__(self) -> int:
        return len(self._store) + len(self._passwords)

    def lookup(self, user: str, realm: str) -> Mapping[str, str]:
        """Algorithm: A1 in hex; empty for a line that is not known."""
        found = self._store.lookup(user, realm)
        if found or user not in self._passwords:
            return found
        return {algorithm: a1(algorithm, user, realm, self._passwords[user]) for algorithm in ALGORITHMS}

    def answer(self, response: Response, user: str | None, uri: str, *, cnonce: str) -> tuple[str, str] | None:
        """The header field that answers a 401 or 407 to our NOTIFY to `uri`; None when we cannot."""
        return None if user is None else answer_challenge(response, user, self.lookup, uri, cnonce, b"")
