"""The secret file and the memory of what has been seen, over restarts and on broken disks."""

import asyncio
import logging
from pathlib import Path

import pytest

from gitops_profile.config import Config, ConfigError
from gitops_profile.http import WebhookReceived
from gitops_profile.metrics import Metrics
from gitops_profile.server import webhook
from gitops_profile.server.webhook import REMEMBERED, SecretFile, SeenDeliveries, Webhook

LONG = "a secret of the webhook"


def identity(number: int) -> str:
    return f"{number:064x}"


async def test_a_delivery_is_new_once_and_over_a_restart(tmp_path: Path) -> None:
    seen = SeenDeliveries(tmp_path / "webhooks")
    seen.load()
    assert await seen.is_new(identity(1)) and not await seen.is_new(identity(1))
    again = SeenDeliveries(tmp_path / "webhooks")
    again.load()
    assert not await again.is_new(identity(1)) and await again.is_new(identity(2))


async def test_the_same_delivery_twice_at_once_is_new_once(tmp_path: Path) -> None:
    seen = SeenDeliveries(tmp_path / "webhooks")
    answers = await asyncio.gather(*(seen.is_new(identity(n % 5)) for n in range(50)))
    assert sum(answers) == 5
    assert len((tmp_path / "webhooks").read_text().splitlines()) == 5


async def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "REMEMBERED", 3)
    seen = SeenDeliveries(tmp_path / "webhooks")
    for number in range(10):
        assert await seen.is_new(identity(number))
    assert (tmp_path / "webhooks").read_text().split() == [identity(n) for n in (7, 8, 9)]
    assert REMEMBERED == 1024


async def test_a_damaged_file_of_deliveries_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "webhooks").write_bytes(b"\xff\0nonsense\n" + identity(1).encode() + b"\n" + b"x" * 64 + b"\nab")
    seen = SeenDeliveries(tmp_path / "webhooks")
    seen.load()
    assert not await seen.is_new(identity(1)) and await seen.is_new(identity(2))


async def test_a_full_disk_is_said_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(webhook, "write_whole", full)
    seen = SeenDeliveries(tmp_path / "webhooks")
    assert await seen.is_new(identity(1)) and await seen.is_new(identity(2)) and not await seen.is_new(identity(1))
    assert caplog.text.count("not remembered beyond a restart") == 1


def test_a_secret_file_that_vanishes_leaves_the_old_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "secrets"
    path.write_text(f"{LONG}\n")
    file = SecretFile(path)
    file.read()
    path.unlink()
    file.read_changed()
    file.read_changed()
    assert file.secrets.texts == (LONG.encode(),)
    assert caplog.text.count("the old ones stay") == 1
    path.write_text("another secret of the webhook\n")
    file.read_changed()
    assert file.secrets.texts == (b"another secret of the webhook",)
    path.write_text("")  # on purpose: nobody is believed from now on
    file.read_changed()
    assert len(file.secrets.texts) == 0 and LONG not in caplog.text


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("", "no secret"), ("short\n", "no secret")])
def test_without_a_secret_there_is_no_start(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "secrets"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=rf"webhook\.secret_file: .*{said}"):
        SecretFile(path).read()


async def test_what_is_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    secrets = tmp_path / "secrets"
    secrets.write_text(LONG)
    config = Config.model_validate({"webhook": {"secret_file": secrets}, "http": {"listen": "127.0.0.1:0"}})
    metrics = Metrics()
    made = Webhook(config, tmp_path / "webhooks", metrics, lambda: None)
    await made.open()
    for received in (
        WebhookReceived("192.0.2.1", "github", "fetch"),
        WebhookReceived("192.0.2.2", "", "refused", "no-signature"),
        WebhookReceived("192.0.2.3", "", "too-large"),
    ):
        made._received(received)
    facts = made.facts()
    assert facts is not None
    assert (facts["accepted"], facts["refused"], facts["provider"]) == (1, 2, "github")
    assert (facts["refused_source"], facts["refused_reason"]) == ("192.0.2.3", "too-large")
    assert "authentication failed source=192.0.2.2 realm=webhook reason=no-signature user=''" in caplog.text
    assert b'gitops_profile_webhooks_total{provider="github",result="fetch"} 1.0' in metrics.exposition()


def test_without_settings_it_is_nothing(tmp_path: Path) -> None:
    made = Webhook(Config(), tmp_path / "webhooks", Metrics(), lambda: None)
    assert made.routes() == [] and made.facts() is None
