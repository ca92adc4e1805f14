"""RFC 3263 against a name server on loopback, made of dnspython's own wire format."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from gitops_profile.sip import Target
from gitops_profile.transport import Unresolvable
from gitops_profile.transport.hosts import HostsFile
from gitops_profile.transport.resolver import MAX_TARGETS, Resolver

ZONE = """
full 60 NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.full
full 60 NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.full
full 60 NAPTR 10 20 "s" "SIP+D2T" "" _sip._tcp.full
full 60 NAPTR 5 5 "s" "SIP+D2W" "" _ws.full
full 60 NAPTR 5 5 "u" "E2U+sip" "!^.*$!sip:x@y!" .
_sips._tcp.full 60 SRV 10 0 5061 a.full
_sip._tcp.full 60 SRV 10 0 5070 a.full
_sip._udp.full 60 SRV 20 0 5060 b.full
_sip._udp.full 60 SRV 10 0 5062 a.full
a.full 60 A 192.0.2.1
a.full 60 AAAA 2001:db8::1
b.full 60 A 192.0.2.2
srv 60 A 192.0.2.9
_sip._tcp.srv 60 SRV 0 0 5080 a.full
_sip._udp.srv 60 SRV 0 0 5081 a.full
plain 60 A 192.0.2.7
plain 60 A 192.0.2.8
closed 60 A 192.0.2.9
_sip._udp.closed 60 SRV 0 0 0 .
evil 60 A 127.0.0.1
evil 60 A 0.0.0.0
evil 60 A 0.1.2.3
evil 60 A 224.0.1.75
evil 60 A 255.255.255.255
evil 60 AAAA ::1
evil 60 AAAA ::
evil 60 AAAA ff02::1
evil 60 AAAA ::ffff:127.0.0.1
evil 60 A 192.0.2.66
local 60 A 127.0.0.1
weights 60 SRV 1 1 1 w1.weights
weights 60 SRV 1 3 3 w3.weights
weights 60 SRV 1 0 9 w0.weights
weights 60 SRV 0 0 7 first.weights
long 3600 A 192.0.2.20
short 0 A 192.0.2.21
"""


class NameServer(asyncio.DatagramProtocol):
    """Answers from `ZONE` under test.example., NXDOMAIN for what is not there."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.records: dict[str, list[tuple[int, str, str]]] = {}
        for line in ZONE.strip().splitlines():
            name, ttl, kind, data = line.split(maxsplit=3)
            words = data.split()
            if kind in ("SRV", "NAPTR") and words[-1] != ".":
                words[-1] += ".test.example."
            self.records.setdefault(f"{name}.test.example.", []).append((int(ttl), kind, " ".join(words)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if self.silent:
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        found = [(ttl, text) for ttl, of_kind, text in self.records.get(name, ()) if of_kind == kind]
        if found:
            texts = [text for _, text in found]
            response.answer.append(dns.rrset.from_text_list(name, found[0][0], "IN", kind, texts))
        elif name not in self.records:
            response.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(response.to_wire(), address)


class Names:
    """A name server, and resolvers that ask it."""

    def __init__(self, server: NameServer, port: int, hosts: Path) -> None:
        self.server = server
        self.now = 0.0
        self._port = port
        self._hosts = hosts

    def resolver(
        self, *, available: Sequence[tuple[str, int]] | None = None, allow_loopback: bool = False, choice: float = 0.0
    ) -> Resolver:
        return Resolver(
            available=available,
            allow_loopback=allow_loopback,
            nameservers=["127.0.0.1"],
            port=self._port,
            hosts=HostsFile(self._hosts),
            clock=lambda: self.now,
            choose=lambda: choice,
        )


@pytest.fixture
async def names(tmp_path: Path) -> AsyncIterator[Names]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    yield Names(server, transport.get_extra_info("sockname")[1], tmp_path / "hosts")
    transport.close()
    await asyncio.sleep(0)


def written(targets: list[Target]) -> list[str]:
    return [f"{target.transport} {target.address} {target.port}" for target in targets]


@pytest.mark.parametrize(
    ("scheme", "host", "port", "transport", "expected"),
    [
        ("sip", "192.0.2.5", None, None, ["udp 192.0.2.5 5060"]),
        ("sips", "192.0.2.5", None, None, ["tls 192.0.2.5 5061"]),
        ("sip", "[2001:DB8::5]", 5090, "TCP", ["tcp 2001:db8::5 5090"]),
        ("sips", "192.0.2.5", None, "tcp", ["tls 192.0.2.5 5061"]),
        ("sip", "192.0.2.5", None, "tls", ["tls 192.0.2.5 5061"]),
        # An explicit port: neither NAPTR nor SRV.
        ("sip", "full.test.example", 5060, None, []),
        ("sip", "plain.test.example", 5077, None, ["udp 192.0.2.7 5077", "udp 192.0.2.8 5077"]),
        ("sips", "plain.test.example", 5077, None, ["tls 192.0.2.7 5077", "tls 192.0.2.8 5077"]),
        # A transport: SRV of it.
        ("sip", "srv.test.example", None, "udp", ["udp 2001:db8::1 5081", "udp 192.0.2.1 5081"]),
        ("sip", "srv.test.example", None, "tls", ["tls 192.0.2.9 5061"]),
        # Neither, without NAPTR: SRV of each transport.
        (
            "sip",
            "srv.test.example",
            None,
            None,
            ["tcp 2001:db8::1 5080", "tcp 192.0.2.1 5080", "udp 2001:db8::1 5081", "udp 192.0.2.1 5081"],
        ),
        ("sip", "PLAIN.test.example.", None, None, ["udp 192.0.2.7 5060", "udp 192.0.2.8 5060"]),
        ("sips", "plain.test.example", None, None, ["tls 192.0.2.7 5061", "tls 192.0.2.8 5061"]),
        # NAPTR: by order and preference, and only TLS for sips.
        (
            "sip",
            "full.test.example",
            None,
            None,
            [
                "tls 2001:db8::1 5061",
                "tls 192.0.2.1 5061",
                "tcp 2001:db8::1 5070",
                "tcp 192.0.2.1 5070",
                "udp 2001:db8::1 5062",
                "udp 192.0.2.1 5062",
                "udp 192.0.2.2 5060",
            ],
        ),
        ("sips", "full.test.example", None, None, ["tls 2001:db8::1 5061", "tls 192.0.2.1 5061"]),
    ],
)
async def test_targets_in_their_order(
    names: Names, scheme: str, host: str, port: int | None, transport: str | None, expected: list[str]
) -> None:
    resolver = names.resolver()
    if not expected:
        with pytest.raises(Unresolvable, match="no address"):
            await resolver.resolve(scheme, host, port, transport)
    else:
        found = written(await resolver.resolve(scheme, host, port, transport))
        if host.lower().startswith("plain"):
            found.sort()  # the addresses of one name have no order
        assert found == expected


@pytest.mark.parametrize("transport", ["ws", "wss", "sctp", ""])
async def test_a_transport_that_nobody_can_open_is_said(names: Names, transport: str) -> None:
    with pytest.raises(Unresolvable, match="cannot be reached"):
        await names.resolver().resolve("sip", "full.test.example", None, transport)
    with pytest.raises(Unresolvable, match="cannot be reached"):
        await names.resolver().resolve("sips", "full.test.example", None, "udp")


async def test_only_what_our_listeners_can_do_is_returned(names: Names) -> None:
    resolver = names.resolver(available=[("udp", 4)])
    found = await resolver.resolve("sip", "full.test.example", None, None)
    assert written(found) == ["udp 192.0.2.1 5062", "udp 192.0.2.2 5060"]
    assert not any(kind == "AAAA" for _, kind in names.server.asked)
    with pytest.raises(Unresolvable):
        await resolver.resolve("sip", "2001:db8::1", None, None)


@pytest.mark.parametrize(
    ("choice", "ports"), [(0.0, [7, 9, 1, 3]), (0.2, [7, 1, 3, 9]), (0.9, [7, 3, 1, 9]), (0.3, [7, 3, 1, 9])]
)
def test_srv_is_ordered_by_priority_and_weight(choice: float, ports: list[int]) -> None:
    texts = [f"{line.split(maxsplit=3)[3]}." for line in ZONE.splitlines() if line.startswith("weights ")]
    records = dns.rrset.from_text_list("x.", 1, "IN", "SRV", texts)
    ordered = Resolver(choose=lambda: choice)._in_order(tuple(records))
    assert [record.port for record in ordered] == ports


async def test_a_service_that_says_it_is_not_there_falls_back_to_the_address(names: Names) -> None:
    assert written(await names.resolver().resolve("sip", "closed.test.example", None, "udp")) == ["udp 192.0.2.9 5060"]


# -- what outsiders may make us do ---------------------------------------------------------------------------------


async def test_addresses_that_are_nobody_else_s_are_dropped(names: Names) -> None:
    assert written(await names.resolver().resolve("sip", "evil.test.example", 5060, None)) == ["udp 192.0.2.66 5060"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "224.0.1.75", "255.255.255.255", "::ffff:127.0.0.1"])
async def test_written_addresses_are_dropped_too(names: Names, host: str) -> None:
    with pytest.raises(Unresolvable):
        await names.resolver().resolve("sip", host, None, None)


async def test_a_zone_is_no_part_of_an_address(names: Names) -> None:
    assert written(await names.resolver().resolve("sip", "[2001:db8::7%4]", None, None)) == ["udp 2001:db8::7 5060"]


async def test_loopback_is_allowed_where_it_is_said(names: Names) -> None:
    resolver = names.resolver(allow_loopback=True)
    assert written(await resolver.resolve("sip", "local.test.example", 5060, None)) == ["udp 127.0.0.1 5060"]
    with pytest.raises(Unresolvable):
        await resolver.resolve("sip", "224.0.1.75", None, None)


async def test_more_addresses_than_can_be_tried_are_cut(names: Names) -> None:
    many = [(60, "A", f"192.0.2.{number}") for number in range(100)]
    names.server.records["many.test.example."] = many
    assert len(await names.resolver().resolve("sip", "many.test.example", 5060, None)) == MAX_TARGETS


@pytest.mark.parametrize("host", ["no.such.example", "x" * 70 + ".example", ".".join(["long"] * 80), "a..b", "ü", ""])
async def test_names_that_are_none_lead_nowhere(names: Names, host: str) -> None:
    with pytest.raises(Unresolvable):
        await names.resolver().resolve("sip", host, None, None)


async def test_a_name_server_that_is_silent_costs_a_bounded_time(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_profile.transport.resolver.TIMEOUT", 0.1)
    names.server.silent = True
    with pytest.raises(Unresolvable, match=r"no answer about plain.test.example within 0.1 s"):
        await names.resolver().resolve("sip", "plain.test.example", None, None)


# -- memory --------------------------------------------------------------------------------------------------------


async def test_answers_are_kept_for_their_ttl_within_bounds(names: Names) -> None:
    resolver = names.resolver()
    for name, kept in (("long", 300), ("short", 5), ("plain", 60), ("missing", 30)):
        for at in (0, kept - 1, kept + 1):
            names.now += at
            try:
                await resolver.resolve("sip", f"{name}.test.example", 5060, None)
            except Unresolvable:
                assert name == "missing"
            names.now -= at
            asked = names.server.asked[f"{name}.test.example.", "A"]
            assert asked == (2 if at > kept else 1), (name, at)


async def test_the_same_question_is_asked_once_by_many(names: Names) -> None:
    resolver = names.resolver()
    await asyncio.gather(*(resolver.resolve("sip", "plain.test.example", None, None) for _ in range(200)))
    assert set(names.server.asked.values()) == {1}


async def test_the_hosts_file_comes_first_and_is_read_again(names: Names, tmp_path: Path) -> None:
    resolver = names.resolver()
    lines = "# names\n192.0.2.40  Plain.test.example pbx # here\n2001:db8::40 pbx\nnonsense\n"
    (tmp_path / "hosts").write_text(lines)
    assert written(await resolver.resolve("sip", "pbx", 5060, None)) == ["udp 192.0.2.40 5060", "udp 2001:db8::40 5060"]
    assert written(await resolver.resolve("sip", "plain.test.example", None, None)) == ["udp 192.0.2.40 5060"]
    (tmp_path / "hosts").unlink()
    found = await resolver.resolve("sip", "plain.test.example", None, None)
    assert sorted(written(found)) == ["udp 192.0.2.7 5060", "udp 192.0.2.8 5060"]
