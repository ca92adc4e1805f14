"""Whether an Accept value allows a content type (RFC 3261 §20.1)."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def accepted(accept: str, content_type: str) -> bool:
    """Whether one of the ranges of `accept` holds `content_type`; parameters do not count, `q=0` excludes."""
    wanted = content_type.partition(";")[0].strip().lower()
    major = wanted.partition("/")[0]
    for item in accept.split(","):
        range_, _, parameters = item.partition(";")
        excluded = any(p.strip().replace(" ", "").lower() in ("q=0", "q=0.0") for p in parameters.split(";"))
        if not excluded and range_.strip().lower() in (wanted, f"{major}/*", "*/*", "*"):
            return True
    return False


@lru_cache(maxsize=4096)
def listed(accept: str | None, content_type: str) -> bool:
    """Whether `accept` names `content_type` itself: a wildcard says nothing about being able to follow a pointer."""
    ranges = [item.partition(";")[0].strip().lower() for item in (accept or "").split(",")]
    return content_type in ranges and accepted(accept or "", content_type)
