"""Defects outside `sip/syntax/` that fuzzing shows, each until it is mended: then its mark must go."""

import io

import pytest

from gitops_profile.cli.output import emit_json, emit_table
from tests.sip.harness import Lab, Phone


@pytest.mark.xfail(
    strict=True, reason="_fit gives TCP the same flows as `others`: after 32 s TCP is tried again, for ever"
)
def test_a_phone_that_never_answers_a_long_notify_is_given_up() -> None:
    lab = Lab()
    phone = Phone(lab)
    phone.subscribe(answer=None, From=f'"{"A" * 1400}" <sip:alice@example.com>;tag=phone')  # so the NOTIFY leaves UDP
    lab.run_until(lab.now + 3600)  # six times as long as it was granted
    notifies = [data for _, data, _ in lab.sent if data.startswith(b"NOTIFY")]
    assert len(lab.notifier) == 0 and lab.notifier.next_deadline() is None and len(notifies) < 25


@pytest.mark.xfail(strict=True, reason="emit_table reads a phone's User-Agent as Rich markup, and passes ESC on")
@pytest.mark.parametrize("agent", ["Phone [/x]", "Phone [red]x", "Phone \x1b[2J\x1b]0;x\x07", "Phone \x9b2J"])
def test_a_user_agent_is_shown_as_it_is_and_cannot_steer_a_terminal(
    agent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    emit_table(["USER AGENT"], [[agent]])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\x9b" not in shown and "\x07" not in shown
    assert "[" not in agent or agent.partition("[")[2][:2] in shown


@pytest.mark.xfail(
    strict=True, reason="json.dumps(ensure_ascii=False) and a strict standard output: one phone's bytes end it"
)
def test_bytes_that_are_no_utf8_can_be_printed_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict"))
    emit_json([{"user_agent": "Phone M\udcfcller"}])  # as it is after the admin socket's JSON
