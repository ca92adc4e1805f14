"""The folder of a clone that belongs to the server: made, tidied after a crash, replaced. Blocking; for a thread."""

import shutil
import subprocess
from pathlib import Path

from .access import plain
from .errors import SourceUnavailable
from .refs import read_ref

HEAD_REF = "refs/heads/_gitops-profile/head"
"""What HEAD of the remote is fetched to. For git fsck, HEAD must be a branch."""
COMMIT_REF = "refs/gitops-profile/commit"
"""Keeps a commit that is followed by its id."""
_GIT_SECONDS = 60.0
_LEFT_BEHIND = ("**/*.lock", "gc.pid", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/??/tmp_obj_*")


class CloneFolder:
    """A bare repository at one place. Only who holds the lock of the state folder may use the methods that write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, url: str) -> bool:
        """Make it usable: what a crash left is taken away, a wreck or the clone of another URL is replaced.

        True when it was there. Raises SourceUnavailable.
        """
        for aside in (self.beside("new"), self.beside("old")):
            shutil.rmtree(aside, ignore_errors=True)
        if self.path.is_dir():
            self.tidy()
            if self._git("config", "--get", "remote.origin.url", check=False) == url:
                return True
        self.make_anew(url)
        return False

    def make_anew(self, url: str, object_format: str = "sha1") -> None:
        """An empty one, whatever was there; raises SourceUnavailable.

        Object ids are those of the remote, "sha1" or "sha256"; most have the former.
        """
        shutil.rmtree(self.path, ignore_errors=True)
        try:
            if not self.path.is_dir():
                self.path.unlink(missing_ok=True)
            self.path.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise SourceUnavailable(f"the clone {self.path} cannot be made: {error.strerror}") from error
        self._git("init", "-q", "--bare", "--template=", f"--object-format={object_format}", ".")
        self._git("symbolic-ref", "HEAD", HEAD_REF)
        self._git("config", "remote.origin.url", url)

    def tidy(self) -> None:
        """Take away what commands that were killed have left: locks, which would stop the next, and half packs."""
        for pattern in _LEFT_BEHIND:
            for left in self.path.glob(pattern):
                left.unlink(missing_ok=True)
        for left in self.path.glob("objects/tmp_objdir-*"):
            shutil.rmtree(left, ignore_errors=True)

    def beside(self, name: str) -> Path:
        """A folder beside it, on the same disk."""
        return self.path.with_name(f"{self.path.name}.{name}")

    def replace_by(self, fresh: "CloneFolder") -> None:
        """Put another one in its place: readers find the old or the new one, and notice (`Repository.place`)."""
        old = self.beside("old")
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            self.path.rename(old)
        fresh.path.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)

    @property
    def is_wrecked(self) -> bool:
        """Whether it can be seen at a glance that something is missing."""
        if not (self.path / "HEAD").is_file() or not (self.path / "objects").is_dir():
            return True
        # To fetch into it would mark the newest commit as one without a past.
        return not self._has_objects and (
            bool(self.boundary()) or any(path.is_file() for path in self.path.glob("refs/**/*"))
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing has ever been fetched into it."""
        return not self._has_objects

    @property
    def _has_objects(self) -> bool:
        return any(self.path.glob("objects/??/*")) or any(self.path.glob("objects/pack/*.pack"))

    def boundary(self) -> str:
        """The commits whose parents it does not have; empty when it has the whole history."""
        try:
            return (self.path / "shallow").read_text().strip()
        except OSError:
            return ""

    def ref(self, name: str) -> str | None:
        """What a full name leads to; None when there is none, or it is damaged."""
        try:
            return read_ref(self.path, self.path, name)
        except SourceUnavailable:
            return None

    def drop(self, name: str) -> None:
        """Delete a ref; raises SourceUnavailable."""
        self._git("update-ref", "-d", name)

    def _git(self, *arguments: str, check: bool = True) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.path, env=plain() | {"GIT_DIR": str(self.path.absolute())},
                capture_output=True, text=True, errors="replace", timeout=_GIT_SECONDS, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SourceUnavailable(f"git {arguments[0]} failed in {self.path}: {error}") from error
        if check and done.returncode:
            said = done.stderr.strip().rpartition("\n")[2]
            raise SourceUnavailable(f"git {arguments[0]} failed in {self.path}: {said}")
        return done.stdout.strip()
