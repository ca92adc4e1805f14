"""How far a document has come, from all combinations of facts."""

import itertools
import math
from dataclasses import replace

import pytest

from gitops_profile.devices import Facts, Rung, Standing, standing, worst


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(desired_at=1.0), Standing(Rung.DESIRED, 1.0)),
        (Facts(1.0, 200.0, "closed"), Standing(Rung.HELD, 1.0, "closed", 200.0)),
        (Facts(1.0, math.inf, "never"), Standing(Rung.HELD, 1.0, "never", math.inf)),
        (Facts(1.0, told_at=2.0), Standing(Rung.NOTIFIED, 2.0)),
        (Facts(1.0, told_at=2.0, heard_at=3.0, heard_status=200), Standing(Rung.ACKNOWLEDGED, 3.0)),
        (Facts(1.0, told_at=2.0, fetched_at=4.0), Standing(Rung.FETCHED, 4.0)),
        (Facts(1.0, fetched_at=4.0, returned_at=30.0), Standing(Rung.RETURNED, 30.0)),
        (Facts(1.0, told_at=2.0, fault="is offline", fault_at=5.0), Standing(Rung.FAULTED, 5.0, "is offline")),
    ],
)
def test_the_highest_rung_that_is_reached_counts_with_its_time(facts: Facts, expected: Standing) -> None:
    assert standing(facts) == expected


@pytest.mark.parametrize("status", [481, 489, 405, 501])
def test_a_phone_that_does_not_know_check_sync_is_told_and_not_faulted(status: int) -> None:
    found = standing(Facts(1.0, told_at=2.0, heard_at=3.0, heard_status=status))
    assert found.rung is Rung.NOTIFIED and found.at == 3.0 and str(status) in found.reason


def test_a_fault_of_before_does_not_hide_why_a_new_version_is_held() -> None:
    old = Facts(desired_at=10.0, held_until=200.0, held_why="closed", fault="is offline", fault_at=5.0)
    assert standing(old).rung is Rung.HELD
    assert standing(replace(old, fault_at=11.0)).rung is Rung.FAULTED
    assert standing(replace(old, held_until=None)).rung is Rung.FAULTED, "it is offline as far as anybody knows"


def test_whoever_has_the_document_is_neither_held_nor_faulted_whatever_else_is_known() -> None:
    for held, told, heard, fault in itertools.product((None, 9.0), repeat=4):
        facts = Facts(
            1.0, held, told_at=told, heard_at=heard, heard_status=500 if heard else None, fetched_at=7.0,
            fault="x" if fault else None, fault_at=fault,
        )  # fmt: skip
        assert standing(facts) == Standing(Rung.FETCHED, 7.0)


def test_a_phone_stands_where_its_least_advanced_document_stands() -> None:
    all_of_them = [Standing(rung, 1.0) for rung in Rung]
    assert worst(all_of_them) == Standing(Rung.FAULTED, 1.0)
    assert worst(one for one in all_of_them if one.rung not in (Rung.FAULTED, Rung.DESIRED, Rung.HELD)) == Standing(
        Rung.NOTIFIED, 1.0
    )
    assert worst([Standing(Rung.RETURNED, 1.0), Standing(Rung.FETCHED, 2.0)]) == Standing(Rung.FETCHED, 2.0)
    assert worst([]) is None
