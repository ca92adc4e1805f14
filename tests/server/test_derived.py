"""What each part is given of the settings: connections, which are open files of one process."""

import pytest

from gitops_profile.config import Config
from gitops_profile.server import derived
from gitops_profile.server.derived import Room
from gitops_profile.transport.limits import RESERVED_FILES

HTTP = {"http": {"listen": "127.0.0.1:0"}}


@pytest.mark.parametrize(
    ("hard", "settings", "room"),
    [
        (65536, HTTP, Room(10_000, 1000)),
        (65536, {**HTTP, "workers": 4}, Room(2500, 1000)),
        (65536, {}, Room(10_000, 0)),
        (1024, HTTP, Room(576, 192)),
        (1024, {}, Room(768, 0)),
        (8192, HTTP, Room(6936, 1000)),
        (256, HTTP, Room(1, 1)),
    ],
)
def test_sip_and_http_share_the_open_files_that_there_are(
    monkeypatch: pytest.MonkeyPatch, hard: int, settings: dict[str, object], room: Room
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (min(1024, hard), hard))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: None)
    assert derived.room(Config.model_validate(settings)) == room
    assert room.sip + room.http <= max(2, hard - RESERVED_FILES)
