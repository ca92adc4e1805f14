"""One change to 10 000 subscribers of one profile, until the last NOTIFY is answered, beside bare datagrams.

Run it with `python tests/bench/bench_fanout.py [--smoke]`; BENCH_DIR says on which disk. The phones are one socket in
another process and have really subscribed; CPU is the server's alone, its writer thread included. The base is the same
number of datagrams of the same size each way, at most 1000 unanswered, which is what the notifier allows itself.
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
from gitops_profile.presentity import ProfileChanged
from gitops_profile.server.tokens import Tokens
from gitops_profile.sip import Notifier, NotifierSettings, SubscriptionEvent
from gitops_profile.sip.subscription_events import NotifyAnswered
from gitops_profile.subscriptions import SubscriptionStore
from gitops_profile.transport import ListenAddress, SIPEndpoint, bind_all
from tests.bench.loop import run
from tests.bench.wire import BODY, RECEIVE_BUFFER, REVISION, Phones, Stopwatch, document, running, table_of

Figures = tuple[float, float]


async def sip(phones: Phones, folder: Path) -> Figures:
    """Wall-clock and processor seconds from the change to the last answer, its row durable."""
    subscribed, told = asyncio.Event(), asyncio.Event()
    answered = 0

    def count(event: SubscriptionEvent) -> None:
        nonlocal answered
        answered += isinstance(event, NotifyAnswered) and event.status == 200
        if answered == phones.count:
            subscribed.set()
        if answered == 2 * phones.count:
            told.set()

    with running(phones) as (pipe, _):
        store = SubscriptionStore.open(folder / "subscriptions.sqlite")
        store.start(asyncio.get_running_loop())
        table = table_of(1)
        package = UAProfile(table)
        endpoint = SIPEndpoint(Notifier(package, NotifierSettings(), Tokens()), store, count)
        sockets = bind_all([ListenAddress.parse("udp:127.0.0.1:0")])
        await endpoint.listen(sockets)
        bound = str(sockets[0][0])
        pipe.send(int(bound.rpartition(":")[2]))
        async with asyncio.timeout(120):
            await subscribed.wait()
        await asyncio.to_thread(pipe.recv)
        watch = Stopwatch()
        (key,) = table.apply(ProfileChanged(document("u0", BODY + b"\n"), REVISION))
        endpoint.state_changed([str(key)])
        async with asyncio.timeout(60):
            await told.wait()
        await asyncio.to_thread(store.close)
        figures = watch.read()
        await endpoint.close()
        etag = document("u0", BODY + b"\n").etag
        assert all(subscription.acknowledged_etag == etag for subscription in endpoint.notifier.subscriptions())
    return figures


async def bare(phones: Phones) -> Figures:
    """As many datagrams, built before the clock starts."""
    notify = b"NOTIFY x SIP/2.0\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: " + b"x" * 450 + b"\r\n\r\n" + BODY
    done = asyncio.Event()
    sent = answered = 0
    allowed = NotifierSettings().notify_in_flight
    with running(Phones(0, 1, further=phones.count)) as (pipe, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            pipe.send(sock.getsockname()[1])
            assert pipe.recv() == "subscribed"

            def send() -> None:
                nonlocal sent
                while sent < phones.count and sent - answered < allowed:
                    try:
                        sock.sendto(notify, ("127.0.0.1", port))
                    except BlockingIOError:
                        return
                    sent += 1

            def readable() -> None:
                nonlocal answered
                for _ in range(64):
                    try:
                        sock.recvfrom(65535)
                    except BlockingIOError:
                        break
                    answered += 1
                send()
                if answered == phones.count:
                    done.set()

            loop = asyncio.get_running_loop()
            loop.add_reader(sock, readable)
            watch = Stopwatch()
            send()
            async with asyncio.timeout(60):
                await done.wait()
            loop.remove_reader(sock)
            return watch.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few subscribers: does it run at all")
    count = 300 if parser.parse_args().smoke else 10_000
    phones = Phones(count, users=1, further=count)
    base_wall, base_cpu = run(bare(phones))
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        wall, cpu = run(sip(phones, Path(folder)))
    print(
        f"| one change, {count:,} NOTIFYs, last one answered | {wall:.2f} s, {count / wall:,.0f}/s "
        f"| {cpu / count * 1e6:.0f} µs CPU each "
        f"| {cpu / base_cpu:.1f} × bare UDP ({base_cpu / count * 1e6:.0f} µs, {base_wall:.2f} s) |"
    )


if __name__ == "__main__":
    main()
