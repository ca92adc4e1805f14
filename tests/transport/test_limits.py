"""The book of connections, and the files that are left for everything else."""

import ipaddress
import logging
import resource

import pytest

from gitops_profile.transport import Reason, StreamLimits, TransportRefused, possible_connections
from gitops_profile.transport.limits import RESERVED_FILES, Admission


class Book:
    def __init__(self, limits: StreamLimits) -> None:
        self.refused: list[TransportRefused] = []
        self.admission = Admission(limits, self.refused.append)


async def test_a_place_that_is_given_back_twice_is_one_place() -> None:
    book = Book(StreamLimits(connections=2, per_source=1))
    first, second = book.admission.admit("192.0.2.1"), book.admission.admit("192.0.2.2")
    assert first is not None and second is not None and first != second
    assert book.admission.admit("192.0.2.3") is None and book.refused == [
        TransportRefused("192.0.2.3", Reason.TOO_MANY)
    ]
    book.admission.release(first)
    book.admission.release(first)
    assert len(book.admission) == 1
    third = book.admission.admit("192.0.2.1")
    assert third not in (None, first, second)  # an old flow must not lead to a new peer


async def test_one_source_is_bounded_and_a_trusted_proxy_is_none() -> None:
    trusted = (ipaddress.ip_network("192.0.2.0/28"), ipaddress.ip_network("2001:db8::/32"))
    book = Book(StreamLimits(per_source=1, trusted=trusted))
    for host in ("192.0.2.1", "2001:db8::1"):
        assert all(book.admission.admit(host) for _ in range(5))
    assert book.admission.admit("192.0.2.77") is not None
    assert book.admission.admit("192.0.2.77") is None
    assert book.admission.admit("fe80::1%eth0") is not None
    assert book.refused == [TransportRefused("192.0.2.77", Reason.TOO_MANY_OF_SOURCE)]


async def test_a_flood_is_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    book = Book(StreamLimits(connections=0))
    with caplog.at_level(logging.WARNING):
        for number in range(100):
            book.admission.admit(f"192.0.2.{number}")
    assert len(book.refused) == 100
    assert [record.getMessage() for record in caplog.records] == [
        "connection refused source=192.0.2.0 reason=connections"
    ]


@pytest.mark.parametrize(
    ("soft", "hard", "possible", "raised"),
    [
        (1024, 524288, 10_000, 10_000 + RESERVED_FILES),
        (1024, 4096, 4096 - RESERVED_FILES, 4096),
        (1024, resource.RLIM_INFINITY, 10_000, 10_000 + RESERVED_FILES),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 10_000, None),
        (65536, 65536, 10_000, None),
        (64, 64, 1, None),
    ],
)
def test_files_are_left_for_the_log_and_the_database(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soft: int,
    hard: int,
    possible: int,
    raised: int | None,
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: asked.append(limits))
    assert possible_connections(10_000) == possible
    assert asked == ([] if raised is None else [(raised, hard)])
    assert (f"LimitNOFILE={10_000 + RESERVED_FILES}" in caplog.text) == (possible < 10_000)
