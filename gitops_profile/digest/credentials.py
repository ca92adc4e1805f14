"""Authorization and Proxy-Authorization (RFC 7616 §3.4)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from .parameters import DigestSyntaxError, quote, read_parameters, token


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says to prove who it is. None is a parameter that was not there; the check says what that means."""

    username: str | None = None
    realm: str | None = None
    nonce: str | None = None
    uri: str | None = None
    response: str | None = field(default=None, repr=False)
    """Hex. Not shown: with it a weak password can be guessed at leisure."""
    algorithm: str | None = None
    cnonce: str | None = None
    opaque: str | None = None
    qop: str | None = None
    """In lower case."""
    nc: str | None = None
    """As sent, since that text is hashed."""
    userhash: bool = False
    """`username` is a hash (RFC 7616 §3.4.4). We never ask for it and do not support it."""

    @classmethod
    def parse(cls, text: str) -> "Credentials | None":
        """A header value; None for a scheme other than Digest, which is as if absent (RFC 4475 §3.3.7).

        Raises DigestSyntaxError.
        """
        parameters = read_parameters(text)
        if parameters is None:
            return None
        get = parameters.get
        username = get("username")
        if "username*" in parameters:
            if username is not None:
                raise DigestSyntaxError("both username and username*")  # RFC 7616 §3.4
            username = _read_extended(parameters["username*"])
        qop = get("qop")
        return cls(
            username,
            get("realm"),
            get("nonce"),
            get("uri"),
            get("response"),
            get("algorithm"),
            get("cnonce"),
            get("opaque"),
            qop.strip(" \t").lower() if qop is not None else None,
            get("nc"),
            get("userhash", "").lower() == "true",
        )

    def __str__(self) -> str:
        """The header value. Raises DigestSyntaxError when a value holds a control character."""
        named = (
            ("username", self.username, quote),
            ("realm", self.realm, quote),
            ("nonce", self.nonce, quote),
            ("uri", self.uri, quote),
            ("response", self.response, quote),
            ("algorithm", self.algorithm, token),
            ("cnonce", self.cnonce, quote),
            ("opaque", self.opaque, quote),
            ("qop", self.qop, token),
            ("nc", self.nc, token),
            ("userhash", "true" if self.userhash else None, token),
        )
        return "Digest " + ", ".join(f"{name}={write(value)}" for name, value, write in named if value is not None)


def choose_credentials(values: Iterable[str], realm: str) -> Credentials | None:
    """Of the Authorization headers of a request, those for `realm`, else the first digest ones, else None.

    A request may carry one for each proxy on its way (RFC 3261 §22.3). Raises DigestSyntaxError when nothing is for
    `realm` and one of them cannot be read.
    """
    first: Credentials | None = None
    broken: str | None = None  # not the error: a circle of it and this frame would be left to the collector
    for value in values:
        if not value:
            continue  # as if absent
        try:
            credentials = Credentials.parse(value)
        except DigestSyntaxError as error:
            broken = broken or str(error)
            continue
        if credentials is not None and credentials.realm == realm:
            return credentials
        first = first or credentials
    if broken is not None:
        raise DigestSyntaxError(broken)
    return first


def _read_extended(text: str) -> str:
    """`UTF-8''J%C3%A4s` (RFC 5987 §3.2). Raises DigestSyntaxError."""
    charset, _, rest = text.partition("'")
    _, quote_mark, value = rest.partition("'")
    if charset.lower() != "utf-8" or not quote_mark:
        raise DigestSyntaxError("username* is not in UTF-8")
    try:
        name = unquote_to_bytes(value).decode()
    except UnicodeError as error:
        raise DigestSyntaxError("username* is not in UTF-8") from error
    quote(name)  # refuses what no header may hold
    return name
