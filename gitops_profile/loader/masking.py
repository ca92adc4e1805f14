"""Values that look like credentials are not shown (invariant I7), also in documents that nobody declared sensitive.

The name of a setting is all there is to go by: a line of a document does not say where its value came from. A secret
may be spread over lines (a PEM key, the text of an element, a quoted value, the block of a YAML key): such lines are
looked at together, and each keeps its place, so that line numbers stay what they are.
"""

import re
from collections import deque
from collections.abc import Sequence
from functools import lru_cache

SECRET = "<secret>"
_MARK = "\ufdd0"
"""In its place while a text is being masked: `<secret>` would itself be taken for the tag of a secret element."""

_WORDS = (
    r"[Pp]ass(?:w(?:or)?d|phrase)|PASS(?:W(?:OR)?D|PHRASE)|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Cc]redential"
    r"|[Pp]swd|PSWD"  # Fanvil
)
_SHORT = (
    r"(?:(?<![A-Za-z])(?:[Pp]ass|[Pp]in|[Pp]wd|[Pp]sk|[Hh]a1|[Aa]pi[_-]?[Kk]ey|[Pp]rivate[_-]?[Kk]ey)"
    r"|(?<=[a-z])(?:Pass|Pin|Pwd|Psk|Ha1|ApiKey|PrivateKey)|(?<![A-Z])(?:PASS|PIN|PWD|PSK|HA1))(?![a-z])"
)
# Grandstream names its settings by number: the administrator's, the end user's, and of each account the SIP password.
_NUMBERED = r"\bP(?:2|196|34|406|506|606|1706|1806|1359)(?![\w.])"
_NAME = rf"(?:{_WORDS}|{_SHORT}|{_NUMBERED})"
# Every repetition is bounded or never goes back: a document of one very long line must not cost more than its length.
_QUOTED = r"\"(?:[^\"\\]|\\.)*+(?:\"|\\?\Z)|'[^']*+(?:'|\Z)"
_TEXT = r"(?:<!\[CDATA\[(?:(?!\]\]>).)*+(?:\]\]>)?|[^<])++"
_TAG = rf"<(?![/!?])[^<>]{{0,128}}{_NAME}[^<>]{{0,256}}(?<!/)>"
_INNER_TAGS = r"(?:\s{0,64}<(?![/!?])[^<>]{1,128}(?<!/)>){0,2}"
_VALUE = rf"(\b[Vv]alue\s{{0,16}}=\s{{0,16}})({_QUOTED})"
_PEM = re.compile(
    r"(-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE|STATIC) KEY[A-Z0-9 ]{0,20}-----)(.*?)(?=-----END|\Z)", re.DOTALL
)
_ELEMENT = re.compile(rf"({_TAG}{_INNER_TAGS})({_TEXT})", re.DOTALL)
_KEYED = re.compile(rf"(<key>[^<>]{{0,128}}{_NAME}[^<>]{{0,128}}</key>\s{{0,64}}<\w{{1,32}}>)({_TEXT})", re.DOTALL)
_NAMED_VALUE = re.compile(rf"(<[^<>]{{0,128}}{_NAME}[^<>]{{0,256}}?){_VALUE}", re.DOTALL)
_VALUE_NAMED = re.compile(rf"(<[^<>]{{0,128}}?){_VALUE}(?=[^<>]{{0,128}}{_NAME}[^<>]{{0,128}}/?>)", re.DOTALL)
_USERINFO = re.compile(r"(://[^/\s:@\"'<>]{0,128}:)([^@/\s\"'<>]{1,256})(?=@)")
_BLOCK_HEAD = rf"{_NAME}[\w.$-]{{0,64}}[\"']?[ \t]{{0,16}}:[ \t]{{1,16}}[|>][-+0-9]{{0,2}}[ \t\r]{{0,16}}\n"
_BLOCK = re.compile(rf"({_BLOCK_HEAD})(.+)", re.DOTALL)
_PAIR_NAME = rf"{_NAME}[\w.$\[\]-]{{0,64}}(?:[\"'][ \t]{{0,16}}:\s{{0,64}}|[\"']?[ \t]{{0,16}}[=:][ \t]{{0,64}})(?=\S)"
_PAIR_VALUE = rf"{_QUOTED}|\[[^\]]*+|\{{[^}}]*+"
_PAIR = re.compile(rf"({_PAIR_NAME})({_PAIR_VALUE}|[^\s\"'\[{{][^\r\n]*+)", re.DOTALL)
# The two halves of it: a line may hold thousands of pairs, and the value of each would go to its end.
_PAIR_HEAD = re.compile(_PAIR_NAME)
_ENCLOSED = re.compile(_PAIR_VALUE, re.DOTALL)
_LINE_END = re.compile(r"[\r\n]")
_UNQUOTED_END = re.compile(r"[\s&;,<>\"'}]")
_MAY_BE = re.compile(rf"{_NAME}|://[^/\s]{{0,400}}@|-----BEGIN|<[A-Za-z][^<>]*+\Z")

# What a line may leave open, and what ends it in a later one.
_OPEN_TAG = re.compile(r"<[A-Za-z][^<>]*+\Z")
_OPEN_KEY = re.compile(rf"<key>[^<>]{{0,128}}{_NAME}[^<>]{{0,128}}</key>\s{{0,64}}\Z")
_OPEN_NAME = re.compile(rf"{_NAME}[\w.$\[\]-]{{0,64}}[\"'][ \t]{{0,16}}:\s{{0,64}}\Z")
_OPEN_BLOCK = re.compile(rf"{_BLOCK_HEAD}\Z")
_CLOSER = {'"': r"(?<!\\)\"", "'": "'", "[": r"\]", "{": r"\}"}
_FAR = 50
"""Lines within which a quote, a bracket or a tag must be closed to be taken for one."""
_ROUNDS = 20
"""How often what closes one may open another."""
_CACHED = 400
"""Characters of a line that is remembered: the same lines stand in thousands of documents."""


def masked(line: str) -> str:
    """One line with `<secret>` in place of what looks like a password, token, PIN or key."""
    return _masked_line(line) if len(line) <= _CACHED else _shown(line)


def masked_lines(lines: Sequence[str]) -> list[str]:
    """The lines of one document, each with its line end, masked; as many as there were."""
    result: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if _is_plain(line) if len(line) <= _CACHED else _MAY_BE.search(line) is None:
            result.append(line)
            at += 1
            continue
        end = _end(lines, at)
        result += _split(_shown("".join(lines[at:end]))) if end > at + 1 else [masked(line)]
        at = end
    return result


def _shown(text: str) -> str:
    return _mask(text).replace(_MARK, SECRET)


def _mask(text: str) -> str:
    if _MAY_BE.search(text) is None:
        return text
    text = _PEM.sub(_after, text)
    text = _USERINFO.sub(rf"\1{_MARK}", text)
    for pattern in (_NAMED_VALUE, _VALUE_NAMED):
        text = pattern.sub(lambda found: found[1] + found[2] + _in_quotes(found[3]), text)
    for pattern in (_KEYED, _ELEMENT, _BLOCK):
        text = pattern.sub(_after, text)
    return _without_pairs(text)


_masked_line = lru_cache(maxsize=1 << 14)(_shown)


@lru_cache(maxsize=1 << 14)
def _is_plain(line: str) -> bool:
    return _MAY_BE.search(line) is None


def _veiled(text: str) -> str:
    """`<secret>` in place of each line that holds anything."""
    return "\n".join(_MARK if line.strip() else line for line in text.split("\n"))


def _after(found: re.Match[str]) -> str:
    return found[1] + _veiled(found[2])


def _in_quotes(value: str) -> str:
    quote = value[0]
    closing = quote if len(value) > 1 and value.endswith(quote) else ""
    return quote + (_veiled(value[1 : len(value) - len(closing)]) or _MARK) + closing


def _without_pairs(text: str) -> str:
    """Each `name = value` without its value. One pass, however many there are: what a bare value among others leaves
    of its line is looked at for itself, as if the line began there.
    """
    pieces: list[str] = []
    at, begin, end = 0, 0, len(text)
    while True:
        found = _PAIR_HEAD.search(text, at, end)
        if found is None:
            pieces.append(text[at:end])
            if end == len(text):
                return "".join(pieces)
            at, begin, end = end, 0, len(text)  # that was the rest of a line
            continue
        value = found.end()
        pieces.append(text[at:value])
        if text[value] in "\"'[{":
            shown, at = _enclosed(text, value, end)
            pieces.append(shown)
            continue
        line_end = end if begin else _end_of_line(text, value)
        if text.startswith(_MARK, value):
            pieces.append(text[value:line_end])
            at = line_end
            continue
        pieces.append(_MARK)
        at = line_end
        if _is_among_others(text, max(begin, found.start() - 200), found.start()):
            bare = _UNQUOTED_END.search(text, value, line_end)
            if bare is not None:
                at, begin, end = bare.start(), bare.start(), line_end


def _end_of_line(text: str, at: int) -> int:
    found = _LINE_END.search(text, at)
    return len(text) if found is None else found.start()


def _enclosed(text: str, at: int, end: int) -> tuple[str, int]:
    """A value in quotes or brackets without what it says, and where it ends."""
    found = _ENCLOSED.match(text, at, end)
    assert found is not None, "what is not closed goes on to the end"
    value = found[0]
    return (_in_quotes(value) if value[0] in "\"'" else value[0] + _veiled(value[1:])), found.end()


def _is_among_others(text: str, begin: int, name: int) -> bool:
    """Whether a bare value ends before its line does: others stand before its name."""
    return re.search(r"[<>{&?;,]", text[begin:name].rpartition("\n")[2]) is not None


# -- secrets of several lines ------------------------------------------------------------------------------------


def _end(lines: Sequence[str], at: int) -> int:
    """Behind the last line that belongs to what the line at `at` opens."""
    text, end = lines[at], at + 1
    for _ in range(_ROUNDS):
        if _OPEN_BLOCK.search(text):
            return _end_of_block(lines, end)
        closer, far = _opened(text)
        if closer is None:
            break
        limit = min(len(lines), end + _FAR) if far else len(lines)
        found = next((number for number in range(end, limit) if re.search(closer, lines[number])), None)
        if found is None and far:
            break
        stop = len(lines) if found is None else found + 1
        text += "".join(lines[end:stop])
        end = stop
        if end == len(lines):
            break
    return end


def _opened(text: str) -> tuple[str | None, bool]:
    """What closes what is open at the end of the text, and whether only a near one counts."""
    for pattern in (_PEM, _ELEMENT, _KEYED, _PAIR):
        last = next(iter(deque(pattern.finditer(text), maxlen=1)), None)
        if last is None or last.end() != len(text):
            continue
        if pattern is _PEM:
            return "-----END", False
        value = last[2]
        if pattern is not _PAIR:
            return (r"\]\]>" if value.rfind("<![CDATA[") > value.rfind("]]>") else "<"), False
        if value[0] in "[{" or value[0] in "\"'" and not (len(value) > 1 and value.endswith(value[0])):
            return _CLOSER[value[0]], True
    if _OPEN_KEY.search(text):
        return "<", True
    if _OPEN_NAME.search(text):
        return r"\S", True
    return (">", True) if _OPEN_TAG.search(text) else (None, True)


def _end_of_block(lines: Sequence[str], end: int) -> int:
    """A block of YAML goes on while lines are indented more than the one that opens it."""
    indent = _indent(lines[end - 1])
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _split(text: str) -> list[str]:
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])
