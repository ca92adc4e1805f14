"""Our server under the peer harness: starts it, and is the harness's hook.

    BENCH_HARNESS=DIR python tests/bench/peer_hook.py RUN start --docs 20000 --port 5072 [-- OPTION OF serve …]
    python tests/bench/peer_hook.py RUN pids | mem | kill9 | restart | subs | stop
    python tests/bench/peer_hook.py RUN change FIRST COUNT VERSION [METHOD]
    python tests/bench/peer_hook.py RUN put USER < DOCUMENT, del USER, refresh USER

RUN is a folder that is made. Each verb but `start` answers with one line of JSON, as the harness wants it.
"""

import argparse
import json
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.peer import processes
from tests.bench.peer.ours import ROOT, UNBOUND, Run


def start(folder: Path, arguments: list[str]) -> dict[str, object]:
    parser = argparse.ArgumentParser(prog="peer_hook.py RUN start")
    parser.add_argument("--docs", type=int, default=20_000)
    parser.add_argument("--port", type=int, default=5072)
    parser.add_argument("--doc-size", type=int, default=1000)
    parser.add_argument("--root", default=str(ROOT), help="the tree whose gitops_profile is started")
    parser.add_argument("--rate", type=int, default=UNBOUND, help="notify.rate")
    parser.add_argument("--in-flight", type=int, default=1000, help="notify.in_flight; 1000 is the product's default")
    parser.add_argument("options", nargs="*", help="after --: further options of gitops-profile serve")
    given = parser.parse_args(arguments)
    shutil.rmtree(folder, ignore_errors=True)
    run = Run(
        str(folder), given.port, given.docs, given.doc_size, given.root, given.options, given.rate, given.in_flight
    )
    run.prepare()
    run.start()
    return {"pid": run.pid, "target": run.target, "docs": run.documents, "ready_s": round(run.seconds, 3)}


def subscriptions(folder: Path) -> list[tuple[object, ...]]:
    """What a restart would keep."""
    with closing(sqlite3.connect(f"file:{folder}/state/subscriptions.db?mode=ro", uri=True)) as database:
        return database.execute("SELECT * FROM subscription").fetchall()


def answer(folder: Path, verb: str, arguments: list[str]) -> object:
    """What a verb is answered with."""
    run = Run.open(folder)
    match verb, arguments:
        case "pids", []:
            return {"groups": {"server": processes.family(run.pid)}}
        case "mem", []:
            return {"private": sum(processes.resident(pid) for pid in processes.family(run.pid))}
        case "change", [first, count, version, *_]:
            return {**run.change(range(int(first), int(first) + int(count)), int(version)), "bad": 0}
        case "put", [user, *_]:
            return run.commit([(user, sys.stdin.buffer.read())])
        case "del", [user]:
            return run.commit([(user, None)])
        case "refresh", [_]:
            return {}  # a commit is all it takes
        case "subs", []:
            return [[str(value) for value in row] for row in subscriptions(folder)]
        case "kill9", []:
            run.stop(signal.SIGKILL)
        case "restart", _:
            if processes.alive(run.pid):
                run.stop()
            run.start()
        case "stop", []:
            run.stop()
        case _:
            sys.exit(__doc__)
    return {"ready_s": round(run.seconds, 3)}


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, verb, arguments = Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:]
    print(json.dumps(start(folder, arguments) if verb == "start" else answer(folder, verb, arguments)))


if __name__ == "__main__":
    main()
