"""Allow and deny windows over time: time zones, days on which clocks change, clocks that are set. No test sleeps."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_profile.presentity import Window
from gitops_profile.windows import Closed, Schedule, UnusableCron, describe, duration_text, parse_duration

BERLIN = "Europe/Berlin"
HOUR = 3600
NEVER = float("inf")


def allow(cron: str, duration: str, timezone: str = BERLIN) -> Window:
    return Window(True, cron, parse_duration(duration), timezone)


def deny(cron: str, duration: str, timezone: str = BERLIN) -> Window:
    return Window(False, cron, parse_duration(duration), timezone)


def at(text: str, timezone: str = BERLIN, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold).timestamp()


def opens(windows: Iterable[Window], now: float) -> str | None:
    """When it opens, as the clocks in Berlin show it; None when it is open."""
    found = Schedule(windows).opens(now)
    if found is None or found == NEVER:
        return None if found is None else "never"
    return datetime.fromtimestamp(found, ZoneInfo(BERLIN)).isoformat(timespec="minutes")


def test_without_windows_it_is_always_open() -> None:
    assert Schedule(()).opens(0.0) is None
    assert Schedule(()).opens(4e9) is None


def test_outside_of_the_allow_windows_it_opens_with_the_next_one() -> None:
    windows = [allow("0 22 * * 1-5", "4h"), allow("30 6 * * 6", "1h")]
    assert opens(windows, at("2026-03-04T12:00")) == "2026-03-04T22:00+01:00"
    assert opens(windows, at("2026-03-04T22:00")) is None
    assert opens(windows, at("2026-03-05T01:59:59")) is None
    assert opens(windows, at("2026-03-05T02:00")) == "2026-03-05T22:00+01:00"
    assert opens(windows, at("2026-03-07T03:00")) == "2026-03-07T06:30+01:00"  # a Saturday


def test_a_deny_window_shuts_it_and_with_its_end_it_opens() -> None:
    windows = [deny("0 8 * * 1-5", "10h")]
    assert opens(windows, at("2026-03-04T07:59")) is None
    assert opens(windows, at("2026-03-04T08:00")) == "2026-03-04T18:00+01:00"
    assert opens(windows, at("2026-03-04T18:00")) is None
    assert opens(windows, at("2026-03-07T12:00")) is None


def test_a_deny_window_inside_an_allow_window_has_the_last_word() -> None:
    windows = [allow("0 20 * * *", "4h"), deny("0 21 * * *", "1h")]
    assert opens(windows, at("2026-03-04T20:30")) is None
    assert opens(windows, at("2026-03-04T21:30")) == "2026-03-04T22:00+01:00"
    assert opens(windows, at("2026-03-04T19:00")) == "2026-03-04T20:00+01:00"


def test_an_allow_window_that_is_denied_as_a_whole_is_gone_past() -> None:
    windows = [allow("0 2 * * *", "2h"), deny("0 0 * * 6", "48h")]
    assert opens(windows, at("2026-03-27T12:00")) == "2026-03-30T02:00+02:00"  # a Friday; the clocks change on Sunday


def test_windows_that_touch_or_overlap_are_one() -> None:
    assert (
        opens([deny("0 8 * * *", "4h"), deny("0 12 * * *", "2h")], at("2026-03-04T09:00")) == "2026-03-04T14:00+01:00"
    )
    assert opens([deny("*/10 8 * * *", "10m")], at("2026-03-04T08:05")) == "2026-03-04T09:00+01:00"
    assert opens([deny("0 * * * *", "90m"), allow("0 0 * * *", "1d")], at("2026-03-04T08:05")) == "never"


def test_it_says_which_window_shuts_it() -> None:
    quiet = deny("0 8 * * 1-5", "10h")
    now = at("2026-03-04T08:30")
    assert Schedule([quiet]).closed(now) == Closed(at("2026-03-04T18:00"), quiet)
    assert Schedule([allow("0 2 * * *", "1h")]).closed(now) == Closed(at("2026-03-05T02:00"), None)
    assert describe(quiet) == "in the deny window 0 8 * * 1-5 (Europe/Berlin) for 10h"


def test_each_window_goes_by_its_own_time_zone() -> None:
    windows = [allow("0 22 * * *", "1h", "Asia/Kathmandu"), allow("0 22 * * *", "1h", "America/St_Johns")]
    assert Schedule(windows).opens(at("2026-03-04T12:00", "UTC")) == at("2026-03-04T22:00", "Asia/Kathmandu")
    assert Schedule(windows).opens(at("2026-03-04T18:00", "UTC")) == at("2026-03-04T22:00", "America/St_Johns")


# -- the days on which clocks change: in Berlin from 02:00 to 03:00 on 29 March 2026, back on 25 October -------------


def test_a_window_whose_start_the_clock_skips_begins_right_behind_the_gap() -> None:
    windows = [allow("30 2 * * *", "1h")]
    assert opens(windows, at("2026-03-28T12:00")) == "2026-03-29T03:00+02:00"
    assert opens(windows, at("2026-03-29T01:59:59")) == "2026-03-29T03:00+02:00"
    assert opens(windows, at("2026-03-29T03:00")) is None
    assert opens(windows, at("2026-03-29T03:59:59")) is None
    assert opens(windows, at("2026-03-29T04:00")) == "2026-03-30T02:30+02:00"


def test_a_window_whose_start_the_clock_shows_twice_begins_once_the_first_time() -> None:
    windows = [allow("30 2 * * *", "30m")]
    assert opens(windows, at("2026-10-25T02:15")) == "2026-10-25T02:30+02:00"
    assert opens(windows, at("2026-10-25T02:59:59")) is None
    assert opens(windows, at("2026-10-25T02:30", fold=1)) == "2026-10-26T02:30+01:00"
    assert opens(windows, at("2026-10-25T02:45", fold=1)) == "2026-10-26T02:30+01:00"


def test_behind_a_time_that_was_shown_twice_the_next_start_is_not_one_that_is_over() -> None:
    # 02:15 the second time is later than 02:45 the first time.
    assert opens([allow("45 2 * * *", "10m")], at("2026-10-25T02:15", fold=1)) == "2026-10-26T02:45+01:00"


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_window_lasts_as_long_as_it_says_over_a_change_of_clocks(day: str) -> None:
    begin = at(f"{day}T01:00")
    schedule = Schedule([allow("0 1 * * *", "4h")])
    assert schedule.opens(begin - 1) == begin
    assert schedule.opens(begin) is None
    assert schedule.opens(begin + 4 * HOUR - 1) is None
    assert schedule.opens(begin + 4 * HOUR) is not None


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_window_of_every_hour_begins_in_every_hour_that_there_is(day: str, hours: int) -> None:
    begin = at(f"{day}T00:00")
    schedule = Schedule([allow("0 * * * *", "1m")])
    now, starts = begin - 1, 0
    while (found := schedule.opens(now)) is not None and found < begin + hours * HOUR:
        starts += 1
        now = found + 60
    assert starts == hours


# -- clocks that are set ------------------------------------------------------------------------------------------


def test_an_answer_is_of_the_time_alone_whichever_way_the_clock_was_set() -> None:
    schedule = Schedule([allow("0 22 * * *", "1h")])
    inside, outside = at("2026-03-04T22:30"), at("2026-03-04T12:00")
    assert [schedule.opens(now) for now in (inside, outside, inside)] == [None, at("2026-03-04T22:00"), None]


@given(
    st.lists(
        st.builds(
            Window,
            st.booleans(),
            st.sampled_from(["0 2 * * *", "30 2 * * 0", "*/20 8-17 * * 1-5", "15 * * * *", "0 0 1 * *", "0 3 * * 7L"]),
            st.integers(1, 3000).map(lambda minutes: minutes * 60),
            st.sampled_from([BERLIN, "UTC", "America/St_Johns", "Australia/Lord_Howe"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(int(at("2026-03-20T00:00")) // 60, int(at("2026-11-05T00:00")) // 60),
)
def test_at_the_time_that_it_names_it_is_open_and_not_a_minute_before(windows: list[Window], minute: int) -> None:
    schedule, now = Schedule(windows), minute * 60.0
    found = schedule.opens(now)
    if found is None or found == NEVER:
        return
    assert found > now
    assert schedule.opens(found) is None
    for before in {now, (now + found) // 2, found - 60, found - 1}:
        if before >= now:
            assert schedule.opens(before) == found


@pytest.mark.parametrize(
    "windows",
    [
        [deny("* * * * *", "1m")],
        [deny("0 0 * * *", "1d1h")],
        [allow("0 0 29 2 *", "1m"), deny("* * 29 2 *", "1m")],
        [allow("0 3 * * *", "1h"), deny("0 2 * * *", "3h")],
    ],
)
def test_what_never_opens_is_said_within_bounds(windows: list[Window]) -> None:
    closed = Schedule(windows).closed(at("2024-02-29T12:00:30"))
    assert closed is not None
    assert closed.until == NEVER


def test_a_leap_day_is_in_sight() -> None:
    assert opens([allow("0 0 29 2 *", "1h")], at("2097-01-01T00:00")) == "2104-02-29T00:00+01:00"


def test_a_time_zone_that_this_machine_does_not_know_is_no_schedule() -> None:
    with pytest.raises(UnusableCron, match="'Mars/Base' is no time zone"):
        Schedule([allow("0 0 * * *", "1h", "Mars/Base")])


def test_an_expression_that_another_version_let_pass_is_no_schedule() -> None:
    with pytest.raises(UnusableCron, match="bad minute"):
        Schedule([Window(True, "60 * * * *", 60, BERLIN)])


def test_cron_agrees_with_the_zone_database_of_the_machine() -> None:
    """Every start in 2026, found by asking each minute of the year what the clock shows."""
    zone = ZoneInfo("America/St_Johns")
    schedule = Schedule([allow("15 4 * * 2", "1m", "America/St_Johns")])
    shown = []
    for minute in range(int(at("2026-01-01T00:00", "UTC")) // 60, int(at("2027-01-01T00:00", "UTC")) // 60):
        clock = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)
        if (clock.hour, clock.minute, clock.isoweekday()) == (4, 15, 2):
            shown.append(minute * 60.0)
    found, now = [], at("2026-01-01T00:00", "UTC")
    while (start := schedule.opens(now) or now) < at("2027-01-01T00:00", "UTC"):
        found.append(start)
        now = start + 60
    assert found == shown


@pytest.mark.parametrize("text", ["1m", "90m", "4h", "1h30m", "2d", "1d12h", "31d"])
def test_a_duration_is_seconds(text: str) -> None:
    assert parse_duration(duration_text(parse_duration(text))) == parse_duration(text)
    assert parse_duration("1d2h3m") == 93_780
