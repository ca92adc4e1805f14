"""What every engine must do. An engine's test file subclasses EventLogContract and supplies the `log` fixture."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import pytest

from gitops_profile.eventlog import EventLog, LogUnavailable, NewRecord, Record, VersionConflict


def new(number: int, stream: str = "user/example.com/alice") -> NewRecord:
    return NewRecord(stream, "ProfileChanged", 1, json.dumps({"number": number}).encode())


def new_batch(count: int, first: int = 1) -> list[NewRecord]:
    return [new(number) for number in range(first, first + count)]


def numbers(records: Sequence[Record]) -> list[int]:
    return [json.loads(record.data)["number"] for record in records]


async def everything_of(records: AsyncIterator[Record]) -> list[Record]:
    return [record async for record in records]


async def everything(log: EventLog, after: int = 0) -> list[Record]:
    return await everything_of(log.read(after))


async def take(records: AsyncIterator[Record], count: int) -> list[Record]:
    return [await anext(records) for _ in range(count)]


class EventLogContract:
    async def test_a_new_log_is_empty(self, log: EventLog) -> None:
        assert log.head == 0
        assert await everything(log) == []
        assert await log.load_snapshot() is None

    async def test_records_come_back_as_appended_in_order_with_positions_without_gaps(self, log: EventLog) -> None:
        data = '{"a":  [1, {"b": "é\\n\\u0000"}], "a": 1e400}'.encode()
        first = NewRecord("user/exämple.com/\U0001f600", "Profile\tAdded", 7, data)
        assert await log.append([first, new(2)]) == 2
        assert await log.append([new(3)]) == 3
        records = await everything(log)
        assert [record.position for record in records] == [1, 2, 3]
        assert [NewRecord(r.stream, r.type, r.version, r.data) for r in records] == [first, new(2), new(3)]
        assert type(records[0].data) is bytes

    async def test_time_is_utc_in_iso_8601(self, log: EventLog) -> None:
        await log.append([new(1)])
        (record,) = await everything(log)
        assert record.time.endswith("Z") and len(record.time) == len("2025-01-31T12:00:00.000Z")
        moment = datetime.fromisoformat(record.time)
        assert abs((datetime.now(moment.tzinfo) - moment).total_seconds()) < 60

    async def test_an_empty_batch_appends_nothing(self, log: EventLog) -> None:
        await log.append([new(1)])
        assert await log.append([]) == 1
        assert len(await everything(log)) == 1

    async def test_read_begins_behind_the_position_and_ends_at_the_head_as_of_the_call(self, log: EventLog) -> None:
        await log.append(new_batch(5))
        before = log.read(2)
        await log.append([new(6)])
        assert numbers(await everything_of(before)) == [3, 4, 5]
        assert numbers(await everything(log, 5)) == [6]
        assert await everything(log, 6) == []

    @pytest.mark.parametrize("position", [-1, 2])
    async def test_a_position_the_log_has_not_reached_is_refused(self, log: EventLog, position: int) -> None:
        await log.append([new(1)])
        with pytest.raises(ValueError, match="head of the log"):
            log.read(position)
        with pytest.raises(ValueError, match="head of the log"):
            log.follow(position)
        with pytest.raises(ValueError, match="head of the log"):
            await log.save_snapshot(position, [b""])

    async def test_expected_head_that_is_the_head_appends(self, log: EventLog) -> None:
        assert await log.append([new(1)], expected_head=0) == 1
        assert await log.append(new_batch(2, 2), expected_head=1) == 3

    @pytest.mark.parametrize("expected", [0, 2])
    async def test_another_expected_head_is_a_conflict_and_appends_nothing(self, log: EventLog, expected: int) -> None:
        await log.append([new(1)])
        with pytest.raises(VersionConflict) as conflict:
            await log.append([new(2)], expected_head=expected)
        assert (conflict.value.expected, conflict.value.actual) == (expected, 1)
        with pytest.raises(VersionConflict):
            await log.append([], expected_head=expected)
        assert numbers(await everything(log)) == [1]

    async def test_of_appends_that_expect_the_same_head_one_wins(self, log: EventLog) -> None:
        appends = [log.append([new(number)], expected_head=0) for number in range(10)]
        outcomes = await asyncio.gather(*appends, return_exceptions=True)
        assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [1]
        assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 9
        assert log.head == 1

    async def test_appends_in_a_row_may_each_expect_the_one_before(self, log: EventLog) -> None:
        appends = [log.append([new(number)], expected_head=number - 1) for number in range(1, 6)]
        assert await asyncio.gather(*appends) == [1, 2, 3, 4, 5]

    async def test_concurrent_batches_are_kept_together_and_each_is_told_its_own_head(self, log: EventLog) -> None:
        sizes = [1, 5, 2, 9, 1, 30]
        batches = [[new(number, f"s{n}") for number in range(size)] for n, size in enumerate(sizes)]
        heads = await asyncio.gather(*(log.append(batch) for batch in batches))
        records = await everything(log)
        for batch, head in zip(batches, heads, strict=True):
            stored = records[head - len(batch) : head]
            assert [(r.stream, r.data) for r in stored] == [(r.stream, r.data) for r in batch]
        assert log.head == sum(sizes)

    async def test_a_batch_is_the_one_given_even_if_the_caller_changes_its_list(self, log: EventLog) -> None:
        batch = new_batch(2)
        append = asyncio.ensure_future(log.append(batch))
        await asyncio.sleep(0)
        batch.clear()
        assert await append == 2
        assert numbers(await everything(log)) == [1, 2]

    async def test_follow_goes_on_with_records_appended_later(self, log: EventLog) -> None:
        await log.append(new_batch(2))
        following = log.follow(1)
        assert numbers(await take(following, 1)) == [2]
        waiting = asyncio.ensure_future(take(following, 3))
        await log.append([new(3)])
        await log.append(new_batch(2, 4))
        assert numbers(await waiting) == [3, 4, 5]

    async def test_follow_from_the_head_of_an_empty_log_waits(self, log: EventLog) -> None:
        waiting = asyncio.ensure_future(take(log.follow(), 1))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        await log.append([new(1)])
        assert numbers(await waiting) == [1]

    async def test_concurrent_followers_see_every_record_once_in_order(self, log: EventLog) -> None:
        await log.append(new_batch(10))
        async with asyncio.TaskGroup() as group:
            followers = {after: group.create_task(everything_of(log.follow(after))) for after in (0, 3, 9, 10)}
            for first in range(11, 211, 20):
                await asyncio.gather(log.append(new_batch(5, first)), log.append(new_batch(15, first + 5)))
            await log.close()
        for after, follower in followers.items():
            assert numbers(follower.result()) == list(range(after + 1, 211))

    async def test_a_slow_follower_gets_what_was_appended_before_the_log_was_closed(self, log: EventLog) -> None:
        await log.append(new_batch(3))
        following = log.follow()
        await take(following, 1)
        await log.append(new_batch(3, 4))
        await log.close()
        assert numbers(await everything_of(following)) == [2, 3, 4, 5, 6]

    async def test_a_snapshot_comes_back_and_the_later_one_replaces_it(self, log: EventLog) -> None:
        await log.append(new_batch(3))
        await log.save_snapshot(0, [b""])
        assert await log.load_snapshot() == (0, b"")
        data = bytes(range(256)) * 100
        await log.save_snapshot(2, [data])
        assert await log.load_snapshot() == (2, data)

    async def test_a_closed_log_ends_its_followers_and_refuses_the_rest(self, log: EventLog) -> None:
        await log.append([new(1)])
        following = log.follow()
        await take(following, 1)
        rest = asyncio.ensure_future(everything_of(following))
        await asyncio.sleep(0)
        await log.close()
        await log.close()
        assert await rest == []
        with pytest.raises(LogUnavailable, match="closed"):
            await log.append([new(2)])
        with pytest.raises(LogUnavailable, match="closed"):
            log.read()
        with pytest.raises(LogUnavailable, match="closed"):
            log.follow()
        with pytest.raises(LogUnavailable, match="closed"):
            await log.load_snapshot()
        with pytest.raises(LogUnavailable, match="closed"):
            await log.save_snapshot(0, [b""])
