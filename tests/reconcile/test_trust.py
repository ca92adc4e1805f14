"""What is not signed as it must be never comes into force, and what was in force stays."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from gitops_profile.presentity import RevisionRejected
from gitops_profile.reconcile import Outcome, Trust, Verdict, approve, trust
from gitops_profile.source import Checked, KeyFiles, Keys, Verifier
from tests.signing import SSHKey, signed_commit

from .lab import Lab

FOLDER = "profiles/user/example.com"
ALICE, BOB = f"{FOLDER}/alice.xml", f"{FOLDER}/bob.xml"


class TrustLab(Lab):
    """A reconciler that wants signatures of Carol."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "work")
        self.carol, self.mallory = (SSHKey(folder, name) for name in ("carol", "mallory"))
        self.signers = folder / "allowed_signers"
        self.allow(self.carol)
        self.verifier = Verifier(self.git.folder, KeyFiles(None, self.signers))
        self.want("head")

    def allow(self, *keys: SSHKey) -> None:
        self.signers.write_text("".join(key.allowed(f"{key.path.name}@example.com") for key in keys))

    def want(self, mode: Literal["head", "all"], ref: str = "main", seconds: float = 120) -> None:
        async def unseen(old: str, new: str, limit: int) -> Sequence[str]:
            return [commit for commit, _ in self.repository.unseen(old, new, limit)]

        self.trust = Trust(self.verifier, mode, ref, unseen, seconds=seconds)

    def signed(self, body: str, key: SSHKey | None = None, file: str = ALICE) -> str:
        return signed_commit(self.git, {file: body}, (key or self.carol).commit())

    async def close(self) -> None:
        await super().close()
        self.verifier.close()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[TrustLab]:
    laboratory = TrustLab(tmp_path)
    yield laboratory
    await laboratory.close()


def says(outcome: Outcome, *texts: str) -> None:
    assert outcome.verdict is Verdict.REJECTED, outcome
    said = " / ".join(map(str, outcome.problems))
    assert all(text in said for text in texts), said


async def test_an_unsigned_head_is_rejected_and_a_signed_one_after_it_is_applied(lab: TrustLab) -> None:
    first = lab.signed("<a1/>")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    unsigned = lab.git.commit({ALICE: "<a2/>"})
    outcome = await lab.reconcile()
    says(outcome, f"commit {unsigned[:12]} by Ann Author <ann@example.com>: it has no signature", "git commit -S")
    assert lab.bodies() == {"user/example.com/alice": b"<a1/>"}
    applied, rejected = lab.journal.table.applied, lab.journal.table.rejected
    signer = f"carol@example.com {lab.carol.fingerprint}"
    assert applied is not None and (applied.revision.commit, applied.revision.signer) == (first, signer)
    assert rejected is not None and rejected.revision.signer is None and rejected.problems[0].path == ""
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
    lab.signed("<a3/>")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    assert lab.bodies() == {"user/example.com/alice": b"<a3/>"}
    stamps = [lab.journal.table.revision_of(document.key) for document in lab.journal.table]
    assert [stamp and stamp.signer for stamp in stamps] == [signer]


async def test_nothing_of_a_revision_is_read_before_its_signature_counts(lab: TrustLab) -> None:
    lab.git.commit({f"{FOLDER}/x.yaml": "a: ["})
    says(await lab.reconcile(), "no signature")
    assert lab.loading._process is None
    assert lab.journal.table.applied is None


async def test_an_approval_opens_no_signature(lab: TrustLab) -> None:
    lab.signed("<a/>")
    for number in range(30):
        lab.git.write({f"{FOLDER}/u{number}.xml": "<u/>"})
    lab.signed("<b/>", file=BOB)
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    lab.git.write({f"{FOLDER}/u{number}.xml": None for number in range(30)})
    held = lab.signed("<b2/>", file=BOB)
    assert (await lab.reconcile()).verdict is Verdict.HELD
    await approve(lab.journal, held, "root")
    lab.allow(lab.mallory)
    says(await lab.reconcile(), f"unknown key {lab.carol.fingerprint}")
    assert len(lab.journal.table) == 32


async def test_other_keys_have_a_rejected_head_looked_at_again_across_a_restart(lab: TrustLab) -> None:
    lab.signed("<a/>", lab.mallory)
    says(await lab.reconcile(), f"unknown key {lab.mallory.fingerprint}")
    await lab.restart()
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
    lab.signers.write_text("")
    assert (await lab.reconcile()).verdict is Verdict.UNCHANGED, "a file of no use makes nothing better"
    lab.allow(lab.mallory)
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    assert lab.journal.table.rejected is None


async def test_a_head_that_is_rejected_is_looked_at_again_when_no_signature_is_wanted_any_more(lab: TrustLab) -> None:
    lab.git.commit({ALICE: "<a/>"})
    says(await lab.reconcile(), "no signature")
    lab.trust = None
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_a_file_that_changes_while_a_revision_is_judged_is_not_missed(
    lab: TrustLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "WATCH", 0.01)
    lab.signed("<a/>", lab.mallory)
    original, again = lab.verifier.commit, asyncio.Event()

    def slow(commit: str, keys: Keys) -> Checked:
        lab.allow(lab.mallory)
        return original(commit, keys)

    lab.verifier.commit = slow  # type: ignore[method-assign]
    assert lab.trust is not None
    watching = asyncio.create_task(lab.trust.watch(lab.journal.table, again.set))
    says(await lab.reconcile(), "unknown key")
    async with asyncio.timeout(10):
        await again.wait()
    again.clear()
    await asyncio.sleep(0.1)
    assert not again.is_set(), "nobody is told twice"
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    watching.cancel()


async def test_keys_that_cannot_be_read_have_a_revision_wait(lab: TrustLab) -> None:
    lab.signed("<a/>")
    text = lab.signers.read_text()
    lab.signers.unlink()
    outcome = await lab.reconcile()
    assert outcome.verdict is Verdict.UNAVAILABLE and "allowed_signers cannot be read" in outcome.reason
    assert outcome.unverified
    assert lab.journal.table.applied is None and not await lab.types()
    lab.signers.write_text(text)
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_a_signed_tag_is_served_and_speaks_for_an_unsigned_commit(lab: TrustLab) -> None:
    lab.want("head", "live")
    lab.git.commit({ALICE: "<a/>"})
    says(await lab.reconcile(), "no signature")
    lab.git(*lab.carol.commit(), "tag", "-s", "-m", "x", "live")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED, "the same commit, by another tag"
    assert lab.journal.table.applied is not None
    assert lab.journal.table.applied.revision.signer == f"carol@example.com {lab.carol.fingerprint}"
    lab.git.commit({BOB: "<b/>"})
    lab.git(*lab.carol.commit(), "tag", "-s", "-m", "x", "v2")
    lab.git("update-ref", "refs/tags/live", lab.git("rev-parse", "v2"))
    says(await lab.reconcile(), "the tag v2 by Carl Committer", "served as refs/tags/live")


# -- all -------------------------------------------------------------------------------------------------------------


async def test_with_head_a_signature_speaks_for_all_that_is_below_it_and_with_all_it_does_not(lab: TrustLab) -> None:
    lab.signed("<a1/>")
    await lab.reconcile()
    unsigned = lab.git.commit({ALICE: "<a2/>"})
    strange = lab.signed("<a3/>", lab.mallory)
    lab.signed("<a4/>")
    lab.want("all")
    says(await lab.reconcile(), f"commit {unsigned[:12]}", "no signature", f"commit {strange[:12]}", "unknown key")
    assert lab.bodies() == {"user/example.com/alice": b"<a1/>"}
    lab.want("head")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED, "the mode is another one: it is looked at again"
    lab.want("all")
    lab.signed("<a5/>")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED, "what is in force is not asked again"


async def test_one_unsigned_commit_that_a_merges_second_parent_brings_in(lab: TrustLab) -> None:
    base = lab.signed("<a1/>")
    lab.signed("<a2/>")
    lab.want("all")
    await lab.reconcile()
    lab.git("checkout", "-q", "-b", "side", base)
    lab.signed("<b0/>", file=BOB)
    unsigned = lab.git.commit({BOB: "<b1/>"})
    lab.signed("<b2/>", file=BOB)
    lab.git("checkout", "-q", "main")
    lab.git(*lab.carol.commit(), "merge", "-q", "--no-ff", "-S", "-m", "merged", "side")
    outcome = await lab.reconcile()
    says(outcome, f"commit {unsigned[:12]}")
    assert len(outcome.problems) == 1
    assert list(lab.bodies()) == ["user/example.com/alice"]
    lab.git("reset", "-q", "--hard", "HEAD~1")
    lab.git("checkout", "-q", "-b", "side2", base)
    lab.signed("<b2/>", file=BOB)
    lab.git("checkout", "-q", "main")
    lab.git(*lab.carol.commit(), "merge", "-q", "--no-ff", "-S", "-m", "merged", "side2")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_of_the_first_revision_the_head_alone_must_be_signed(lab: TrustLab) -> None:
    lab.want("all")
    lab.git.commit({ALICE: "<a1/>"})
    says(await lab.reconcile(), "no signature")
    lab.signed("<a2/>")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_after_a_rewritten_history_all_that_is_new_must_be_signed(lab: TrustLab) -> None:
    lab.signed("<a1/>")
    lab.want("all")
    await lab.reconcile()
    lab.git("checkout", "-q", "--orphan", "other")
    unsigned = lab.git.commit({ALICE: "<a2/>"})
    lab.signed("<a3/>")
    says(await lab.reconcile(), f"commit {unsigned[:12]}")
    lab.git("branch", "-q", "-D", "main")
    lab.git("reflog", "expire", "--expire=now", "--all")
    lab.git("gc", "-q", "--prune=now")
    lab.allow(lab.carol, lab.mallory)
    says(await lab.reconcile(), f"commit {unsigned[:12]}")


async def test_more_new_commits_than_are_looked_at(lab: TrustLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.signed("<a1/>")
    lab.want("all")
    await lab.reconcile()
    monkeypatch.setattr(trust, "MAX_COMMITS", 2)
    for number in range(3):
        lab.signed(f"<b{number}/>")
    says(await lab.reconcile(), "more than 2 commits", "push them in parts")
    assert (await lab.reconcile(lab.git("rev-parse", "HEAD~1"))).verdict is Verdict.APPLIED
    assert (await lab.reconcile()).verdict is Verdict.APPLIED


async def test_only_so_many_unsigned_commits_are_named(lab: TrustLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.signed("<a1/>")
    lab.want("all")
    await lab.reconcile()
    monkeypatch.setattr(trust, "MAX_UNSIGNED", 2)
    for number in range(5):
        lab.git.commit({ALICE: f"<b{number}/>"})
    outcome = await lab.reconcile()
    says(outcome, "no signature")
    assert len(outcome.problems) == 2


async def test_checking_that_takes_too_long_goes_on_at_the_next_try(lab: TrustLab) -> None:
    lab.signed("<a1/>")
    await lab.reconcile()
    asked: list[str] = []
    original = lab.verifier.commit

    def counted(commit: str, keys: Keys) -> Checked:
        asked.append(commit)
        return original(commit, keys)

    lab.verifier.commit = counted  # type: ignore[method-assign]
    commits = [lab.signed(f"<b{number}/>") for number in range(3)]
    lab.want("all", seconds=0)
    verdicts = [(await lab.reconcile()).verdict for _ in range(3)]
    assert verdicts == [Verdict.UNAVAILABLE, Verdict.UNAVAILABLE, Verdict.APPLIED]
    assert asked == commits[::-1], "each of them once"


async def test_what_was_good_at_an_earlier_try_is_asked_again_with_other_keys(lab: TrustLab) -> None:
    lab.signed("<a1/>")
    await lab.reconcile()
    lab.signed("<b1/>")
    lab.signed("<b2/>")
    lab.want("all", seconds=0)
    assert (await lab.reconcile()).verdict is Verdict.UNAVAILABLE
    lab.allow(lab.mallory)
    await lab.reconcile()
    outcome = await lab.reconcile()
    says(outcome, "unknown key")
    assert len(outcome.problems) == 2


async def test_other_events_of_a_rejected_revision_are_those_of_any(lab: TrustLab) -> None:
    first = lab.signed("<a1/>")
    lab.signed("<a2/>")
    await lab.reconcile()
    lab.git("reset", "-q", "--hard", first)
    lab.git.commit({ALICE: "<a3/>"})
    says(await lab.reconcile(), "no signature")
    assert (await lab.types())[-2:] == ["HistoryRewritten", "RevisionRejected"]
    assert isinstance(lab.journal.table.rejected, RevisionRejected)
