"""A SIP notifier (RFC 6665 §4.2), driven by messages, changes and deadlines.

It owns no socket, no clock and no disk. After any call that takes `now`: give what `take_batch` returns to the store
and, once it is durable, to `committed` (or to `commit_failed`); send `messages_to_send()`; tell `events()` to whoever
counts; come back at `next_deadline()`. `now` is in unix seconds and never goes back.
"""

from collections.abc import Callable, Iterable, KeysView

from .access import AccessControl, OpenAccess
from .batch import Batch
from .commitments import Commitments
from .delivery import Delivery
from .earlier import Backlog
from .event_package import EventPackage
from .flow import Flow
from .refusal import Refused
from .reply import build_response, response_flow, to_tag_in
from .restoring import Restoring, restore
from .settings import NotifierSettings
from .stored import StoredSubscription
from .subscribe import (
    ALLOW,
    KNOWN_METHODS,
    check_body,
    check_extensions,
    check_uri,
)
from .subscribing import Subscribing
from .subscription import (
    REJECTED,
    Subscription,
)
from .subscription_events import (
    MessageRefused,
    SubscriptionEvent,
)
from .syntax import Request, Response, SIPSyntaxError, parse_message, read_plain_answer, read_plain_request
from .transaction import ServerTransaction, TransactionLayer

__all__ = ["Batch", "Notifier", "NotifierSettings"]


CANCELLED = ("SUBSCRIBE", "OPTIONS", *KNOWN_METHODS)
"""Methods of requests that a CANCEL may name."""


class Notifier:
    """Every subscription to one event package."""

    def __init__(
        self,
        package: EventPackage,
        settings: NotifierSettings,
        new_token: Callable[[], str],
        access: AccessControl | None = None,
        holds: Callable[[str], bool] = lambda resource: False,
    ) -> None:
        """Without `access` everybody may have everything; with `holds` some changes wait (`Delivery`)."""
        self._package = package
        self._access = access or OpenAccess()
        self._settings = settings
        self._outbox: list[tuple[bytes, Flow]] = []
        self._events: list[SubscriptionEvent] = []
        self.strays: list[Response] = []
        """Responses to nothing that it has sent: whoever sends by the same sockets takes them, or drops them."""
        self._layer = TransactionLayer(self._outbox, settings.timers)
        self._delivery = Delivery(package, self._access, settings, new_token, self._layer, self._events, holds)
        self._commitments = Commitments(self._delivery, settings, self._layer, self._events)
        self._subscribing = Subscribing(package, self._access, settings, new_token, self._delivery, self._events)
        self._restoring: Restoring | None = None
        self.find = self._delivery.registry.find
        self.subscriptions_to = self._delivery.registry.to
        self.take_batch = self._delivery.held.take_batch
        self.state_changed = self._delivery.state_changed
        self.transport_failed = self._delivery.transport_failed
        self.committed = self._commitments.committed
        self.commit_failed = self._commitments.commit_failed
        self.lookups = self._delivery.lookups.take
        self.looked_up = self._delivery.looked_up

    def __len__(self) -> int:
        return len(self._delivery.registry)

    # -- what the shell asks -----------------------------------------------------------------------------------

    def messages_to_send(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent now, in order."""
        messages = self._outbox[:]
        self._outbox.clear()
        return messages

    def events(self) -> list[SubscriptionEvent]:
        """What happened since the last call."""
        events = self._events[:]
        self._events.clear()
        return events

    def subscriptions(self) -> Iterable[Subscription]:
        """Every subscription held."""
        return self._delivery.registry

    def resources(self) -> KeysView[str]:
        """Every resource that somebody is subscribed to."""
        return self._delivery.registry.resources()

    def count_to(self, resources: Iterable[str]) -> int:
        """How many subscriptions there are to these resources."""
        return sum(self._delivery.registry.count_to(resource) for resource in resources)

    @property
    def is_quiet(self) -> bool:
        """Whether no NOTIFY waits or is unanswered."""
        return self._delivery.is_quiet

    # -- an earlier life ---------------------------------------------------------------------------------------

    def restore(self, rows: Iterable[StoredSubscription], *, now: float) -> None:
        """Take up the subscriptions of an earlier life; whoever misses a change is told, nobody else (I3, I6)."""
        restore(self._delivery, rows, now)

    def begin_restoring(self, backlog: Backlog, *, now: float) -> None:
        """The same while it serves: `restore_some` goes on with it, until nothing is left."""
        self._delivery.registry.earlier = self._restoring = Restoring(self._delivery, backlog, now)

    def restore_some(self, *, now: float) -> bool:
        """Take up some more; whether there may be others. Raises ValueError for a row that cannot be one."""
        if self._restoring is None or not self._restoring.some(now):
            self._delivery.registry.earlier = self._restoring = None
        return self._restoring is not None

    @property
    def to_come(self) -> int:
        """How many are left: held, but in no list of subscriptions or resources yet."""
        return len(self._restoring) if self._restoring is not None else 0

    # -- what the operator wants -------------------------------------------------------------------------------

    def drain(self, reason: str, *, now: float) -> None:
        """Send every subscriber elsewhere: `deactivated`, or `probation;retry-after=60` (RFC 6665 §4.4.2)."""
        self._delivery.end_all(reason, self.subscriptions(), now=now)

    def reauthorize(self, *, now: float) -> None:
        """End, as `rejected`, the subscriptions of those who may not have them any more (RFC 6665 §4.1.3)."""
        lost = [held for held in self.subscriptions() if not self._delivery.may_have(held)]
        self._delivery.end_all(REJECTED, lost, now=now)

    def next_deadline(self) -> float | None:
        """When `handle_deadline` is wanted next."""
        due, retry = self._delivery.next_deadline(), self._commitments.next_deadline()
        return due if retry is None else retry if due is None else min(due, retry)

    def handle_deadline(self, *, now: float) -> None:
        """Do what is due."""
        self._delivery.handle_deadline(now=now)
        self._commitments.handle_deadline(now=now)
        for transaction in self._layer.take_slow():
            # RFC 4320 §4.1: the store is slow; with a 100 the phone asks every four seconds and not more often.
            assert transaction.request is not None
            stamp = transaction.request.headers.get("timestamp")
            # §8.2.6.1: copied, with the time that it took us behind it.
            fields = [("Timestamp", f"{stamp} {self._settings.timers.trying:g}")] if stamp else []
            answer = build_response(transaction.request, transaction.destination, 100, fields=fields)
            self._layer.proceed(transaction, answer)

    # -- messages ----------------------------------------------------------------------------------------------

    def receive(self, data: bytes, flow: Flow, *, now: float) -> None:
        """One message from the wire."""
        try:
            request = read_plain_request(data) or self._read(data, now)
            if request is None:
                return
            if len(data) > self._settings.message_bytes:
                error = SIPSyntaxError("Message Too Large", status=513)
                error.request = request
                raise error
        except SIPSyntaxError as error:
            self.refuse(error, flow)
            return
        transaction = self._layer.receive_request(request, response_flow(request, flow), now=now)
        if transaction is not None:
            self._receive_request(request, transaction, flow, now)

    def _read(self, data: bytes, now: float) -> Request | None:
        """The request in `data`, checked; a response is dealt with. Raises SIPSyntaxError."""
        plain = read_plain_answer(data)
        if plain is not None and self._delivery.receive_ok(*plain, now):
            return None
        message = parse_message(data)
        if isinstance(message, Response):
            if not self._delivery.receive_response(message, now):
                self.strays.append(message)
            return None
        message.check()
        return message

    def refuse(self, error: SIPSyntaxError, flow: Flow) -> None:
        """400 and its kin, statelessly (RFC 3261 §8.2.7); silence for what cannot be answered, and for an ACK."""
        request: Request | None = error.request
        answerable = request is not None and request.method != "ACK" and request.headers.get("via") is not None
        if request is not None and answerable:
            reason = error.reason if error.status == 400 else ""
            fields = [("Allow-Events", self._package.name)] if error.status == 489 else []
            answer = build_response(request, flow, error.status, reason, fields=fields)
            self._outbox.append((answer, response_flow(request, flow)))
        self._events.append(MessageRefused(flow.remote[0], error.status if answerable else 0, error.reason))

    def _receive_request(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        try:
            if self._layer.is_merged(transaction):
                raise Refused(482)
            match request.method:
                case "SUBSCRIBE":
                    self._subscribing.subscribe(request, transaction, flow, now)
                case "OPTIONS":
                    check_uri(request, flow)
                    check_extensions(request)
                    check_body(request)
                    if request.to_tag is not None:
                        self._subscribing.use_cseq(request, self._subscribing.in_dialog(request))
                    self._reply(request, transaction, flow, 200, now, self._capabilities())
                case "CANCEL":
                    self._cancel(request, transaction, flow, now)
                case method if method in KNOWN_METHODS:
                    raise Refused(405, "", ("Allow", ALLOW))
                case _:
                    raise Refused(501, "", ("Allow", ALLOW))
        except SIPSyntaxError as unread:
            self._refuse_request(request, transaction, flow, Refused(400, unread.reason), now)
        except Refused as refused:
            # By no second name: 20 objects would be left to the collector, which had 50 of a flood's 100 ms.
            self._refuse_request(request, transaction, flow, refused, now)
        except Exception:
            # A bug of ours: it is answered all the same, for a transaction without an answer would never end.
            self._reply(request, transaction, flow, 500, now)
            raise

    def _cancel(self, request: Request, transaction: ServerTransaction, flow: Flow, now: float) -> None:
        """RFC 3261 §9.2: too late for whatever it names, which is answered at once; both answers have one To tag."""
        cancelled = self._layer.cancelled(request, CANCELLED)
        status, to_tag = (481, None) if cancelled is None else (200, to_tag_in(cancelled.response))
        self._layer.respond(transaction, build_response(request, flow, status, to_tag=to_tag), now=now)

    def _refuse_request(
        self, request: Request, transaction: ServerTransaction, flow: Flow, refused: Refused, now: float
    ) -> None:
        self._reply(request, transaction, flow, refused.status, now, refused.fields, refused.reason)
        self._events.append(MessageRefused(flow.remote[0], refused.status, refused.reason))
        if refused.fact is not None:
            self._events.append(refused.fact)

    def _capabilities(self) -> tuple[tuple[str, str], ...]:
        """RFC 3261 §11.2, RFC 6665 §4.4.4."""
        return (
            ("Allow", ALLOW),
            ("Allow-Events", self._package.name),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "en"),
            ("Supported", ""),
        )

    def _reply(
        self,
        request: Request,
        transaction: ServerTransaction,
        flow: Flow,
        status: int,
        now: float,
        fields: Iterable[tuple[str, str]] = (),
        reason: str = "",
    ) -> None:
        self._layer.respond(transaction, build_response(request, flow, status, reason, fields=fields), now=now)
