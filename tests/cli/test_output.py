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


@pytest.mark.parametrize("terminal", [True, False])
def test_a_narrow_terminal_hides_no_column(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COLUMNS": "40", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    cells = [f"what stands in column {number}" for number in range(9)]
    emit_table([f"COLUMN {number}" for number in range(9)], [cells])
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.count("\x1b[1m") == (9 if terminal else 0)
    assert [cell for cell in cells if cell not in row] == []
    assert [f"COLUMN {number}" for number in range(9) if f"COLUMN {number}" not in heading] == []
    assert heading.endswith("COLUMN 8\x1b[0m" if terminal else "COLUMN 8"), "no spaces that would fill another line"


def test_bytes_that_are_no_utf8_can_be_printed_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict")
    monkeypatch.setattr("sys.stdout", output)
    emit_json([{"user_agent": "Phone M\udcfcller"}])  # as it is after the admin socket's JSON
    output.seek(0)
    assert r"M\udcfcller" in output.read()
