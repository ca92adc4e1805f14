"""Profile documents by URL: what a message/external-body points to (RFC 4483, RFC 6080 §5.2.2)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from gitops_profile.presentity import InvalidKey, Presentation, PresentityTable, ProfileKey

from .content_access import ContentAccess, FetchRefused
from .content_links import ContentLinks

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContentFetched:
    """A request for a document, and what came of it."""

    source: str
    """The client's address."""
    status: int
    """Of the answer: 200 and 304 mean that the client has the document."""
    key: str | None = None
    """The profile; None when the URL is none of ours."""
    etag: str | None = None
    user: str | None = None
    """Who showed who he is; None for a document that is not sensitive."""


class ProfileContent:
    """The documents in force, each version at a URL of its own."""

    def __init__(
        self,
        table: PresentityTable,
        links: ContentLinks,
        access: ContentAccess,
        on_fetch: Callable[[ContentFetched], None] = lambda fetched: None,
        tag_of: Callable[[Presentation], str] = lambda shown: shown.etag,
    ) -> None:
        """`tag_of(shown)` is the version in URLs and ETags, which may tell nothing of what is sensitive."""
        self._table = table
        self._links = links
        self._access = access
        self._on_fetch = on_fetch
        self._tag_of = tag_of
        self.links_age = links.age
        """Whether what `url_of` gave is to be asked for anew: when this is another number."""

    def url_of(self, key: ProfileKey, shown: Presentation) -> str | None:
        """Where `shown` can be fetched while it is in force, for a time; None when it would never be served."""
        if shown.sensitive and not self._access.may_serve(key.domain):
            return None
        return self._links.url(key, self._tag_of(shown))

    def routes(self) -> list[web.RouteDef]:
        """For the listener; HEAD comes with GET."""
        return [web.get(f"{self._links.prefix}{{version:.*}}", self._answer)]

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        source = self._access.source(request)
        named = self._links.read(request.rel_url.raw_path)
        user = None
        if named is None:
            response = FetchRefused(404, "There is no document here.").response(_HEADERS)
        else:
            try:
                shown, user = self._shown(request, *named)
                response = _document(request, shown, named[1])
            except FetchRefused as refused:
                response = refused.response(_HEADERS)
        key, etag = named or (None, None)
        self._on_fetch(ContentFetched(source, response.status, key, etag, user))
        # Without the signature: a log must not hold what opens a document (invariant I7).
        logger.debug("content fetch key=%r etag=%s status=%d source=%s", key, etag, response.status, source)
        return response

    def _shown(self, request: web.BaseRequest, key_text: str, etag: str) -> tuple[Presentation, str | None]:
        """The presentation in force, and who showed that he may have it; raises FetchRefused."""
        try:
            key = ProfileKey.parse(key_text)
        except InvalidKey:
            key = None  # the URL is ours, from a version that knew other names
        document = self._table.get(key) if key is not None else None
        shown_now: tuple[Presentation, ...] = (document, *document.variants) if document is not None else ()
        found = [shown for shown in shown_now if self._tag_of(shown) == etag]
        if key is None or not found:
            raise FetchRefused(
                410, "This link is over, or its version is not in force any more: the newest NOTIFY has another."
            )
        # One etag is one content: when a variant says that it is sensitive, it is.
        user = self._access.check(request, key) if any(shown.sensitive for shown in found) else None
        return found[0], user


def _document(request: web.BaseRequest, shown: Presentation, tag: str) -> web.Response:
    headers = {**_HEADERS, "ETag": f'"{tag}"'}
    if holds(request.headers.getall("If-None-Match", ()), tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=shown.body, headers=headers | {"Content-Type": shown.content_type})


def holds(if_none_match: Sequence[str], etag: str) -> bool:
    """Whether the client says that it has this version (RFC 9110 §13.1.2, weak comparison).

    Some phones give the tag back without its quotes.
    """
    tags = (tag.strip() for value in if_none_match for tag in value.split(","))
    return any(tag == "*" or tag.removeprefix("W/").strip('"') == etag for tag in tags)


_HEADERS = {
    "Cache-Control": "private",
    "X-Content-Type-Options": "nosniff",  # a document is whatever its author wrote, never a page of ours
}
