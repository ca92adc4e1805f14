"""Small files of the state folder that are always whole: written beside, and put in place at once."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file; it is durable on return. Blocks; raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
