"""Real git repositories for tests, made with the git command line."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
    "GIT_AUTHOR_NAME": "Ann Author", "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Carl Committer", "GIT_COMMITTER_EMAIL": "carl@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


class Git:
    """One repository."""

    def __init__(self, folder: Path, *, bare: bool = False, object_format: str = "sha1") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self("init", "-q", "-b", "main", *(["--bare"] if bare else []), f"--object-format={object_format}")

    def __call__(self, *arguments: str, given: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=ENVIRONMENT, capture_output=True, check=False, input=given
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def feed(self, *arguments: str, given: bytes) -> None:
        """A git command with `given` on its standard input."""
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=ENVIRONMENT, input=given, check=False)
        assert done.returncode == 0

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """Write files into the work tree; None removes."""
        for name, content in files.items():
            path = self.folder / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        """Write, add all, commit; the commit id."""
        self.write(files)
        self("add", "-A")
        self("commit", "-q", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        return self("rev-parse", "HEAD")
