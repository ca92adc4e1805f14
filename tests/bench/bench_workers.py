"""The same dialogs with one worker and with several: CPU of each process, and what finding an owner costs.

Run it with `python tests/bench/bench_workers.py [--smoke] [--workers N]`. The phones are one process behind one port,
as behind an edge proxy, so that most messages are handed over; the server is `serve`, with its database. With fewer
free cores than workers and phones the rate says little: elsewhere it is bound by the CPU time of the busiest process.
"""

import argparse
import os
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.sip import Flow
from gitops_profile.workers import Owners
from gitops_profile.workers.frames import Kind, PacketReader, flow_of, frame_of, packets
from tests.bench.wire import BODY, Phones, running, subscribe
from tests.system.lab import Lab

PHONE = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5062))
PROXY = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.1", 5070))
VIA = b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1abcdef012345678;rport=5060;received=127.0.0.1\r\n"


def micros(what: Callable[[], object], count: int) -> float:
    """Microseconds of one call, the best of five rounds."""
    return min(timeit.repeat(what, number=count, repeat=5)) / count * 1e6


def looks(count: int) -> None:
    """What it costs to know whose a message is, and to hand it over."""
    owners = Owners(0, 2)
    first = subscribe(5062, 7, "u7")
    refresh = first.replace(b"To: <sip:u7@example.com>", b"To: <sip:u7@example.com>;tag=1abcdef012345678")
    answer = b"SIP/2.0 200 OK\r\n" + VIA + b"To: <sip:u7@example.com>;tag=2\r\nCSeq: 1 NOTIFY\r\n\r\n"
    rows = [
        ("SUBSCRIBE of a phone", first, PHONE),
        ("SUBSCRIBE through a proxy", first, PROXY),
        ("refresh", refresh, PHONE),
        ("answer to a NOTIFY", answer, PHONE),
        ("refresh with compact names, parsed", refresh.replace(b"\r\nTo:", b"\r\nt:"), PHONE),
        ("answer with compact names, parsed", answer.replace(b"Via:", b"v:"), PHONE),
    ]
    for name, data, flow in rows:
        print(f"| whose is it: {name} | {micros(lambda d=data, f=flow: owners.of_message(d, f), count):.2f} µs |")  # type: ignore[misc]
    reader = PacketReader()

    def there_and_back() -> None:
        frames = [frame_of(Kind.MESSAGE, first, PHONE) for _ in range(32)]
        for packet in packets(frames, 0):
            for frame in reader.read(packet):
                flow_of(frame)

    each = micros(there_and_back, count // 32) / 32
    print(f"| handing over 700 bytes, both ends, without the sockets | {each:.2f} µs |")


def cpu_of(pid: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve(workers: int, phones: Phones, folder: Path) -> None:
    """All dialogs through a whole server."""
    lab = Lab(folder / str(workers))
    try:
        with running(phones) as (pipe, _):
            lab.git.commit({f"profiles/user/example.com/u{n}.xml": BODY for n in range(phones.users)})
            lab.server.listen = ("udp:127.0.0.1:0",)
            lab.server.start("--workers", str(workers))
            assert lab.server.process is not None
            pids = [lab.server.process.pid, *(one["process"] for one in lab.ask("status")["workers"])]
            before, start = [cpu_of(pid) for pid in pids], time.perf_counter()
            pipe.send(lab.server.port)
            assert pipe.poll(120) and pipe.recv() == "subscribed"
            wall = time.perf_counter() - start
            each = [(cpu_of(pid) - used) / phones.count * 1e6 for pid, used in zip(pids, before, strict=True)]
            shares = " + ".join(f"{one:.0f}" for one in each)
            print(
                f"| SUBSCRIBE, 200, NOTIFY, 200, durable, {phones.count:,} dialogs, workers {workers} "
                f"| {phones.count / wall:,.0f}/s | {sum(each):.0f} µs CPU each: {shares} |"
            )
    finally:
        lab.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few dialogs: does it run at all")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    looks(500 if options.smoke else 20_000)
    count = 300 if options.smoke else 15_000
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        for workers in (1, options.workers):
            serve(workers, Phones(count, users=min(count, 2000)), Path(folder))


if __name__ == "__main__":
    main()
