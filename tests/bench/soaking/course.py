"""The course of a soak: phones with habits, commits, restarts, and what must hold."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.handsets import TIMEOUT, Handsets, Phone, Unanswered, subscribe_all
from tests.bench.peer import processes
from tests.bench.peer.harness import DOMAIN
from tests.bench.peer.ours import ROOT, Run

from .record import Record, Sample

EXPIRES = 600
REFRESH = (10.0, 40.0)
"""Seconds between two refreshes of a phone."""
PAUSE = (1.0, 4.0)
"""Seconds between two commits, once the one before is through."""
OFF = (3.0, 12.0, 45.0)
"""Seconds that a phone is off: less than a NOTIFY is sent again for, and more."""
SWITCHED_OFF = 0.02
"""Share of the refreshes instead of which a phone is switched off."""
PATIENCE = 90.0
"""Seconds until a commit has failed to reach a phone."""
SAMPLING = 2.0
RESTARTED = 0.6
"""Share of the time in which the server is restarted."""


def content(number: int, version: int) -> bytes:
    """Document u`number` at a version, 1000 bytes."""
    return f"<profile user='u{number}' version='{version}'/>".ljust(1000).encode()


class Course:
    """One soak."""

    def __init__(self, run: Run, phones: int, seconds: float, seed: int) -> None:
        self._run, self._seconds = run, seconds
        self._chance = random.Random(seed)
        self.record = Record()
        self._phones = [Phone(number, f"u{number % run.documents}") for number in range(phones)]
        self._versions = [1] * run.documents
        self._wanted = [hash(content(number, 1)) for number in range(run.documents)]
        self._before: dict[int, int] = {}
        """Versions before the last commit, of what it changed."""
        self._waiting: set[int] = set()
        """Numbers of the phones that the commit under way has not reached."""
        self._reached = asyncio.Event()
        self._over = asyncio.Event()
        self._began = 0.0
        self._generation = 0
        """Goes up when a server ends, and when one is ready."""
        self._held: dict[int, int] = {}
        """The document that each phone was told last."""

    async def run(self) -> None:
        """All of it; what went wrong is in the record."""
        self._run.start()
        self._began = time.monotonic()
        handsets = await Handsets.open(("127.0.0.1", self._run.port), DOMAIN)
        handsets.heard = self._heard
        try:
            await subscribe_all(handsets, self._phones, expires=EXPIRES)
            self.record.counts["initial"] += len(self._phones)
            async with asyncio.TaskGroup() as group:
                for phone in self._phones:
                    group.create_task(self._live(handsets, phone))
                group.create_task(self._commits())
                group.create_task(self._restarts())
                group.create_task(self._watch_memory())
                group.create_task(self._clock())
            await self._finish(handsets)
        finally:
            handsets.close()
            await asyncio.to_thread(self._run.stop)
        self.record.judge_memory()
        self.record.counts["repeated"] = sum(phone.repeated for phone in self._phones)

    async def _clock(self) -> None:
        await asyncio.sleep(self._seconds)
        self._over.set()

    async def _rest(self, seconds: float) -> bool:
        """Wait; whether there is time left after it."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return True
        return False

    # -- phones ------------------------------------------------------------------------------------------------

    async def _live(self, handsets: Handsets, phone: Phone) -> None:
        while await self._rest(self._chance.uniform(*REFRESH)):
            if self._chance.random() < SWITCHED_OFF:
                await self._switch_off(handsets, phone)
            else:
                await self._refresh(handsets, phone, away=False)

    async def _switch_off(self, handsets: Handsets, phone: Phone) -> None:
        phone.silent = True
        self.record.counts["off"] += 1
        self._wait_no_more(phone, "off in time")
        await asyncio.sleep(self._chance.choice(OFF))
        phone.silent = False
        await self._refresh(handsets, phone, away=True)

    async def _refresh(self, handsets: Handsets, phone: Phone, *, away: bool) -> None:
        """Refresh; one that was away may have been given up meanwhile, and begins anew (RFC 6665 §4.1.2.2)."""
        given_up, number, generation = phone.ended, phone.number, self._generation
        try:
            status = 481 if given_up else await handsets.subscribe(phone, EXPIRES)
            self.record.counts["refresh"] += 1
            if status in (404, 481):
                if not away:
                    when = f"at {time.monotonic() - self._began:.1f} s, restarts so far {self._generation / 2:g}"
                    self.record.fail(f"phone {number} was on, and its subscription is unknown ({status}) {when}")
                self.record.counts["gone"] += 1
                self.record.counts["initial"] += 1
                handsets.forget(phone)
                status = await handsets.subscribe(phone, EXPIRES)
            if status == 500 and generation != self._generation:
                # Sent again to a server that has stored its CSeq, and was killed before its answer was out.
                self.record.counts["repetition"] += 1
                status = await handsets.subscribe(phone, EXPIRES)
            if status != 200:
                self.record.fail(f"phone {number} was answered {status}")
        except Unanswered as error:
            # The NOTIFY of a refresh may die with the server: state decides what is sent after the restart.
            if phone.status == 200 and generation != self._generation and self._is_current(phone):
                self.record.counts["cut off"] += 1
            else:
                self.record.fail(str(error))

    def _is_current(self, phone: Phone) -> bool:
        return phone.document == self._wanted[phone.number % len(self._wanted)]

    def _heard(self, phone: Phone) -> None:
        self.record.counts["notify"] += 1
        # A NOTIFY with the same document is due to a SUBSCRIBE, and to nothing else (I3) but an answer that was not
        # durable when the server was killed.
        if phone.waiting is None or phone.waiting.done():
            self.record.counts["same"] += self._held.get(phone.number) == phone.document
        self._held[phone.number] = phone.document
        if self._is_current(phone):
            self._wait_no_more(phone, "done")

    def _wait_no_more(self, phone: Phone, why: str) -> None:
        """The commit under way has reached this phone, or need not."""
        if phone.number in self._waiting:
            self._waiting.discard(phone.number)
            self.record.counts[why] += 1
            if not self._waiting:
                self._reached.set()

    # -- commits -----------------------------------------------------------------------------------------------

    async def _commits(self) -> None:
        while await self._rest(self._chance.uniform(*PAUSE)):
            versions = self._next()
            self._before = {number: self._versions[number] for number in versions}
            for number, version in versions.items():
                self._versions[number] = version
                self._wanted[number] = hash(content(number, version))
            self._waiting = {
                phone.number
                for phone in self._phones
                if phone.number % len(self._versions) in versions and not phone.silent
            }
            self.record.counts["due"] += len(self._waiting)
            self._reached.clear()
            await self._commit(versions)

    def _next(self) -> dict[int, int]:
        """What the next commit brings: every fourth takes the last one back."""
        self.record.counts["commit"] += 1
        if self.record.counts["commit"] % 4 == 0:
            self.record.counts["revert"] += 1
            return dict(self._before)
        users = len(self._versions)
        many = self._chance.choice((1, 1, users // 20 + 1, users))
        fresh = 1_000_000 + self.record.counts["commit"]
        return dict.fromkeys(self._chance.sample(range(users), many), fresh)

    async def _commit(self, versions: dict[int, int]) -> None:
        files = [(f"u{number}", content(number, version)) for number, version in versions.items()]
        generation = self._generation
        moments = await asyncio.to_thread(self._run.commit, files)
        if not self._waiting:
            self._reached.set()  # all of them are off
        try:
            async with asyncio.timeout(PATIENCE):
                await self._reached.wait()
        except TimeoutError:
            missing = sorted(self._waiting)
            self.record.fail(f"commit {self.record.counts['commit']} did not reach {len(missing)}: {missing[:5]}")
            return
        seconds = time.monotonic() - moments["t_stored"] / 1e9
        into = self.record.convergence if generation == self._generation else self.record.through_restart
        into.append(seconds)

    # -- the server --------------------------------------------------------------------------------------------

    async def _restarts(self) -> None:
        every = max(15.0, self._seconds * RESTARTED / 8)
        end = self._began + self._seconds * RESTARTED
        while time.monotonic() + every < end and await self._rest(self._chance.uniform(0.7, 1.3) * every):
            kill = self.record.counts["kill"] <= self.record.counts["stop"]
            self.record.counts["kill" if kill else "stop"] += 1
            self._generation += 1
            await asyncio.to_thread(self._run.stop, signal.SIGKILL if kill else signal.SIGTERM)
            await asyncio.to_thread(self._run.start)
            self._generation += 1
            self.record.restarts.append(self._run.seconds)

    async def _watch_memory(self) -> None:
        if not await self._rest(self._seconds * RESTARTED + 5):
            return
        while await self._rest(SAMPLING):
            family = {pid: processes.program(pid) for pid in processes.family(self._run.pid)}
            own = sum(processes.resident(pid) for pid, program in family.items() if program != "git")
            git = sum(processes.resident(pid) for pid, program in family.items() if program == "git")
            self.record.memory.append(Sample(time.monotonic() - self._began, own, git))

    # -- the end -----------------------------------------------------------------------------------------------

    async def _finish(self, handsets: Handsets) -> None:
        """Every phone must refresh, hold what is committed, and be known to the server as having it."""
        await asyncio.gather(*(self._refresh(handsets, phone, away=False) for phone in self._phones))
        for phone in self._phones:
            if not self._is_current(phone):
                self.record.fail(f"phone {phone.number} does not hold what is committed")
        await asyncio.sleep(1)
        held = {str(row["id"]).partition(";")[0]: row for row in await asyncio.to_thread(self._subscriptions)}
        self.record.counts["held"] = len(held)
        for phone in self._phones:
            row = held.get(phone.call_id.decode())
            if row is None:
                self.record.fail(f"the server does not know phone {phone.number}")
            elif not row["current"] or row["delivery"] != "acknowledged":
                self.record.fail(f"the server does not know that phone {phone.number} has its document: {row}")

    def _subscriptions(self) -> list[dict[str, object]]:
        command = [sys.executable, "-m", "gitops_profile", "get", "subscriptions", "-o", "json"]
        done = subprocess.run(
            [*command, "--state", str(Path(self._run.folder, "state"))], capture_output=True, check=True, cwd=ROOT,
            timeout=TIMEOUT,
        )  # fmt: skip
        rows = json.loads(done.stdout)
        assert isinstance(rows, list)
        return rows
