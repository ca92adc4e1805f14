"""Values that look like credentials are not shown (invariant I7), also in documents that nobody declared sensitive.

The name of a setting is all there is to go by: a line of a document does not say where its value came from.
"""

import re

SECRET = "<secret>"

_WORDS = r"[Pp]ass(?:w(?:or)?d|phrase)|PASS(?:W(?:OR)?D|PHRASE)|[Ss]ecret|SECRET|[Tt]oken|TOKEN"
_SHORT = (
    r"(?:(?<![A-Za-z])(?:[Pp]ass|[Pp]in|[Pp]wd|[Pp]sk|[Hh]a1|[Aa]pi[_-]?[Kk]ey|[Pp]rivate[_-]?[Kk]ey)"
    r"|(?<=[a-z])(?:Pass|Pin|Pwd|Psk|Ha1|ApiKey|PrivateKey)|(?<![A-Z])(?:PASS|PIN|PWD|PSK|HA1))(?![a-z])"
)
_NAME = rf"(?:{_WORDS}|{_SHORT})"
# Every repetition is bounded: a document of one very long line must not cost more than its length.
_PAIR = re.compile(
    rf"({_NAME}[\w.$\[\]-]{{0,64}}[\"']?[ \t]{{0,16}}[=:][ \t]{{0,64}})"
    r"(?:\"(?:[^\"\\]|\\.)*+(?:\"|$)|'[^']*+(?:'|$)|[^\s\"'][^\r\n]*+)"
)
_UNQUOTED_END = re.compile(r"[\s&;,<>\"'}]")
_ELEMENT = re.compile(rf"(<[^<>]{{0,64}}{_NAME}[^<>]{{0,256}}>)([^<\r\n]+)")
_NAMED_VALUE = re.compile(rf"(<[^<>]{{0,128}}{_NAME}[^<>]{{0,256}}?\b[Vv]alue=)(\"[^\"]*+(?:\"|$)|'[^']*+(?:'|$))")
_USERINFO = re.compile(r"(://[^/\s:@\"'<>]{0,128}:)([^@/\s\"'<>]{1,256})(?=@)")
_MAY_BE = re.compile(rf"{_NAME}|://[^/\s]{{0,400}}@")


def masked(line: str) -> str:
    """One line with `<secret>` in place of what looks like a password, token, PIN or key."""
    if _MAY_BE.search(line) is None:
        return line
    line = _USERINFO.sub(rf"\1{SECRET}", line)
    line = _NAMED_VALUE.sub(lambda found: f'{found[1]}"{SECRET}"', line)
    line = _ELEMENT.sub(rf"\1{SECRET}", line)
    return _PAIR.sub(_pair, line)


def _pair(found: re.Match[str]) -> str:
    """`name = value`: a bare value ends with the line, or where it stands among others, at what ends it there."""
    name, value = found[1], found[0][len(found[1]) :]
    if value.startswith(SECRET):
        return found[0]
    if value[0] in "\"'":
        return f"{name}{value[0]}{SECRET}{value[0]}"
    before = found.string[: found.start()]
    if not re.search(r"[<>{&?;,]", before[-200:]):
        return name + SECRET
    end = _UNQUOTED_END.search(value)
    rest = value[end.start() :] if end else ""
    return name + SECRET + masked(rest)
