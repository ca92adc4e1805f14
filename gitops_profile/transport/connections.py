"""Every TCP and TLS connection, in and out, found by number or by peer (RFC 3261 §18, RFC 5923)."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from gitops_profile.sip import Flow
from gitops_profile.sip.syntax import SIPSyntaxError

from .accept import Acceptor
from .limits import Admission
from .stream import StreamConnection
from .tls import CertificateError
from .turns import Turns

logger = logging.getLogger(__name__)

BUSY = -1
"""Instead of the number of a connection, for what is not sent because of a bound of ours: its peer may be there."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE)
Remote = tuple[str, tuple[str, int]]
"""Transport and address."""
Destination = tuple[Remote, tuple[str, ...]]
"""And the names that the peer must certify: what is for one of them must not wait for another's connection."""


class StreamTransport:
    """The connections of the server that carry a stream of messages."""

    def __init__(
        self,
        admission: Admission,
        on_message: Callable[[bytes, Flow], None],
        on_burst: Callable[[], None],
        on_failed: Callable[[bytes, Flow], None],
        on_unframed: Callable[[SIPSyntaxError, Flow], None],
        client_context: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """`client_context` is for the TLS connections that we open; without it none is opened."""
        self.admission = admission
        self.turns = Turns(on_burst)
        self._on_message = on_message
        self._on_burst = on_burst
        self._on_failed = on_failed
        self._on_unframed = on_unframed
        self._client_context = client_context
        self._acceptor = Acceptor(admission)
        self._connections: dict[int, StreamConnection] = {}
        self._by_remote: dict[Remote, StreamConnection] = {}
        self._dialling: dict[Destination, list[tuple[bytes, Flow]]] = {}
        self._turns = asyncio.Semaphore(admission.limits.dials)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def listen(self, sock: socket.socket, context: Callable[[], ssl.SSLContext] | None = None) -> None:
        """Accept connections of a bound socket: TLS ones with a `context`, TCP ones without."""
        name = "tcp" if context is None else "tls"
        self._acceptor.listen(sock, lambda number: StreamConnection(self, number, name), context)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send on the flow's connection, on another one to the same peer, or (a NOTIFY only) on a new one."""
        connection = self._connections.get(flow.connection) or self._of_peer(flow)
        is_request = data.startswith(b"NOTIFY ")
        # A peer that has closed its side could not answer a request there.
        if connection is not None and not (is_request and connection.is_ending) and connection.write(data):
            return
        if not is_request:
            return  # the peer closed before its answer came
        destination = ((flow.transport, flow.remote), flow.peer)
        waiting = self._dialling.get(destination)
        limits = self.admission.limits
        if waiting is not None and len(waiting) < limits.waiting:
            waiting.append((data, flow))
        elif waiting is not None or len(self._dialling) >= limits.destinations:
            # The caller is still sending.
            asyncio.get_running_loop().call_soon(self._failed, [(data, replace(flow, connection=BUSY))])
        else:
            self._dialling[destination] = [(data, flow)]
            task = asyncio.get_running_loop().create_task(self._dial(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def has_peer(self, flow: Flow) -> bool:
        """Whether there is a connection with the peer of the flow, as certified as it must be."""
        return self._of_peer(flow) is not None

    async def close(self) -> None:
        """Close the listeners and every connection."""
        self._closed = True
        await self._acceptor.close()
        for connection in list(self._connections.values()):
            connection.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _of_peer(self, flow: Flow) -> StreamConnection | None:
        """Another connection with the same peer. On TLS it must have been certified who that is: to an address alone,
        behind a NAT or after a restart, somebody else may have connected since (RFC 5923 §9.2)."""
        connection = self._by_remote.get((flow.transport, flow.remote))
        if connection is None or flow.transport != "tls":
            return connection
        wanted = _must_certify(flow)
        return connection if not connection.certified.isdisjoint(wanted) else None

    async def _dial(self, flow: Flow) -> None:
        connection, number = None, 0
        try:
            async with self._turns:
                connection = await self._connect(flow)
        except (OSError, CertificateError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            logger.debug("%s connect to %s failed: %s", flow.transport, flow.remote[0], error)
            number = BUSY if isinstance(error, OSError) and error.errno in _NO_ROOM else 0
        waiting = self._dialling.pop(((flow.transport, flow.remote), flow.peer), [])
        unsent = [(data, to) for data, to in waiting if connection is None or not connection.write(data)]
        self._failed([(data, replace(to, connection=number)) for data, to in unsent])

    async def _connect(self, flow: Flow) -> StreamConnection:
        """Raises OSError and CertificateError."""
        limits = self.admission.limits
        context = self._client_context() if flow.transport == "tls" and self._client_context is not None else None
        if flow.transport == "tls" and context is None:
            raise ConnectionRefusedError("no TLS connections are opened")
        number = self.admission.admit(flow.remote[0])
        if number is None:
            raise OSError(errno.EMFILE, "too many connections")
        must_certify = None if context is None else _must_certify(flow)
        connection = StreamConnection(self, number, flow.transport, must_certify)
        family = socket.AF_INET6 if ":" in flow.remote[0] else socket.AF_INET
        try:
            async with asyncio.timeout(limits.connect):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    *flow.remote,
                    family=family,
                    ssl=context,
                    server_hostname=None if must_certify is None else must_certify[0],
                    ssl_shutdown_timeout=None if context is None else limits.linger,
                )
        except BaseException:
            self.admission.release(number)
            raise
        if connection.flow is None:
            raise ConnectionRefusedError("the certificate is for somebody else")
        return connection

    def _failed(self, messages: list[tuple[bytes, Flow]]) -> None:
        for data, flow in messages:
            self._on_failed(data, flow)
        self._on_burst()

    # -- what connections tell -----------------------------------------------------------------------------------

    def opened(self, connection: StreamConnection) -> None:
        """A connection is in use."""
        assert connection.flow is not None
        self._connections[connection.number] = connection
        self._by_remote[connection.flow.transport, connection.flow.remote] = connection

    def closed(self, connection: StreamConnection) -> None:
        """A connection is gone."""
        assert connection.flow is not None
        self._connections.pop(connection.number, None)
        key = (connection.flow.transport, connection.flow.remote)
        if self._by_remote.get(key) is connection:
            del self._by_remote[key]

    def lost(self, requests: list[bytes], flow: Flow) -> None:
        """A connection is gone on which these were sent."""
        if not self._closed:
            self._failed([(data, flow) for data in requests])

    def received(self, message: bytes, flow: Flow) -> None:
        """One whole message."""
        self._on_message(message, flow)

    def unframed(self, error: SIPSyntaxError, flow: Flow) -> None:
        """A stream that cannot be cut into messages any more: what came before is handled, the rest refused."""
        for message in error.messages:
            self._on_message(message, flow)
        self._on_unframed(error, flow)


def _must_certify(flow: Flow) -> tuple[str, ...]:
    """The names, or the address, of which the certificate of the flow's peer must be."""
    return flow.peer or (flow.remote[0].partition("%")[0],)
