"""What a phone knows to show who it is: to its server over SIP, and to the web server that a pointer leads to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gitops_profile.digest import ALGORITHMS, a1, answer, read_challenges


@dataclass(frozen=True, slots=True)
class Password:
    """A user's password."""

    user: str
    password: str = field(repr=False)

    def answer(self, values: Iterable[str], *, method: str, uri: str, nc: int, cnonce: str) -> str | None:
        """The Authorization for the WWW-Authenticate `values`; None when none of them can be answered."""
        given = answer(
            read_challenges(values),
            username=self.user,
            lookup=lambda user, realm: {name: a1(name, user, realm, self.password) for name in ALGORITHMS},
            method=method,
            uri=uri,
            nc=nc,
            cnonce=cnonce,
            body=b"",
        )
        return str(given) if given is not None else None
