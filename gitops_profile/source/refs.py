"""What a ref points to, read from its file or from packed-refs, without a process.

A ref is exactly the one that is named, or it is not there: git's guessing (`refs/tags/refs/heads/live` for
`refs/heads/live`) would let whoever may push a tag take over a deployment whose branch is gone.
"""

import re
from pathlib import Path

from .errors import SourceUnavailable

OBJECT_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
MAX_SYMBOLIC = 5
"""How many symbolic refs are followed, as git does it."""
# git-check-ref-format, as far as a name could leave the folder of refs or could never be a ref.
_NO_NAME = re.compile(r"[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|(^|/)\.|^/|(\.lock|\.|/)(/|$)|^$")
_PER_WORKTREE = ("refs/bisect/", "refs/worktree/", "refs/rewritten/")


def is_ref_name(name: str) -> bool:
    """Whether it could be the name of a ref, or the end of one."""
    return _NO_NAME.search(name) is None


def read_ref(git_dir: Path, common_dir: Path, name: str) -> str | None:
    """The object id that a full name ("HEAD", "refs/…") leads to; None when it does not exist.

    Raises SourceUnavailable when git could not read it either.
    """
    current = name
    for _ in range(MAX_SYMBOLIC):
        if _NO_NAME.search(current):
            return None
        own = current.startswith(_PER_WORKTREE) or not current.startswith("refs/")
        file = (git_dir if own else common_dir) / current
        content = _read(file)
        if content is None:
            return _packed(common_dir / "packed-refs", current)
        if OBJECT_ID.fullmatch(content):
            return content
        target = content.removeprefix("ref:").strip()
        if target == content or not target:
            raise SourceUnavailable(
                f"the ref {current} is damaged; write it anew: git update-ref {current} COMMIT, or push it again"
            )
        current = target
    raise SourceUnavailable(f"the ref {name} leads through more than {MAX_SYMBOLIC} symbolic refs")


def glance(location: Path, ref: str) -> str | None:
    """The commit of a branch of the repository that is plainly at `location`, bare or not, as far as files tell it.

    None for everything that takes git to find out: a tag, a linked worktree, a folder inside. It starts no process.
    """
    branch = ref if ref.startswith("refs/heads/") else f"refs/heads/{ref}"
    if ref == "HEAD" or (ref.startswith("refs/") and branch != ref):
        return None
    for git_dir in (location, location / ".git"):
        if all((git_dir / name).is_dir() for name in ("objects", "refs")) and not (git_dir / "commondir").exists():
            try:
                return read_ref(git_dir, git_dir, branch)
            except (SourceUnavailable, OSError):
                return None
    return None


def _packed(file: Path, name: str) -> str | None:
    found = re.search(f"^({OBJECT_ID.pattern}) {re.escape(name)}$", _read(file) or "", re.MULTILINE)
    return found[1] if found else None


def _read(file: Path) -> str | None:
    """Its text without the last line end; None when there is none. Names in it may be any bytes."""
    try:
        return file.read_bytes().decode("utf-8", "surrogateescape").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise SourceUnavailable(f"{file} cannot be read: {error.strerror}") from error
