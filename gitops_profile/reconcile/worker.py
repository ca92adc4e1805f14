"""The loader process: reads git, parses and renders, away from the SIP loop (invariant I8).

It can be killed at any time: a template is somebody's program, and may loop or allocate for ever.
"""

import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from gitops_profile.loader import (
    MAX_FILE,
    FileEntryLike,
    Load,
    Loader,
    LoadResult,
    Made,
    Problem,
    UnreadableProfile,
    files_to_load,
    owned_elsewhere,
    surely_read,
)
from gitops_profile.presentity import ProfileDocument
from gitops_profile.processes import HEADER, end_with_the_server, widen_pipe
from gitops_profile.source import Changes, NotARepository, PathNotFound, Repository, SourceUnavailable

from .folder import Folder
from .place import FilePlace
from .wire import CHUNK, pack, path_text, problem_row, storable

_READ_AT_ONCE = 400
WORD_SECONDS = 0.02
"""Between two words of progress, and two settings of the timer: a person reads no faster, and one for each file costs
as in place.py."""
Read = Callable[[list[str]], Iterable[tuple[str, bytes]]]


class Worker:
    """One repository, one warm Loader."""

    def __init__(
        self,
        repository: Repository,
        out: BinaryIO,
        file_seconds: float,
        place: Callable[[str], None] = lambda path: None,
    ) -> None:
        """`place` is told of each file when its turn comes."""
        self._repository = repository
        self._out = out
        self._file_seconds = file_seconds
        self._place = place
        self._next_word = 0.0
        self._loader = Loader()
        self._stalled: dict[str, str] = {}
        """Files over which a process before this one was killed, and what is said of them."""
        self._base: tuple[str, str] | None = None
        self._pending: tuple[Load, tuple[str, str]] | None = None

    def handle(self, message: list[Any]) -> None:
        """One request."""
        match message:
            case ["load", commit, base, path, stalled]:
                self._answer(stalled, lambda: self._load(commit, base, path))
            case ["warm", commit, path, stalled]:
                self._answer(stalled, lambda: self._load(commit, None, path, tell=False))
            case ["folder", folder, stalled]:
                self._answer(stalled, lambda: self._load_folder(Path(os.fsdecode(folder))))
            case ["check", what, place, path, stalled]:
                self._answer(stalled, lambda: self._check(what, place, path))
            case ["accept"] if self._pending is not None:
                load, self._base = self._pending
                load.accept()
                self._pending = None

    def _answer(self, stalled: list[tuple[str, str]], work: Callable[[], None]) -> None:
        self._stalled = dict(stalled)
        self._pending = None  # of a revision that was rejected
        self._next_word = 0.0
        try:
            work()
        except PathNotFound as error:
            self._say("path-not-found", path_text(str(error)))
        except SourceUnavailable as error:
            self._say("unavailable", path_text(str(error)))

    def _load(self, commit: str, base: str | None, path: str, *, tell: bool = True) -> None:
        changes = self._changes(commit, base, path)
        coming: Iterable[tuple[str, bytes]] = ()
        if changes is not None:
            # Git begins before anybody knows what else the change concerns.
            coming = self._repository.read_blobs(surely_read(changes.changed))
            load = self._loader.change(changes.changed, changes.removed)
        else:
            load = self._loader.whole(self._repository.list_files(commit, path), makes=tell)
        self._finish(load, self._repository.read_blobs, tell=tell, coming=coming)
        self._pending = load, (commit, path)

    def _load_folder(self, path: Path) -> None:
        folder = Folder(path)
        self._finish(self._loader.whole(folder.list_files()), folder.read_blobs)

    def _check(self, what: str, place: str | bytes, path: str) -> None:
        """A folder, a commit or the index, with warnings, and without the documents."""
        read: Read = self._repository.read_blobs
        others: list[str] = []
        files: Sequence[FileEntryLike]
        if what == "folder":
            folder = Folder(Path(os.fsdecode(place)))
            files, read = folder.list_files(), folder.read_blobs
        elif what == "commit":
            files = self._repository.list_files(str(place), path)
        else:
            index, staged = self._repository.index_files(path), self._repository.staged_paths(path)
            files = files_to_load(index, staged)
            loaded = {file.path for file in files}
            others = [file.path for file in index if file.path not in loaded]
        load = self._loader.whole(files)
        result = self._read(load, read, None, iter(()))
        documents = list(result.documents.values())
        warnings = load.credentials(documents)
        problems = (*result.problems, *owned_elsewhere(documents, others))
        self._say("checked", len(documents), [problem_row(warning) for warning in warnings])
        settings = result.settings
        rows = [problem_row(p) for p in problems]
        self._say("result", [], rows, True, settings.max_removals, settings.rules.as_row())

    def _finish(self, load: Load, read: Read, *, tell: bool = True, coming: Iterable[tuple[str, bytes]] = ()) -> None:
        """Read what the load wants, and say what it found; without the documents when `tell` is False.

        `coming` are blobs that are being read already.
        """
        chunk: list[ProfileDocument] = []

        def made(document: ProfileDocument) -> None:
            # While the next ones are made the server decodes these: it keeps none of them when there is a problem.
            chunk.append(storable(document))
            if len(chunk) == CHUNK:
                self._say("documents", chunk)
                chunk.clear()

        result = self._read(load, read, made if tell else None, iter(coming))
        if chunk:
            self._say("documents", chunk)
        removed, problems = [str(key) for key in result.removed], [problem_row(p) for p in result.problems]
        settings = result.settings
        self._say("result", removed, problems, result.whole, settings.max_removals, settings.rules.as_row())

    def _read(self, load: Load, read: Read, made: Made | None, coming: Iterator[tuple[str, bytes]]) -> LoadResult:
        """Read what the load wants, and let it make its documents."""
        if load.is_whole:
            wanted = load.wanted()
            self._say("progress", "", 0, len(wanted))
            load.supply_while_finishing(iter(read(wanted)))
            wanted = []
        elif load.is_settled:
            load.supply_while_finishing(coming)
            wanted = []
        else:
            self._supply(load, coming, len(load.wanted()))
            wanted = load.wanted()
        while wanted:
            self._supply(load, iter(read(wanted)), len(wanted))
            wanted = load.wanted()
        result = load.finish(self._progress, made)
        self._place("")
        signal.setitimer(signal.ITIMER_PROF, 0)
        return result

    def _supply(self, load: Load, found: Iterator[tuple[str, bytes]], total: int) -> None:
        done = 0
        while some := dict(islice(found, _READ_AT_ONCE)):
            self._say("progress", "", done, total)
            load.supply(some)
            done += len(some)

    def _changes(self, commit: str, base: str | None, path: str) -> Changes | None:
        """What differs from the base; None when everything must be loaded."""
        if base is None or self._base != (base, path):
            return None
        try:
            return self._repository.changes(base, commit, path)
        except SourceUnavailable:
            # After a force-push and a `git gc` the base is no longer there. If the commit is not either, the load of
            # everything says so.
            return None

    def _progress(self, path: str, done: int, total: int) -> None:
        text = path if path.isascii() else path_text(path)
        self._place(text)
        if self._stalled and text in self._stalled:
            raise UnreadableProfile(Problem(path, 0, 0, self._stalled[text], rule="too-costly"))
        now = time.monotonic()
        if now >= self._next_word:
            # CPU time of this process: SIGPROF ends it, wherever it is, and the server knows what that means. Not set
            # for each file: the next ones have a fiftieth of a second less.
            signal.setitimer(signal.ITIMER_PROF, self._file_seconds)
            self._next_word = now + WORD_SECONDS
            self._say("progress", text, done, total)

    def _say(self, *message: Any) -> None:
        self._out.write(pack(*message))
        if message[0] != "documents":
            self._out.flush()


def main() -> None:
    """Serve requests on standard input until it ends."""
    location, memory_bytes, file_seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    end_with_the_server()  # not even a looping template outlives the server
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    # What is loaded stays: looking for cycles among it took a tenth of the time of 100 000 plain documents.
    gc.set_threshold(50_000, 20, 50)
    out = sys.stdout.buffer
    widen_pipe(out.fileno())
    sys.stdout = sys.stderr
    try:
        worker = Worker(Repository(location, longest=MAX_FILE), out, file_seconds, FilePlace(int(sys.argv[4])).tell)
    except NotARepository as error:
        out.write(pack("unavailable", path_text(str(error))))
        out.flush()
        return
    try:
        while len(header := sys.stdin.buffer.read(HEADER)) == HEADER:
            data = sys.stdin.buffer.read(int.from_bytes(header, "big"))
            worker.handle(msgspec.msgpack.decode(data))
    except BrokenPipeError:
        # The server is gone, and nobody is left to be told; leave without flushing into the closed pipe.
        os._exit(0)


if __name__ == "__main__":
    main()
