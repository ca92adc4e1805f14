"""A running Kamailio, from the start to the kill."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.system.lab import eventually


class Kamailio:
    """One process per socket, in a group of its own; none of them has anything to save."""

    def __init__(self, folder: Path, configuration: Path, defined: Mapping[str, object], port: int) -> None:
        """Returns when it takes TCP connections on `port`; `defined` are the names that the configuration wants."""
        folder.mkdir()
        self._log = folder / "log"
        self._port = port
        command = [
            "kamailio", "-f", str(configuration), "-DD", "-E", "-w", str(folder), "-Y", str(folder),
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

    def close(self) -> None:
        """Kill the group; a second time does nothing."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text(errors="replace")[-3000:]
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        except OSError:
            return False
        return True
