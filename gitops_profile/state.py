"""The state folder: where the event log, the subscriptions and the admin socket live."""

import os
import secrets
from pathlib import Path

SECRET_BYTES = 32


class StateFolder:
    """The paths in a state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.subscriptions = folder / "subscriptions.db"
        self.socket = folder / "admin.sock"
        self.secret = folder / "secret"
        self.clone = folder / "clone"
        self.webhooks = folder / "webhooks"
        self.devices = folder / "devices.db"
        self.uploads = folder / "uploads"
        self.commit_statuses = folder / "commit-status.json"

    def create(self) -> None:
        """Make it, hidden from git; raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    def read_secret(self) -> bytes:
        """The key of nonces and content URLs, made the first time; raises OSError."""
        try:
            found = self.secret.read_bytes()
            if len(found) == SECRET_BYTES:
                return found
        except FileNotFoundError:
            pass  # the first start
        made = secrets.token_bytes(SECRET_BYTES)
        fresh = self.secret.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.secret)
        return made
