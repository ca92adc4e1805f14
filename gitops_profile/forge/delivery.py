"""What an authentic webhook is about: a ref that moved, a ping, or something else. A hint to look at git, no more."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

from .signature import Headers

MAX_PARSED = 256 << 10
"""Bytes of a body that is looked into. A longer one is of a push of very many commits: which ref moved is not asked."""
_PUSHES = {
    "github": {"push"},
    "gitea": {"push"},
    "gitlab": {"Push Hook", "Tag Push Hook", "System Hook"},
}
_EVENT_HEADERS = {
    "github": ("X-GitHub-Event",),
    "gitea": ("X-Forgejo-Event", "X-Gitea-Event", "X-GitHub-Event"),
    "gitlab": ("X-Gitlab-Event",),
}
_SYSTEM_PUSHES = {"push", "tag_push", "repository_update"}
"""GitLab's event_name in a system hook, which tells of everything else too."""


class Kind(StrEnum):
    """What a delivery wants."""

    PUSH = "push"
    PING = "ping"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook."""

    kind: Kind
    refs: frozenset[str] | None = None
    """The full names of the refs that moved; None: unknown, it may be any."""


def read_delivery(provider: str, headers: Headers, body: bytes | None, *, form: bool) -> Delivery:
    """What it says; `body` is None when it was too long to be kept, `form` for GitHub's `payload=…`. Never raises."""
    names = _EVENT_HEADERS.get(provider, ())
    event = next((value for name in names for value in headers.getall(name, ())), "")
    if event == "ping":
        return Delivery(Kind.PING)
    if provider in _PUSHES and event not in _PUSHES[provider]:
        return Delivery(Kind.OTHER)
    payload = None if body is None else _payload(body, form=form)
    if payload is None:
        return Delivery(Kind.PUSH)
    if event == "System Hook" and payload.get("event_name") not in _SYSTEM_PUSHES:
        return Delivery(Kind.OTHER)
    return Delivery(Kind.PUSH, _refs(payload))


def concerns(delivery: Delivery, ref: str) -> bool:
    """Whether the ref of the settings, by its full or its short name, is one of those that moved."""
    if delivery.refs is None or ref == "HEAD":
        return True
    return not delivery.refs.isdisjoint({ref, f"refs/{ref}", f"refs/heads/{ref}", f"refs/tags/{ref}"})


def _payload(body: bytes, *, form: bool) -> Mapping[str, Any] | None:
    try:
        text = body.decode()
        if form:
            text = parse_qs(text, max_num_fields=16)["payload"][0]
        found = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        return None  # the signature holds, so it is a reason to look
    return found if isinstance(found, dict) else None


def _refs(payload: Mapping[str, Any]) -> frozenset[str] | None:
    changes = payload.get("changes")  # of GitLab's repository_update
    said = [payload.get("ref")]
    if isinstance(changes, list):
        said += [change.get("ref") for change in changes if isinstance(change, dict)]
    return frozenset(ref for ref in said if isinstance(ref, str)) or None
