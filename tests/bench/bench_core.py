"""The notifier alone, without sockets and disk: what a subscription, a refresh and a change cost (µs of processor).

Run it with `python tests/bench/bench_core.py [--smoke] [--profile]`. The base is one `email.parser` pass over the same
SUBSCRIBE: what the standard library takes to read one of the two messages that each row's first line has.
"""

import argparse
import cProfile
import email.parser
import gc
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gitops_profile.event_packages import UAProfile
from gitops_profile.presentity import ProfileChanged, ProfileKey
from gitops_profile.server.tokens import Tokens
from gitops_profile.sip import Flow, Notifier, NotifierSettings
from tests.bench.wire import BODY, ECHOED, REVISION, document, subscribe, table_of

HERE = ("127.0.0.1", 5060)
PHONE = ("127.0.0.1", 5070)
NOW = 1_800_000_000.0
PARSER = email.parser.BytesHeaderParser()
HEADERS = subscribe(5070, 1, "u1").partition(b"\r\n")[2]


class Peers:
    """Phones and store of one notifier: everything is durable at once, and every NOTIFY is answered 200."""

    def __init__(self, count: int, users: int) -> None:
        self.table = table_of(users)
        settings = NotifierSettings(notify_rate=1e9, notify_in_flight=1 << 30)
        self.package = UAProfile(self.table)
        self.notifier = Notifier(self.package, settings, Tokens())
        self.flow = Flow("udp", HERE, PHONE)
        self.requests = [subscribe(5070, number, f"u{number % users}") for number in range(count)]
        self.tags: dict[bytes, bytes] = {}
        self.now = NOW
        self.seconds = self.base = 0.0
        self.based = 0
        self.exchange([subscribe(5070, 1 << 40, "u0").replace(b"Expires: 3600", b"Expires: 0")])

    def pump(self) -> list[bytes]:
        """What the notifier has to send, its batch stored."""
        notifier = self.notifier
        batch = notifier.take_batch()
        if batch is not None:
            notifier.committed(batch, now=self.now)
        notifier.events()
        out = notifier.messages_to_send()
        sent = [data for data, flow in out if not flow.reliable]
        if len(sent) < len(out):
            for data, flow in out:
                if flow.reliable:  # RFC 3261 §18.1.1 tries TCP above 1300 bytes; these phones do not listen there
                    notifier.transport_failed(data, flow, now=self.now)
            return sent + self.pump()
        return sent

    def timed(self, messages: list[bytes]) -> list[bytes]:
        """Give the notifier messages, 64 to a turn; what it sent. Only its own time is counted."""
        sent: list[bytes] = []
        for start in range(0, len(messages), 64):
            sent += self.turn(messages[start : start + 64])
            self.now += 0.003
        return sent

    def turn(self, messages: list[bytes]) -> list[bytes]:
        """What the notifier sends for these messages; its time, and the base's."""
        clock = time.process_time
        begin = clock()
        sent = self.handled(messages)
        self.seconds += clock() - begin
        begin = clock()
        for _ in range(4):
            PARSER.parsebytes(HEADERS).items()
        self.base += (clock() - begin) / 4
        self.based += 1
        return sent

    def handled(self, messages: list[bytes]) -> list[bytes]:
        """The same without a clock."""
        for message in messages:
            self.notifier.receive(message, self.flow, now=self.now)
        return self.pump()

    def exchange(self, messages: list[bytes]) -> None:
        """The messages, and an answer to each NOTIFY that they bring."""
        self.timed(self.answers(self.timed(messages)))

    def answers(self, sent: list[bytes]) -> list[bytes]:
        """The 200s to the NOTIFYs among `sent`; each 200 to a SUBSCRIBE is remembered for the refresh."""
        answers = []
        for data in sent:
            head = data[: data.find(b"\r\n\r\n")].split(b"\r\n")
            if head[0].startswith(b"NOTIFY "):
                lines = [line for line in head if line.startswith(ECHOED)]
                answers.append(b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0\r\n\r\n"]))
            else:
                fields = dict(line.split(b": ", 1) for line in head[1:])
                self.tags[fields[b"Call-ID"]] = fields[b"To"]
        return answers

    def refreshes(self, cseq: int, expires: int = 3600) -> list[bytes]:
        """The same SUBSCRIBEs again, inside their dialogs."""
        made = []
        for request in self.requests:
            head = request.split(b"\r\n")
            call_id = next(line[9:] for line in head if line.startswith(b"Call-ID: "))
            text = request.replace(b"branch=z9hG4bK", b"branch=z9hG4bK%d" % cseq)
            text = text.replace(b"CSeq: 1 ", b"CSeq: %d " % cseq).replace(b"Expires: 3600", b"Expires: %d" % expires)
            to = next(line for line in head if line.startswith(b"To: "))
            made.append(text.replace(to, b"To: " + self.tags[call_id]))
        return made


def initial(peers: Peers) -> None:
    peers.exchange(peers.requests)
    assert len(peers.notifier) == len(peers.requests)


def refresh(peers: Peers) -> None:
    peers.exchange(peers.refreshes(2))


def fan_out(peers: Peers) -> None:
    """One change of each document."""
    keys: list[ProfileKey] = []
    for number in range(len(peers.table)):
        keys += peers.table.apply(ProfileChanged(document(f"u{number}", BODY + b"\n"), REVISION))
    begin = time.process_time()
    peers.notifier.state_changed([str(key) for key in keys], now=peers.now)
    sent = peers.pump()
    while len(sent) < len(peers.requests):  # a slice at a time
        peers.notifier.handle_deadline(now=peers.now)
        sent += peers.pump()
    peers.seconds += time.process_time() - begin
    peers.timed(peers.answers(sent))


def unsubscribe(peers: Peers) -> None:
    peers.exchange(peers.refreshes(3, expires=0))
    assert not len(peers.notifier)


def fetch(peers: Peers) -> None:
    peers.exchange([request.replace(b"Expires: 3600", b"Expires: 0") for request in peers.requests])


ROWS: dict[str, Callable[[Peers], None]] = {
    "SUBSCRIBE, 200, NOTIFY, 200": initial,
    "refresh, 200, NOTIFY, 200": refresh,
    "a change of every document: NOTIFY, 200": fan_out,
    "unsubscribe, 200, NOTIFY, 200": unsubscribe,
}


def row(name: str, peers: Peers) -> str:
    each, reference = peers.seconds / len(peers.requests), peers.base / peers.based
    return (
        f"| core: {name} | {1 / each:,.0f}/s | {each * 1e6:.1f} µs CPU each "
        f"| {each / reference:.2f} × email.parser ({reference * 1e6:.1f} µs) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="few dialogs: does it run at all")
    parser.add_argument("--profile", action="store_true", help="where the time goes, by function")
    options = parser.parse_args()
    count = 500 if options.smoke else 20_000
    peers = Peers(count, users=min(count, 10_000))
    gc.freeze()
    for name, run in ROWS.items():
        profile = cProfile.Profile()
        if options.profile:
            profile.enable()
        peers.seconds = peers.base = 0.0
        peers.based = 0
        run(peers)
        profile.disable()
        print(row(name, peers))
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    fresh = Peers(min(count, 4_000), users=min(count, 4_000))
    fetch(fresh)
    print(row("fetch, 200, NOTIFY, 200", fresh))


if __name__ == "__main__":
    main()
