"""What phones are told by plug and play, on the loopback interface with a real group."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gitops_profile.config import Config, load_config
from gitops_profile.devices import How, Sighting
from gitops_profile.http import Capability, DocumentLinks
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import ProfileKey
from gitops_profile.server.pnp import PlugAndPlay, neighbour
from tests.pnp.samples import SAMPLES, SNOM, Sample

LINKS = DocumentLinks(b"k" * 32)
BASE = "https://prov.example.com/p/"
PHONE = "127.0.0.67"
BY_NAME = {sample.name: sample for sample in SAMPLES}


class Office:
    """A responder and what it saw."""

    def __init__(self, **pnp: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        self.config: Config = load_config(
            environment={},
            flags={
                "http.listen": "127.0.0.1:0", "http.public_url": "https://prov.example.com/",
                "pnp.interfaces": ["lo"], "pnp.group": f"239.255.77.75:{port}",
                **{f"pnp.{key}": value for key, value in pnp.items()},
            },
        )  # fmt: skip
        self.seen: list[Sighting] = []
        self.known: set[str] = set()
        self.metrics = Metrics()
        self.pnp = PlugAndPlay(
            self.config, BASE, self.key_of, self.metrics, self.seen.append, asyncio.get_running_loop().time, list,
            LINKS.segment,
        )  # fmt: skip

    def key_of(self, mac: str) -> ProfileKey | None:
        return ProfileKey.device("example.com", mac) if mac in self.known else None

    async def ask(self, sample: Sample, wait: float = 2.0) -> list[bytes]:
        """The 200 and the NOTIFY, or as much as came."""
        heard: list[bytes] = []
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind((PHONE, 0))
            phone.setblocking(False)
            phone.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            contact = f"{PHONE}:{phone.getsockname()[1]}"
            data = sample.data().replace("{}:{}".format(*sample.answer_to).encode(), contact.encode())
            phone.sendto(data, self.config.pnp.address)
            try:
                async with asyncio.timeout(wait):
                    while len(heard) < 2:
                        heard.append(await loop.sock_recv(phone, 65535))
            except TimeoutError:
                pass  # that is what came
        return heard

    async def url(self, sample: Sample) -> str:
        _, notify = await self.ask(sample)
        return notify.partition(b"\r\n\r\n")[2].decode()

    def count(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("gitops_profile_pnp_total", {"result": result}) or 0.0


@asynccontextmanager
async def office(**pnp: object) -> AsyncIterator[Office]:
    made = Office(**pnp)
    made.pnp.check()
    try:
        yield made
    finally:
        made.pnp.close()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("snom-370", "example.com/000413241967.xml"), ("gigaset", "example.com/7C2F80E0D605.xml"),
        ("yealink-w52p", "example.com/"), ("grandstream", "example.com/"), ("fanvil", "example.com/"),
        ("panasonic", "example.com/"),
    ],
)  # fmt: skip
async def test_each_make_is_told_the_url_it_understands(name: str, path: str) -> None:
    async with office() as made:
        made.known.add(BY_NAME[name].mac or "")
        assert await made.url(BY_NAME[name]) == BASE + path


async def test_a_phone_is_seen_with_what_it_says_whether_it_is_answered_or_not() -> None:
    async with office() as made:
        assert await made.ask(BY_NAME["yealink-w52p"], wait=0.3) == []
        [seen] = made.seen
        assert (seen.how, seen.address, seen.mac, seen.key) == (How.PNP, PHONE, "001565f4f9e1", None)
        assert (seen.vendor, seen.model, seen.firmware) == ("yealink", "W52P", "25.81.0.10")
        assert seen.contact is not None and seen.contact.startswith(f"sip:MAC001565f4f9e1@{PHONE}:")
        assert made.count("unknown") == 1
        made.known.add("001565f4f9e1")
        assert len(await made.ask(BY_NAME["yealink-w52p"])) == 2
        assert made.seen[-1].key == "device/example.com/001565f4f9e1"


async def test_a_contact_elsewhere_is_not_remembered() -> None:
    async with office() as made:
        made.known.add("0c1105112233")
        stranger = BY_NAME["contact-of-somebody-else"]
        assert len(await made.ask(stranger)) == 2 and made.seen[0].contact is None


async def test_all_are_told_the_common_url_when_that_is_wanted() -> None:
    async with office(devices="all") as made:
        assert await made.url(BY_NAME["audiocodes"]) == BASE
        assert await made.url(BY_NAME["yealink-w52p"]) == BASE
        assert await made.url(BY_NAME["snom-370"]) == BASE + "000413241967.xml"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("yealink-w52p", "https://x.example/yealink/W52P/25.81.0.10/001565f4f9e1/001565F4F9E1.cfg?a=b"),
        ("planet", "https://x.example/planet/VIP-2140PT//00304fa99948/00304FA99948.cfg?a=b"),
        ("audiocodes", "https://x.example/audiocodes/420HD/1.2.1_build_6/"),  # nobody knows its MAC
    ],
)
async def test_a_url_of_ones_own_is_filled_in(name: str, url: str) -> None:
    async with office(devices="all", url="https://x.example/{vendor}/{model}/{version}/{mac}/{MAC}.cfg?a=b") as made:
        assert await made.url(BY_NAME[name]) == url


async def test_what_a_phone_says_of_itself_stays_one_part_of_the_path() -> None:
    async with office(devices="all", url="https://x.example/{model}/{mac}") as made:
        odd = SNOM.text.replace('model="OEM"', 'model="../a?b#c %2e{mac}"')
        sample = Sample("odd", odd, SNOM.source, SNOM.mac, SNOM.vendor, None, SNOM.answer_to)
        assert await made.url(sample) == "https://x.example/..%2Fa%3Fb%23c%20%252e%7Bmac%7D/00135e874b49"


async def test_bytes_that_are_no_text_are_an_escape_in_the_url() -> None:
    async with office(devices="all", url="https://x.example/{model}/{version}/{mac}") as made:
        odd = SNOM.text.replace('model="OEM"', 'model="m\N{DEGREE SIGN}"').replace("7.1.19", "7\x01")
        sample = Sample("odd", odd, SNOM.source, SNOM.mac, SNOM.vendor, None, SNOM.answer_to, encoding="latin-1")
        assert await made.url(sample) == "https://x.example/m%B0/7%01/00135e874b49"


async def test_status_says_where_it_is_heard() -> None:
    async with office() as made:
        assert made.pnp.facts() == [{"interface": "lo", "address": "127.0.0.1", "trouble": None}]


TABLE = """IP address       HW type     Flags       HW address            Mask     Device
192.0.2.67       0x1         0x2         00:04:13:aa:bb:cc     *        eth1
192.0.2.68       0x1         0x0         00:00:00:00:00:00     *        eth0
192.0.2.67       0x1         0x2         00:15:65:AA:BB:CC     *        eth0
short
"""


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "arp"
    path.write_text(TABLE)
    yield path


def test_a_neighbour_is_one_on_the_same_interface(table: Path) -> None:
    assert neighbour("192.0.2.67", "eth0", table) == "001565aabbcc"
    assert neighbour("192.0.2.67", "eth1", table) == "000413aabbcc"
    assert neighbour("192.0.2.67", "eth2", table) is None


def test_a_neighbour_that_was_not_found_has_no_mac(table: Path) -> None:
    assert neighbour("192.0.2.68", "eth0", table) is None
    assert neighbour("192.0.2.69", "eth0", table) is None
    assert neighbour("192.0.2.67", "eth0", table.with_name("none")) is None


async def test_the_url_may_open_the_documents_of_the_phone_for_a_while() -> None:
    async with office(link="10m") as lab:
        lab.known.add("000413241967")
        url = await lab.url(BY_NAME["snom-370"])
        domain, segment, file = url.removeprefix(BASE).split("/")
        now = asyncio.get_running_loop().time()
        assert (domain, file.lower()) == ("example.com", "000413241967.xml")
        assert LINKS.read(segment, now + 590) == Capability("000413241967", None)
        assert LINKS.read(segment, now + 610) is None
