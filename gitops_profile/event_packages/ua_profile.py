"""The ua-profile event package: which profile is meant, and what of it a subscriber may see (RFC 6080)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

from gitops_profile.presentity import InvalidKey, PresentityTable, ProfileDocument, ProfileKey, ProfileType
from gitops_profile.sip import NO_CONTENT, Audience, EventState, SubscriptionRefused
from gitops_profile.sip.syntax import URI, EventHeader, Request, SIPSyntaxError

from .content_indirection import EXTERNAL_BODY, external_body
from .media import accepted, listed

_CONFIGURATION_LABEL = "_sipuaconfig."
DEFAULT_DEVICE = "default"
"""The name of the device profile that unknown devices of a domain get, where they are accepted."""
MAX_AUDIENCES = 64
"""Different audiences of one document that are remembered: vendor and version are whatever a subscriber says."""

URLOf = Callable[[ProfileDocument], str | None]
"""Where a document can be fetched; None when it cannot be."""


class UAProfile:
    """`Event: ua-profile` over the presentity table."""

    name = "ua-profile"

    def __init__(
        self,
        table: PresentityTable,
        *,
        url_of: URLOf = lambda document: None,
        takes_unknown_devices: Callable[[str], bool] = lambda domain: False,
    ) -> None:
        """`takes_unknown_devices(domain)`: whether a device without a profile is accepted there."""
        self._table = table
        self._url_of = url_of
        self._takes_unknown_devices = takes_unknown_devices
        self._rendered: dict[ProfileKey, _Rendered] = {}

    # -- which profile -----------------------------------------------------------------------------------------

    def domain(self, request: Request) -> str:
        """The domain that an initial SUBSCRIBE is about; raises SubscriptionRefused."""
        try:
            return ProfileKey.local_network(_uri_domain(URI.parse(request.uri))).domain
        except (InvalidKey, SIPSyntaxError) as error:
            raise SubscriptionRefused(404, "Not Found") from error

    def domain_of(self, resource: str) -> str:
        """The domain of a profile."""
        return _key(resource).domain

    def resource(self, request: Request, event: EventHeader) -> str:
        """The key of the profile that an initial SUBSCRIBE asks for; raises SubscriptionRefused.

        404 for a profile type that is not served, 403 for whoever is not provisioned (RFC 6080 §6.6, §9.3). Without
        profile-type the AoR decides, which is how Kamailio's users subscribe: the user profile, else the device's.
        """
        if self._table.applied is None:
            raise SubscriptionRefused(503, "No revision is in force yet")
        try:
            candidates = self._candidates(URI.parse(request.uri), event.parameters.get("profile-type"))
        except (InvalidKey, SIPSyntaxError) as error:
            raise SubscriptionRefused(404, "Not Found") from error
        for key in candidates:
            if key in self._table:
                return str(key)
        for key in candidates:
            if key.profile_type is ProfileType.DEVICE and self._takes_unknown_devices(key.domain):
                return str(key)
        raise SubscriptionRefused(403, "Not provisioned")

    @staticmethod
    def _candidates(uri: URI, profile_type: str | None) -> list[ProfileKey]:
        domain = _uri_domain(uri)
        user = uri.decoded_user
        match profile_type:
            case None | "" if user is None:
                return [ProfileKey.local_network(domain)]
            case None | "":
                return [ProfileKey.user(domain, user or ""), ProfileKey.device(domain, user or "")]
            case ProfileType.LOCAL_NETWORK:
                return [ProfileKey.local_network(domain)]
            case ProfileType.DEVICE:
                return [ProfileKey.device(domain, user or "")]
            case ProfileType.USER:
                return [ProfileKey.user(domain, user or "")]
        raise SubscriptionRefused(404, "Profile type not served")

    def affected(self, keys: Iterable[ProfileKey], subscribed: Iterable[str]) -> list[str]:
        """The resources whose state may be another one after `keys` changed; `subscribed` are all there are.

        An unknown device has the profile of its domain's default device.
        """
        keys = list(keys)
        resources = [str(key) for key in keys]
        defaults = {key.domain for key in keys if key.name == DEFAULT_DEVICE and key.profile_type is ProfileType.DEVICE}
        for domain in filter(self._takes_unknown_devices, defaults):
            resources += [one for one in subscribed if one.startswith(f"device/{domain}/") and not self._has(one)]
        return resources

    def _has(self, resource: str) -> bool:
        return _key(resource) in self._table

    # -- what of it --------------------------------------------------------------------------------------------

    def accepts(self, resource: str, audience: Audience) -> bool:
        """Whether the document's type is in Accept, or a pointer to it; without Accept, whatever there is."""
        document = self._document(_key(resource))
        if document is None or audience.accept is None or accepted(audience.accept, document.content_type):
            return True
        return listed(audience.accept, EXTERNAL_BODY)

    def state(self, resource: str, audience: Audience) -> EventState | None:
        """The document as a NOTIFY carries it, rendered once for all its subscribers."""
        key = _key(resource)
        document = self._document(key)
        if document is None:
            return None
        rendered = self._rendered.get(document.key)
        if rendered is None or rendered.document is not document:
            rendered = self._rendered[document.key] = _Rendered(document, self._url_of(document))
        return rendered.for_audience(audience)

    def _document(self, key: ProfileKey) -> ProfileDocument | None:
        document = self._table.get(key)
        if document is None and key.profile_type is ProfileType.DEVICE and self._takes_unknown_devices(key.domain):
            return self._table.get(ProfileKey.device(key.domain, DEFAULT_DEVICE))
        return document

    def forget_rendered(self, key: ProfileKey) -> None:
        """Drop what was rendered for a document that is gone."""
        self._rendered.pop(key, None)


class _Rendered:
    """One version of a document, as each audience may see it; what they share is made once."""

    __slots__ = ("_inline", "_link", "_states", "_url", "document")

    def __init__(self, document: ProfileDocument, url: str | None) -> None:
        self.document = document
        self._url = url
        self._inline: EventState | None = None
        self._link: EventState | None = None
        self._states: dict[Audience, EventState] = {}

    def for_audience(self, audience: Audience) -> EventState:
        state = self._states.get(audience)
        if state is None:
            if len(self._states) >= MAX_AUDIENCES:
                self._states.clear()
            state = self._states[audience] = self._choose(audience)
        return state

    def _choose(self, audience: Audience) -> EventState:
        """Inline when it may be and is wanted, else as a pointer, else nothing (RFC 6080 §5.2, §6.5)."""
        document = self.document
        if not document.body:
            return EventState(document.etag, NO_CONTENT, 0, _effective_by(document))
        wanted = audience.accept is None or accepted(audience.accept, document.content_type)
        link = self._pointer() if self._may_point(audience) else None
        if wanted and (not document.sensitive or audience.protected):
            return self._whole(link)
        if link is not None:
            return link
        if not wanted:
            reason = f"the subscriber does not accept {document.content_type}"
        else:
            reason = "sensitive: it travels over TLS to who has shown who he is, or as an https link he can follow"
        return EventState(
            document.etag, NO_CONTENT, 0, _effective_by(document), reason, entity_tag=f"{document.etag}.withheld"
        )

    def _may_point(self, audience: Audience) -> bool:
        if self._url is None or not listed(audience.accept, EXTERNAL_BODY):
            return False
        scheme = urlsplit(self._url).scheme
        schemes = (audience.schemes or "http,https").lower().replace(" ", "").split(",")
        if scheme not in schemes:
            return False  # RFC 6080 §6.7
        return not self.document.sensitive or (scheme == "https" and audience.identified)

    def _pointer(self) -> EventState:
        if self._link is None:
            assert self._url is not None
            self._link = external_body(self.document, self._url, _effective_by(self.document))
        return self._link

    def _whole(self, link: EventState | None) -> EventState:
        if self._inline is None:
            document = self.document
            head = f"Content-Type: {document.content_type}\r\nContent-Length: {len(document.body)}\r\n\r\n"
            self._inline = EventState(
                document.etag, head.encode() + document.body, len(document.body), _effective_by(document)
            )
        return self._inline if link is None else replace(self._inline, link=link)


@lru_cache(maxsize=1 << 18)
def _key(resource: str) -> ProfileKey:
    """The key of a resource name: parsed once, not for every NOTIFY."""
    return ProfileKey.parse(resource)


def _uri_domain(uri: URI) -> str:
    return uri.host.removeprefix(_CONFIGURATION_LABEL)


def _effective_by(document: ProfileDocument) -> str:
    return f";effective-by={document.effective_by}" if document.effective_by is not None else ""
