"""Kamailio as the registrar and proxy of a site, with which its phones register."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.interop.ports import free_ports

from .lab import eventually, need

CONFIGURATION = Path(__file__).parent / "registrar.cfg"


class Registrar:
    """A running Kamailio; `uri` is where it is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._log = folder / "log"
        [self._port] = free_ports(1)
        self.uri = f"sip:127.0.0.1:{self._port}"
        self.address = f"127.0.0.1:{self._port}"
        command = [
            need("kamailio"), "-f", str(CONFIGURATION), "-DD", "-E", "-w", str(folder), "-Y", str(folder),
            "-m", "32", "-M", "4", "-A", f"PORT={self._port}",
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

    def close(self) -> None:
        """It is one process per socket, and has nothing to save: its group is killed; a second time does nothing."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
            return False
        return True
