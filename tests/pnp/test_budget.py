"""So many within so long."""

from gitops_profile.pnp.budget import Budget, Budgets


def test_what_was_spent_comes_back_when_its_time_is_over_and_not_before() -> None:
    budget = Budget(2, 60.0)
    assert [budget.spend(now=now) for now in (0.0, 10.0, 59.9, 60.0, 61.0, 69.9, 70.0)] == [
        True, True, False, True, False, False, True,
    ]  # fmt: skip


def test_looking_for_room_costs_nothing() -> None:
    budget = Budget(1, 60.0)
    assert budget.has_room(now=0.0) and budget.has_room(now=0.0)
    assert budget.spend(now=0.0) and not budget.has_room(now=1.0)


def test_each_key_has_its_own() -> None:
    budgets = Budgets(1, 60.0, 10)
    assert budgets.spend("a", now=0.0) and budgets.spend("b", now=0.0)
    assert not budgets.spend("a", now=1.0) and budgets.spend("a", now=60.0)


def test_of_too_many_keys_the_one_that_was_quiet_longest_is_forgotten() -> None:
    budgets = Budgets(1, 60.0, 2)
    assert budgets.spend("a", now=0.0) and budgets.spend("b", now=1.0)
    assert not budgets.spend("a", now=2.0)  # and so it was not quiet
    assert budgets.spend("c", now=3.0) and len(budgets) == 2
    assert not budgets.spend("a", now=4.0)
    assert budgets.spend("b", now=5.0)


def test_a_flood_of_keys_grows_nothing() -> None:
    budgets = Budgets(3, 60.0, 100)
    for number in range(10_000):
        budgets.spend(str(number), now=0.0)
    assert len(budgets) == 100
