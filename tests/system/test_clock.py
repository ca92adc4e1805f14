"""A wall clock that is set while the server runs: subscriptions go by a clock that nobody sets."""

import re
from pathlib import Path

import pytest

from tests.absent import absent

from .arena import UNREMARKABLE, Arena, Subscriber, fetches, percentile, seconds_left, until
from .lab import eventually

pytestmark = [pytest.mark.system, pytest.mark.slow]


def faketime() -> str:
    """The library that lies about the time; the test is skipped without it."""
    found = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
    return str(found or absent("libfaketime is not installed"))


@pytest.mark.peer
@pytest.mark.parametrize("jump", ["+3600", "-3600"])
def test_a_clock_that_is_set_by_an_hour_ends_no_subscription_and_prolongs_none(tmp_path: Path, jump: str) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    arena = Arena(tmp_path, ("udp:127.0.0.1:0",), "subscriptions: {min_expires: 1}\n", environment={
        "LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    })  # fmt: skip
    server = arena.lab.server
    try:
        with Subscriber(server.port, "watched") as long, Subscriber(server.port, "victim") as short:
            assert seconds_left(long.subscribe(600)) == pytest.approx(600, abs=1)
            short.subscribe(12)
            clock.write_text(f"{jump}\n")
            eventually("the jump is noticed", lambda: arena.metrics()["clock_jumps_total"] == 1)
            short.hears_nothing(2)
            assert b"terminated;reason=timeout" in short.notified(patience=15)
            document = arena.commit()
            told = long.notified()
            assert document in told
            assert 580 < seconds_left(told) <= 600
            # The rest is of a server that knows only the new time.
            server.end()
            arena.start()
            long.hears_nothing(1)
            document = arena.commit()
            told = long.notified()
            assert document in told
            assert 560 < seconds_left(told) <= 600
        jumped = re.findall(r"the wall clock jumped seconds=(-?\d+)", server.stderr())
        assert [int(seconds) for seconds in jumped] == [pytest.approx(int(jump), abs=1)]
        with Subscriber(server.port, "victim") as victim:
            # The library itself stalls the process now and then, for up to half a second.
            eventually("it serves as ever", lambda: percentile(fetches(victim, until(1)), 0.5) < UNREMARKABLE)
    finally:
        arena.close()
