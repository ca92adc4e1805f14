"""A site of documents and who asks it."""

import ssl
from collections.abc import AsyncIterator
from ipaddress import IPv4Network

import aiohttp
import pytest

from gitops_profile.transport import Certificates
from tests.transport.authority import Authority, Issued

from .site import LOOPBACK, Site


@pytest.fixture
async def site(request: pytest.FixtureRequest, issued: Issued) -> AsyncIterator[Site]:
    """By default over plain HTTP; "tls" and "proxy" are the ways to https."""
    kind = getattr(request, "param", "plain")
    made = {
        "plain": lambda: Site(),
        "tls": lambda: Site("https://prov.example.com/", context=Certificates(issued.certificate, issued.key).server()),
        "proxy": lambda: Site("https://prov.example.com/", LOOPBACK),
        "proxy-to-http": lambda: Site("http://prov.example.com/", LOOPBACK),
        "nobody speaks tls": lambda: Site("https://prov.example.com/"),
        "untrusted-proxy": lambda: Site("https://prov.example.com/", [IPv4Network("192.0.2.0/24")]),
    }[kind]()
    await made.start()
    yield made
    await made.listener.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def issued(authority: Authority) -> Issued:
    return authority.issue("web", "DNS:prov.example.com,IP:127.0.0.1")


@pytest.fixture
async def client(authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    trusting = ssl.create_default_context(cafile=authority.certificate)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
        yield session
