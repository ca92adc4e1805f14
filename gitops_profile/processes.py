"""The server's other processes: the loader, the writer of subscriptions, the workers.

How they are started from a module of ours, how they end with the server, and how bytes become messages between them.
"""

import ctypes
import os
import signal
import sys

HEADER = 4
"""Bytes of a frame's length."""
_PR_SET_PDEATHSIG = 1


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
