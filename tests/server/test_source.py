"""The repository of a server, whoever asks it."""

import asyncio
import time
from pathlib import Path
from typing import Any

from gitops_profile.config import Config
from gitops_profile.metrics import Metrics
from gitops_profile.server.source import Source
from tests.repositories import Git


class Asked:
    """A repository that knows whether two were in it at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.inside = 0
        self.most = 0

    def __getattr__(self, name: str) -> Any:
        def answer(*_: object) -> object:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.02)  # in a thread: whoever does not wait for this one is inside by then
            self.inside -= 1
            self.asked.append(name)
            return [] if name == "unseen" else ([], 0) if name == "first_parents" else None

        return answer


async def test_its_git_processes_answer_one_question_at_a_time(tmp_path: Path) -> None:
    Git(tmp_path / "work")
    source = Source(Config.model_validate({"repository": {"url": str(tmp_path / "work")}}), Metrics())
    asked = Asked()
    source._opened = asked  # type: ignore[assignment]
    await asyncio.gather(
        source.is_ancestor("1", "2"), source.between("1", "2", 3), source.unseen("1", "2", 3), source.resolve("main")
    )
    assert sorted(asked.asked) == ["first_parents", "is_ancestor", "resolve", "unseen"]
    assert asked.most == 1
