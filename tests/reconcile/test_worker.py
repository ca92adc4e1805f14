"""The loader process from inside: what it reads and renders for a change (the whole of it: test_loading.py)."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from gitops_profile.processes import HEADER
from gitops_profile.reconcile.worker import Worker
from gitops_profile.source import Repository
from tests.repositories import Git

USERS = "profiles/user/example.com"


class Counting(Repository):
    """A repository that notes which blobs are read."""

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.read: list[str] = []

    def read_blobs(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for blob, content in super().read_blobs(list(blobs)):
            self.read.append(blob)
            yield blob, content


def said(out: io.BytesIO) -> list[list[Any]]:
    """The messages since the last call."""
    data, messages = out.getvalue(), []
    out.seek(0)
    out.truncate()
    while data:
        length = int.from_bytes(data[:HEADER], "big")
        messages.append(msgspec.msgpack.decode(data[HEADER : HEADER + length]))
        data = data[HEADER + length :]
    return messages


def test_a_change_of_one_file_reads_that_file_and_renders_its_document_only(tmp_path: Path) -> None:
    git = Git(tmp_path)
    files: dict[str, str | bytes | None] = {
        f"{USERS}/g{n % 7}/u{n}.yaml": f"template: t.j2\nvalues: {{n: {n}}}\n" for n in range(300)
    }
    files |= {f"{USERS}/p{n}.xml": f"<p>{n}</p>" for n in range(100)}
    first = git.commit(files | {"profiles/templates/t.j2": "n={{ n }}", "profiles/defaults.yaml": "values: {a: 1}\n"})
    second = git.commit({f"{USERS}/g1/u1.yaml": "template: t.j2\nvalues: {n: one}\n", "README": "beside"})
    repository, out = Counting(tmp_path), io.BytesIO()
    worker = Worker(repository, out, 60.0)
    worker.handle(["load", first, None, "profiles", []])
    worker.handle(["accept"])
    assert len(repository.read) == 402 and said(out)[-1][0] == "result"
    repository.read.clear()
    worker.handle(["load", second, first, "profiles", []])
    messages = said(out)
    assert repository.read == [git("rev-parse", f"{second}:{USERS}/g1/u1.yaml")]
    assert {m[1] for m in messages if m[0] == "progress" and m[1]} == {"user/example.com/g1/u1.yaml"}
    assert [len(m[1]) for m in messages if m[0] == "documents"] == [1] and messages[-1][1:4] == [[], [], False]
    repository.close()
