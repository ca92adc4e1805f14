"""I1: followed commit by commit = the head loaded alone = the log replayed, for histories that hypothesis invents."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_profile.presentity import ProfileDocument, ProfileKey
from gitops_profile.reconcile import NoSuchScope, Verdict, approve, compare
from gitops_profile.reconcile.suspension import covers
from tests.repositories import Git

from .lab import Lab

USERS = "profiles/user/example.com"
NAMES = [f"{USERS}/{name}.xml" for name in "abcd"]


class History:
    """Steps of a team's work; `choice` picks among what a step could do."""

    def __init__(self, git: Git) -> None:
        self.git = git
        self.number = 0
        manifest = {f"{USERS}/m.yaml": "template: t.j2\n", "profiles/templates/t.j2": "{{ v|default('-') }}"}
        manifest |= {"profiles/templates/variant.j2": "{{ v|default('.') }}", f"{USERS}/n.yaml": "body: n\n"}
        manifest |= {f"{USERS}/e.yaml": "extends: b\n", "profiles/bases/b.yaml": "template: t.j2\nvalues: {v: 1}\n"}
        git.commit({**dict.fromkeys(NAMES[:2], "<x/>"), **manifest})
        git.commit({NAMES[2]: "<y/>"})

    def step(self, name: str, choice: int) -> None:
        self.number += 1
        getattr(self, name)(choice)

    def _here(self) -> list[str]:
        return [name for name in NAMES if (self.git.folder / name).exists()]

    def write(self, choice: int) -> None:
        self.git.commit({NAMES[choice % 4]: f"<x>{choice % 3}</x>"})

    def defaults(self, choice: int) -> None:
        self.git.commit({"profiles/defaults.yaml": f"values: {{v: {choice}}}\n"})

    def template(self, choice: int) -> None:
        self.git.commit({"profiles/templates/t.j2": f"{choice}{{{{ v|default('+') }}}}"})

    def base(self, choice: int) -> None:
        template = ["t.j2", "variant.j2"][choice % 2]
        below = ["", "extends: c\n"][choice // 2 % 2]
        self.git.commit({"profiles/bases/b.yaml": f"template: {template}\n{below}values: {{v: {choice}}}\n"})

    def base_below(self, choice: int) -> None:
        """A base that others may extend comes, changes and goes; with it gone, they are a problem."""
        known = (self.git.folder / "profiles/bases/c.yaml").exists()
        gone = known and choice % 4 == 0
        self.git.commit({"profiles/bases/c.yaml": None if gone else f"values: {{v: {choice}}}\n"})

    def extends(self, choice: int) -> None:
        names = ["b", "[b, c]", "c", "[]"][choice % 4]
        self.git.commit({f"{USERS}/e.yaml": f"extends: {names}\ntemplate: t.j2\n"})

    def variants(self, choice: int) -> None:
        rules = ["{when: {vendor: a}, template: variant.j2}", "{when: {vendor: b}, values: {v: 5}}"]
        rules = [rules, rules[:1], rules[::-1], []][choice % 4]
        self.git.commit({f"{USERS}/m.yaml": f"template: t.j2\nvariants: [{', '.join(rules)}]\n"})

    def rules(self, choice: int) -> None:
        """File names or decoys come, change and go."""
        texts = ["decoys: [000413000001]\n", "files: [{name: x.cfg, profile: x}]\n", ""]
        self.git.commit({"profiles/profiles.yaml": texts[choice % 3]})

    def variant_template(self, choice: int) -> None:
        self.git.commit({"profiles/templates/variant.j2": f"{choice}{{{{ v|default('?') }}}}"})

    def alias(self, choice: int) -> None:
        """An alias that comes, goes and moves; the last one may have a file of its own."""
        name = ["x", "y", "d"][choice % 3]
        aliases = [f"aliases: [{name}@example.com]\n", "", f"aliases: ['sip:{name}@example.com', z@example.com]\n"]
        self.git.commit({f"{USERS}/n.yaml": f"body: n\n{aliases[choice // 3 % 3]}"})

    def alias_elsewhere(self, choice: int) -> None:
        name = ["x", "y", "d"][choice % 3]
        released: dict[str, str | bytes | None] = {f"{USERS}/n.yaml": "body: n\n"} if choice % 2 else {}
        self.git.commit({f"{USERS}/m.yaml": f"template: t.j2\naliases: [{name}@example.com]\n", **released})

    def rename(self, choice: int) -> None:
        if here := self._here():
            name = here[choice % len(here)]
            other = (
                f"{USERS}/renamed{self.number}.xml" if choice % 2 else name.replace("example.com", "example.com/group")
            )
            (self.git.folder / USERS / "group").mkdir(exist_ok=True)
            if not (self.git.folder / other).exists():
                self.git("mv", name, other)
                self.git.commit({})

    def remove(self, choice: int) -> None:
        if len(here := self._here()) > 1:
            self.git.commit({here[choice % len(here)]: None})

    def revert(self, choice: int) -> None:
        if len(self.git("rev-list", "--parents", "-1", "HEAD").split()) == 2:
            self.git("revert", "--no-commit", "HEAD")
            self.git.commit({})  # which may be empty, as the commit that is reverted may

    def force_push(self, choice: int) -> None:
        if int(self.git("rev-list", "--count", "--first-parent", "HEAD")) > 2:
            self.git("reset", "-q", "--hard", "HEAD~1")

    def merge(self, choice: int) -> None:
        self.git("checkout", "-q", "-b", f"side{self.number}")
        self.git.commit({f"{USERS}/side{self.number}.xml": "<s/>"})
        self.git("checkout", "-q", "main")
        self.git.commit({NAMES[choice % 4]: f"<m>{choice}</m>"})
        self.git("merge", "-q", "--no-edit", f"side{self.number}")

    def broken(self, choice: int) -> None:
        self.git.commit({f"{USERS}/broken.yaml": "a: [" if choice % 2 else "body: mended"})

    def no_folder(self, choice: int) -> None:
        # Not every time: what follows is more interesting when there is something.
        if choice % 3 == 0 and (self.git.folder / "profiles").exists():
            self.git.commit({"README": f"{self.number}\n"})
            self.git("rm", "-q", "-r", "profiles")
            self.git.commit({})


SCOPES = ["all", "user/example.com", "user/example.com/group", *(f"user/example.com/{name}" for name in "abmnex")]


async def _suspend_or_resume(lab: Lab, choice: int) -> bool:
    """An operator's word, or a restart, instead of a step of the team; whether it was one."""
    scope = SCOPES[choice % len(SCOPES)]
    try:
        match choice // len(SCOPES) % 4:
            case 0:
                await lab.suspending.suspend(scope, "ann", "")
            case 1:
                await lab.suspending.resume(next(iter(lab.journal.table.suspensions), scope), "bob")
            case 2:
                await lab.restart()
            case _:
                return False
    except NoSuchScope:
        return False  # a profile that is not there, or a scope that is not suspended
    return True


STEPS = ["write", "defaults", "template", "rename", "remove", "revert", "force_push", "merge", "broken", "no_folder"]
STEPS += ["variants", "variant_template", "alias", "alias_elsewhere", "base", "base_below", "extends", "rules"]
histories = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99)), min_size=4, max_size=10)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_following_any_history_ends_where_its_head_ends(history: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_follow(Path(folder) / "work", history))


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, st.lists(st.integers(0, 99), min_size=10, max_size=10), st.integers(0, 99))
def test_any_history_with_suspensions_in_it_ends_where_its_head_ends_once_all_is_resumed(
    history: list[tuple[str, int]], words: list[int], order: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_follow_with_suspensions(Path(folder) / "work", history, words, order))


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories, st.lists(st.integers(0, 99), min_size=10, max_size=10))
def test_what_is_held_changes_nothing_until_it_is_approved_and_then_everything(
    history: list[tuple[str, int]], words: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_follow_with_approvals(Path(folder) / "work", history, words))


async def _follow_with_approvals(folder: Path, history: list[tuple[str, int]], words: list[int]) -> None:
    lab = Lab(folder)
    lab.rewrites = "hold"
    work = History(lab.git)
    lab.git.commit({"profiles/profiles.yaml": "max_removals: 0\n"})
    await lab.reconcile()
    for (name, choice), word in zip(history, words, strict=False):
        work.step(name, choice)
        before = {document.key: document for document in lab.journal.table}
        outcome = await lab.reconcile()
        if word % 5 == 0:
            await lab.restart()
        if outcome.verdict is Verdict.HELD:
            assert {document.key: document for document in lab.journal.table} == before
            assert (await lab.reconcile()).verdict is Verdict.UNCHANGED
            if word % 2:
                await _approved(lab)
        assert await lab.replayed() == lab.journal.table
    if lab.journal.table.held is not None:
        await _approved(lab)
    applied = lab.journal.table.applied
    assert applied is not None
    assert lab.journal.table == await lab.loaded_anew(applied.revision.commit)
    await lab.close()


async def _approved(lab: Lab) -> None:
    commit = lab.git.head()
    await approve(lab.journal, commit, "ann")
    assert (await lab.reconcile()).verdict is Verdict.APPLIED
    applied = lab.journal.table.applied
    assert applied is not None and applied.revision.commit == commit and lab.journal.table.held is None


async def _follow_with_suspensions(folder: Path, history: list[tuple[str, int]], words: list[int], order: int) -> None:
    lab = Lab(folder)
    work = History(lab.git)
    await lab.reconcile()
    for (name, choice), word in zip(history, words, strict=False):
        await _suspend_or_resume(lab, word)
        work.step(name, choice)
        frozen = _covered(lab)
        outcome = await lab.reconcile()
        assert outcome.verdict is not Verdict.UNAVAILABLE
        assert _covered(lab) == frozen, "what is suspended changed"
        claims = [claim for d in lab.journal.table for claim in (d.key, *d.aliases)]
        assert len(claims) == len(set(claims)), "two documents have one key"
        applied = lab.journal.table.applied
        assert applied is not None
        loaded = await lab.loaded_anew(applied.revision.commit)
        differing = {d.key for d in loaded if lab.journal.table.get(d.key) != d}
        differing |= {d.key for d in lab.journal.table if d.key not in loaded}
        assert len(differing) == applied.held_back, "the count of what is held back"
        assert await lab.replayed() == lab.journal.table
    suspended = sorted(lab.journal.table.suspensions)
    for scope in suspended if order % 2 else suspended[::-1]:
        await lab.suspending.resume(scope, "bob")
    await lab.reconcile()
    applied = lab.journal.table.applied
    assert applied is not None and applied.held_back == 0 and not lab.journal.table.suspensions
    assert lab.journal.table == await lab.loaded_anew(applied.revision.commit) == await lab.replayed()
    told = sum(map(len, lab.told))
    await lab.reconcile()
    assert sum(map(len, lab.told)) == told, "nothing is told twice"
    await lab.close()


def _covered(lab: Lab) -> dict[ProfileKey, ProfileDocument]:
    table = lab.journal.table
    return {d.key: d for d in table if covers(table.suspensions, d)}


async def _follow(folder: Path, history: list[tuple[str, int]]) -> None:
    lab = Lab(folder)
    work = History(lab.git)
    verdicts = [(await lab.reconcile()).verdict]
    for name, choice in history:
        work.step(name, choice)
        verdicts.append((await lab.reconcile()).verdict)
    replayed = await lab.replayed()
    assert replayed == lab.journal.table
    for letter in "xyzd":
        key = ProfileKey.user("example.com", letter)
        owners = [d.key for d in replayed if key in (d.key, *d.aliases)]
        assert len(owners) <= 1
        assert replayed.resolve(key) == lab.journal.table.resolve(key) == next(iter(owners), None)
    # The last revision may be one with problems: then the last good one is in force, and is compared.
    applied = lab.journal.table.applied
    assert applied is not None and Verdict.UNAVAILABLE not in verdicts
    assert lab.journal.table == await lab.loaded_anew(applied.revision.commit)
    loaded = await lab.loading.load(applied.revision.commit, None, "profiles")
    assert compare(lab.journal.table, loaded) == []
    await lab.close()
