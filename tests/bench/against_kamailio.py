"""Ours beside Kamailio, on this machine and in this run: one table, a line for each row and each peer.

    BENCH_HARNESS=DIR python tests/bench/against_kamailio.py [--full] [--held N] [--row NAME …] [--json FILE] [-- …]

Kamailio once in memory only (its best) and once with everything in PostgreSQL (what survives a restart, as ours does),
both as the harness starts them, all driven by the harness's load generator. About ten minutes, three times that with
--full. Ratios above 1 are in our favour. A figure is "noisy" when others used more than 5 % of the machine meanwhile.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.peer import harness, processes, rows
from tests.bench.peer.ours import ROOT
from tests.bench.peer.rows import FANS, NAMES, OPERATIONS, Figure, Scale
from tests.bench.peer.sides import Ours, Side, in_memory, in_postgres

QUICK = 20_000
"""Operations of each kind in the harness's test `quick`."""
MEMORY_DOCUMENTS = 1000
CHECKED = 2000
"""Subscriptions that are refreshed after a restart, to see that they are still there."""


class Measuring:
    """One server, the rows that were asked for, and every record of the harness."""

    def __init__(self, side: Side, wanted: Collection[str], scale: Scale, patience: float) -> None:
        self.side, self.scale = side, scale
        self.figures: dict[str, Figure] = {}
        self.records: list[harness.Record] = []
        self._wanted, self._patience = wanted, patience

    def run(self) -> None:
        """Everything; a row that fails has a figure that says why."""
        if self._wants(*OPERATIONS):
            self._served(QUICK, self._operations, *OPERATIONS)
        for name in FANS:
            if self._wants(name):
                documents = self.scale.fan if name == "fan-many" else 1
                self._served(documents, lambda name=name: self._fan(name), name)  # type: ignore[misc]
        against = rows.targets("restart", self.scale)[0 if self.side.name.endswith("memory only") else 1]
        if self._wants("restart") and against is not None:
            self._served(self.scale.held, self._restart, "restart")
        if self._wants("memory") and not self.side.name.endswith("PostgreSQL"):
            self._served(MEMORY_DOCUMENTS, self._memory, "memory")

    def _wants(self, *names: str) -> bool:
        return any(name in self._wanted for name in names)

    def _served(self, documents: int, measure: Callable[[], None], *names: str) -> None:
        """Measure with the server started afresh for it: what it held before is in no figure."""
        print(f"{time.strftime('%H:%M:%S')} {self.side.name}: {', '.join(names)}", file=sys.stderr, flush=True)
        try:
            self.side.start(documents)
            try:
                measure()
            finally:
                self.side.stop()
        except (RuntimeError, OSError, AssertionError) as error:
            for name in names:
                self.figures.setdefault(name, Figure(trouble=" ".join(str(error).split())[-200:]))

    def _harness(self, documents: int, test: str, *options: str) -> list[harness.Record]:
        arguments = ["--docs", str(documents), "--label", self.side.name, *options]
        found = harness.run(self.side.target, self.side.hook, [test], *arguments, patience=self._patience)
        self.records += found
        return found

    def _operations(self) -> None:
        found = self._harness(QUICK, "quick")
        for name in OPERATIONS:
            self.figures[name] = rows.operation(found, name)

    def _fan(self, name: str) -> None:
        count, method = self.scale.fan, ("--change", self.side.change)
        found = self._harness(count, FANS[name], "--fanout", str(count), "--fan-timeout", "120", *method)
        self.figures[name] = rows.fan(found, name, count)

    def _memory(self) -> None:
        count = self.scale.held
        found = self._harness(MEMORY_DOCUMENTS, "mem", "--mem-steps", f"0,{count}")
        self.figures["memory"] = rows.memory(found, count)

    def _restart(self) -> None:
        count, side = self.scale.held, self.side
        phones = harness.Generator(side.target, count, count)
        try:
            with harness.lock():
                begun = phones("run", op="subscribe", n=count, window=32, timeout=32, maxtime=500)
                time.sleep(1)
                before = {
                    pid: (processes.cpu_of(pid, ended_children=True), processes.parent(pid)) for pid in side.pids()
                }
                seconds = side.restart()
                after = {pid: processes.cpu_of(pid, ended_children=True) for pid in side.pids()}
                # What an ended process had spent is in its parent's figure, where that lives on (PostgreSQL's).
                lived = sum(spent for pid, (spent, above) in before.items() if pid in after or above in after)
                checked = min(CHECKED, count)
                kept = phones("run", op="refresh", n=checked, window=32, timeout=8, maxtime=60)
        finally:
            phones.close()
        cpu = sum(after.values()) - lived
        self.records.append(
            {"test": "restart", "label": side.name, "n": count, "s": seconds, "cpu_s": cpu, "kept": kept["ok"]}
        )
        trouble = f"{begun['failed']} of {count:,} could not subscribe" if begun["failed"] else ""
        if kept["ok"] < checked:
            trouble = trouble or f"{checked - kept['ok']} of {checked:,} lost: {kept['codes']}"
        self.figures["restart"] = Figure(seconds, cpu, trouble)


def label(name: str, scale: Scale) -> str:
    """The row's first cell."""
    return {
        "subscribe": "initial SUBSCRIBE → 200 → NOTIFY → 200",
        "refresh": "refresh",
        "unsubscribe": "unsubscribe",
        "fetch": "fetch (Expires: 0)",
        "fan-many": f"one change of {scale.fan:,} documents, one subscriber each",
        "fan-one": f"one document, {scale.fan:,} subscribers",
        "restart": f"restart with {scale.held:,} profiles and subscriptions",
        "memory": f"memory of a subscription, {scale.held:,} held",
    }[name]


def table(wanted: Collection[str], scale: Scale, memory: Measuring, postgres: Measuring, ours: Measuring) -> list[str]:
    """Markdown."""
    lines = ["| row | peer | peer's | ours | ratio | target | met |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name in wanted:
        for measured, target in zip((memory, postgres), rows.targets(name, scale), strict=True):
            if target is None:
                continue
            missing = Figure(trouble="not measured")
            peer, own = measured.figures.get(name, missing), ours.figures.get(name, missing)
            cells = [label(name, scale), measured.side.name, rows.shown(name, peer), rows.shown(name, own)]
            cells += [rows.ratio(name, peer, own), target.words, rows.verdict(target, peer, own)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="50 000 to notify, 100 000 held; else 10 000 and 20 000")
    parser.add_argument("--held", type=int, help="that many profiles and subscriptions in the rows restart and memory")
    parser.add_argument("--row", action="append", choices=NAMES, help="this row only; may be repeated")
    parser.add_argument("--json", type=Path, help="write figures and every record of the harness there")
    parser.add_argument("--in-flight", type=int, default=1000, help="our notify.in_flight; 1000 is the default")
    parser.add_argument("--root", default=str(ROOT), help="the tree whose gitops_profile is measured")
    parser.add_argument("--patience", type=float, default=900, help="seconds for one test of one server at most")
    parser.add_argument("options", nargs="*", help="after --: further options of gitops-profile serve")
    given = parser.parse_args()
    wanted = [name for name in NAMES if not given.row or name in given.row]
    fan, held = (50_000, 100_000) if given.full else (10_000, 20_000)
    scale = Scale(fan, given.held or held)
    if shutil.which("kamailio") is None:
        sys.exit("kamailio is not installed; the harness's README names the packages")
    with tempfile.TemporaryDirectory(prefix="against-kamailio-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL is another user
        sides: list[Side] = [
            in_memory(folder / "memory"),
            in_postgres(folder / "postgres"),
            Ours(folder / "ours", 5072, given.options, given.in_flight, given.root),
        ]
        measured = [Measuring(side, wanted, scale, given.patience) for side in sides]
        for one in measured:
            one.run()
    print("\n".join(table(wanted, scale, *measured)))
    if given.json is not None:
        everything = {
            one.side.name: {"figures": {k: asdict(v) for k, v in one.figures.items()}, "records": one.records}
            for one in measured
        }
        given.json.write_text(json.dumps({"scale": asdict(scale), "servers": everything}, indent=1))


if __name__ == "__main__":
    main()
