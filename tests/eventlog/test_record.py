from datetime import UTC, datetime, timedelta, timezone

import pytest

from gitops_profile.eventlog import NewRecord
from gitops_profile.eventlog.record import time_text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"{}x",
        b" {}",
        b"{} ",
        b"{\n}",
        b'{"a":1}\n',
        b'{"a":}',
        b'{"a":1}{"b":2}',
        b'{"a":"\xff"}',
        b'{"a":"\x00"}',
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda data: repr(data[:16]),
)
def test_data_that_is_no_json_object_on_one_line_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        NewRecord("stream", "Type", 1, data)


@pytest.mark.parametrize(
    ("stream", "type", "version"), [("", "T", 1), ("s", "", 1), ("s", "T", 0), ("s\udcff", "T", 1)]
)
def test_a_record_without_stream_type_or_version_is_refused(stream: str, type: str, version: int) -> None:
    with pytest.raises(ValueError):
        NewRecord(stream, type, version, b"{}")


def test_time_is_written_in_utc_with_milliseconds() -> None:
    noon = datetime(2025, 1, 31, 12, tzinfo=UTC)
    assert time_text(noon) == "2025-01-31T12:00:00.000Z"
    assert time_text(noon.astimezone(timezone(timedelta(hours=2)))) == "2025-01-31T12:00:00.000Z"
