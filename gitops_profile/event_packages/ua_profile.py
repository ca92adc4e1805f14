"""The ua-profile event package: which profile is meant, and what of it a subscriber may see (RFC 6080)."""

from collections.abc import Callable
from functools import lru_cache

from gitops_profile.presentity import InvalidKey, PresentityTable, ProfileDocument, ProfileKey, ProfileType
from gitops_profile.sip import NO_CONTENT, EventState, Flow, SubscriptionRefused
from gitops_profile.sip.syntax import URI, EventHeader, Request, SIPSyntaxError

from .media import accepted

_CONFIGURATION_LABEL = "_sipuaconfig."


class UAProfile:
    """`Event: ua-profile` over the presentity table."""

    name = "ua-profile"

    def __init__(self, table: PresentityTable, serves: Callable[[str, bool], bool]) -> None:
        """`serves(domain, loopback)`: whether a domain is served to peers that reach us by loopback, or not."""
        self._table = table
        self._serves = serves
        self._rendered: dict[ProfileKey, tuple[ProfileDocument, EventState]] = {}

    def resource(self, request: Request, event: EventHeader, flow: Flow) -> str:
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
            if key in self._table and self._serves(key.domain, flow.is_loopback):
                return str(key)
        raise SubscriptionRefused(403, "Not provisioned")

    @staticmethod
    def _candidates(uri: URI, profile_type: str | None) -> list[ProfileKey]:
        domain = uri.host.removeprefix(_CONFIGURATION_LABEL)
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

    def accepts(self, resource: str, accept: str | None) -> bool:
        """Whether the document's type is in Accept; a subscriber without Accept takes what there is."""
        document = self._table.get(_key(resource))
        return document is None or accept is None or accepted(accept, document.content_type)

    def state(self, resource: str, accept: str | None) -> EventState | None:
        """The document as a NOTIFY carries it, rendered once for all its subscribers."""
        document = self._table.get(_key(resource))
        if document is None:
            return None
        withheld = self._reason_to_withhold(document, accept)
        if withheld is not None:
            return EventState(document.etag, NO_CONTENT, 0, _effective_by(document), withheld)
        known = self._rendered.get(document.key)
        if known is None or known[0] is not document:
            known = self._rendered[document.key] = document, _render(document)
        return known[1]

    @staticmethod
    def _reason_to_withhold(document: ProfileDocument, accept: str | None) -> str | None:
        if document.sensitive:
            # RFC 6080 §5.2: never in the clear, and neither TLS nor content indirection is served yet.
            return "sensitive documents do not travel over unprotected transports"
        if accept is not None and not accepted(accept, document.content_type):
            return f"the subscriber does not accept {document.content_type}"
        return None

    def forget_rendered(self, key: ProfileKey) -> None:
        """Drop what was rendered for a document that is gone."""
        self._rendered.pop(key, None)


@lru_cache(maxsize=1 << 18)
def _key(resource: str) -> ProfileKey:
    """The key of a resource name: parsed once, not for every NOTIFY."""
    return ProfileKey.parse(resource)


def _effective_by(document: ProfileDocument) -> str:
    return f";effective-by={document.effective_by}" if document.effective_by is not None else ""


def _render(document: ProfileDocument) -> EventState:
    body = document.body
    if not body:
        return EventState(document.etag, NO_CONTENT, 0, _effective_by(document))
    head = f"Content-Type: {document.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return EventState(document.etag, head.encode() + body, len(body), _effective_by(document))
