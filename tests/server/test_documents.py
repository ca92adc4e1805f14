"""The links that are given out, asked for as a phone would."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gitops_profile.config import Config
from gitops_profile.devices import FileRoutes
from gitops_profile.digest import DigestAuthenticator, Throttle
from gitops_profile.http import AdminError, HTTPListener
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import PresentityTable, ProfileAdded, ProfileDocument, ProfileKey
from gitops_profile.server.documents import Documents
from gitops_profile.server.misses import Misses
from gitops_profile.server.provisioned import Provisioned
from tests.http.site import STAMP

UUID = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6"
DEVICES = ["0004132a1122", "lobby", "conf2", "conf.2", UUID, "001565aabbcc.boot", "y000000000096", "100%"]
USERS = ["alice", "john.doe", "john", "+49.30.1", "j~d", "%7e", "müller", "a,b", "a.", ".b", "a..b", "x.xml", "~x.1.0"]
KEYS = [f"device/example.com/{name}" for name in DEVICES] + [f"user/example.com/{name}" for name in USERS]


def documents(folder: Path, names: list[str]) -> Documents:
    """Of these keys, each of which has its own name for a body."""
    config = Config.model_validate(
        {
            "http": {"listen": "127.0.0.1:8060", "public_url": "http://127.0.0.1:8060/x/"},
            "provisioning": {"authenticate": ["link"]},
        }
    )
    table, metrics = PresentityTable(), Metrics()
    for key in map(ProfileKey.parse, names):
        table.apply(ProfileAdded(ProfileDocument(key, "text/plain", str(key).encode(), f"{key}.txt"), STAMP))
    return Documents(
        config, table, b"k" * 32, folder, metrics, Provisioned(table),
        authenticator=DigestAuthenticator(b"s" * 32, run=b"run no 1"), throttle=Throttle(),
        tag_of=lambda shown: shown.etag, file_routes=FileRoutes, misses=Misses(frozenset, metrics, time.time),
        on_guess=lambda guess: None, see=lambda sighting: None, clock=time.time,
    )  # fmt: skip


async def fetch(address: tuple[str, int], path: str) -> bytes:
    """The status and the body, in two lines."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head[9:12] + b"\n" + body


async def test_every_link_that_is_given_out_opens_its_own_document(tmp_path: Path) -> None:
    made = documents(tmp_path, KEYS)
    listener = HTTPListener(made.routes())
    address = await listener.listen("127.0.0.1", 0)
    found = {}
    for key in KEYS:
        facts = await made.handlers()["link"]({"subject": key})
        path = urlsplit(facts["url"]).path
        path += "0004132a1122.xml" if path.endswith("/") else ""
        found[key] = [await fetch(address, path), await fetch(address, path.replace("/~", "/%7e"))]
    await listener.close()
    assert found == {key: [f"200\n{key}".encode()] * 2 for key in KEYS}


async def test_a_link_opens_no_document_whose_name_is_like_its_own(tmp_path: Path) -> None:
    made = documents(tmp_path, ["user/example.com/john", "user/example.com/john.doe", "device/example.com/conf2"])
    listener = HTTPListener(made.routes())
    address = await listener.listen("127.0.0.1", 0)
    john, doe, conf = [
        urlsplit((await made.handlers()["link"]({"subject": key}))["url"]).path
        for key in ("user/example.com/john", "user/example.com/john.doe", "device/example.com/conf2")
    ]
    answers = [
        (await fetch(address, path))[:3]
        for path in (
            f"{john}.xml", john.replace("/john", "/john.doe"), f"{doe}.xml",
            doe.removesuffix(".doe"), f"{conf}.cfg", conf.replace("conf2", "conf3"), "/x/p/example.com/device/conf2",
            john.replace("user/john", "device/conf2"),
        )
    ]  # fmt: skip
    await listener.close()
    # The second asks for john as a file with an ending.
    assert answers == [b"200", b"200", b"200", b"404", b"200", b"404", b"404", b"404"]


async def test_a_name_that_no_url_can_hold_has_no_link(tmp_path: Path) -> None:
    names = ["user/example.com/a/b", f"user/example.com/{'ü' * 200}"]
    made = documents(tmp_path, names)
    for name in names:
        with pytest.raises(AdminError, match="no URL can hold"):
            await made.handlers()["link"]({"subject": name})
