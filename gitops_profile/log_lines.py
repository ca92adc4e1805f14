"""The log of a server's processes: one line for each record, whatever a peer or an author has put into it.

Names, paths and User-Agents are in it as they were sent or committed. A line end in one of them must not begin a line
that says something else: fail2ban reads these lines (docs/access.md) and shuts out whom they name.
"""

import logging
import re
import sys
from types import TracebackType

_FORM = "%(asctime)s %(levelname)s %(message)s"
# C0 but TAB, DEL, C1, and the two line ends of Unicode: what begins a line for some reader, or what a terminal obeys.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_BELOW = "\n| "
"""Before each line of a traceback, whose last ones may be somebody's text."""


class LineFormatter(logging.Formatter):
    """Writes control characters as escapes (`\\n`, `\\x1b`); a traceback stands below its line, behind bars."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        return _below(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        return _below(super().formatStack(stack_info))


def begin_log(level: int) -> None:
    """Log to standard error from here on, from that level (of `logging`) on; what was set up before stays."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(_FORM))
    logging.basicConfig(level=level, handlers=[handler])


def one_line(text: str) -> str:
    """`text` with control characters other than tabs, and the line ends of Unicode, written as escapes."""
    if _CONTROL.search(text) is None:
        return text
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def _below(text: str) -> str:
    return "| " + _BELOW.join(map(one_line, text.split("\n")))
