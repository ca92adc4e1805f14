"""What phones say of themselves is shown, and obeyed by no terminal."""

import io

import pytest

from gitops_profile.cli.output import emit_json, emit_table


@pytest.mark.parametrize("agent", ["Phone [/x]", "Phone [red]x", "Phone \x1b[2J\x1b]0;x\x07", "Phone \x9b2J"])
def test_a_user_agent_is_shown_as_it_is_and_cannot_steer_a_terminal(
    agent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    emit_table(["USER AGENT"], [[agent]])
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\x9b" not in shown and "\x07" not in shown
    assert "[" not in agent or agent.partition("[")[2][:2] in shown


def test_bytes_that_are_no_utf8_can_be_printed_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr("sys.stdout", output)
    emit_json([{"user_agent": "Phone M\udcfcller"}])  # as it is after the admin socket's JSON
    output.seek(0)
    assert r"M\udcfcller" in output.read()
