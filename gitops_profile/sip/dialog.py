"""Dialog state of a UAS, and the requests inside it (RFC 3261 §12)."""

import msgspec

from .syntax import URI, Address, Contact, Headers, Request, SIPSyntaxError

MAX_ROUTES = 32
"""Proxies on the way: each is in memory, in the row, and in every NOTIFY."""


class Dialog(msgspec.Struct, gc=False):
    """One dialog that a SUBSCRIBE made."""

    call_id: str
    local_tag: str
    remote_tag: str
    """Empty when the From had none (RFC 3261 §12.1.1: null)."""
    local_uri: str
    """The To of the SUBSCRIBE as it came, without a tag: our From."""
    remote_uri: str
    """The From of the SUBSCRIBE as it came, tag and all: our To."""
    local_cseq: int
    remote_cseq: int
    remote_target: str
    route_set: tuple[str, ...]
    """Route values in order (§12.1.1)."""
    secure: bool
    """Whether our Contact is a SIPS URI: the Request-URI was one, or the next hop back is (§12.1.1)."""

    @classmethod
    def from_request(cls, request: Request, contact: Contact, local_tag: str, *, over_tls: bool) -> "Dialog":
        """The dialog that a 2xx to `request` makes; raises SIPSyntaxError for a bad Record-Route."""
        routes: tuple[str, ...] = ()
        next_hop = contact.text
        if not request.plain:
            routes, next_hop = _routes(request, next_hop)
        return Dialog(  # in the order of its fields
            request.call_id,
            local_tag,
            request.from_tag,
            request.to_text,
            request.from_text,
            0,
            request.cseq,
            contact.text,
            routes,
            over_tls and (_is_sips(request.uri) or _is_sips(next_hop)),
        )

    def request_target(self) -> tuple[str, list[str]]:
        """Request-URI and Route values of a request in this dialog (§12.2.1.1), strict routers included."""
        if not self.route_set:
            return self.remote_target, []
        first = URI.parse(Address.parse(self.route_set[0]).uri)
        if "lr" in first.parameters:
            return self.remote_target, list(self.route_set)
        # §12.2.1.1: a strict router takes the Request-URI; what is not allowed there is stripped.
        first = first.but(headers="", parameters={k: v for k, v in first.parameters.items() if k != "method"})
        return str(first), [*self.route_set[1:], f"<{self.remote_target}>"]

    def next_hop(self) -> URI:
        """The URI that says where requests go first; raises SIPSyntaxError."""
        target, routes = self.request_target()
        if routes and self.route_set and routes[0] == self.route_set[0]:
            return URI.parse(Address.parse(routes[0]).uri)
        return URI.parse(target)


def _routes(request: Request, target: str) -> tuple[tuple[str, ...], str]:
    """The route set, and the URI of the next hop, which is `target` without one; raises SIPSyntaxError."""
    # A Record-Route is a name-addr (§25.1): where the brackets are left out, its parameters are the URI's all the same.
    routes = [one if "<" in one else f"<{one}>" for one in request.headers.items("record-route")]
    if len(routes) > MAX_ROUTES:
        raise SIPSyntaxError("too many proxies in Record-Route")
    try:
        for route in reversed(routes):
            target = Address.parse(route).uri
            URI.parse(target)
    except SIPSyntaxError as error:
        raise SIPSyntaxError("Record-Route is no SIP URI") from error
    return tuple(routes), target


def _is_sips(uri: str) -> bool:
    return uri[:5].lower() == "sips:"


def contact_of(request: Request) -> Contact:
    """The one Contact that a dialog needs, with a SIP URI (§8.1.1.8, §12.1.1); raises SIPSyntaxError."""
    if request.contact is None:
        request.contact = read_contact(request.headers)
    return request.contact


def read_contact(headers: Headers) -> Contact:
    """The same out of the header fields of a request or a response."""
    values = headers.items("contact")
    if len(values) != 1:
        raise SIPSyntaxError("exactly one Contact is needed")
    contact = Address.parse(values[0])
    try:
        uri = URI.parse(contact.uri)
    except SIPSyntaxError as error:
        raise SIPSyntaxError("Contact is no SIP URI") from error
    if uri.headers or "method" in uri.parameters:
        # RFC 3261 §19.1.1, table 1: neither may stand in a Request-URI, which is what the Contact becomes.
        uri = uri.but(headers="", parameters={k: v for k, v in uri.parameters.items() if k != "method"})
        return Contact(str(uri), uri, contact.parameters)
    return Contact(contact.uri, uri, contact.parameters)
