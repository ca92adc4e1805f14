"""I1: followed commit by commit = the head loaded alone = the log replayed, for histories that hypothesis invents."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_profile.presentity import ProfileKey
from gitops_profile.reconcile import Verdict, compare
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


STEPS = ["write", "defaults", "template", "rename", "remove", "revert", "force_push", "merge", "broken", "no_folder"]
STEPS += ["variants", "variant_template", "alias", "alias_elsewhere", "base", "base_below", "extends"]
histories = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99)), min_size=4, max_size=10)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_following_any_history_ends_where_its_head_ends(history: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_follow(Path(folder) / "work", history))


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
