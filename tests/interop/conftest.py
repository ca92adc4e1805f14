"""The matrix at the end of the report, so that every run in CI shows it."""

from dataclasses import replace

import pytest

from .outcome import MATRIX, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the tests of the cells found; of a failure only the first line, as the rest is above."""
    if found := config.stash.get(MATRIX, []):
        terminalreporter.section("interop")
        terminalreporter.write_line(table([replace(one, why=one.why.partition("\n")[0]) for one in found]))
