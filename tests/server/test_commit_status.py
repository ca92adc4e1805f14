"""Commit statuses to a forge on a real socket that is down, slow, limits us, lies, or forgets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gitops_profile.config import Config, ConfigError
from gitops_profile.forge import Provider, StatusTarget
from gitops_profile.http import StatusClient
from gitops_profile.loader import Problem
from gitops_profile.metrics import Metrics
from gitops_profile.presentity import PresentityTable, RevisionApplied, RevisionStamp, RevisionSuperseded
from gitops_profile.reconcile import Outcome, Verdict
from gitops_profile.server import commit_status, status_outbox
from gitops_profile.server.commit_status import CommitStatuses, status_target

from .forge_double import TOKEN, ForgeDouble, answering, slow

OTHER = "token-of-somebody-else-0123456789"


def commit(number: int) -> str:
    return f"{number:040x}"


def applied(number: int) -> Outcome:
    return Outcome(Verdict.APPLIED, commit(number), changed=3)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_status, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(commit_status, "LONGEST_PAUSE", 0.05)


@pytest.fixture(params=["github", "gitlab", "gitea"])
async def double(request: pytest.FixtureRequest) -> AsyncIterator[ForgeDouble]:
    forge = ForgeDouble(request.param)
    await forge.start()
    yield forge
    await forge.close()
    assert forge.problems == []


@pytest.fixture
async def github() -> AsyncIterator[ForgeDouble]:
    forge = ForgeDouble("github")
    await forge.start()
    yield forge
    await forge.close()
    assert forge.problems == []


class Teller:
    """CommitStatuses with a state folder of its own."""

    def __init__(self, folder: Path, forge: ForgeDouble) -> None:
        self.folder, self.forge = folder, forge
        self.token = folder / "token"
        self.token.write_text(f"{TOKEN}\n")
        self.table = PresentityTable()
        self.metrics = Metrics()

    def build(self) -> CommitStatuses:
        repository = "group/sub/pbx" if self.forge.provider == "gitlab" else "octocat/pbx"
        target = StatusTarget(Provider(self.forge.provider), self.forge.url, repository, "pbx", "https://example.com/")
        return CommitStatuses(
            target, self.token, self.folder / "outbox.json", self.table, self.metrics, client=StatusClient()
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CommitStatuses]:
        statuses = self.build()
        await statuses.open()
        task = asyncio.create_task(statuses.run())
        try:
            yield statuses
            assert not task.done(), "it ended"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await statuses.close()

    async def told(self, count: int) -> list[tuple[str, str]]:
        async with asyncio.timeout(10):
            while len(self.forge.statuses) < count:  # noqa: ASYNC110  # the double's state
                await asyncio.sleep(0.005)
        return self.forge.states()

    async def tried(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.forge.requests < count:  # noqa: ASYNC110  # the double's state
                await asyncio.sleep(0.005)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # whatever `run` has come to
            await asyncio.sleep(0.005)


async def settled(statuses: CommitStatuses) -> dict[str, object]:
    async with asyncio.timeout(10):
        while True:
            facts = statuses.facts()
            assert facts is not None
            if facts["pending"] == 0:
                return facts
            await asyncio.sleep(0.005)


WORDS = {"github": ("success", "failure", "success", "pending"), "gitlab": ("success", "failed", "canceled", "pending")}
WORDS["gitea"] = WORDS["github"]


async def test_each_verdict_in_the_vendors_words(tmp_path: Path, double: ForgeDouble) -> None:
    teller = Teller(tmp_path, double)
    problems = (Problem("user/example.com/bob.yaml", 3, 1, "unknown key 'x'"), Problem("b.yaml", 1, 1, "y"))
    async with teller.running() as statuses:
        statuses.reaches(lambda: 37)
        statuses.outcome(applied(1))
        statuses.outcome(Outcome(Verdict.REJECTED, commit(2), problems=problems))
        statuses.outcome(Outcome(Verdict.SUPERSEDED, commit(3)))
        statuses.outcome(Outcome(Verdict.UNAVAILABLE, commit(4), reason="/secret/path is gone"))
        statuses.outcome(Outcome(Verdict.HELD, commit(5), problems=problems[:1]))
        statuses.outcome(Outcome(Verdict.SUSPENDED, commit(6)))
        told = await teller.told(6)
    assert told == [(commit(n + 1), word) for n, word in enumerate((*WORDS[double.provider], "pending", "pending"))]
    texts = [fields["description"] for _, _, fields in double.statuses]
    assert texts[0] == "applied: 3 changed, 37 phones"
    assert texts[1] == "rejected: 2 problems, first: user/example.com/bob.yaml:3:1: unknown key 'x'"
    assert texts[2].startswith("superseded") and texts[3].startswith("waits") and "/secret" not in texts[3]
    assert texts[4] == "held until it is approved: user/example.com/bob.yaml:3:1: unknown key 'x'"
    assert {owner for owner, _, _ in double.statuses} == {
        "group/sub/pbx" if double.provider == "gitlab" else "octocat/pbx"
    }
    assert {fields["target_url"] for _, _, fields in double.statuses} == {"https://example.com/"}


async def test_a_forge_that_is_down_hears_everything_later(tmp_path: Path, github: ForgeDouble) -> None:
    port = github.port
    await github.close()
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        statuses.outcome(applied(2))
        await until(lambda: (statuses.facts() or {})["last_error"])
        facts = statuses.facts()
        assert facts is not None and facts["pending"] == 2
        await github.start(port)
        assert {sha for sha, _ in await teller.told(2)} == {commit(1), commit(2)}
        assert (await settled(statuses))["last_error"] is None


async def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path, github: ForgeDouble) -> None:
    teller = Teller(tmp_path, github)
    github.answers = [answering(503)] * 100
    first = teller.build()
    await first.open()
    task = asyncio.create_task(first.run())
    first.outcome(applied(1))
    await teller.tried(1)
    task.cancel()  # and nothing is closed, as after kill -9
    await asyncio.gather(task, return_exceptions=True)
    github.answers = []
    async with teller.running() as statuses:
        assert await teller.told(1) == [(commit(1), "success")]
        await settled(statuses)  # the forge has it before the teller knows
    await first.close()
    async with teller.running():  # it is not told again
        await asyncio.sleep(0.05)
    assert len(github.statuses) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [answering(500), answering(502), answering(503, Retry_After="0")],
        [answering(429, Retry_After="0"), answering(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="1")],
        [answering(401), answering(403)],
        [answering(404, '{"message": "Not Found"}')] * 2,
        [answering(200, "<html>please log in</html>"), answering(204), answering(201, "nonsense")],
        [answering(201, "[" * 200_000)],
    ],
    ids=["errors", "limits", "token", "hidden", "garbage", "deep"],
)
async def test_what_may_succeed_later_is_tried_again(tmp_path: Path, github: ForgeDouble, answers: list) -> None:  # type: ignore[type-arg]
    github.answers = list(answers)
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        assert await teller.told(1) == [(commit(1), "success")]
        assert github.requests == len(answers) + 1
        await settled(statuses)


async def test_what_can_never_succeed_is_dropped_with_one_warning_and_blocks_nothing(
    tmp_path: Path, github: ForgeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    github.answers = [answering(422, '{"message": "No commit found"}')]
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        statuses.outcome(applied(2))
        assert await teller.told(1) == [(commit(2), "success")]
        facts = await settled(statuses)
    assert isinstance(facts["last_dropped"], dict) and facts["last_dropped"]["commit"] == commit(1)
    assert [r.levelno for r in caplog.records if "refused for good" in r.getMessage()] == [logging.WARNING]
    assert github.requests == 2


async def test_one_commit_that_always_fails_does_not_block_the_others(tmp_path: Path, github: ForgeDouble) -> None:
    teller = Teller(tmp_path, github)
    github.answers = [answering(500)]
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        statuses.outcome(applied(2))
        assert [sha for sha, _ in await teller.told(2)] == [commit(2), commit(1)]


async def test_only_the_newest_of_a_commit_is_sent(tmp_path: Path, github: ForgeDouble) -> None:
    teller = Teller(tmp_path, github)
    github.answers = [answering(503)]
    async with teller.running() as statuses:
        statuses.outcome(Outcome(Verdict.UNAVAILABLE, commit(1), reason="x"))
        await teller.tried(1)
        statuses.outcome(applied(1))
        await settled(statuses)
        assert github.states() == [(commit(1), "success")]
        statuses.outcome(applied(1))  # the very same is not told twice
        await asyncio.sleep(0.05)
    assert len(github.statuses) == 1


async def test_a_redirect_gets_no_token(tmp_path: Path, github: ForgeDouble) -> None:
    elsewhere = ForgeDouble("github")
    await elsewhere.start()
    github.answers = [answering(307, Location=f"{elsewhere.url}/repos/octocat/pbx/statuses/{commit(1)}")]
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        facts = await settled(statuses)
    await elsewhere.close()
    assert elsewhere.requests == 0
    assert isinstance(facts["last_dropped"], dict) and "redirects" in facts["last_dropped"]["reason"]


async def test_a_new_token_is_used_at_once_and_none_is_logged(
    tmp_path: Path, github: ForgeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    teller = Teller(tmp_path, github)
    teller.token.unlink()
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        await until(lambda: (statuses.facts() or {})["last_error"])
        facts = statuses.facts()
        assert facts is not None and "cannot be read" in facts["last_error"] and github.requests == 0
        teller.token.write_text("two words\n")
        await asyncio.sleep(0.05)
        assert github.requests == 0
        teller.token.write_text(OTHER)
        await teller.tried(1)
        teller.token.write_text(TOKEN)
        assert await teller.told(1) == [(commit(1), "success")]
    assert TOKEN not in caplog.text and OTHER not in caplog.text


async def test_a_slow_forge_is_given_up_on(
    tmp_path: Path, github: ForgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitops_profile.http.status_client.SECONDS", 0.05)
    github.answers = [slow(5.0)]
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        assert await teller.told(1) == [(commit(1), "success")]


async def test_the_queue_is_bounded(
    tmp_path: Path, github: ForgeDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(status_outbox, "MAX_KEPT", 10)
    teller = Teller(tmp_path, github)
    statuses = teller.build()
    for number in range(1, 16):
        statuses.outcome(applied(number))
    facts = statuses.facts()
    assert facts is not None and facts["pending"] == 10
    assert caplog.text.count("given up") == 5
    await statuses.close()


async def test_a_verdict_that_nobody_was_told_of_is_told_after_the_restart(tmp_path: Path, github: ForgeDouble) -> None:
    teller = Teller(tmp_path, github)
    stamp = RevisionStamp(commit(9), "A", "a@example.com", "2030-01-01T00:00:00Z", "a message")
    passed = RevisionStamp(commit(8), "A", "a@example.com", "2030-01-01T00:00:00Z", "a message")
    teller.table.apply(RevisionSuperseded(passed, "main", commit(9)))
    teller.table.apply(RevisionApplied(stamp, "main", "profiles", 1, 0, 3, 0))
    async with teller.running() as statuses:
        statuses.outcome(Outcome(Verdict.UNCHANGED, commit(9)))
        assert await teller.told(2) == [(commit(8), "success"), (commit(9), "success")]
        await settled(statuses)
        statuses.outcome(Outcome(Verdict.UNCHANGED, commit(9)))
        await asyncio.sleep(0.05)
    assert [fields["description"] for _, _, fields in github.statuses] == [
        f"superseded by {commit(9)[:12]} before it was looked at", "applied: 3 changed",
    ]  # fmt: skip


async def test_another_verdict_on_a_commit_is_told_after_a_kill_before_the_outbox_had_it(
    tmp_path: Path, github: ForgeDouble
) -> None:
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(Outcome(Verdict.REJECTED, commit(9), reason="no signature"))
        assert await teller.told(1) == [(commit(9), "failure")]
        await settled(statuses)
    stamp = RevisionStamp(commit(9), "A", "a@example.com", "2030-01-01T00:00:00Z", "a message")
    teller.table.apply(RevisionApplied(stamp, "main", "profiles", 1, 0, 3, 0))
    async with teller.running() as statuses:
        statuses.outcome(Outcome(Verdict.UNCHANGED, commit(9)))
        assert await teller.told(2) == [(commit(9), "failure"), (commit(9), "success")]
        await settled(statuses)
        statuses.outcome(Outcome(Verdict.UNCHANGED, commit(9)))
        await asyncio.sleep(0.05)
    assert len(github.statuses) == 2


async def test_a_told_verdict_is_not_told_again_with_fewer_words_after_a_restart(
    tmp_path: Path, github: ForgeDouble
) -> None:
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.reaches(lambda: 7)
        statuses.outcome(applied(9))
        await settled(statuses)
    stamp = RevisionStamp(commit(9), "A", "a@example.com", "2030-01-01T00:00:00Z", "a message")
    teller.table.apply(RevisionApplied(stamp, "main", "profiles", 1, 0, 3, 0))
    async with teller.running() as statuses:
        statuses.outcome(Outcome(Verdict.UNCHANGED, commit(9)))
        await asyncio.sleep(0.05)
    assert [fields["description"] for _, _, fields in github.statuses] == ["applied: 3 changed, 7 phones"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"commit": "x"}]', b"\xff", b"[" * 100_000, b"{}"])
async def test_a_damaged_outbox_is_an_empty_one(tmp_path: Path, github: ForgeDouble, content: bytes) -> None:
    (tmp_path / "outbox.json").write_bytes(content)
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        assert await teller.told(1) == [(commit(1), "success")]
        await settled(statuses)
    assert json.loads((tmp_path / "outbox.json").read_text())[0]["told"] is True


async def test_a_full_disk_stops_nothing(tmp_path: Path, github: ForgeDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(status_outbox, "write_whole", full)
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        assert await teller.told(1) == [(commit(1), "success")]


async def test_a_bug_of_ours_does_not_end_it(
    tmp_path: Path, github: ForgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_status, "AFTER_A_BUG", 0.01)
    monkeypatch.setattr(commit_status, "judge", lambda *arguments: 1 / 0)
    teller = Teller(tmp_path, github)
    async with teller.running() as statuses:
        statuses.outcome(applied(1))
        await teller.tried(2)


def test_where_it_goes_by_the_settings() -> None:
    def target(repo: str, **settings: object) -> StatusTarget | None:
        given = {"token_file": "t", **settings}
        return status_target(Config.model_validate({"repository": {"url": repo}, "commit_status": given}))

    found = target("git@gitlab.example.com:group/sub/pbx.git", provider="gitlab")
    assert found is not None
    assert (found.api, found.repository) == ("https://gitlab.example.com/api/v4", "group/sub/pbx")
    found = target(".", provider="gitea", url="http://127.0.0.1:3000/api/v1/", repository="me/pbx")
    assert found is not None and (found.api, found.repository) == ("http://127.0.0.1:3000/api/v1", "me/pbx")
    assert target("https://github.com/me/pbx") is None
    with pytest.raises(ConfigError, match=r"commit_status\.repository: say owner/name"):
        target(".", provider="github")
    with pytest.raises(ConfigError, match=r"commit_status\.url: say where"):
        target(".", provider="github", repository="me/pbx")
