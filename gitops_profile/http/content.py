"""Profile documents by URL: what a message/external-body points to (RFC 4483, RFC 6080 §5.2.2)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gitops_profile.presentity import InvalidKey, Presentation, PresentityTable, ProfileKey

from .content_access import ContentAccess, FetchRefused
from .content_links import ContentLinks
from .listener import Below
from .plain_get import Asking, PlainGet
from .preconditions import holds, refuse_unless_matching
from .whole_answer import WRITE_SECONDS, WholeAnswer

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

    def routes(self) -> list[Below]:
        """For the listener; HEAD comes with GET."""
        return [Below(self._links.prefix, self._get, self._get_plain)]

    async def _get(self, request: web.BaseRequest) -> web.StreamResponse:
        answer, fetched = self._judge(request, request.rel_url.raw_path)
        response = await answer.send(request, WRITE_SECONDS)
        self._note(fetched)
        return response

    def _get_plain(self, request: PlainGet) -> None:
        """The same at once."""
        answer, fetched = self._judge(request, request.raw_path.partition("?")[0])
        answer.write(request.transport)
        request.when_read(partial(self._note, fetched), WRITE_SECONDS)
        if answer.is_last:
            request.transport.close()

    def _judge(self, request: Asking, path: str) -> tuple[WholeAnswer, ContentFetched]:
        """What the client is answered, and what there is to say of it."""
        named = self._links.read(path)
        user = None
        try:
            if named is None:
                raise FetchRefused(404, "There is no document here.")
            shown, user = self._shown(request, *named)
            answer = _document(request, shown, named[1])
        except FetchRefused as refused:
            answer = refused.answer(_HEADERS)
        key, etag = named or (None, None)
        return answer, ContentFetched(self._access.source(request), answer.status, key, etag, user)

    def _note(self, fetched: ContentFetched) -> None:
        """The client has read his answer."""
        self._on_fetch(fetched)
        # Without the signature: a log must not hold what opens a document (invariant I7).
        logger.debug(
            "content fetch key=%r etag=%s status=%d source=%s",
            fetched.key, fetched.etag, fetched.status, fetched.source,
        )  # fmt: skip

    def _shown(self, request: Asking, key_text: str, etag: str) -> tuple[Presentation, str | None]:
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


def _document(request: Asking, shown: Presentation, tag: str) -> WholeAnswer:
    refuse_unless_matching(request.headers, tag)
    fields = [*_HEADERS.items(), ("ETag", f'"{tag}"')]
    if holds(request.headers.getall("If-None-Match", ()), tag):
        return WholeAnswer(304, fields)
    return WholeAnswer(200, [*fields, ("Content-Type", shown.content_type)], shown.body)


_HEADERS = {
    "Cache-Control": "private",
    "X-Content-Type-Options": "nosniff",  # a document is whatever its author wrote, never a page of ours
}
