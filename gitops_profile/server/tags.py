"""What is made of the server's own secret: a key for each purpose, and the entity-tags that phones see."""

import hmac
from collections.abc import Callable
from functools import partial

from gitops_profile.presentity import Presentation, concealed_tag


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of its own for each purpose."""
    return hmac.digest(secret, purpose.encode(), "sha256")


def phone_tags(secret: bytes) -> Callable[[Presentation], str]:
    """The entity-tag that phones see of what they get: it tells nothing of what is sensitive (invariant I7)."""
    return partial(_tag_of, derived_key(secret, "tags"))


def _tag_of(key: bytes, shown: Presentation) -> str:
    return concealed_tag(shown.etag, key) if shown.sensitive else shown.etag
