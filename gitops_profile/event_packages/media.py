"""Whether an Accept value allows a content type (RFC 3261 §20.1)."""

import re
from functools import lru_cache

_ZERO = re.compile(r"\s*q\s*=\s*0(?:\.0{0,3})?\s*", re.IGNORECASE)


@lru_cache(maxsize=4096)
def accepted(accept: str, content_type: str) -> bool:
    """Whether `accept` allows `content_type`: the range says it that is nearest to it (RFC 2616 §14.1), `q=0` excludes.

    Other parameters do not count.
    """
    wanted = content_type.partition(";")[0].strip().lower()
    nearness = {wanted: 3, f"{wanted.partition('/')[0]}/*": 2, "*/*": 1, "*": 1}
    said = [(0, False)]
    for item in accept.split(","):
        range_, _, parameters = item.partition(";")
        near = nearness.get(range_.strip().lower())
        if near is not None:
            said.append((near, not any(_ZERO.fullmatch(parameter) for parameter in parameters.split(";"))))
    return max(said)[1]


@lru_cache(maxsize=4096)
def listed(accept: str | None, content_type: str) -> bool:
    """Whether `accept` names `content_type` itself: a wildcard says nothing about being able to follow a pointer."""
    ranges = [item.partition(";")[0].strip().lower() for item in (accept or "").split(",")]
    return content_type in ranges and accepted(accept or "", content_type)
