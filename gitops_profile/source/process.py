"""Git commands that stay running and answer one request after another: no process for each file."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

import git

from gitops_profile.processes import widen_pipe

from .errors import SourceUnavailable

_NO_CONTENT = (b" missing", b" ambiguous", b" submodule")
"""How the answer ends about an object that is not there."""
_BLOCK = 1 << 18
Place = tuple[int, ...]
"""Device and inode of the folders of a repository: another place, another repository."""


class _Tail(threading.Thread):
    """The end of what a process says on standard error, read all the time: a full pipe would stop the process."""

    BYTES = 4096
    PATIENCE = 1.0
    """Seconds for which its end is awaited: a process that git started itself may hold it open for longer."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(name="git-stderr", daemon=True)
        # Its own descriptor: GitPython closes the stream whenever it lets go of the process.
        self._descriptor = os.dup(stream.fileno())
        self._said = b""
        self.start()

    def run(self) -> None:
        try:
            while data := os.read(self._descriptor, 1 << 16):
                self._said = (self._said + data)[-self.BYTES :]
        finally:
            os.close(self._descriptor)

    def last_line(self) -> str:
        """Once the process has ended."""
        self.join(self.PATIENCE)
        return self._said.decode("utf-8", "replace").strip().rpartition("\n")[2]


class GitProcess:
    """One running git command. It is started when first used, and again when it died."""

    def __init__(self, commands: git.Git, place: Callable[[], Place], *arguments: str) -> None:
        """`place` tells where the repository is now; it raises SourceUnavailable when it is gone."""
        self._commands = commands
        self._place = place
        self._started_in: Place = ()
        self._arguments = arguments
        self._process: Any = None
        self._errors: _Tail | None = None

    def start(self, given: BinaryIO | int = subprocess.PIPE) -> tuple[IO[bytes], IO[bytes]]:
        """Its standard input and output; `given` is a file with all that it will be asked. Raises SourceUnavailable."""
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            try:
                self._process = self._commands.execute(["git", *self._arguments], istream=given, as_process=True)
            except (git.GitCommandError, OSError) as error:
                raise SourceUnavailable(f"git cannot be started: {error}") from error
            self._errors = _Tail(self._process.proc.stderr)
        return self._process.stdin, self._process.stdout

    def write(self, data: bytes) -> None:
        """Send a request; raises SourceUnavailable."""
        place = self._place()
        if place != self._started_in:
            self.close()  # it would go on reading the repository that was there before
            self._started_in = place
        stdin, _ = self.start()
        try:
            stdin.write(data)
            stdin.flush()
        except OSError as error:
            raise self.failed() from error

    def failed(self) -> SourceUnavailable:
        """The error to raise after the process ended before its answer; it is started anew next time."""
        said = ""
        if self._process is not None and self._errors is not None:
            if self._process.poll() is None:
                self._process.proc.kill()
            said = self._errors.last_line()
        self.close()
        hint = f": {said}" if said else ""
        return SourceUnavailable(f"git {self._arguments[0]} ended before it answered{hint}")

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        process = self._process.proc
        self._process = None
        if process.poll() is None:
            process.kill()
        self._errors = None
        for stream in (process.stdin, process.stdout, process.stderr):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                continue  # what was not read any more does not matter
        process.wait()


class ObjectReader:
    """Git objects by id, through one `git cat-file --batch`."""

    WINDOW = 400
    """Requests under way: 41 bytes each, so they fit a pipe and neither side can block the other for ever."""

    MANY = 1000
    """Objects for which a process of their own is started, which need not write out each answer by itself and is never
    waited for: 100 000 documents of 1 kB take 2.5 s in place of 4, git included."""

    def __init__(self, commands: git.Git, place: Callable[[], Place], longest: int | None = None) -> None:
        """Of a longer object than `longest`, `read_many` may give its beginning only: one byte more than that."""
        self._longest = longest
        self._process = GitProcess(commands, place, "cat-file", "--batch")
        self._commands = commands
        self._place = place

    def read(self, object_id: str) -> tuple[str, bytes] | None:
        """Type and content, None when there is no such object; raises SourceUnavailable."""
        self._process.write(os.fsencode(object_id) + b"\n")  # a path in it may be any bytes
        return self._answer()

    def read_many(self, ids: list[str]) -> Iterator[tuple[str, bytes]]:
        """Id and content of every object; git begins with many of them at once. Raises SourceUnavailable, also later
        and when one is missing.
        """
        if len(ids) < self.MANY:
            return self._read_few(ids)
        coming = self._read_bulk(ids)
        next(coming)
        return coming

    def _read_bulk(self, ids: list[str]) -> Iterator[tuple[str, bytes]]:
        with bulk(self._commands, self._place, ids, "cat-file", "--batch", "--buffer") as process:
            yield "", b""  # it has begun
            yield from _contents(process, ids, self._longest)

    def _read_few(self, ids: list[str]) -> Iterator[tuple[str, bytes]]:
        for start in range(0, len(ids), self.WINDOW):
            window = ids[start : start + self.WINDOW]
            self._process.write("".join(f"{id_}\n" for id_ in window).encode())
            # All of them at once: whoever takes no more of them must leave no answer behind.
            yield from list(_contents(self._process, window, self._longest))

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _answer(self) -> tuple[str, bytes] | None:
        _, stdout = self._process.start()
        header = stdout.readline()
        if header.rstrip(b"\n").endswith(_NO_CONTENT):
            return None
        parts = header.split()
        if len(parts) != 3 or not parts[2].isdigit():
            raise self._process.failed()
        size = int(parts[2])
        data = stdout.read(size + 1)
        if len(data) != size + 1:
            raise self._process.failed()
        return parts[1].decode(), data[:-1]


@contextmanager
def bulk(commands: git.Git, place: Callable[[], Place], asked: list[str], *arguments: str) -> Iterator[GitProcess]:
    """A git command that answers these lines and ends. Raises SourceUnavailable."""
    place()
    process = GitProcess(commands, place, *arguments)
    with tempfile.TemporaryFile() as given:
        given.write("".join(f"{line}\n" for line in asked).encode())
        given.seek(0)
        _, stdout = process.start(cast(BinaryIO, given))
        try:
            # It writes 4 kB at a time: ahead of whoever reads, it does not wake them for each.
            widen_pipe(stdout.fileno())
            yield process
        finally:
            process.close()


def _contents(process: GitProcess, ids: list[str], longest: int | None) -> Iterator[tuple[str, bytes]]:
    """Id and content of the objects that `cat-file --batch` was asked for, cut out of large blocks."""
    _, stdout = process.start()
    block, at = b"", 0
    for id_ in ids:
        while (end := block.find(b"\n", at)) < 0:
            block, at = block[at:] + _some(process, stdout), 0
        head = block[at:end]
        size = head[head.rfind(b" ") + 1 :]
        if not size.isdigit():
            missing = head.endswith(_NO_CONTENT)
            failure = process.failed()
            raise (
                SourceUnavailable(f"object {id_} is missing from the repository; fetch it again")
                if missing
                else failure
            )
        at, stop = end + 1, end + 1 + int(size)
        left = stop + 1 - len(block)
        if left > 0 and longest is not None and stop - at > longest + 1:
            begun, block = _beginning(process, stdout, block[at:], left, longest)
            at = 0
            yield id_, begun
            continue
        if left > 0:
            pieces = [block[at:]]
            while left > 0:
                pieces.append(_some(process, stdout))
                left -= len(pieces[-1])
            block, at, stop = b"".join(pieces), 0, int(size)
        yield id_, block[at:stop]
        at = stop + 1


def _some(process: GitProcess, stdout: IO[bytes]) -> bytes:
    """What it has said since; raises SourceUnavailable when it has ended."""
    data: bytes = stdout.read1(_BLOCK)  # type: ignore[attr-defined]  # a BufferedReader has it
    if not data:
        raise process.failed()
    return data


def _beginning(process: GitProcess, stdout: IO[bytes], begun: bytes, left: int, longest: int) -> tuple[bytes, bytes]:
    """One byte more than `longest` of an object that has begun, and what was read behind it; the rest nobody holds."""
    piece = b""
    while left > 0:
        piece = _some(process, stdout)
        if len(begun) <= longest:
            begun += piece
        left -= len(piece)
    return begun[: longest + 1], piece[len(piece) + left :]
