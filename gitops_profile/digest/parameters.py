"""`Scheme name=value, name="value"`: the shape that challenges and credentials share (RFC 7235 §2.1, RFC 3261 §25.1).

Lenient where phones are sloppy — a value may be quoted or not, whatever its name — and strict where two readers could
differ: a name that comes twice, an open quote, or junk between two parameters is an error. Every pattern is possessive,
so that no text makes it look at a character more than a few times.
"""

import re

_SCHEME = re.compile(r"[ \t]*+([A-Za-z0-9!#$%&'*+.^_`|~-]++)(?:[ \t\r\n][ \t\r\n,]*+|\Z)")
_PARAMETER = re.compile(
    r"([A-Za-z0-9!#$%&'*+.^_`|~-]++)[ \t\r\n]*+=[ \t\r\n]*+"  # the name
    r"(?:\"([^\"\\]*+(?:\\.[^\"\\]*+)*+)\"|([^\",\s]*+))"  # the value, quoted or not
    r"[ \t\r\n]*+(?:,[ \t\r\n,]*+|\Z)",  # empty elements of a list are nothing (RFC 7230 §7)
    re.DOTALL,
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]++")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r"([\"\\])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ENDS_A_LINE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class DigestSyntaxError(ValueError):
    """A challenge or credentials that nobody can read. Its text never holds a value of theirs."""


def read_parameters(text: str) -> dict[str, str] | None:
    """The parameters behind `Digest`, names in lower case, values unquoted; None for another scheme.

    Raises DigestSyntaxError.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise DigestSyntaxError("no authentication scheme")
    if scheme[1].lower() != "digest":
        return None
    if not text.isprintable() and (_CONTROL.search(text) or not _is_encodable(text)):
        raise DigestSyntaxError("a character that no header may hold")
    parameters: dict[str, str] = {}
    position = scheme.end()
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            raise DigestSyntaxError(f"not name=value at character {position}")
        name, quoted, plain = match.groups()
        name = name.lower()
        if name in parameters:
            raise DigestSyntaxError("a parameter comes twice")
        parameters[name] = plain if quoted is None else _unquote(quoted)
        position = match.end()
    return parameters


def quote(text: str) -> str:
    """A quoted-string. Raises DigestSyntaxError for a line end or another control character: never two headers."""
    if not text.isprintable() and _ENDS_A_LINE.search(text):
        raise DigestSyntaxError("a character that no header may hold")
    return '"' + _TO_ESCAPE.sub(r"\\\1", text) + '"'


def token(text: str) -> str:
    """As it is when it is a token, else quoted."""
    return text if _TOKEN.fullmatch(text) else quote(text)


def _unquote(text: str) -> str:
    if "\r" in text or "\n" in text:
        text = re.sub(r"[\r\n]++", " ", text)  # a folded line (RFC 3261 §7.3.1)
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
