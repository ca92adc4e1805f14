"""Which file the loader process is at, in memory that it shares with the server.

A message for each file would say the same: it was most of the second that the server spent more on 100 000 plain
documents (2.6 s, 1.6 without; tests/bench/bench_reconcile.py). What stands here outlives the process, however it ended.
"""

import mmap
import os
from typing import Self

BYTES = 1 << 16
_LENGTH = 4


class FilePlace:
    """The path of one file, or "" for none; written by one process, and read by another when that has ended."""

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor of memory that `create` made."""
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, BYTES)

    @classmethod
    def create(cls) -> Self:
        """New memory; raises OSError."""
        descriptor = os.memfd_create("gitops-profile-loader")
        os.truncate(descriptor, BYTES)
        return cls(descriptor)

    def tell(self, path: str) -> None:
        """The process is at this file from now on. A longer path than the memory holds is cut."""
        text = path.encode()[: BYTES - _LENGTH]
        self._memory[: _LENGTH + len(text)] = len(text).to_bytes(_LENGTH, "big") + text

    def read(self) -> str:
        """The file that was told last."""
        length = int.from_bytes(self._memory[:_LENGTH], "big")
        return self._memory[_LENGTH : _LENGTH + length].decode("utf-8", "replace")

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        os.close(self.descriptor)
