"""The check-syncs on the notifier's sockets: bytes and one timer, no decision."""

import asyncio
from collections.abc import Callable

from gitops_profile.push import Push, PushAnswered, PushClient, PushSent
from gitops_profile.sip.syntax import Response
from gitops_profile.transport import SIPEndpoint


class PushLine:
    """Pumps a PushClient; the endpoint's companion."""

    def __init__(
        self, client: PushClient, endpoint: SIPEndpoint, on_event: Callable[[PushSent | PushAnswered], None]
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._on_event = on_event
        self._timer: asyncio.TimerHandle | None = None
        endpoint.companion = self

    def __len__(self) -> int:
        return len(self._client)

    def is_busy(self, device: str) -> bool:
        """Whether one to this phone is under way."""
        return self._client.is_busy(device)

    def send(self, push: Push) -> None:
        """Tell a phone, as soon as its turn comes."""
        self._client.send(push, now=self._endpoint.now())
        self._pump()

    def receive_response(self, response: Response) -> None:
        """See `Companion`."""
        if self._client.receive_response(response, now=self._endpoint.now()):
            self._pump()

    def transport_failed(self, data: bytes) -> None:
        """See `Companion`."""
        self._client.transport_failed(data, now=self._endpoint.now())
        self._pump()

    def close(self) -> None:
        """Send nothing more."""
        self._endpoint.companion = None
        if self._timer is not None:
            self._timer.cancel()

    def _pump(self) -> None:
        for data, flow in self._client.messages_to_send():
            self._endpoint.send(data, flow)
        for event in self._client.events():
            self._on_event(event)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._client.next_deadline()
        if deadline is not None:
            pause = max(0.0, deadline - self._endpoint.now())
            self._timer = asyncio.get_running_loop().call_later(pause, self._due)

    def _due(self) -> None:
        self._timer = None
        self._client.handle_deadline(now=self._endpoint.now())
        self._pump()
