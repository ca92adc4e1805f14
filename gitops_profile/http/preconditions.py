"""What a client asks on condition (RFC 9110 §13.1): looked at when it is known that he may have what he asks for."""

from collections.abc import Iterator, Sequence

from multidict import CIMultiDictProxy

from .content_access import FetchRefused


def holds(if_none_match: Sequence[str], etag: str) -> bool:
    """Whether the client says that it has this version (RFC 9110 §13.1.2, weak comparison).

    Some phones give the tag back without its quotes.
    """
    return any(tag == "*" or tag.removeprefix("W/").strip('"') == etag for tag in _tags(if_none_match))


def refuse_unless_matching(headers: CIMultiDictProxy[str], etag: str) -> None:
    """Raises FetchRefused when only another version than this is wanted (RFC 9110 §13.1.1, strong comparison)."""
    if_match = headers.getall("If-Match", ())
    if if_match and not any(tag == "*" or tag.strip('"') == etag for tag in _tags(if_match)):
        raise failed()


def wanted_before(headers: CIMultiDictProxy[str]) -> bool | None:
    """Whether an upload is to replace one (True), or to be the first (False); None when either will do.

    Raises FetchRefused for what no upload can be: none has an entity-tag.
    """
    if_match = headers.getall("If-Match", ())
    is_first = "*" in _tags(headers.getall("If-None-Match", ()))
    if if_match and (is_first or "*" not in _tags(if_match)):
        raise failed()
    return True if if_match else False if is_first else None


def failed() -> FetchRefused:
    """The answer when the condition is not so."""
    return FetchRefused(412, "It is not as the condition says.")


def _tags(values: Sequence[str]) -> Iterator[str]:
    return (tag.strip() for value in values for tag in value.split(","))
