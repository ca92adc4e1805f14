"""Who asks for devices that he may not have: what is said, counted and shown of it, in virtual time."""

import logging
from dataclasses import dataclass, field

import pytest

from gitops_profile.devices import How, Sighting
from gitops_profile.http import Missed
from gitops_profile.metrics import Metrics
from gitops_profile.server.misses import ALARM_SECONDS, Misses, is_hearsay

PHONE, DECOY, STRANGER = "0004132a1122", "0004132a0001", "198.51.100.7"


@dataclass
class Told:
    """One of them, with a clock of its own."""

    now: float = 1_800_000_000.0
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.misses = Misses(lambda: {DECOY}, self.metrics, lambda: self.now)

    def count(self, reason: str) -> float:
        name = "gitops_profile_document_misses_total"
        return self.metrics.registry.get_sample_value(name, {"reason": reason}) or 0.0

    def pnp(self, mac: str | None, source: str = STRANGER) -> bool:
        return self.misses.is_nobody(Sighting(How.PNP, self.now, source, mac=mac))


def test_a_miss_is_a_line_and_a_number_and_no_alarm(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    told.misses.missed(Missed(STRANGER, PHONE, "forbidden", False))
    assert caplog.messages == [f"document refused source={STRANGER} reason=forbidden banned=no device={PHONE}"]
    assert (told.count("forbidden"), told.misses.alarm()) == (1.0, "")


def test_a_name_that_somebody_made_up_writes_no_other_line(caplog: pytest.LogCaptureFixture) -> None:
    Told().misses.missed(Missed(STRANGER, "user/example.com/x source=192.0.2.1\n reason=decoy", "unknown", False))
    (line,) = caplog.messages
    assert line.count("source=") == 1 and line.count(" ") == 5 and "\n" not in line
    assert line.endswith(" device=user/example.com/x%20source%3D192.0.2.1%0A%20reason%3Ddecoy")


def test_an_alarm_is_shown_for_a_day_after_the_last() -> None:
    told = Told()
    told.misses.missed(Missed(STRANGER, DECOY, "decoy", True))
    assert told.misses.alarm() == f"{STRANGER} asked for the decoy {DECOY} at 2027-01-15T08:00:00Z"
    told.now += ALARM_SECONDS / 2
    told.misses.missed(Missed("192.0.2.9", DECOY, "decoy", True))
    told.now += ALARM_SECONDS
    assert told.misses.alarm().startswith("192.0.2.9 ") and told.misses.alarm().endswith(
        ", and 1 such before since the start"
    )
    told.now += 1.0
    assert told.misses.alarm() == ""
    assert told.misses.facts() == {"alarms": 2, "alarmed_at": "2027-01-15T20:00:00Z"}


def test_a_decoy_by_plug_and_play_is_an_alarm_once_in_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    assert [told.pnp(DECOY) for _ in range(3)] == [True] * 3
    assert told.count("decoy") == 1.0
    assert caplog.messages == [f"decoy asked for by plug and play source={STRANGER} device={DECOY}"]
    told.now += 601.0
    told.pnp(DECOY)
    assert told.count("decoy") == 2.0
    assert (told.pnp(PHONE), told.pnp(None)) == (False, False)


def test_a_flood_of_decoys_from_made_up_addresses_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    caplog.set_level(logging.WARNING)
    for number in range(5000):
        told.pnp(DECOY, f"10.0.{number >> 8}.{number & 255}")
    assert told.count("decoy") == 5000.0
    assert len(caplog.records) == 60


@pytest.mark.parametrize("status", [401, 403, 404, 405, 429])
def test_whoever_was_given_nothing_says_nothing_of_a_phone_that_is_known(status: int) -> None:
    asked = Sighting(How.GET, 0.0, STRANGER, mac=PHONE, status=status)
    assert is_hearsay(asked, is_known=True)
    assert is_hearsay(asked, is_known=False) == (status == 429)  # a new phone is seen by what it asks for in vain


@pytest.mark.parametrize("status", [200, 304, 201, 204, 413, None])
def test_whoever_was_given_something_does(status: int | None) -> None:
    assert not is_hearsay(Sighting(How.GET, 0.0, STRANGER, mac=PHONE, status=status), is_known=True)


def test_a_phone_that_showed_itself_says_something_whatever_it_got() -> None:
    assert not is_hearsay(Sighting(How.GET, 0.0, STRANGER, mac=PHONE, status=404, proven=True), is_known=True)
