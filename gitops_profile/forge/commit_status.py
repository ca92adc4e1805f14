"""A commit status, and the request that sets it at each vendor's.

GitHub: POST /repos/{owner}/{repo}/statuses/{sha}; states error, failure, pending, success; description up to 140
characters. Gitea: the same path; states pending, success, error, failure (later versions know warning and skipped).
GitLab: POST /projects/:id/statuses/:sha; states pending, running, success, failed, canceled (later: skipped); each text
up to 255 characters.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import quote

MAX_DESCRIPTION = 140
"""Characters; GitHub's, the shortest."""
GITHUB_VERSION = "2022-11-28"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class Provider(StrEnum):
    """Whose API it is. Forgejo's is Gitea's."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


class State(StrEnum):
    """What became of a revision, in our words."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    SUPERSEDED = "superseded"


_STATES = {
    # A superseded commit is neither bad nor open: what it changed came into force, or was taken back, with the newer
    # one. GitHub and Gitea have no word for that in all their versions, and a red mark at every commit but the last of
    # a push would be a false alarm; the description says it.
    Provider.GITHUB: {State.FAILURE: "failure", State.SUPERSEDED: "success"},
    Provider.GITEA: {State.FAILURE: "failure", State.SUPERSEDED: "success"},
    Provider.GITLAB: {State.FAILURE: "failed", State.SUPERSEDED: "canceled"},
}


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What is to be told of one commit. Raises ValueError for what is no commit."""

    commit: str
    """The full object id."""
    state: State
    description: str

    def __post_init__(self) -> None:
        if not _COMMIT.fullmatch(self.commit):
            raise ValueError(f"{self.commit!r} is no object id")

    @classmethod
    def of(cls, commit: str, state: State, description: str) -> Self:
        """With a description that every vendor takes: one line of at most 140 characters."""
        line = "".join(c if c.isprintable() else " " for c in " ".join(description.split()))
        line = line.encode("utf-8", "replace").decode()
        return cls(commit, state, line if len(line) <= MAX_DESCRIPTION else f"{line[: MAX_DESCRIPTION - 1]}…")


@dataclass(frozen=True, slots=True)
class StatusTarget:
    """Where statuses go."""

    provider: Provider
    api: str
    """The API's URL without a slash at its end."""
    repository: str
    """`owner/name`; GitLab: with every group, or the project's number."""
    context: str
    """The name under which the status is shown."""
    link: str | None = None
    """A page with more, for people."""


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A POST, its path percent-encoded."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"StatusRequest({self.url!r})"  # the headers hold the token (invariant I7)


def status_request(target: StatusTarget, status: CommitStatus, token: str) -> StatusRequest:
    """The request that sets `status`. Raises ValueError for a token that is no visible ASCII."""
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError("the token is empty or has characters that no token has")
    state = _STATES[target.provider].get(status.state, status.state.value)
    fields = {"state": state, "description": status.description}
    if target.link is not None:
        fields["target_url"] = target.link
    headers = [("Content-Type", "application/json")]
    match target.provider:
        case Provider.GITHUB:
            headers += [("Authorization", f"Bearer {token}"), ("Accept", "application/vnd.github+json")]
            headers += [("X-GitHub-Api-Version", GITHUB_VERSION)]
        case Provider.GITEA:
            headers += [("Authorization", f"token {token}"), ("Accept", "application/json")]
        case Provider.GITLAB:
            headers += [("PRIVATE-TOKEN", token), ("Accept", "application/json")]
    if target.provider is Provider.GITLAB:
        fields["name"] = target.context
        path = f"projects/{quote(target.repository, safe='')}"
    else:
        fields["context"] = target.context
        path = f"repos/{quote(target.repository)}"
    url = f"{target.api}/{path}/statuses/{status.commit}"
    return StatusRequest(url, tuple(headers), json.dumps(fields).encode())
