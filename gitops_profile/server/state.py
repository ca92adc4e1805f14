"""The state folder: where the event log, the subscriptions and the admin socket live."""

from pathlib import Path


class StateFolder:
    """The paths in a state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.subscriptions = folder / "subscriptions.db"
        self.socket = folder / "admin.sock"

    def create(self) -> None:
        """Make it, hidden from git; raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
