"""What a format allows of the values that are put into it: markup escapes, JSON escapes, a line stays one line.

Which of the three a document is follows from its content type. A value that would change what stands around it is
either written so that any reader of the format gets it back as it was, or refused.
"""

import json
import re
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Any, NoReturn
from xml.parsers import expat

from markupsafe import Markup, escape

from .sandbox import Made, text

_MARKUP = re.compile(r"[/+](xml|html|xhtml)\b", re.IGNORECASE)
_JSON = re.compile(r"[/+]json\b", re.IGNORECASE)
# What some reader takes for the end of a line or of the text; TAB is the only control character in use.
_ENDS_LINE = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
# No character of XML 1.0, not even as a reference (its section 2.2).
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Readers make spaces of these in an attribute, and LF of CR anywhere (its sections 2.11 and 3.3.3).
_WHITE = re.compile("[\t\n\r]")


class ValueRefused(ValueError):
    """A value that the format cannot hold. The message never has the value itself: it may be a secret."""

    def __init__(self, message: str, value: str) -> None:
        super().__init__(message)
        self.value = value


class MalformedOutput(ValueError):
    """A document that is not of its format, whatever its values are."""


class Format(Enum):
    """How values get into a document."""

    XML = "xml"
    HTML = "html"
    JSON = "json"
    LINES = "lines"

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, content_type: str) -> "Format":
        """What a media type is written in; whatever is neither XML, HTML nor JSON counts as lines."""
        found = _MARKUP.search(content_type)
        if found is not None:
            return cls.XML if found[1].lower() == "xml" else cls.HTML
        return cls.JSON if _JSON.search(content_type) else cls.LINES

    def refuses(self, value: str) -> bool:
        """Whether this text cannot be put into such a document."""
        pattern = {Format.XML: _NOT_XML, Format.HTML: _NOT_XML, Format.LINES: _ENDS_LINE}.get(self)
        return pattern is not None and pattern.search(value) is not None

    def check(self, document: str) -> None:
        """Raises MalformedOutput when the finished document is none of this format."""
        if self in (Format.XML, Format.HTML):
            found = _NOT_XML.search(document)
            if found is not None:
                line = document.count("\n", 0, found.start()) + 1
                raise MalformedOutput(f"line {line} of what it makes has a control character: U+{ord(found[0]):04X}")
        if self is Format.XML:
            _check_xml(document)
        elif self is Format.JSON:
            _check_json(document)


def _check_xml(document: str) -> None:
    """Expat bounds what entities expand to by itself, and opens nothing."""
    parser = expat.ParserCreate("UTF-8")  # whatever the declaration says: that is what is sent
    try:
        parser.Parse(document.encode(), True)
    except expat.ExpatError as error:
        place = f"line {error.lineno}, column {error.offset + 1}"
        raise MalformedOutput(f"what it makes is no XML: {place}: {expat.ErrorString(error.code)}") from error


def _check_json(document: str) -> None:
    try:
        json.loads(document, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedOutput(f"what it makes is no JSON: {place}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise MalformedOutput(f"what it makes is no JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def line_value(value: Any) -> Any:
    """A value as one line takes it. Raises ValueRefused: the rest of it would be a setting of its own."""
    if type(value) is str and value.isprintable():
        return value  # nearly all: 0.1 µs in place of 0.6
    if isinstance(value, str) and type(value) is not Made and _ENDS_LINE.search(value) is not None:
        raise ValueRefused("a value with a line end or control character cannot be put into a line format", value)
    return text(value)


def markup_value(value: Any) -> Any:
    """A value as XML and HTML take it, so that a reader gets its line ends and tabs back, in attributes too.

    Raises ValueRefused.
    """
    if type(value) is str and value.isprintable():
        return value  # no control character, no surrogate and nothing white but spaces
    value = text(value)
    if not isinstance(value, str) or isinstance(value, Markup):
        return value  # what a template itself calls safe is looked at in the finished document
    if _NOT_XML.search(value) is not None:
        raise ValueRefused("a value with a control character cannot be put into XML", value)
    if _WHITE.search(value) is not None:
        return Markup(_WHITE.sub(lambda found: f"&#{ord(found[0])};", escape(value)))
    return value


def json_value(value: Any) -> Any:
    """A text as it stands between the quotes of a JSON string; `tojson` makes a whole value, quotes included."""
    if isinstance(value, str) and not isinstance(value, Markup | Made):
        return json.dumps(value, ensure_ascii=False)[1:-1]
    return text(value)


FINALIZE: dict[Format, Callable[[Any], Any]] = {
    Format.XML: markup_value,
    Format.HTML: markup_value,
    Format.JSON: json_value,
    Format.LINES: line_value,
}
"""What each value goes through on its way into a document."""
