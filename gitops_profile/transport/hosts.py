"""The names of /etc/hosts, which come before the name servers' as everywhere on the machine."""

import ipaddress
from pathlib import Path

HOSTS = Path("/etc/hosts")


class HostsFile:
    """Addresses by name, read again when the file changes."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._addresses: dict[str, list[str]] = {}

    def addresses(self, name: str) -> list[str]:
        """What the file says about `name`, in its order; nothing when it says nothing or cannot be read."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._addresses = _parse(self._path.read_text("utf-8", "replace"))
                self._seen = seen
        except OSError:
            return []
        return list(self._addresses.get(name.lower().rstrip("."), ()))


def _parse(text: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *known_as = line.partition("#")[0].split() or [""]
        try:
            canonical = str(ipaddress.ip_address(address))
        except ValueError:
            continue
        for name in known_as:
            names.setdefault(name.lower(), []).append(canonical)
    return names
