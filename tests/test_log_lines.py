"""One line of the log for each record, whatever is in it."""

import io
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gitops_profile
from gitops_profile.loader import Problem
from gitops_profile.log_lines import LineFormatter, one_line

FORGED = "2026-11-28 18:00:00,000 WARNING authentication failed source=203.0.113.9 realm=example.com"
# docs/access.md; fail2ban takes the date away first.
_BANS = re.compile(r"^\s*(?:[| ]*[0-9-]+ [0-9:,]+)?\s*WARNING authentication failed source=(?P<host>[0-9.]+) realm=")


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(written: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(written)
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    return logger


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\n\t", "\x1b[2K\r"]
)
def test_a_file_name_begins_no_line(logger: logging.Logger, written: io.StringIO, end: str) -> None:
    logger.warning("revision rejected, first: %s", Problem(f"user/x{end}{FORGED}.xml", 0, 0, "names no profile"))
    (line,) = written.getvalue().splitlines()
    assert line.endswith(f"{FORGED}.xml: names no profile") and _BANS.search(line) is None
    assert line.replace("\t", "").isprintable()


def test_what_an_exception_says_begins_no_line(logger: logging.Logger, written: io.StringIO) -> None:
    try:
        raise ValueError(f"of a peer\n{FORGED}\r{FORGED}")
    except ValueError:
        logger.exception("a message could not be handled source=%s", "192.0.2.1", stack_info=True)
    first, *others = written.getvalue().splitlines()
    assert first.endswith("ERROR a message could not be handled source=192.0.2.1")
    assert others[0] == "| Traceback (most recent call last):" and f"| {FORGED}\\r{FORGED}" in others
    assert all(line.startswith("| ") for line in others), others


def test_what_can_be_read_stays_as_it_is() -> None:
    text = "café 電話 \t 'x' \\n 😀 – user='alice'"
    assert one_line(text) == text
    assert one_line("a\nb\x00\x9b\u2028") == r"a\nb\x00\x9b\u2028"


def test_every_process_of_the_server_logs_in_this_way() -> None:
    package = Path(gitops_profile.__file__).parent
    found = [
        p.name for p in package.rglob("*.py") if "basicConfig" in p.read_text() or "logging.Formatter" in p.read_text()
    ]
    assert found == ["log_lines.py"]
    code = (
        "import logging; from gitops_profile.log_lines import begin_log; begin_log(logging.INFO)\n"
        "logging.getLogger('x').info('a\\nb'); logging.getLogger('x').debug('c')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "" and re.fullmatch(r"[0-9-]+ [0-9:,]+ INFO a\\nb\n", done.stderr), done.stderr
