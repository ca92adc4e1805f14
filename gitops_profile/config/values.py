"""Settings that are more than a word or a number, as pydantic types: addresses, durations, networks."""

import ipaddress
import posixpath
import re
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):(?P<port>[0-9]{1,5})")
_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address of this machine, written `127.0.0.1:8060` or `[::1]:8060`."""

    host: str
    """An IP address, without brackets."""
    port: int
    """0 lets the kernel choose."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`; `localhost` is 127.0.0.1. Raises ValueError."""
        host, port = _split(text, "ADDRESS:PORT, such as 127.0.0.1:8060")
        return cls(host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        return _join(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Listener:
    """One SIP listener, written `udp:127.0.0.1:5060` or `tcp:[::1]:5060`."""

    transport: str
    """One of `TRANSPORTS`."""
    host: str
    """An IP address, without brackets."""
    port: int
    """0 lets the kernel choose."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`; `localhost` is 127.0.0.1. Raises ValueError."""
        transport, _, rest = text.partition(":")
        if transport not in TRANSPORTS:
            raise ValueError(f"{text!r} must begin with one of {', '.join(f'{name}:' for name in TRANSPORTS)}")
        host, port = _split(rest, "TRANSPORT:ADDRESS:PORT, such as udp:127.0.0.1:5060")
        return cls(transport, host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return _is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.transport}:{_join(self.host, self.port)}"


def _split(text: str, form: str) -> tuple[str, int]:
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"{text!r} is not {form}")
    host = match["host"].strip("[]")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        return str(ipaddress.ip_address(host)), int(match["port"])
    except ValueError:
        raise ValueError(f"{host!r} is no IP address: a listener needs one, 0.0.0.0 for all") from None


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def is_this_machine(host: str) -> bool:
    """Whether the host of a URL is this machine for whoever follows it."""
    try:
        return host == "localhost" or _is_loopback(host)
    except ValueError:
        return False


def _listener(value: Any) -> Listener:
    return value if isinstance(value, Listener) else Listener.parse(_text(value))


def _host_port(value: Any) -> HostPort:
    return value if isinstance(value, HostPort) else HostPort.parse(_text(value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}: quote it")
    return value


def read_duration(text: str) -> float:
    """Seconds, from a number and a unit; raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a number and ms, s, m, h or d, such as 30s")
    return float(match["number"]) * _SECONDS[match["unit"]]


def _duration(value: Any) -> Any:
    return read_duration(value) if isinstance(value, str) else _no_bool(value)


def _no_bool(value: Any) -> Any:
    """YAML's `true` is no number, though Python's is."""
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is no number")
    return value


def _folder(text: str) -> str:
    """A folder in the repository as git names it: `./profiles/` is `profiles`."""
    path = posixpath.normpath(text)
    if path.startswith("/") or path.split("/")[0] == "..":
        raise ValueError(
            f"{text!r} is not in the repository; name it from the top, such as profiles, and . for the top"
        )
    return path


def _network(value: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    text = _text(value)
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{value!r} is no network such as 192.0.2.0/28") from None


ListenerSetting = Annotated[
    Listener,
    BeforeValidator(_listener),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(TRANSPORTS)}):.+:[0-9]+$"}),
]
HostPortSetting = Annotated[
    HostPort,
    BeforeValidator(_host_port),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": "^.+:[0-9]+$"}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9.]+ *(ms|s|m|h|d)?$"}]}),
]
Network = Annotated[
    ipaddress.IPv4Network | ipaddress.IPv6Network,
    BeforeValidator(_network),
    PlainSerializer(str),
    WithJsonSchema({"type": "string"}),
]
FolderSetting = Annotated[str, AfterValidator(_folder)]
Count = Annotated[int, BeforeValidator(_no_bool)]
