"""Five merges in a minute are one check-sync."""

from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.push import PushQueue, Waits

WAITS = Waits(settle=60, longest=300, spread=30)


def told(queue: PushQueue, until: float) -> list[tuple[str, float]]:
    """Who is told when, in virtual time."""
    found = []
    while (at := queue.next_deadline()) is not None and at <= until:
        found += [(device, at) for device in queue.take_due(at, 100)]
    return found


def test_five_merges_in_a_minute_are_one_check_sync() -> None:
    queue = PushQueue(WAITS)
    for second in (0, 12, 24, 36, 48):
        queue.want("a", second)
    [(device, at)] = told(queue, 10_000)
    assert device == "a" and 108 <= at <= 138


def test_changes_without_an_end_do_not_put_it_off_for_ever() -> None:
    queue = PushQueue(WAITS)
    for second in range(0, 290, 10):
        queue.want("a", second)
        assert queue.take_due(second, 100) == []
    [(_, at)] = told(queue, 10_000)
    assert 300 <= at <= 330


def test_a_wave_is_spread_and_everybody_keeps_his_place_in_it() -> None:
    queue = PushQueue(WAITS)
    phones = [f"00041300{number:04x}" for number in range(1000)]
    for phone in phones:
        queue.want(phone, 0)
    first = told(queue, 10_000)
    assert len(first) == 1000
    assert all(60 <= at <= 90 for _, at in first)
    each_second = [sum(60 + n <= at < 61 + n for _, at in first) for n in range(30)]
    assert min(each_second) > 10 and max(each_second) < 60
    for phone in phones:
        queue.want(phone, 1000)
    assert [device for device, _ in told(queue, 10_000)] == [device for device, _ in first]


def test_what_is_urgent_waits_for_nothing_and_a_wave_is_no_longer_than_the_document_allows() -> None:
    queue = PushQueue(WAITS)
    queue.want("a", 5.0, urgent=True)
    assert queue.take_due(5.0, 100) == ["a"]
    for number in range(100):
        queue.want(f"phone{number}", 0, within=2)
    assert all(60 <= at <= 62 for _, at in told(queue, 10_000))
    queue.want("b", 0)
    queue.want("b", 1, urgent=True)
    assert told(queue, 10_000) == [("b", 1)]


def test_a_later_look_does_not_put_off_an_earlier_one() -> None:
    queue = PushQueue(WAITS)
    queue.again("a", 50)
    queue.again("a", 900)
    queue.drop("b")
    assert told(queue, 10_000) == [("a", 50)]
    queue.again("a", 50)
    queue.drop("a")
    assert told(queue, 10_000) == [] and len(queue) == 0


def test_changes_after_a_look_that_is_far_ahead_are_not_put_off_for_ever_either() -> None:
    queue = PushQueue(WAITS)
    queue.again("a", 20_000)  # a retry, or a window that is closed
    for second in range(0, 290, 10):
        queue.want("a", second)
    assert "a" in queue and "b" not in queue
    [(_, at)] = told(queue, 100_000)
    assert 300 <= at <= 330


def test_who_is_seen_or_let_in_is_told_in_turn_and_not_later_than_before() -> None:
    queue = PushQueue(WAITS)
    for number in range(100):
        queue.seen(f"s{number}", 0)
        queue.opens(f"w{number}", 100, within=10)
    queue.want("early", 0, urgent=True)
    queue.seen("early", 0)
    queue.opens("early", 100)
    found = dict(told(queue, 10_000))
    assert found["early"] == 0
    assert all(60 <= found[f"s{n}"] <= 90 and 100 <= found[f"w{n}"] <= 110 for n in range(100))
    assert len({found[f"w{n}"] for n in range(100)}) == 100


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 500), st.booleans()), max_size=30))
def test_each_phone_is_told_exactly_once_after_its_last_change(wants: list[tuple[str, float, bool]]) -> None:
    queue = PushQueue(WAITS)
    for device, at, urgent in sorted(wants, key=lambda want: want[1]):
        queue.want(device, at, urgent=urgent)
    found = told(queue, 1e6)
    assert sorted(device for device, _ in found) == sorted({device for device, _, _ in wants})
