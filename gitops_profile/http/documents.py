"""Documents for phones that fetch: `GET <public_url>p/…`, by the file names of each vendor.

One answer for whoever asks for something that is not there, or that is not for him: the same 404, after the same work
(invariant I10). What a phone sends, such as its logs, is taken in within bounds.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11

from gitops_profile.devices import (
    FileKind,
    FileRoutes,
    How,
    Sighting,
    shown_to,
    vendor_of,
)
from gitops_profile.presentity import (
    Presentation,
    PresentityTable,
    ProfileDocument,
    ProfileKey,
    is_device_id,
    mac_of,
)

from .content_access import FetchRefused
from .device_gate import DeviceGate
from .device_passwords import Client
from .device_proof import Proof
from .document_answer import HEADERS, answer_of
from .document_links import DocumentLinks
from .document_path import Asked, Resolve, read_path
from .listener import Below
from .plain_get import Asking, PlainGet
from .preconditions import failed, wanted_before
from .questions import Found, Question, Questions
from .uploads import NotAsWanted, TooLarge, TooMany, UploadMode, Uploads
from .whole_answer import WRITE_SECONDS, WholeAnswer, send_response

logger = logging.getLogger(__name__)

DOCUMENTS_PATH = "p/"
"""Behind the public URL."""
UPLOAD_SECONDS = 60.0
"""For all of an upload to come; then 408."""
SILENT_SECONDS = 10.0
"""Without a byte of it; then 408, too. Of what is no chunk aiohttp tells nobody."""
MAX_USER_AGENT = 255
_NOBODYS = ProfileDocument(ProfileKey.device("nobody.invalid", "nobody"), "text/plain", b"", "", sensitive=True)
"""Stands in for a document that is not there."""


class DeviceDocuments:
    """The documents in force, by the names under which phones look for them."""

    def __init__(
        self,
        table: PresentityTable,
        gate: DeviceGate,
        links: DocumentLinks,
        uploads: Uploads,
        *,
        prefix: str,
        resolve: Resolve,
        routes: Callable[[], FileRoutes],
        tag_of: Callable[[Presentation], str],
        see: Callable[[Sighting], None],
        clock: Callable[[], float],
        write_seconds: float = WRITE_SECONDS,
    ) -> None:
        """`prefix` is the public URL's path with DOCUMENTS_PATH. `routes` are the names as the repository has them.

        `tag_of(shown)` is the entity-tag that phones see. `see` is told of every answer. `clock` is in Unix seconds.
        """
        self._table = table
        self._questions = Questions(table, self._asked)
        self._gate = gate
        self._links = links
        self._uploads = uploads
        self._prefix = prefix
        self._resolve = resolve
        self._file_routes = routes
        self._tag_of = tag_of
        self._see = see
        self._clock = clock
        self._write_seconds = write_seconds

    def routes(self) -> list[web.RouteDef | Below]:
        """For the listener."""
        path = f"{self._prefix}{{file:.*}}"
        return [
            Below(self._prefix, self._get, self._get_plain),
            web.put(path, self._put, expect_handler=self._expect),
            web.post(path, self._put, expect_handler=self._expect),
        ]

    def named_by(self, path: str) -> ProfileKey | None:
        """The profile that a path, as it is in a URL, names by its key; None when it names a file, or nothing."""
        return self._asked(path).profile

    # -- GET -------------------------------------------------------------------------------------------------------

    async def _get(self, request: web.BaseRequest) -> web.StreamResponse:
        visit = self._visit(request)
        answer, found = self._judge(visit)
        response = await answer.send(request, self._write_seconds)
        self._note_get(visit, answer, found)
        return response

    def _get_plain(self, request: PlainGet) -> None:
        """The same at once; raises ValueError for a header that cannot be one."""
        visit = self._visit(request)
        answer, found = self._judge(visit)
        answer.write(request.transport)
        request.when_read(partial(self._note_get, visit, answer, found), self._write_seconds)
        if answer.is_last:
            request.transport.close()

    def _judge(self, visit: "_Visit") -> tuple[WholeAnswer, Found | None]:
        """What the visitor is answered, and what he is given, if anything."""
        try:
            proof = visit.proof = self._prove(visit)
            found = visit.question.found or self._find(visit.question)
            may = self._may(visit, found.key, found.shown, proof, found.tag)
            if found.document is None or not may:
                self._miss(visit, proof, found.document)
                raise _not_found()
            return answer_of(visit.request, found, self._table.revision_of, time.time()), found
        except FetchRefused as refused:
            return refused.answer(HEADERS), None

    def _note_get(self, visit: "_Visit", answer: WholeAnswer, found: Found | None) -> None:
        """Who was given nothing is not seen to have anything, and by HEAD he has seen the tag and nothing else."""
        tag = found.tag if found is not None and visit.request.method != "HEAD" else None
        self._note(visit, How.GET, answer.status, found.name if found is not None else None, tag)

    def _visit(self, request: Asking) -> "_Visit":
        question = self._questions.question(request.raw_path, request.headers.get(hdrs.USER_AGENT))
        return _Visit(request, question, self._gate.client(request))

    def _prove(self, visit: "_Visit") -> Proof | None:
        question = visit.question
        return self._gate.prove(visit.request, visit.client, question.asked.capability, question.device)

    def _asked(self, path: str) -> Asked:
        if not path.startswith("/"):
            path = urlsplit(path).path  # RFC 9112 §3.2.2: as to a proxy
        raw = path.partition("?")[0].removeprefix(self._prefix)
        return read_path(raw, self._links, self._file_routes(), self._table.domains, self._clock())

    def _find(self, question: Question) -> Found:
        """The first profile that the name stands for. Each is looked up, whether an earlier one is there or not."""
        asked = question.asked
        names = (
            [asked.profile] if asked.profile is not None else [self._resolve(asked.domain, n) for n in asked.file.names]
        )
        documents = [(key, self._table.get(key) if key is not None else None) for key in names]
        key, document = next(((key, found) for key, found in documents if found is not None), (None, None))
        # Nobody's document costs as much as somebody else's (invariant I10).
        shown = self._shown(question, document or _NOBODYS)
        # Without a domain in it, a name stands for the same one in each.
        is_only = asked.profile is not None or (len(names) == 1 and asked.domain is not None)
        question.found = Found(key, document, shown, self._tag_of(shown), is_only=is_only)
        return question.found

    def _is_known(self, asked: Asked) -> bool:
        """Whether the device has a profile."""
        mac = asked.file.mac
        return mac is not None and self._resolve(asked.domain, mac) is not None

    def _shown(self, question: Question, document: ProfileDocument) -> Presentation:
        """What a phone of this kind gets: it says its model in its User-Agent."""
        return shown_to(document, question.vendor, question.claim.model, question.claim.firmware)

    def _may(self, visit: "_Visit", key: ProfileKey | None, shown: Presentation, proof: Proof | None, tag: str) -> bool:
        """Whether the client may have it: what is sensitive over https to its own device alone, or while it is new."""
        asked, client = visit.question.asked, visit.client
        if self._gate.is_decoy(visit.question.device):
            return False
        if self._gate.is_open(client):
            return True
        if shown.sensitive and not client.is_https:
            return False
        if proof is None:
            return not self._gate.wants_proof and not shown.sensitive and asked.profile is None
        if proof.etag is not None and proof.etag != tag:
            return False
        if asked.file.kind is FileKind.COMMON:
            return not shown.sensitive and self._is_for_all(asked, key, proof)
        return proof.subject in (asked.file.mac, str(key))

    def _is_for_all(self, asked: Asked, key: ProfileKey | None, proof: Proof) -> bool:
        """Whether no phone has this document as its own, by name or alias, but perhaps the one that asks.

        A file for all phones is named as somebody likes: so might the document of one phone be.
        """
        document = self._table.get(key) if key is not None else None
        names = (document.key, *document.aliases) if document is not None else ()
        own = [one.name for one in names if is_device_id(one.name)]
        return not own or self._resolve(asked.domain, proof.subject) == key

    def _miss(self, visit: "_Visit", proof: Proof | None, document: ProfileDocument | None) -> None:
        """Tell the gate, unless it is one more file that a phone looks for which may have its document."""
        asked = visit.question.asked
        mac = asked.file.mac
        key = self._resolve(asked.domain, mac) if mac is not None else None
        own = self._table.get(key) if key is not None else None
        shown = self._shown(visit.question, own or _NOBODYS)
        may = self._may(visit, key, shown, proof, self._tag_of(shown))
        if own is None or not may:
            self._gate.missed(visit.client, asked.device, exists=(document or own) is not None, proof=proof)

    # -- PUT -------------------------------------------------------------------------------------------------------

    async def _expect(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Say what is wrong with an upload before it is sent (RFC 9110 §10.1.1)."""
        too_large = (request.content_length or 0) > self._uploads.limits.file_bytes
        is_part = hdrs.CONTENT_RANGE in request.headers
        if too_large or is_part or self._uploads.mode is UploadMode.REFUSE or request.version < HttpVersion11:
            return None  # the handler says what is wrong, and who speaks HTTP/1.0 waits for nothing
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
        return None

    async def _put(self, request: web.BaseRequest) -> web.StreamResponse:
        visit = self._visit(request)
        try:
            visit.proof = self._prove(visit)
            response = await self._take(request, visit, visit.proof)
        except FetchRefused as refused:
            response = refused.response(HEADERS)
        if response.status >= 300:
            response.force_close()  # what is still on its way is not read
        await send_response(request, response, self._write_seconds)
        self._note(visit, How.PUT, response.status, None, None)
        return response

    async def _take(self, request: web.BaseRequest, visit: "_Visit", proof: Proof | None) -> web.Response:
        asked = visit.question.asked
        device = asked.file.mac
        known = self._is_known(asked)
        if self._uploads.mode is UploadMode.REFUSE:
            raise FetchRefused(405, "Nothing is taken in here.", ("Allow", "GET, HEAD"))
        allowed = proof.subject == device if proof is not None else not self._gate.wants_proof
        allowed = (allowed or self._gate.is_open(visit.client)) and not self._gate.is_decoy(device)
        if device is None or not known or not allowed:
            self._gate.missed(visit.client, device, exists=known, proof=proof)
            raise _not_found()
        if hdrs.CONTENT_RANGE in request.headers:
            raise FetchRefused(400, "A part of a file is not taken in.")  # RFC 9110 §14.5
        before = wanted_before(request.headers)
        too_large = FetchRefused(413, f"At most {self._uploads.limits.file_bytes} bytes are taken in.")
        if (request.content_length or 0) > self._uploads.limits.file_bytes:
            raise too_large
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                is_new = await self._uploads.take(device, asked.name, _chunks(request), before=before)
        except TooLarge as error:
            raise too_large from error
        except NotAsWanted as error:
            raise failed() from error
        except TooMany as error:
            raise FetchRefused(503, "Too many are sending something now.", ("Retry-After", "60")) from error
        except TimeoutError as error:
            raise FetchRefused(408, "It took too long.") from error
        except ConnectionError:
            raise  # the phone has gone: nothing is wrong with the disk
        except OSError as error:
            logger.warning("an upload cannot be kept device=%s: %s", device, error.strerror or error)
            raise FetchRefused(507, "There is no room for it now.") from error
        return web.Response(status=201 if is_new else 204, headers=HEADERS)

    # -- both ------------------------------------------------------------------------------------------------------

    def _note(self, visit: "_Visit", how: How, status: int, key: str | None, tag: str | None) -> None:
        """Tell who was seen. Who asked for a file of many is who he has shown to be, else who his User-Agent says."""
        question, proof = visit.question, visit.proof
        claim, agent, own_mac = question.claim, question.agent, question.asked.file.mac
        shown_mac = own_mac or (mac_of(proof.subject) if proof is not None else None)
        mac = shown_mac or claim.mac
        is_proven = proof is not None and proof.subject in (mac, question.device, key)
        vendor = question.vendor if mac == own_mac else vendor_of(None, mac, claim.vendor)
        source = visit.client.address
        self._see(
            Sighting(
                how, self._clock(), source, mac=mac, vendor=vendor.known_name,
                model=claim.model, firmware=claim.firmware, serial=claim.serial,
                user_agent=agent[:MAX_USER_AGENT] if agent else None, key=key, etag=tag, status=status,
                # A link of a user, or of a room, shows nothing of the MAC that whoever has it says.
                proven=is_proven and mac == shown_mac,
            )
        )  # fmt: skip
        # Never the path: a capability in it opens documents (invariant I7).
        logger.debug("document %s key=%s mac=%s status=%d source=%s", how, key, mac, status, source)


class _Visit:
    """A request, and what was found out of it once."""

    __slots__ = ("client", "proof", "question", "request")

    def __init__(self, request: Asking, question: Question, client: Client) -> None:
        self.request = request
        self.question = question
        self.client = client
        self.proof: Proof | None = None
        """Set when the gate has looked."""


async def _chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """What comes of a body; raises TimeoutError when nothing does."""
    while True:
        async with asyncio.timeout(SILENT_SECONDS):
            chunk = await request.content.read(1 << 16)
        if not chunk:
            return
        yield chunk


def _not_found() -> FetchRefused:
    """A new one each time: an exception keeps the frames of every place where it was raised, and their requests."""
    return FetchRefused(404, "There is no document here.")
