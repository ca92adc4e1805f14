"""Inputs: what the grammar allows, made by hand from its rules, and then damaged the way that parsers fear.

Every generator takes a `Random`, so that hypothesis can drive it (and shrink), and so can a seed.
"""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

TORTURE = Path(__file__).parents[1] / "torture"
CORPUS = [path.read_bytes() for path in sorted(TORTURE.glob("*/*.dat")) if path.stat().st_size < 4000]
MARKS = [
    "\r\n", "\n", "\r", "\r\n ", "\t", " ", '"', "\\", '\\"', "<", ">", "<>", ";", ",", ":", "=", "?", "@", "&", "%",
    "[", "]", "/", "*", ".", "-1", "0", "4294967296", "9" * 30, "%00", "%0d%0a", "%41", "%c1%a1", "%", "\x00", "\x7f",
    "\x0b", "\x1c", "\x85", "\xa0", "\u2028", "\u212a", "\u017f", "\u0661", "\u00df", "\udcff", "\ufeff", "z9hG4bK",
    ";tag=", ";tag", ";rport", ";received=6.6.6.6", ";branch=", ";lr", "SIP/2.0", "SIP/2.0 200 OK\r\n", "sip:", "sips:",
    "tel:", "\r\n\r\n", "\r\nTo: <sip:a@b>;tag=t0", "\r\nRecord-Route: <sip:r;lr>", "\r\nEvent: x", "\r\nl: 3",
    "\r\nRequire: x",
]  # fmt: skip
WORDS = ["alice", "a", "MAC%3a00135E874B49", "MAC=00304fa99948", "%61", "user;par=u%40x", "-", "_sipuaconfig", "T53W"]
HOSTS = ["example.com", "192.0.2.9", "[2001:db8::9]", "h", "224.0.1.75", "[::1]", "EXAMPLE.com.", "[fe80::1%25e]", "-x"]
METHODS = ["SUBSCRIBE"] * 12 + ["OPTIONS", "CANCEL", "INVITE", "ACK", "NOTIFY", "subscribe", "FOO"]


def _maybe(r: Random, text: str) -> str:
    return text if r.random() < 0.5 else ""


def quoted(r: Random) -> str:
    """A quoted-string."""
    inside = "".join(r.choice(["a", " ", ",", ";", "<", ">", '\\"', "\\\\", "=", "é"]) for _ in range(r.randrange(5)))
    return f'"{inside}"'


def parameters(r: Random) -> str:
    """`;name=value` a few times."""
    out = ""
    for _ in range(r.randrange(4)):
        name = r.choice(
            ["tag", "branch", "rport", "received", "lr", "x", "X", "vendor", "id", "+sip.instance", "transport"]
        )
        value = r.choice(["", "=1", "=", " = tok", "=" + quoted(r), "=192.0.2.9", "=z9hG4bK1", "=tcp"])
        out += r.choice([";", " ; ", ";;"]) + name + value
    return out


def uri(r: Random) -> str:
    """A URI."""
    user = _maybe(r, r.choice(WORDS) + _maybe(r, ":secret") + "@")
    port = _maybe(r, ":" + r.choice(["5060", "1", "65535", "0", "65536", "05060", "5060."]))
    rest = r.choice(["", ";lr", ";transport=tcp", ";a=1;b", "?Subject=x", ";lr?a=b"])
    return r.choice(["sip:", "sip:", "sips:", "SIP:", "tel:", "urn:"]) + user + r.choice(HOSTS) + port + rest


def address(r: Random) -> str:
    """A name-addr or addr-spec."""
    if r.random() < 0.2:
        return uri(r) + parameters(r)
    return r.choice(["", "Alice ", "Alice", quoted(r), quoted(r) + " "]) + f"<{uri(r)}>" + parameters(r)


def via(r: Random) -> str:
    """A Via."""
    transport = r.choice(["UDP", "TCP", "WSS", "x"])
    port = _maybe(r, r.choice([":", " : "]) + r.choice(["5062", "0", "65536", "5060."]))
    branch = _maybe(r, ";branch=z9hG4bK" + _maybe(r, str(r.randrange(9))))
    return f"{r.choice(['SIP/2.0/', 'SIP / 2.0 / '])}{transport} {r.choice(HOSTS)}{port}{branch}{parameters(r)}"


def event(r: Random) -> str:
    """An Event."""
    return r.choice(["ua-profile", "ua-profile", "presence", "UA-Profile"]) + parameters(r)


def comma_list(r: Random) -> str:
    """A list of anything."""
    return ",".join(r.choice([address, via, event, uri, quoted])(r) for _ in range(r.randrange(5)))


def authorization(r: Random) -> str:
    """Credentials."""
    names = ["username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc", "userhash"]
    values = ['"a"', '"' + "0" * 32 + '"', "auth", "00000001", "MD5", "SHA-256", quoted(r), '"sip:example.com"', ""]
    pairs = [f"{r.choice(names)}{r.choice(['=', ' = '])}{r.choice(values)}" for _ in range(r.randrange(12))]
    return r.choice(["Digest ", "digest\t", "Basic ", "Digest"]) + r.choice([",", ", ", " , "]).join(pairs)


def mutated(r: Random, text: str) -> str:
    """`text` with up to three things inserted, cut out or said twice."""
    for _ in range(r.randrange(4)):
        at, end = sorted((r.randrange(len(text) + 1), r.randrange(len(text) + 1)))
        end = min(end, at + 20)
        action = r.randrange(5)
        if action < 2:
            text = text[:at] + r.choice(MARKS) + text[at:]
        elif action == 2:
            text = text[:at] + text[end:]
        elif action == 3:
            text = text[:end] + text[at:]
        else:
            text = text[:at]
    return text


def response(r: Random) -> bytes:
    """An answer, perhaps to one of our NOTIFYs: the harness counts its branches from t0."""
    hop = f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKt{r.randrange(4)};rport=5060"
    lines = [
        f"SIP/2.0 {r.choice(['200 OK', '100 ', '481', '503 x', '699 y', '401 Unauthorized', '302 Moved'])}",
        f"{r.choice(['Via', 'v'])}: {r.choice([hop, hop, hop + ', ' + via(r), via(r), ','])}",
        f"From: {address(r)}",
        f"To: {address(r)}",
        "Call-ID: call-1",
        f"CSeq: {r.randrange(3)} {r.choice(['NOTIFY', 'NOTIFY', 'NOTIFY', 'SUBSCRIBE'])}",
        f"{r.choice(['Retry-After', 'Contact', 'WWW-Authenticate'])}: {r.choice(['5', uri(r), authorization(r)])}",
        "Content-Length: 0",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def valid(r: Random) -> bytes:
    """A request whose every header is made by the grammar, or one of the torture messages."""
    if r.random() < 0.3:
        return r.choice(CORPUS)

    def mostly(plain: str, other: Callable[[Random], str]) -> str:
        return other(r) if r.randrange(5) == 0 else plain

    if r.randrange(6) == 0:
        return response(r)
    method, number, alice = r.choice(METHODS), r.randrange(4), "<sip:alice@example.com>"
    lines = [
        f"{method} {mostly('sip:alice@example.com', uri)} SIP/2.0",
        f"{r.choice(['Via', 'v'])}: {mostly(f'SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK{number};rport', via)}",
        f"{r.choice(['From', 'f'])}: {mostly(f'{alice};tag={number}', address)}",
        f"{r.choice(['To', 't'])}: {mostly(alice + r.choice(['', '', '', '', '', ';tag=t0']), address)}",
        f"Call-ID: call-{r.randrange(3)}",
        f"CSeq: {r.choice([str(number), '4294967295', '0'])} {method}",
        f"{r.choice(['Contact', 'm'])}: {mostly('<sip:alice@192.0.2.9:5062>', address)}",
        f"{r.choice(['Event', 'o'])}: {mostly('ua-profile', event)}",
        f"Expires: {r.choice(['600', '600', '600', '600', '0', '60', '5', '-1', '99999999999'])}",
        f"Accept: {mostly('text/xml', lambda r: r.choice(['*/*', 'a/b;q=0']))}",
    ]
    lines += [f"Record-Route: {mostly('<sip:192.0.2.9;lr>', address)}"] * (r.randrange(4) == 0)
    body = r.choice([b"", b"", b"abc", b"\r\n\r\n\x00"])
    lines.append(f"{r.choice(['Content-Length', 'l'])}: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _lie(r: Random, data: bytes) -> bytes:
    lie = r.choice([b"-1", b"0", b"1", b"9999", b"999999999", b"9999999999", b"", b"5, 5", b"0x0", b"+3", b"3 3"])
    return re.sub(rb"(?im)^(content-length|l)([ \t]*:)[^\r\n]*", lambda m: m[1] + m[2] + b" " + lie, data, count=1)


def _lines(r: Random, data: bytes) -> bytes:
    """A line repeated, removed, moved or folded."""
    lines = data.split(b"\r\n")
    at, to = r.randrange(len(lines)), r.randrange(len(lines))
    match r.randrange(4):
        case 0:
            lines[to:to] = [lines[at]] * r.choice([1, 1, 2, 250])
        case 1:
            del lines[at]
        case 2:
            lines[at], lines[to] = lines[to], lines[at]
        case _:
            middle = len(lines[at]) // 2
            lines[at] = lines[at][:middle] + b"\r\n " + lines[at][middle:]
    return b"\r\n".join(lines)


def _bytes(r: Random, data: bytes) -> bytes:
    at, size = r.randrange(len(data) + 1), r.randrange(1, 12)
    match r.randrange(5):
        case 0:
            return data[:at] + bytes([r.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + size :]
        case 2:
            return data[: at + size] + data[at:]
        case 3:
            return data[:at]
        case _:
            return data[:at] + r.choice(MARKS).encode("utf-8", "surrogateescape") + data[at:]


def _splice(r: Random, data: bytes) -> bytes:
    other = r.choice(CORPUS)
    return data[: r.randrange(len(data) + 1)] + other[r.randrange(len(other) + 1) :]


DAMAGES: list[Callable[[Random, bytes], bytes]] = [_bytes, _bytes, _bytes, _lines, _lie, _splice]


def message(r: Random) -> bytes:
    """A message with up to four damages."""
    data = valid(r)
    for _ in range(r.choice([0, 0, 1, 1, 2, 4])):
        data = r.choice(DAMAGES)(r, data)
    return data


def stream(r: Random) -> bytes:
    """A few messages and keep-alives, one after the other."""
    pieces = [r.choice([message, valid])(r) if r.random() < 0.7 else b"\r\n\r\n" for _ in range(r.randrange(1, 4))]
    return b"".join(pieces)[:8000]


def long_value(r: Random) -> str:
    """64 KiB that repeat something short: what a reader that looks twice would pay for."""
    before = "".join(r.choice([*MARKS, "a", "sip:a@b", "SIP/2.0/UDP h", "ua-profile"]) for _ in range(r.randrange(3)))
    pump = "".join(r.choice([*MARKS, "a", ";a", ";a=", ',"', "<a"]) for _ in range(r.randrange(1, 4)))
    after = "".join(r.choice([*MARKS, "a", ""]) for _ in range(r.randrange(3)))
    return before + pump * (65536 // len(pump)) + after
