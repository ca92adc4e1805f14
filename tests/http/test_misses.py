"""The bound on guessing names, in virtual time."""

from gitops_profile.http import MissBudget

ONE, OTHER = "192.0.2.1", "192.0.2.2"


def budget(count: int = 3, capacity: int = 10_000) -> MissBudget:
    return MissBudget(count, 600.0, 3600.0, capacity=capacity)


def test_a_phone_that_asks_for_itself_again_and_again_is_one_miss() -> None:
    misses = budget()
    assert misses.missed(ONE, "a", 0.0) == (True, False)
    assert {misses.missed(ONE, "a", float(at)) for at in range(1, 5000, 60)} == {(False, False)}


def test_more_different_devices_than_allowed_ban_the_source_and_no_other() -> None:
    misses = budget()
    assert [misses.missed(ONE, name, 0.0) for name in "abcd"] == [(True, False)] * 3 + [(True, True)]
    assert misses.banned_for(ONE, 0.0) == 3600.0
    assert misses.banned_for(ONE, 3599.0) == 1.0
    assert misses.banned_for(ONE, 3600.0) == 0.0
    assert misses.banned_for(OTHER, 0.0) == 0.0


def test_after_its_ban_a_source_begins_anew() -> None:
    misses = budget()
    for name in "abcd":
        misses.missed(ONE, name, 0.0)
    assert [misses.missed(ONE, name, 3601.0) for name in "abc"] == [(True, False)] * 3
    assert misses.banned_for(ONE, 3601.0) == 0.0


def test_what_is_old_counts_no_more_and_is_news_again() -> None:
    misses = budget()
    for at, name in enumerate("abc"):
        misses.missed(ONE, name, at * 300.0)
    assert misses.missed(ONE, "d", 601.0) == (True, False)  # a is over
    assert misses.missed(ONE, "a", 1900.0) == (True, False)  # and so are all


def test_a_clock_that_is_set_back_bans_for_no_longer() -> None:
    misses = budget()
    misses.ban(ONE, 1_000_000.0)
    assert misses.banned_for(ONE, 0.0) == 3600.0


def test_a_flood_of_sources_frees_nobody_who_is_banned_and_fills_no_memory() -> None:
    misses = budget(capacity=100)
    misses.ban(ONE, 0.0)
    for number in range(5000):
        misses.missed(f"source {number}", "a", 1.0)
    assert len(misses) == 101
    assert misses.banned_for(ONE, 1.0) > 0.0


def test_of_too_many_bans_the_oldest_goes() -> None:
    misses = budget(capacity=10)
    for number in range(11):
        misses.ban(f"source {number}", float(number))
    assert misses.banned_for("source 0", 11.0) == 0.0
    assert misses.banned_for("source 1", 11.0) > 0.0
    misses.ban("later", 5000.0)
    assert len(misses) == 1  # those that are over took no place
