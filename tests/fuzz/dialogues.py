"""Dialogues with the whole notifier, in virtual time."""

import re
from random import Random
from typing import Any, cast

from gitops_profile.event_packages import UAProfile
from gitops_profile.presentity import (
    PresentityTable,
    ProfileAdded,
    ProfileDocument,
    ProfileKey,
    RevisionApplied,
    RevisionStamp,
)
from gitops_profile.sip import NotifierSettings
from gitops_profile.sip.syntax import Request, Response
from tests.sip.harness import TCP, UDP, FakePackage, Lab, Phone, parsed

from . import generate

RESPONSE = re.compile(rb"[\r\n]*SIP/", re.IGNORECASE)
FOREVER = 200_000.0
"""Seconds after which no subscription can be left: more than the longest that is granted."""
STAMP = RevisionStamp("a" * 40, "A", "C", "2026-01-01T00:00:00Z", "m")
SETTINGS = NotifierSettings()
Dialogue = list[tuple[bytes, bool, int]]


def dialogue(r: Random) -> Dialogue:
    """Messages, whether each comes over a stream, and what happens after it."""
    good = Phone(Lab(), call_id=f"call-{r.randrange(3)}").build(r.choice([600, 0, None]), To="<sip:alice@example.com>")
    tagged = good.replace(b"alice@example.com>\r\nCall", b"alice@example.com>;tag=t0\r\nCall").replace(
        b"CSeq: 1", b"CSeq: 5"
    )
    messages = [good, tagged, *(generate.message(r) for _ in range(r.randrange(1, 4)))]
    return [(r.choice(messages), r.random() < 0.4, r.randrange(6)) for _ in range(r.randrange(1, 6))]


def _answered(notify: Request, status: int) -> bytes:
    copied = (f"{name}: {notify.headers.get(name)}\r\n" for name in ("via", "from", "to", "call-id", "cseq"))
    return f"SIP/2.0 {status} X\r\n{''.join(copied)}\r\n".encode("utf-8", "surrogateescape")


def _well_formed(data: bytes) -> Request | Response | None:
    """The message that was sent; None for one that repeats more headers than we ourselves would read."""
    return parsed(data) if data.count(b"\r\n") <= 200 else None


def check_notifier(dialogue: Dialogue, lab: Lab | None = None) -> None:
    """It never raises, never answers a response, says only what is well formed, and keeps no half subscription."""
    lab = lab or Lab(SETTINGS)
    for data, stream, then in dialogue:
        sent = lab.receive(data, TCP if stream else UDP)
        if RESPONSE.match(data):
            assert not [message for message in sent if message.startswith(b"SIP/")]
        requests = [message for message in map(_well_formed, sent) if isinstance(message, Request)]
        assert all(request.method == "NOTIFY" for request in requests)
        assert {subscription.id for subscription in lab.notifier.subscriptions()} == set(lab.rows)
        match then:
            case 0 | 1:
                for request in requests:
                    lab.receive(_answered(request, 200 if then else 481), UDP)
            case 2 if isinstance(lab.package, FakePackage):
                lab.change("alice", bytes(data[:20]))
            case 3:
                lab.run_until(lab.now + 40)
            case 4:
                lab.restart()
            case _:
                pass
    lab.run_until(lab.now + FOREVER)
    assert len(lab.notifier) == 0 and not lab.rows and lab.notifier.next_deadline() is None
    for _, message, _ in lab.sent:
        _well_formed(message)


def provisioned() -> PresentityTable:
    """A table with a profile of each type."""
    table = PresentityTable()
    user, device = ProfileKey.user("example.com", "alice"), ProfileKey.device("example.com", "00135E874B49")
    for key in (user, device, ProfileKey.local_network("example.com")):
        table.apply(ProfileAdded(ProfileDocument(key, "text/xml", b"<a/>" * 500, "p"), STAMP))
    table.apply(RevisionApplied(STAMP, "main", "profiles", 1, 3, 0, 0))
    return table


def check_ua_profile(dialogue: Dialogue) -> None:
    """The same with the real event package in front of real documents, links and unknown devices."""
    package = UAProfile(provisioned(), url_of=lambda key, shown: "https://h/p", takes_unknown_devices=lambda _: True)
    check_notifier(dialogue, Lab(SETTINGS, cast(Any, package)))
