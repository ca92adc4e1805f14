"""SUBSCRIBE → 200 → NOTIFY → 200 over UDP with the real store, beside the same four datagrams without any SIP.

Run it with `python tests/bench/bench_subscribe.py [--smoke]`; BENCH_DIR says on which disk. The phones are another
process, 64 dialogs at a time; CPU is the server's alone, its writer thread included. Every 200 waits for its fsync.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.event_packages import UAProfile
from gitops_profile.server.tokens import Tokens
from gitops_profile.sip import Notifier, NotifierSettings, SubscriptionEvent
from gitops_profile.sip.subscription_events import NotifyAnswered
from gitops_profile.subscriptions import SubscriptionStore
from gitops_profile.transport import ListenAddress, SIPEndpoint, bind_all
from tests.bench.loop import run
from tests.bench.wire import BODY, RECEIVE_BUFFER, Phones, Stopwatch, running, table_of

Figures = tuple[float, float]


async def sip(phones: Phones, folder: Path) -> Figures:
    """Wall-clock and processor seconds of all dialogs through the real endpoint."""
    done = asyncio.Event()
    answered = 0

    def count(event: SubscriptionEvent) -> None:
        nonlocal answered
        answered += isinstance(event, NotifyAnswered) and event.status == 200
        if answered == phones.count:
            done.set()

    with running(phones) as (pipe, _):
        store = SubscriptionStore.open(folder / "subscriptions.sqlite")
        store.start(asyncio.get_running_loop())
        package = UAProfile(table_of(phones.users))
        endpoint = SIPEndpoint(Notifier(package, NotifierSettings(), Tokens()), store, count)
        sockets = bind_all([ListenAddress.parse("udp:127.0.0.1:0")])
        await endpoint.listen(sockets)
        bound = str(sockets[0][0])
        watch = Stopwatch()
        pipe.send(int(bound.rpartition(":")[2]))
        async with asyncio.timeout(120):
            await done.wait()
        await asyncio.to_thread(store.close)  # the last acknowledgements become durable
        figures = watch.read()
        await endpoint.close()
        assert len(endpoint.notifier) == phones.count
    return figures


async def bare(phones: Phones) -> Figures:
    """The same datagrams, answered with constant bytes."""
    response = b"SIP/2.0 200 OK\r\n" + b"x" * 450
    notify = b"NOTIFY x SIP/2.0\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: " + b"x" * 450 + b"\r\n\r\n" + BODY
    done = asyncio.Event()
    answered = 0
    with running(phones) as (pipe, _), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)

        def readable() -> None:
            nonlocal answered
            for _ in range(64):
                try:
                    data, source = sock.recvfrom(65535)
                except BlockingIOError:
                    return
                if data.startswith(b"SUBSCRIBE"):
                    sock.sendto(response, source)
                    sock.sendto(notify, source)
                else:
                    answered += 1
                    if answered == phones.count:
                        done.set()

        loop = asyncio.get_running_loop()
        loop.add_reader(sock, readable)
        watch = Stopwatch()
        pipe.send(sock.getsockname()[1])
        async with asyncio.timeout(60):
            await done.wait()
        loop.remove_reader(sock)
        return watch.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few dialogs: does it run at all")
    count = 500 if parser.parse_args().smoke else 20_000
    phones = Phones(count, users=min(count, 10_000))
    base_wall, base_cpu = run(bare(phones))
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        wall, cpu = run(sip(phones, Path(folder)))
    print(
        f"| SUBSCRIBE, 200, NOTIFY, 200, durable, {count:,} dialogs | {count / wall:,.0f}/s "
        f"| {cpu / count * 1e6:.0f} µs CPU each "
        f"| {cpu / base_cpu:.1f} × bare UDP ({base_cpu / count * 1e6:.0f} µs, {count / base_wall:,.0f}/s) |"
    )


if __name__ == "__main__":
    main()
