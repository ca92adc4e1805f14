"""Kamailio as the registrar and proxy of a site, with which its phones register."""

from pathlib import Path

from tests.kamailio import Kamailio
from tests.ports import own_port

from .lab import need

CONFIGURATION = Path(__file__).parent / "registrar.cfg"


class Registrar:
    """A running Kamailio; `uri` is where it is."""

    def __init__(self, folder: Path) -> None:
        need("kamailio")
        port = own_port()
        self.uri = f"sip:127.0.0.1:{port}"
        self.address = f"127.0.0.1:{port}"
        self._kamailio = Kamailio(folder, CONFIGURATION, {"PORT": port}, port)

    def close(self) -> None:
        """A second time does nothing."""
        self._kamailio.close()
