"""What git says of a failed fetch, as one line: no remote can write into the log what it likes."""

import pytest

from gitops_profile.source.trouble import Blame, explain, shown, talked_git


def test_what_the_remote_says_is_not_taken_for_git() -> None:
    said = "remote: fatal: couldn't find remote ref refs/heads/main\nremote: error: object file x is empty\n"
    blame, line = explain(f"{said}fatal: unable to access 'https://h/x/': The requested URL returned error: 503\n")
    assert blame is Blame.REMOTE and line.endswith(
        "(unable to access 'https://h/x/': The requested URL returned error: 503)"
    )


@pytest.mark.parametrize("said", ["", "\n\n", "remote: nothing else\n"])
def test_silence_is_said_to_be_that(said: str) -> None:
    assert explain(said) == (Blame.UNKNOWN, "git said nothing")


def test_a_line_is_short_and_has_no_control_characters() -> None:
    line = shown("fatal: \x1b[31mred\x07\u202e" + "x" * 1000)
    assert line.startswith("?[31mred??x") and len(line) == 200


@pytest.mark.parametrize(
    ("traced", "git"),
    [
        ("11:00 pkt-line.c:80 packet:          git< version 2\n", True),
        ("11:00 pkt-line.c:80 packet:          git< # service=git-upload-pack\n", True),
        (f"11:00 pkt-line.c:80 packet:    ls-remote< {'0' * 40} capabilities^{{}}\n", True),
        ("", False),
        ("remote: version 2\n", False),
    ],
)
def test_a_server_of_git_is_told_from_a_page(traced: str, git: bool) -> None:
    assert talked_git(traced) is git
