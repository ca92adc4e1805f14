"""What the processes of a server have in common."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.processes import Frames, framed, module_command, without_settings


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_frames_come_whole_out_of_any_pieces(sent: list[bytes], cut: int) -> None:
    stream, frames, found = b"".join(map(framed, sent)), Frames(), list[bytes]()
    for start in range(0, len(stream), cut):
        found += frames.take(stream[start : start + cut])
    assert found == sent


def test_no_setting_is_inherited_and_everything_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITOPS_PROFILE_WEBHOOK__SECRET", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = without_settings()
    assert environment["LANG"] == "C.UTF-8" and not any("GITOPS_PROFILE_" in name for name in environment)


def test_a_module_is_never_looked_for_in_the_working_folder() -> None:
    assert module_command("package.module", "a") == [sys.executable, "-P", "-m", "package.module", "a"]
