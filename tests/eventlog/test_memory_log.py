from collections.abc import AsyncIterator

import pytest

from gitops_profile.eventlog import EventLog, MemoryEventLog
from tests.eventlog.contract import EventLogContract


class TestMemoryEventLog(EventLogContract):
    @pytest.fixture
    async def log(self) -> AsyncIterator[EventLog]:
        log = MemoryEventLog()
        yield log
        await log.close()
