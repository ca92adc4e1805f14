"""The ua-profile event package: which profile is meant, and what of it a subscriber may see (RFC 6080)."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from urllib.parse import urlsplit

from gitops_profile.devices import SAYS_NOTHING, mac_in, read_user_agent, vendor_of
from gitops_profile.presentity import (
    InvalidKey,
    Presentation,
    PresentityTable,
    ProfileDocument,
    ProfileKey,
    ProfileType,
    canonical_domain,
    known_key,
    parsed_key,
    text_of,
)
from gitops_profile.sip import EXTERNAL_BODY, NO_CONTENT, Audience, EventState, SubscriptionRefused
from gitops_profile.sip.syntax import URI, EventHeader, Request, SIPSyntaxError

from .content_indirection import external_body
from .media import accepted, leads_to, listed

_CONFIGURATION_LABEL = "_sipuaconfig."
MAX_AUDIENCES = 64
"""Different audiences of one document that are remembered: vendor and version are whatever a subscriber says."""

MAX_RENDERED = 20_000
"""Documents that are kept as they go out, each as large as its body: more than change and are told at any one time."""

URLOf = Callable[[ProfileKey, Presentation], str | None]
"""Where what a phone gets of a profile can be fetched; None when it cannot be."""

TagOf = Callable[[Presentation], str]


class UAProfile:
    """`Event: ua-profile` over the presentity table."""

    name = "ua-profile"

    def __init__(
        self,
        table: PresentityTable,
        *,
        url_of: URLOf = lambda key, shown: None,
        tag_of: TagOf = lambda shown: shown.etag,
        takes_unknown_devices: Callable[[str], bool] = lambda domain: False,
        links_age: Callable[[], int] = lambda: 0,
    ) -> None:
        """`tag_of(shown)` is the entity-tag that phones see, which may tell nothing of what is sensitive.

        `takes_unknown_devices(domain)`: whether a device without a profile is accepted there. When `links_age()` is
        another number, `url_of` is asked anew.
        """
        self._links_age = links_age
        self._age = 0
        self._table = table
        self._url_of = url_of
        self._tag_of = tag_of
        self._takes_unknown_devices = takes_unknown_devices
        self._rendered: dict[ProfileKey, _Rendered] = {}
        self._indirect: set[str] = set()
        """Resources without a document of their own: aliases, and unknown devices, which have the default's."""

    # -- which profile -----------------------------------------------------------------------------------------

    def domain(self, request: Request) -> str:
        """The domain that an initial SUBSCRIBE is about; raises SubscriptionRefused."""
        try:
            return canonical_domain(_uri_domain(request.read_target()))
        except (InvalidKey, SIPSyntaxError) as error:
            raise SubscriptionRefused(404, "Not Found") from error

    def domain_of(self, resource: str) -> str:
        """The domain of a profile."""
        return parsed_key(resource).domain

    def resource(self, request: Request, event: EventHeader) -> str:
        """The key of the profile that an initial SUBSCRIBE asks for; raises SubscriptionRefused.

        404 for a profile type that is not served, 403 for whoever is not provisioned (RFC 6080 §6.6, §9.3). Without
        profile-type the AoR decides, which is how Kamailio's users subscribe: the user profile, else the device's.
        """
        if self._table.applied is None:
            raise SubscriptionRefused(503, "No revision is in force yet")
        try:
            # RFC 3261 §7.3.1: a parameter's value is the same in any case
            profile_type = (event.parameters.get("profile-type") or "").lower()
            uri = request.read_target()
            if uri.user is not None and profile_type in ("", ProfileType.USER):
                text = f"user/{canonical_domain(_uri_domain(uri))}/{uri.decoded_user}"
                known = known_key(text)
                if known is not None and self._table.resolve(known) is not None:
                    return text  # who has asked before: 0.8 µs instead of 3
            candidates = _candidates(uri, profile_type)
            key = next(candidates)
            if self._table.resolve(key) is None:
                key = self._less_likely(key, candidates)
        except (InvalidKey, SIPSyntaxError) as error:
            raise SubscriptionRefused(404, "Not Found") from error
        return text_of(key)

    def _less_likely(self, key: ProfileKey, others: Iterator[ProfileKey]) -> ProfileKey:
        """What else is meant when there is no `key`; raises SubscriptionRefused."""
        candidates = [key, *others]
        for key in candidates[1:]:
            if self._table.resolve(key) is not None:
                return key
        for key in candidates:
            if key.profile_type is ProfileType.DEVICE and self._takes_unknown_devices(key.domain):
                return key
        raise SubscriptionRefused(403, "Not provisioned")

    def device(self, request: Request, event: EventHeader) -> tuple[str | None, str | None, str | None]:
        """What it says of itself (RFC 6080 §6.2.2); one that says `OEM` is looked for by its MAC and its User-Agent."""
        said = event.parameters
        vendor = said.get("vendor") or said.get("vender")  # sic: Panasonic, phones.md 3
        if vendor is None or vendor.lower() not in SAYS_NOTHING:
            return vendor, said.get("model"), said.get("version")
        claim = read_user_agent(request.user_agent)
        found = vendor_of(vendor, mac_in(request.uri) or claim.mac, claim.vendor)
        model = said.get("model") if (said.get("model") or "").lower() not in SAYS_NOTHING else claim.model
        return found.known_name or vendor, model, said.get("version") or claim.firmware

    def note(self, resource: str) -> None:
        """Somebody, perhaps of another process, is subscribed to this resource."""
        self._document(resource)

    def affected(self, keys: Iterable[ProfileKey], subscribed: Collection[str]) -> list[str]:
        """The resources whose state may be another one after `keys` changed; `subscribed` are all there are.

        Whoever has another's document, by an alias or as an unknown device, is looked at as well: they are few, and
        those whose document is the same are told nothing.
        """
        # Not `intersection_update`, which looks at all that are subscribed, however few these are.
        self._indirect = {resource for resource in self._indirect if resource in subscribed}
        changed = [str(key) for key in keys]
        return [*changed, *self._indirect.difference(changed)]

    # -- what of it --------------------------------------------------------------------------------------------

    def accepts(self, resource: str, audience: Audience) -> bool:
        """Whether Accept allows the document's type, or names pointers alone and there can be one.

        Without Accept, all is allowed.
        """
        if audience.accept is None:
            return True
        state = self.state(resource, audience)  # which is wanted in a moment anyway
        if state is None or state.withheld is None:
            return True
        document = self._document(resource)
        if document is None or accepted(audience.accept, _shown(document, audience).content_type):
            return True
        return self._render(document).points(audience)

    def state(self, resource: str, audience: Audience) -> EventState | None:
        """The document as a NOTIFY carries it, rendered once for all its subscribers."""
        document = self._table.get(parsed_key(resource)) or self._document(resource)
        if document is None:
            return None
        return self._render(document).for_audience(audience)

    def _render(self, document: ProfileDocument) -> "_Rendered":
        age = self._links_age()
        if age != self._age:
            self._age = age
            self._rendered.clear()
        rendered = self._rendered.get(document.key)
        if rendered is None or rendered.document is not document:
            if len(self._rendered) >= MAX_RENDERED:
                del self._rendered[next(iter(self._rendered))]
            rendered = self._rendered[document.key] = _Rendered(document, self._url_of, self._tag_of)
        return rendered

    def _document(self, resource: str) -> ProfileDocument | None:
        key = parsed_key(resource)
        document = self._table.get(key)
        if document is not None:
            return document
        self._indirect.add(resource)
        return self._table.given(key, self._takes_unknown_devices)

    def forget_rendered(self, key: ProfileKey) -> None:
        """Drop what was rendered for a document that is gone."""
        self._rendered.pop(key, None)


class _Rendered:
    """One version of a document, as each audience may see it; what they share is made once."""

    __slots__ = ("_last", "_presented", "_state", "_states", "_tag_of", "_url_of", "document")

    def __init__(self, document: ProfileDocument, url_of: URLOf, tag_of: TagOf) -> None:
        self.document = document
        self._url_of = url_of
        self._tag_of = tag_of
        self._presented: list[_Presented] = []
        """The document, and each variant that somebody has."""
        self._states: dict[Audience, EventState] = {}
        self._last: Audience | None = None
        self._state: EventState | None = None
        """What the last one got: one subscriber is looked at several times, and equal audiences are one object."""

    def for_audience(self, audience: Audience) -> EventState:
        if audience is self._last and self._state is not None:
            return self._state
        self._last, self._state = audience, self._of(audience)
        return self._state

    def _of(self, audience: Audience) -> EventState:
        state = self._states.get(audience)
        if state is None:
            if len(self._states) >= MAX_AUDIENCES:
                self._states.clear()
            state = self._states[audience] = self._present(audience).to(audience)
        return state

    def points(self, audience: Audience) -> bool:
        """Whether this audience can be given a pointer."""
        return self._present(audience).may_point(audience)

    def _present(self, audience: Audience) -> "_Presented":
        shown = _shown(self.document, audience)
        for presented in self._presented:
            if presented.shown is shown:
                return presented
        presented = _Presented(shown, self._tag_of(shown), partial(self._url_of, self.document.key, shown))
        self._presented.append(presented)
        return presented


class _Presented:
    """What one kind of phone gets, inline and as a pointer."""

    __slots__ = ("_find_url", "_embedded", "_link", "_tag", "_url", "shown")

    def __init__(self, shown: Presentation, tag: str, find_url: Callable[[], str | None]) -> None:
        """`find_url` is asked when somebody can follow it: to sign one takes longer than all else here."""
        self.shown = shown
        self._tag = tag
        self._find_url = find_url
        self._url: str | None = None
        self._embedded: EventState | None = None
        self._link: EventState | None = None

    def to(self, audience: Audience) -> EventState:
        """Inline when it may be and is wanted, else as a pointer, else nothing (RFC 6080 §5.2, §6.5)."""
        shown = self.shown
        if not shown.body:
            return EventState(self._tag, NO_CONTENT, 0, _effective_by(shown))
        wanted = audience.accept is None or accepted(audience.accept, shown.content_type)
        link = self._pointer() if self.may_point(audience) else None
        if wanted and (not shown.sensitive or audience.protected):
            return self._whole(link)
        if link is not None:
            return link
        if not wanted:
            reason = f"the subscriber does not accept {shown.content_type}"
        else:
            reason = "sensitive: it travels over TLS to who has shown who he is, or as an https link he can follow"
        return EventState(self._tag, NO_CONTENT, 0, _effective_by(shown), reason, f"{self._tag}.withheld")

    def may_point(self, audience: Audience) -> bool:
        accept = audience.accept
        if not (listed(accept, EXTERNAL_BODY) and leads_to(accept, EXTERNAL_BODY, self.shown.content_type)):
            return False
        if self._url is None:
            self._url = self._find_url()
            if self._url is None:
                return False
        scheme = urlsplit(self._url).scheme
        schemes = (audience.schemes or "http,https").lower().replace(" ", "").split(",")
        if scheme not in schemes:
            return False  # RFC 6080 §6.7
        return not self.shown.sensitive or (scheme == "https" and audience.identified)

    def _pointer(self) -> EventState:
        if self._link is None:
            assert self._url is not None
            self._link = external_body(self.shown, self._tag, self._url, _effective_by(self.shown))
        return self._link

    def _whole(self, link: EventState | None) -> EventState:
        shown = self.shown
        if self._embedded is None:
            head = f"Content-Type: {shown.content_type}\r\nContent-Length: {len(shown.body)}\r\n\r\n"
            self._embedded = EventState(self._tag, head.encode() + shown.body, len(shown.body), _effective_by(shown))
        return self._embedded if link is None else self._embedded.with_link(link)


def _shown(document: ProfileDocument, audience: Audience) -> Presentation:
    return document.for_device(audience.vendor, audience.model, audience.version)


def _candidates(uri: URI, profile_type: str) -> Iterator[ProfileKey]:
    """The profiles that may be meant, first the likelier; raises InvalidKey or SubscriptionRefused."""
    domain = _uri_domain(uri)
    user = uri.decoded_user
    match profile_type:
        case "" if user is None:
            yield ProfileKey.local_network(domain)
        case "":
            yield ProfileKey.user(domain, user or "")
            yield ProfileKey.device(domain, user or "")
        case ProfileType.LOCAL_NETWORK:
            yield ProfileKey.local_network(domain)
        case ProfileType.DEVICE:
            yield ProfileKey.device(domain, user or "")
        case ProfileType.USER:
            yield ProfileKey.user(domain, user or "")
        case _:
            raise SubscriptionRefused(404, "Profile type not served")


def _uri_domain(uri: URI) -> str:
    return uri.host.removeprefix(_CONFIGURATION_LABEL)


def _effective_by(shown: Presentation) -> str:
    return f";effective-by={shown.effective_by}" if shown.effective_by is not None else ""
