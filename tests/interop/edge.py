"""Kamailio as the edge proxy of a provider, between phones and the server."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.system.lab import eventually

from .ports import free_ports

CONFIGURATION = Path(__file__).parent / "drivers" / "kamailio.cfg"
MODULES = ("tls.so", "websocket.so")


class Edge:
    """A running Kamailio; `server` is ADDRESS:PORT of the TCP listener, `asserted` what it says every phone is."""

    def __init__(self, folder: Path, server: str, certificates: Path, asserted: str | None = None) -> None:
        folder.mkdir()
        self._log = folder / "log"
        outside, secure, inside = free_ports(3)
        self._ports = {"udp": outside, "tcp": outside, "ws": outside, "tls": secure, "wss": secure}
        defined = {
            "OUTSIDE": outside, "SECURE": secure, "INSIDE": inside, "SERVER": f'"sip:{server};transport=tcp"',
            "CERTIFICATE": f'"{certificates / "cafile.pem"}"', "KEY": f'"{certificates / "key.pem"}"',
            **({"ASSERTED": f'"P-Asserted-Identity: <{asserted}>\\r\\n"'} if asserted else {}),
        }  # fmt: skip
        command = [
            "kamailio", "-f", str(CONFIGURATION), "-DD", "-E", "-w", str(folder), "-Y", str(folder),
            "-m", "32", "-M", "4",
            *(part for name, value in defined.items() for part in ("-A", f"{name}={value}")),
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            eventually("kamailio answers", self._answers)
        except AssertionError:
            self.close()
            raise

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
        """It is one process per socket, and has nothing to save: all are killed."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            socket.create_connection(("127.0.0.1", self._ports["tls"]), timeout=1).close()
        except OSError:
            time.sleep(0.05)
            return False
        return True
