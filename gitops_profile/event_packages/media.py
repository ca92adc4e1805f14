"""Whether an Accept value allows a content type (RFC 3261 §20.1)."""

import re
from functools import lru_cache

from gitops_profile.sip import media_type

_ZERO = re.compile(r"\s*q\s*=\s*0(?:\.0{0,3})?\s*", re.IGNORECASE)


@lru_cache(maxsize=4096)
def accepted(accept: str, content_type: str) -> bool:
    """Whether `accept` allows `content_type`: the range says it that is nearest to it (RFC 2616 §14.1), `q=0` excludes.

    Other parameters do not count.
    """
    wanted = media_type(content_type)
    nearness = {wanted: 3, f"{wanted.partition('/')[0]}/*": 2, "*/*": 1, "*": 1}
    said = [(0, False)]
    for item in accept.split(","):
        _, _, parameters = item.partition(";")
        near = nearness.get(media_type(item))
        if near is not None:
            said.append((near, not any(_ZERO.fullmatch(parameter) for parameter in parameters.split(";"))))
    return max(said)[1]


@lru_cache(maxsize=4096)
def listed(accept: str | None, content_type: str) -> bool:
    """Whether `accept` names `content_type` itself: a wildcard says nothing about being able to follow a pointer."""
    ranges = [media_type(item) for item in (accept or "").split(",")]
    return content_type in ranges and accepted(accept or "", content_type)


@lru_cache(maxsize=4096)
def leads_to(accept: str | None, pointer: str, content_type: str) -> bool:
    """Whether a `pointer` to `content_type` is of use: what it leads to is allowed, or nothing but pointers is named.

    Accept has to list the types of profiles beside it (RFC 6080 §6.2.1), and who leaves them all out takes any.
    """
    named = {media_type(item) for item in (accept or "").split(",")} - {""}
    return named == {pointer} or accepted(accept or "", content_type)
