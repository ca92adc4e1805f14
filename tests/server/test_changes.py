"""A change of many documents is told in slices: all of it, in order, and counted once."""

import asyncio
from types import SimpleNamespace as Fake
from typing import Any

from gitops_profile.presentity import PresentityTable, ProfileKey, RevisionApplied
from gitops_profile.server.changes import AT_ONCE, Changes

from .office import STAMP


class World:
    """Whoever is told, and what he heard."""

    def __init__(self) -> None:
        self.table = PresentityTable()
        self.table.apply(RevisionApplied(STAMP, "main", "profiles", 1, 0, 0, 0))
        self.turns: list[int] = []
        self.resources: list[str] = []
        self.fetching: list[ProfileKey] = []
        self.forgotten: list[ProfileKey] = []
        self.counted: list[tuple[str, list[str], list[ProfileKey], list[str]]] = []
        package: Any = Fake(affected=self._affected, forget_rendered=self.forgotten.append)
        subscriptions: Any = Fake(resources=list, ids_to=lambda resource: [f"{resource};1", f"{resource};2"])
        endpoint: Any = Fake(now=lambda: 7.0, state_changed=self._state_changed)
        hardware: Any = Fake(changed=self.fetching.extend)
        rollouts: Any = Fake(applied=self._applied)
        self.changes = Changes(self.table, package, subscriptions, endpoint, hardware, rollouts)

    @staticmethod
    def _affected(keys: list[ProfileKey], subscribed: list[str]) -> list[str]:
        return [*map(str, keys), "user/example.com/an-alias"]

    def _state_changed(self, resources: list[str]) -> None:
        self.turns.append(len(resources))
        self.resources += resources

    def _applied(
        self, commit: str, resources: list[str], keys: list[ProfileKey], *, now: float, ids: list[str]
    ) -> None:
        assert now == 7.0
        self.counted.append((commit, resources, keys, ids))


def keys(count: int, name: str = "u") -> list[ProfileKey]:
    return [ProfileKey.user("example.com", f"{name}{number}") for number in range(count)]


async def test_a_small_change_is_told_before_it_returns() -> None:
    world = World()
    world.changes.tell(keys(2))
    resources = ["user/example.com/u0", "user/example.com/u1", "user/example.com/an-alias"]
    assert world.resources == resources and world.fetching == world.forgotten == keys(2)
    ids = [f"{resource};{number}" for resource in resources for number in (1, 2)]
    assert world.counted == [(STAMP.commit, resources, keys(2), ids)]


async def test_a_change_of_everything_leaves_the_loop_its_turns_and_the_next_waits_for_it() -> None:
    world = World()
    many, others = keys(3 * AT_ONCE + 5), keys(3, "later")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while len(world.counted) < 2:
            ticks += 1
            await asyncio.sleep(0)

    world.changes.tell(many)
    world.changes.tell(others)
    assert world.turns == [AT_ONCE] and not world.counted
    await tick()
    assert ticks >= 4 and world.turns == [AT_ONCE, AT_ONCE, AT_ONCE, 6, 4]
    assert world.fetching == [*many, *others]
    assert [name for name in world.resources if "alias" not in name] == [*map(str, many), *map(str, others)]
    (_, resources, told, ids), (_, _, later, _) = world.counted
    assert told == many and later == others and len(resources) == len(many) + 1 and len(ids) == 2 * len(resources)


async def test_a_change_of_nothing_is_counted_too() -> None:
    world = World()
    world.changes.tell([])
    assert world.turns == [1] and [one[2] for one in world.counted] == [[]]
