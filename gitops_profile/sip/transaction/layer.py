"""The transaction layer: matches, creates, times and forgets transactions (RFC 3261 §17). No timer objects.

All who wait equally long stand in one queue, so whoever came first is due first: to wait costs an append, and to be
answered in time costs nothing (a heap of 10 000 that wait took 3 µs for each of them).

Timer D, I and K keep a completed transaction only to absorb repetitions. A response or ACK that matches nothing is
dropped anyway, which absorbs it as well: those transactions end at once.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count

from ..flow import Flow, host_port
from ..syntax import Request, Response
from .client_transaction import ClientTransaction
from .key import TransactionKey, server_key
from .server_transaction import ServerState, ServerTransaction
from .timers import Timers

MAX_COMPLETED = 50_000
"""Answered requests that are kept for repetitions; of more, the oldest is forgotten before its Timer J. At 5000 a
second that is after 10 s, when a repetition has had five answers."""
MAX_COMPLETED_BYTES = 64 << 20
"""Of their answers together."""
_NEVER = float("inf")


class TransactionLayer:
    """Every transaction of one notifier; what is to be sent is appended to `outbox`."""

    def __init__(self, outbox: list[tuple[bytes, Flow]], timers: Timers) -> None:
        self._outbox = outbox
        self._timers = timers
        self._servers: dict[TransactionKey, ServerTransaction] = {}
        self._merges: dict[TransactionKey, ServerTransaction] = {}
        # Timer J is the same for all, so the order of starting is the order of ending.
        self._ending: deque[tuple[float, ServerTransaction]] = deque()
        self._trying: deque[tuple[float, ServerTransaction]] = deque()
        """In the order of their coming; by far most are answered when they are looked at."""
        self._slow_after = timers.trying
        self._slow: list[ServerTransaction] = []
        self._ending_bytes = 0
        self._clients: dict[str, ClientTransaction] = {}
        self._waiting: dict[float, deque[tuple[float, ClientTransaction | ServerTransaction]]] = {}
        """For a retransmission, or the end: by how long they wait, which are some seven different times."""
        self._others: list[tuple[float, int, ClientTransaction | ServerTransaction]] = []
        """The few that would break the order of their queue: a heap."""
        self._number = count()

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    @property
    def unanswered(self) -> int:
        """Requests of ours on their way."""
        return len(self._clients)

    # -- server side -----------------------------------------------------------------------------------------

    def receive_request(self, request: Request, destination: Flow, *, now: float) -> ServerTransaction | None:
        """A new transaction, or None when this is a repetition (answered again if it was answered) or an ACK.

        `destination` is where its responses go.
        """
        key = server_key(request)
        known = self._servers.get(key)
        if known is not None:
            if request.method == "ACK":
                self._confirm(known)
            elif known.response and known.state is not ServerState.CONFIRMED:
                self._outbox.append((known.response, known.destination))
            return None
        if request.method == "ACK":
            return None  # RFC 3261 §17.1.1.3: nothing is ever sent for an ACK
        merge_key = None
        if request.to_tag is None and request.method != "CANCEL":  # which is of the path that it names
            merge_key = (request.from_tag, request.call_id, str(request.cseq), request.method)
        transaction = ServerTransaction(key, merge_key, destination, request)
        self._servers[key] = transaction
        self._trying.append((now + self._slow_after, transaction))
        return transaction

    def is_merged(self, transaction: ServerTransaction) -> bool:
        """Whether the same request came by another path (RFC 3261 §8.2.2.2); registers it when it did not."""
        if transaction.merge_key is None:
            return False
        return self._merges.setdefault(transaction.merge_key, transaction) is not transaction

    def cancelled(self, cancel: Request, methods: Iterable[str]) -> ServerTransaction | None:
        """The transaction, of one of the `methods`, that a CANCEL names (RFC 3261 §9.2); it goes on as it was."""
        path = server_key(cancel)[:-1]
        return next((self._servers[*path, method] for method in methods if (*path, method) in self._servers), None)

    def respond(self, transaction: ServerTransaction, response: bytes, *, now: float) -> None:
        """Send the final response, and keep it for repetitions until Timer J (H for INVITE); a second is dropped."""
        if transaction.state is not ServerState.TRYING:
            return
        transaction.state = ServerState.COMPLETED
        transaction.request = None
        transaction.response = response
        self._outbox.append((response, transaction.destination))
        if not response.startswith(b"SIP/2.0 2"):
            # Nothing was made by it, so nothing can be made twice; and some phones try again with the same CSeq.
            self._forget_merge(transaction)
        if transaction.destination.reliable and not transaction.is_invite:
            self._forget(transaction)  # Timer J is zero
            return
        self._ending.append((now + self._timers.timeout, transaction))
        self._ending_bytes += len(response)
        while len(self._ending) > MAX_COMPLETED or self._ending_bytes > MAX_COMPLETED_BYTES:
            self._end_oldest()
        if transaction.is_invite and not transaction.destination.reliable:
            transaction.interval = self._timers.t1
            self._wait(transaction.interval, now + transaction.interval, transaction)

    def proceed(self, transaction: ServerTransaction, response: bytes) -> None:
        """Send a provisional response, and again for each repetition (§17.2.2, Proceeding)."""
        transaction.response = response
        self._outbox.append((response, transaction.destination))

    def _confirm(self, transaction: ServerTransaction) -> None:
        if transaction.state is ServerState.COMPLETED:
            transaction.state = ServerState.CONFIRMED

    def _end_oldest(self) -> None:
        _, transaction = self._ending.popleft()
        self._ending_bytes -= len(transaction.response)
        self._forget(transaction)

    def _forget(self, transaction: ServerTransaction) -> None:
        self._servers.pop(transaction.key, None)
        self._forget_merge(transaction)

    def forget_request(self, from_tag: str, call_id: str, cseq: int) -> None:
        """Forget the SUBSCRIBE that made a dialog, so that its repetition is a new request."""
        made = self._merges.get((from_tag, call_id, str(cseq), "SUBSCRIBE"))
        if made is not None:
            self._forget(made)

    def _forget_merge(self, transaction: ServerTransaction) -> None:
        key = transaction.merge_key
        if key is not None and self._merges.get(key) is transaction:
            del self._merges[key]

    # -- client side -----------------------------------------------------------------------------------------

    def send_request(
        self, branch: str, data: bytes, destination: Flow, owner: object, *, now: float, limit: int | None = None
    ) -> None:
        """Send a request; `owner` comes back with its end. `limit` ends it after so many transmissions."""
        kept = b"" if destination.reliable else data  # a stream repeats by itself, and documents may be large
        transaction = ClientTransaction(branch, kept, destination, owner, now, self._timers.t1, limit)
        self._clients[branch] = transaction
        self._outbox.append((data, destination))
        self._wait(transaction.interval, now + transaction.interval, transaction)

    def receive_response(self, response: Response) -> ClientTransaction | None:
        """The transaction that a final response ends; None for provisional and unmatched ones (§17.1.3)."""
        matching = response.matching()
        if matching is None:
            return None
        branch, sent_by, method = matching
        transaction = self.find_client(branch, sent_by)
        if transaction is None or method != "NOTIFY":
            return None
        if response.status < 200:
            transaction.interval = self._timers.t2  # Proceeding: Timer E is T2 (§17.1.2.2)
            transaction.limit = None  # that is for addresses where there may be nobody
            return None
        del self._clients[branch]
        return transaction

    def find_client(self, branch: str, sent_by: str) -> ClientTransaction | None:
        """The transaction that a response with these answers; None when there is none."""
        transaction = self._clients.get(branch)
        if transaction is None or sent_by != host_port(transaction.destination.local):
            return None  # RFC 3261 §18.1.2: it is somebody else's
        return transaction

    def drop_client(self, branch: str) -> ClientTransaction | None:
        """End a client transaction: it was answered, or its transport failed (§17.1.4)."""
        return self._clients.pop(branch, None)

    def drop_unsent(self, data: bytes) -> ClientTransaction | None:
        """The same by the bytes of what could not be sent; None for what is no request, or none of ours any more."""
        if not data.startswith(b"NOTIFY "):
            return None
        start = data.find(b";branch=", data.find(b"\r\nVia: ")) + len(b";branch=")  # the Request-URI may have one, too
        return self.drop_client(data[start : data.find(b";", start)].decode("ascii", "replace"))

    # -- time ------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        while self._trying and self._trying[0][1].state is not ServerState.TRYING:
            self._trying.popleft()
        times = [queue[0][0] for queue in (self._ending, self._trying) if queue]
        times += [self._first(queue) for queue in self._waiting.values() if queue]
        times += [self._others[0][0]] if self._others else []
        earliest = min(times, default=_NEVER)
        return earliest if earliest < _NEVER else None

    def _first(self, queue: deque[tuple[float, ClientTransaction | ServerTransaction]]) -> float:
        """When the first that still waits in a queue is due; those before it have been answered meanwhile."""
        while queue:
            due, transaction = queue[0]
            if isinstance(transaction, ServerTransaction) or self._clients.get(transaction.branch) is transaction:
                return due
            queue.popleft()
        return _NEVER

    def take_slow(self) -> list[ServerTransaction]:
        """The requests that have waited for their answer too long since the last call; each once."""
        slow, self._slow = self._slow, []
        return slow

    def handle_deadline(self, *, now: float) -> tuple[list[ClientTransaction], list[ClientTransaction]]:
        """Retransmit and end what is due; the client transactions that timed out, and those silent for T1."""
        while self._trying and self._trying[0][0] <= now:
            _, waiting = self._trying.popleft()
            if waiting.state is ServerState.TRYING and not waiting.is_invite:
                self._slow.append(waiting)
        while self._ending and self._ending[0][0] <= now:
            self._end_oldest()
        timed_out: list[ClientTransaction] = []
        repeated: list[ClientTransaction] = []
        for due, transaction in self._take_due(now):
            if isinstance(transaction, ServerTransaction):
                self._repeat_response(transaction, due)
            elif self._clients.get(transaction.branch) is transaction:
                if due >= transaction.started + self._timers.timeout or transaction.sent == transaction.limit:
                    del self._clients[transaction.branch]
                    timed_out.append(transaction)
                else:
                    self._repeat_request(transaction, due, repeated)
        return timed_out, repeated

    def _take_due(self, now: float) -> Iterator[tuple[float, ClientTransaction | ServerTransaction]]:
        """What has waited long enough, and what does again by the time its turn comes."""
        for queue in list(self._waiting.values()):
            while queue and queue[0][0] <= now:
                yield queue.popleft()
        while self._others and self._others[0][0] <= now:
            due, _, transaction = heapq.heappop(self._others)
            yield due, transaction

    def _repeat_request(self, transaction: ClientTransaction, due: float, repeated: list[ClientTransaction]) -> None:
        if transaction.destination.reliable:
            repeated.append(transaction)  # Timer E is none; its silence counts all the same
            self._wait(self._timers.timeout, transaction.started + self._timers.timeout, transaction)
            return
        self._outbox.append((transaction.data, transaction.destination))
        transaction.sent += 1
        if transaction.sent == 2:
            repeated.append(transaction)
        transaction.interval = min(2 * transaction.interval, self._timers.t2)
        again, end = due + transaction.interval, transaction.started + self._timers.timeout
        if again < end:
            self._wait(transaction.interval, again, transaction)
        else:
            self._wait(self._timers.timeout, end, transaction)

    def _repeat_response(self, transaction: ServerTransaction, due: float) -> None:
        if transaction.state is not ServerState.COMPLETED or self._servers.get(transaction.key) is not transaction:
            return
        self._outbox.append((transaction.response, transaction.destination))
        transaction.interval = min(2 * transaction.interval, self._timers.t2)
        self._wait(transaction.interval, due + transaction.interval, transaction)

    def _wait(self, seconds: float, at: float, transaction: ClientTransaction | ServerTransaction) -> None:
        """Have it looked at at `at`; whoever waits as many `seconds` is in one queue, where `at` only grows."""
        queue = self._waiting.get(seconds)
        if queue is None:
            queue = self._waiting[seconds] = deque()
        if queue and queue[-1][0] > at:
            heapq.heappush(self._others, (at, next(self._number), transaction))
        else:
            queue.append((at, transaction))
