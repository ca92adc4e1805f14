"""The server's other processes: the loader, the writer of subscriptions, the workers.

How they are started from a module of ours, how they end with the server, and how bytes become messages between them.
"""

import ctypes
import fcntl
import os
import signal
import sys
from contextlib import suppress

HEADER = 4
"""Bytes of a frame's length."""
_PR_SET_PDEATHSIG = 1
_PIPE_BYTES = 1 << 20
"""As much as the kernel gives whoever asks."""


def module_command(module: str, *arguments: str) -> list[str]:
    """What runs a module of ours with this interpreter."""
    # -P: the working folder, which is often the profile repository itself, must not be where modules come from.
    return [sys.executable, "-P", "-m", module, *arguments]


def without_settings() -> dict[str, str]:
    """The environment without the server's settings, some of which are secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GITOPS_PROFILE_")}


def end_with_the_server() -> None:
    """Have the kernel end this process when the thread that started it does, whatever ended that."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def widen_pipe(descriptor: int) -> None:
    """Let more of what is written into a pipe wait for its reader: with 64 kB each end waits for the other's turns."""
    with suppress(OSError):  # the user's pipes hold too much already: it is only slower then
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def framed(data: bytes) -> bytes:
    """The bytes behind their length."""
    return len(data).to_bytes(HEADER, "big") + data


class Frames:
    """Frames out of a byte stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """Those that `data` completes, without their lengths."""
        buffer, start, frames = self._buffer, 0, []
        buffer += data
        while len(buffer) - start >= HEADER:
            end = start + HEADER + int.from_bytes(buffer[start : start + HEADER], "big")
            if end > len(buffer):
                break
            frames.append(bytes(buffer[start + HEADER : end]))
            start = end
        del buffer[:start]
        return frames
