"""The check-syncs on the notifier's sockets: bytes and one timer, no decision."""

from collections.abc import Callable

from gitops_profile.push import Push, PushAnswered, PushClient, PushSent
from gitops_profile.sip.syntax import Response
from gitops_profile.transport import SIPEndpoint

from .pump import Pump


class PushLine:
    """Pumps a PushClient; the endpoint's companion."""

    def __init__(
        self, client: PushClient, endpoint: SIPEndpoint, on_event: Callable[[PushSent | PushAnswered], None]
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._pump = Pump(client, endpoint.send, on_event, endpoint.now)
        endpoint.companion = self

    def __len__(self) -> int:
        return len(self._client)

    def is_busy(self, device: str) -> bool:
        """Whether one to this phone is under way."""
        return self._client.is_busy(device)

    def send(self, push: Push) -> None:
        """Tell a phone, as soon as its turn comes."""
        self._client.send(push, now=self._endpoint.now())
        self._pump.run()

    def receive_response(self, response: Response) -> None:
        """See `Companion`."""
        if self._client.receive_response(response, now=self._endpoint.now()):
            self._pump.run()

    def transport_failed(self, data: bytes) -> None:
        """See `Companion`."""
        self._client.transport_failed(data, now=self._endpoint.now())
        self._pump.run()

    def close(self) -> None:
        """Send nothing more."""
        self._endpoint.companion = None
        self._pump.close()
