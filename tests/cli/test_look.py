"""`events`: the log as it is read without a server."""

from pathlib import Path

from .command import run


def test_a_log_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    segment = tmp_path / "state/log/00000000000000000001.jsonl"
    segment.mkdir(parents=True)  # reading it fails for root, too
    told = f"gitops-profile: cannot read the event log in {segment.parent}: Is a directory\n"
    for options in ([], ["-o", "json"], ["--follow"]):
        assert run(tmp_path, "events", "--state", str(tmp_path / "state"), *options) == (2, "", told)
