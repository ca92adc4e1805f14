import ssl
from collections.abc import AsyncIterator

import pytest

from gitops_profile.transport import Certificates
from tests.transport.authority import Authority, Issued
from tests.transport.lab import Lab


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as laboratory:
        yield laboratory


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_files(authority: Authority) -> Issued:
    return authority.issue("server", "DNS:sip.example.com,URI:sip:example.com,IP:127.0.0.1,IP:::1")


@pytest.fixture
def certificates(authority: Authority, server_files: Issued) -> Certificates:
    return Certificates(server_files.certificate, server_files.key, authority.certificate)


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """What a phone uses that trusts the authority."""
    return ssl.create_default_context(cafile=authority.certificate)
