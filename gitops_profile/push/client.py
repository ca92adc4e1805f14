"""Sends check-syncs and hears their answers: paced, repeated by Timer E, challenged once (RFC 3261 §17.1.2, §22.2).

It owns no socket and no clock, like the notifier: after any call send `messages_to_send()`, take `events()`, come back
at `next_deadline()`. A phone is told by one NOTIFY at a time; nothing is kept of it once that has its answer.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gitops_profile.sip import Flow, Timers
from gitops_profile.sip.syntax import Response
from gitops_profile.sip.transaction import TransactionLayer

from .request import SILENT, UNSENT, Push, PushAnswered, PushSent, Verdict, build_push, verdict_of

Answer = Callable[[Response, str | None, str], tuple[str, str] | None]
"""Response, user, Request-URI: the header field that answers the challenge; None when there are no credentials."""


@dataclass(slots=True)
class _Try:
    push: Push
    flow: int
    """Which of the flows."""
    tag: str
    call_id: str
    cseq: int
    is_answer: bool
    """Whether it carried credentials already."""


class PushClient:
    """Every check-sync on its way."""

    def __init__(
        self,
        new_token: Callable[[], str],
        answer: Answer,
        *,
        rate: float,
        in_flight: int,
        timers: Timers | None = None,
    ) -> None:
        """At most `rate` leave in a second, and `in_flight` are unanswered."""
        self._new_token = new_token
        self._answer = answer
        self._rate = rate
        self._in_flight = in_flight
        self._outbox: list[tuple[bytes, Flow]] = []
        self._layer = TransactionLayer(self._outbox, timers or Timers())
        self._waiting: deque[Push] = deque()
        self._busy: dict[str, str] = {}
        """Phone: the branch of its NOTIFY."""
        self._events: list[PushSent | PushAnswered] = []
        self._next_free = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def send(self, push: Push, *, now: float) -> None:
        """Tell a phone, as soon as its turn comes."""
        self._waiting.append(push)
        self._drain(now)

    def is_busy(self, device: str) -> bool:
        """Whether a NOTIFY to this phone waits for its turn or its answer."""
        return device in self._busy or any(push.device == device for push in self._waiting)

    def messages_to_send(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent now, in order."""
        messages = self._outbox[:]
        self._outbox.clear()
        return messages

    def events(self) -> list[PushSent | PushAnswered]:
        """What happened since the last call."""
        events = self._events[:]
        self._events.clear()
        return events

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        due = self._layer.next_deadline()
        free = self._next_free if self._waiting and len(self._busy) < self._in_flight else None
        return due if free is None else free if due is None else min(due, free)

    def handle_deadline(self, *, now: float) -> None:
        """Repeat what is unanswered, give up what is silent, send whose turn has come."""
        timed_out, _ = self._layer.handle_deadline(now=now)
        for transaction in timed_out:
            self._failed(transaction.owner, SILENT, now)
        self._drain(now)

    def receive_response(self, response: Response, *, now: float) -> bool:
        """A response from the wire; whether it was for one of ours."""
        transaction = self._layer.receive_response(response)
        if transaction is None:
            return False
        attempt: _Try = transaction.owner
        if response.status in (401, 407) and not attempt.is_answer:
            credentials = self._answer(response, attempt.push.user, attempt.push.target)
            if credentials is not None:
                attempt.cseq += 1  # RFC 3261 §22.2
                attempt.is_answer = True
                self._attempt(attempt, now, credentials)
                return True
        self._ended(attempt, response.status, _reason(response.status, attempt), now)
        return True

    def transport_failed(self, data: bytes, *, now: float) -> None:
        """`data` could not be sent: the next address, or nobody is there (RFC 3263 §4.3)."""
        if not data.startswith(b"NOTIFY "):
            return
        start = data.find(b";branch=") + len(b";branch=")
        transaction = self._layer.drop_client(data[start : data.find(b";", start)].decode("ascii", "replace"))
        if transaction is not None:
            self._failed(transaction.owner, UNSENT, now)

    # -- one NOTIFY ------------------------------------------------------------------------------------------------

    def _drain(self, now: float) -> None:
        waiting_for_answers: deque[Push] = deque()
        while self._waiting and len(self._busy) < self._in_flight and self._next_free <= now + 0.001:
            push = self._waiting.popleft()
            if push.device in self._busy:
                waiting_for_answers.append(push)  # one at a time keeps them in order
                continue
            self._next_free = max(self._next_free, now - 0.1) + 1 / self._rate
            self._events.append(PushSent(push))
            self._attempt(_Try(push, 0, self._new_token(), self._new_token(), 1, is_answer=False), now, None)
        self._waiting.extendleft(reversed(waiting_for_answers))

    def _attempt(self, attempt: _Try, now: float, credentials: tuple[str, str] | None) -> None:
        branch = "z9hG4bK" + self._new_token()
        to = attempt.push.flows[attempt.flow]
        data = build_push(
            attempt.push, to, branch=branch, tag=attempt.tag, call_id=attempt.call_id, cseq=attempt.cseq,
            credentials=credentials,
        )  # fmt: skip
        self._busy[attempt.push.device] = branch
        self._layer.send_request(branch, data, to, attempt, now=now)

    def _failed(self, attempt: _Try, status: int, now: float) -> None:
        if attempt.flow + 1 < len(attempt.push.flows):
            attempt.flow += 1
            attempt.is_answer = False
            self._attempt(attempt, now, None)
            return
        self._ended(attempt, status, _reason(status, attempt), now)

    def _ended(self, attempt: _Try, status: int, reason: str, now: float) -> None:
        self._busy.pop(attempt.push.device, None)
        self._events.append(PushAnswered(attempt.push, status, verdict_of(status), reason))
        self._drain(now)


def _reason(status: int, attempt: _Try) -> str:
    match verdict_of(status):
        case Verdict.HEARD | Verdict.UNSUPPORTED:
            return ""
        case Verdict.OFFLINE:
            what = {SILENT: "does not answer", UNSENT: "cannot be reached"}.get(status, f"is offline ({status})")
            return f"the phone {what}"
    if status not in (401, 407):
        return f"the check-sync was answered {status}"
    if attempt.is_answer:
        return "the phone does not take its line's credentials: see push.credentials"
    return "the phone wants its line's credentials: give them in push.credentials, and notify.aor in its manifest"
