"""RFC 3261 §7, §19, §20, §25 as values (pure)."""

from .address import Address, Contact
from .errors import SIPSyntaxError
from .event_header import EventHeader
from .framing import MessageReader
from .grammar import TOKEN, parse_parameters, split_commas, unescape
from .headers import Headers
from .message import MAX_MESSAGE, Message, Request, Response, parse_message
from .plain_answer import read_plain_answer
from .plain_request import read_plain_request
from .uri import URI
from .via import DEFAULT_PORTS, Via, received_via

__all__ = [
    "DEFAULT_PORTS",
    "MAX_MESSAGE",
    "TOKEN",
    "URI",
    "Address",
    "Contact",
    "EventHeader",
    "Headers",
    "Message",
    "MessageReader",
    "Request",
    "Response",
    "SIPSyntaxError",
    "Via",
    "parse_message",
    "parse_parameters",
    "read_plain_answer",
    "read_plain_request",
    "received_via",
    "split_commas",
    "unescape",
]
