"""Sends check-syncs and hears their answers: paced, repeated by Timer E, challenges answered (RFC 3261 §17.1.2, §22.2).

It owns no socket and no clock, like the notifier: after any call send `messages_to_send()`, take `events()`, come back
at `next_deadline()`. A phone is told by one NOTIFY at a time; nothing is kept of it once that has its answer.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from gitops_profile.digest import Credentials, DigestSyntaxError, read_challenges
from gitops_profile.sip import Flow, Timers
from gitops_profile.sip.syntax import Response
from gitops_profile.sip.transaction import TransactionLayer

from .request import SILENT, UNSENT, Push, PushAnswered, PushSent, Verdict, build_push, verdict_of

Answer = Callable[[Response, str | None, str], tuple[str, str] | None]
"""Response, user, Request-URI: the header field that answers the challenge; None when there are no credentials."""
MAX_ANSWERS = 3
"""Challenges of one check-sync that are answered: the proxy's, the phone's, and the proxy's again with a new nonce."""
_ASKED_AND_GIVEN = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


@dataclass(slots=True)
class _Try:
    push: Push
    flow: int
    """Which of the flows."""
    tag: str
    call_id: str
    cseq: int
    credentials: dict[str, str] = field(default_factory=dict)
    """By header field: what it carries already, of the proxy and of the phone."""
    challenged: list[int] = field(default_factory=list)
    """The challenges that were answered."""

    def may_answer(self, response: Response) -> bool:
        """Whether this challenge is one more: whoever challenges twice running does not take what he was given, unless
        he says that only its nonce was too old.
        """
        return (
            response.status in _ASKED_AND_GIVEN
            and len(self.challenged) < MAX_ANSWERS
            and (not self.challenged or self.challenged[-1] != response.status or self._is_stale(response))
        )

    def _is_stale(self, response: Response) -> bool:
        """Whether what was given is right but for its nonce, in place of which there is another (RFC 7616 §3.3)."""
        asked, field_given = _ASKED_AND_GIVEN[response.status]
        try:
            given = Credentials.parse(self.credentials[field_given])
        except (KeyError, DigestSyntaxError):  # what was given is made of what the phone wrote
            return False
        if given is None:
            return False
        fitting = [
            one
            for one in read_challenges(response.headers.all(asked))
            if one.realm == given.realm and one.algorithm.upper() == (given.algorithm or "MD5").upper()
        ]
        return bool(fitting) and fitting[0].stale and fitting[0].nonce != given.nonce


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
        self._queued: Counter[str] = Counter()
        """Phone: how often it waits."""
        self._busy: set[str] = set()
        """The phones whose NOTIFY is unanswered."""
        self._events: list[PushSent | PushAnswered] = []
        self._next_free = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def send(self, push: Push, *, now: float) -> None:
        """Tell a phone, as soon as its turn comes."""
        self._waiting.append(push)
        self._queued[push.device] += 1
        self._drain(now)

    def is_busy(self, device: str) -> bool:
        """Whether a NOTIFY to this phone waits for its turn or its answer."""
        return device in self._busy or device in self._queued

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
        if attempt.may_answer(response):
            answer = self._answer(response, attempt.push.user, attempt.push.target)
            if answer is not None:
                attempt.cseq += 1  # RFC 3261 §22.2
                attempt.credentials[answer[0]] = answer[1]
                attempt.challenged.append(response.status)
                self._attempt(attempt, now)
                return True
        if response.status == UNSENT:
            self._failed(attempt, response.status, now)  # RFC 3263 §4.3: the next address may have room
        else:
            self._ended(attempt, response.status, now)
        return True

    def transport_failed(self, data: bytes, *, now: float) -> None:
        """`data` could not be sent: the next address, or nobody is there (RFC 3263 §4.3)."""
        transaction = self._layer.drop_unsent(data)
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
            self._queued[push.device] -= 1
            if not self._queued[push.device]:
                del self._queued[push.device]
            self._next_free = max(self._next_free, now - 0.1) + 1 / self._rate
            self._events.append(PushSent(push))
            self._attempt(_Try(push, 0, self._new_token(), self._new_token(), 1), now)
        self._waiting.extendleft(reversed(waiting_for_answers))

    def _attempt(self, attempt: _Try, now: float) -> None:
        branch = "z9hG4bK" + self._new_token()
        to = attempt.push.flows[attempt.flow]
        data = build_push(
            attempt.push, to, branch=branch, tag=attempt.tag, call_id=attempt.call_id, cseq=attempt.cseq,
            credentials=attempt.credentials,
        )  # fmt: skip
        self._busy.add(attempt.push.device)
        self._layer.send_request(branch, data, to, attempt, now=now)

    def _failed(self, attempt: _Try, status: int, now: float) -> None:
        if attempt.flow + 1 < len(attempt.push.flows):
            attempt.flow += 1
            attempt.credentials.clear()
            attempt.challenged.clear()
            self._attempt(attempt, now)
            return
        self._ended(attempt, status, now)

    def _ended(self, attempt: _Try, status: int, now: float) -> None:
        self._busy.discard(attempt.push.device)
        self._events.append(PushAnswered(attempt.push, status, verdict_of(status), _reason(status, attempt)))
        self._drain(now)


def _reason(status: int, attempt: _Try) -> str:
    match verdict_of(status):
        case Verdict.HEARD | Verdict.UNSUPPORTED:
            return ""
        case Verdict.OFFLINE:
            what = {SILENT: "does not answer", UNSENT: "cannot be reached"}.get(status, f"is offline ({status})")
            return f"the phone {what}"
        case Verdict.REFUSED if status not in (401, 407):
            return f"the check-sync was answered {status}"
    who = "the phone" if status == 401 else "the proxy"
    if status in attempt.challenged:
        return f"{who} does not take the credentials of {attempt.push.user}: see push.credentials"
    if attempt.push.user is None:
        return f"{who} wants a line's credentials: {attempt.push.without_user}"
    return f"{who} wants the credentials of {attempt.push.user}: give them in push.credentials"
