"""The settings of documents by URL: what goes together, and for whom new phones are open."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_profile.config import Bootstrap, Config, ConfigError, ProvisioningSettings, load_config
from gitops_profile.http import Way
from gitops_profile.server.ways import ways_of

UNTIL = "2026-12-01T18:00:00+01:00"
LOCAL, PUBLIC = "http://127.0.0.1:8060/", "https://prov.example.com/"


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return load_config(file, environment={}, flags={})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{authenticate: [digest]}", "digest needs credentials"),
        ("{authenticate: [basic]}", "basic needs credentials"),
        ("{authenticate: [certificate]}", "certificate needs device_ca"),
        ("{authenticate: [certificate], device_ca: ca.pem}", "certificate needs http.tls: true"),
        ("{authenticate: [basic], credentials: x}", "basic needs http.tls: true"),
        ("{authenticate: [mac]}", "'certificate', 'digest', 'basic' or 'link'"),
        ("{misses: 0}", "misses"),
        ("{misses: 100000}", "misses"),
        ("{ban: 0}", "ban"),
        ("{bootstrap: {networks: [192.0.2.0/24]}}", "networks and until go together"),
        (f"{{bootstrap: {{until: '{UNTIL}'}}}}", "networks and until go together"),
        ("{realm: 'a:b'}", "realm"),
        ("{device-ca: x}", "device_ca"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, settings: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(").replace("[", r"\[")):
        read(tmp_path, f"provisioning: {settings}\n")


@pytest.mark.parametrize(
    ("listen", "public", "said", "ways"),
    [
        ("127.0.0.1:8060", LOCAL, None, set()),
        ("127.0.0.1:8060", "http://localhost:8060/", None, set()),
        ("[::1]:8060", "http://[::1]:8060/", None, set()),
        # A reverse proxy may bring the world to a listener on loopback.
        ("127.0.0.1:8060", PUBLIC, None, {Way.LINK}),
        ("0.0.0.0:8060", LOCAL, None, {Way.LINK}),
        ("0.0.0.0:8060", PUBLIC, None, {Way.LINK}),
        ("0.0.0.0:8060", PUBLIC, [], set()),
        ("127.0.0.1:8060", LOCAL, ["link"], {Way.LINK}),
    ],
)
def test_nobody_beyond_this_machine_is_served_unasked_unless_the_settings_say_so(
    listen: str, public: str, said: Any, ways: set[Way]
) -> None:
    config = Config.model_validate(
        {"http": {"listen": listen, "public_url": public}, "provisioning": {"authenticate": said}}
    )
    assert ways_of(config) == ways


def test_new_phones_are_let_in_from_where_and_until_when_the_settings_say() -> None:
    bootstrap = Bootstrap.model_validate({"networks": ["192.0.2.0/24", "2001:db8::/32"], "until": UNTIL})
    end = datetime.fromisoformat(UNTIL).timestamp()
    assert bootstrap.is_open_to("192.0.2.7", end - 1) and bootstrap.is_open_to("2001:db8::1", end - 1)
    assert not bootstrap.is_open_to("192.0.2.7", end)
    assert not bootstrap.is_open_to("198.51.100.7", end - 1)
    assert not bootstrap.is_open_to("unknown", end - 1)
    assert not ProvisioningSettings().bootstrap.is_open_to("192.0.2.7", 0.0)


def test_a_time_without_a_zone_is_utc() -> None:
    bootstrap = Bootstrap.model_validate({"networks": ["192.0.2.0/24"], "until": "2026-12-01T18:00:00"})
    end = datetime.fromisoformat("2026-12-01T18:00:00+00:00").timestamp()
    assert (bootstrap.is_open_to("192.0.2.7", end - 1), bootstrap.is_open_to("192.0.2.7", end)) == (True, False)
