"""Kamailio as the edge proxy of a provider, between phones and the server."""

import shutil
from pathlib import Path

from tests.kamailio import Kamailio
from tests.ports import own_port

CONFIGURATION = Path(__file__).parent / "drivers" / "kamailio.cfg"
MODULES = ("tls.so", "websocket.so")


class Edge:
    """A running Kamailio; `server` is ADDRESS:PORT of the TCP listener, `asserted` what it says every phone is."""

    def __init__(self, folder: Path, server: str, certificates: Path, asserted: str | None = None) -> None:
        outside, secure, inside = own_port(), own_port(), own_port()
        self._ports = {"udp": outside, "tcp": outside, "ws": outside, "tls": secure, "wss": secure}
        defined = {
            "OUTSIDE": outside, "SECURE": secure, "INSIDE": inside, "SERVER": f'"sip:{server};transport=tcp"',
            "CERTIFICATE": f'"{certificates / "cafile.pem"}"', "KEY": f'"{certificates / "key.pem"}"',
            **({"ASSERTED": f'"P-Asserted-Identity: <{asserted}>\\r\\n"'} if asserted else {}),
        }  # fmt: skip
        self._kamailio = Kamailio(folder, CONFIGURATION, defined, secure)

    @staticmethod
    def missing() -> str | None:
        """Why there is none on this machine."""
        if shutil.which("kamailio") is None:
            return "kamailio not installed"
        folders = list(Path("/usr").glob("lib*/*/kamailio/modules")) + list(Path("/usr").glob("lib*/kamailio/modules"))
        lost = [name for name in MODULES if not any((folder / name).exists() for folder in folders)]
        return f"kamailio's {', '.join(lost)} not installed" if lost else None

    def address(self, transport: str) -> str:
        """ADDRESS:PORT for phones."""
        return f"127.0.0.1:{self._ports[transport]}"

    def close(self) -> None:
        """A second time does nothing."""
        self._kamailio.close()
