"""Via (RFC 3261 §20.42): who sent this, and where a response goes."""

import re
from dataclasses import dataclass

from .errors import SIPSyntaxError
from .grammar import HOST, parse_parameters

_VIA = re.compile(
    rf"\s*SIP\s*/\s*2\.0\s*/\s*(?P<transport>[A-Za-z0-9\-.!%*_+`'~]+)\s+"
    rf"(?P<host>{HOST})\s*+(?::\s*+(?P<port>[0-9]{{1,5}})\.?)?\s*+(?P<parameters>(?:;.*)?)",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Via:
    """One hop."""

    transport: str
    """In lower case."""
    host: str
    port: int | None
    parameters: dict[str, str | None]

    @classmethod
    def parse(cls, text: str) -> "Via":
        """Raises SIPSyntaxError. A stray dot after the port is tolerated (phones.md 3)."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise SIPSyntaxError("malformed Via")
        port = int(match["port"]) if match["port"] else None
        return cls(match["transport"].lower(), match["host"].lower(), port, parse_parameters(match["parameters"]))

    @property
    def branch(self) -> str | None:
        """The branch parameter; None for RFC 2543 elements and Snom phones."""
        return self.parameters.get("branch")

    @property
    def sent_by(self) -> tuple[str, int]:
        """Host and port; the port is the transport's default when absent (RFC 3261 §18.2.2)."""
        return self.host, self.port or DEFAULT_PORTS.get(self.transport, 5060)


def received_via(text: str, via: Via, source: tuple[str, int]) -> str:
    """The top Via as a response carries it (RFC 3261 §18.2.1, RFC 3581 §4).

    `received` is added when sent-by is not the packet's source, and always with `rport`, whose value is filled in.
    """
    host, port = source
    wants_rport = "rport" in via.parameters
    if via.host.strip("[]") == host.lower() and not wants_rport:
        return text
    text = re.sub(r";\s*received\s*=\s*[^;\s]*", "", text, flags=re.IGNORECASE)
    if wants_rport:
        text = re.sub(r"(;\s*rport)(?:\s*=\s*[^;\s]*)?(?=\s*(?:;|$))", rf"\g<1>={port}", text, flags=re.IGNORECASE)
    return f"{text};received={host}"
