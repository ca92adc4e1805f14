"""Which profile a file name is about: every vendor has its own names for the file of a phone (phones.md 5.1).

A table of patterns, which a repository may extend (`files:` in profiles.yaml). In a pattern `{mac}` is a MAC in any
case and spelling, `{model}` a model's name, `{word}` any word, `{n}` some digits; case is ignored. In what it stands
for `{mac}` is the canonical MAC, `{file}` the name that was asked for, `{stem}` the same without its extension: what
follows the last dot, as in the names of a repository's files.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_profile.presentity import FileRule

from .mac import HEX_MAC, bare

MAX_PATH = 1024
"""Characters; a longer one names nothing."""


class FileKind(StrEnum):
    """What a name asks for."""

    DOCUMENT = "document"
    """Of one phone, whose MAC is in it."""
    COMMON = "common"
    """Of all phones, or all of a model."""
    UPLOAD = "upload"
    """Nothing: it is what a phone writes, such as its log."""
    NONE = "none"
    """Nothing that is known."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """What a path asks for."""

    kind: FileKind
    mac: str | None = None
    names: tuple[str, ...] = ()
    """The names of device profiles to look for, in this order."""


NOTHING = FileRequest(FileKind.NONE)


class InvalidFileRule(ValueError):
    """A rule of a repository that cannot be meant."""


_OWN = ("{mac}",)
_SHARED = ("{file}", "{stem}")

RULES = (
    # Poly: what all get that have no file of their own. Before the others, for it looks like a MAC.
    FileRule("000000000000.cfg", _SHARED),
    FileRule("000000000000-directory.xml", _SHARED),
    *(
        FileRule(name, _OWN)
        for name in (
            "{mac}", "{mac}.cfg", "{mac}.xml", "{mac}.txt", "{mac}.json", "{mac}.conf", "{mac}.ini",
            "cfg{mac}", "cfg{mac}.xml",  # Grandstream, Htek
            "config{mac}.cfg",  # Panasonic
            "mn_{mac}.cfg",  # Mitel 53xx
            "snom{model}-{mac}.htm", "{mac}.htm", "{mac}.html",  # Snom
            "sep{mac}.cnf.xml", "ata{mac}.cnf.xml",  # Cisco
            "config.{mac}.xml", "sipconfig-{mac}.txt",  # Alcatel-Lucent
            "sip{mac}.cfg",  # Avaya 12x0
            "{word}-{mac}.xml", "{word}-{mac}.cfg",  # 2N
            "ipst_config_{mac}.cfg",  # Zenitel
        )
    ),
    FileRule("{mac}.log", ()),
    FileRule("{mac}-{word}.log", ()),  # Poly
    FileRule("{mac}.boot", ("{mac}.boot",)),  # Yealink, Flyingvoice: else y000000000000.boot
    *(
        FileRule(f"{{mac}}-{part}.{ending}", (f"{{mac}}-{part}",))
        for part, ending in (
            ("phone", "cfg"), ("web", "cfg"), ("license", "cfg"), ("directory", "xml"), ("calls", "xml"),  # Poly
            ("contacts", "xml"), ("local", "cfg"), ("contact", "xml"),  # Digium, Yealink
        )
    ),
    *(
        FileRule(name, _SHARED)
        for name in (
            "y{n}.boot", "y{n}.cfg",  # Yealink
            "snom{model}.htm", "snom{model}.xml", "f0{model}.cfg",  # Snom, Fanvil
            "cfg.xml", "cfg{model}.xml",  # Grandstream
            "configcommon.cfg", "config{model}.cfg",  # Panasonic
            "startup.cfg", "aastra.cfg", "mitel.cfg", "mn_generic.cfg",  # Mitel
            "spa{model}.cfg", "xmldefault.cnf.xml",  # Cisco
            "config.{model}.xml", "sipconfig.txt",  # Alcatel-Lucent
            "j100settings.txt", "{n}sip.cfg", "dhcpoption160.cfg", "ipst_config.cfg", "r{n}.cfg",
            "{model}.cfg", "{model}.xml",  # Panasonic before it is provisioned, Mitel
        )
    ),
)  # fmt: skip
"""The names of all vendors; more special ones first."""

_UNDERSCORED = r"(?:[0-9A-Fa-f]{2}_){5}[0-9A-Fa-f]{2}"
_PLACES = {
    "{mac}": rf"(?P<mac>{HEX_MAC}|{_UNDERSCORED})",
    # A word with a digit in it: that is what models are called, and `lobby.cfg` is not.
    "{model}": r"(?P<model>(?=[a-z_.+-]*[0-9])[a-z0-9_.+-]{1,40})",
    "{word}": r"[a-z0-9_.+]{1,40}",
    "{n}": r"[0-9]{1,20}",
}
_PLACE = re.compile(r"\{[a-z]*\}")
_KNOWN_PROFILE_PLACES = frozenset({"{mac}", "{model}", "{file}", "{stem}"})


class FileRoutes:
    """Reads file names by a repository's own rules, then by those of all vendors."""

    def __init__(self, rules: Iterable[FileRule] = ()) -> None:
        """Raises InvalidFileRule."""
        self._rules = [(_compiled(rule), rule) for rule in (*rules, *RULES)]

    def read(self, path: str) -> FileRequest:
        """What a path, already percent-decoded, asks for; folders in front of the name mean nothing.

        A name that no rule knows but that has a MAC in it is about that phone all the same, and has no document.
        """
        name = path.rpartition("/")[2]
        if not name or len(path) > MAX_PATH or not name.isprintable():
            return NOTHING
        for pattern, rule in self._rules:
            found = pattern.fullmatch(name)
            if found is not None:
                return _request(rule, name, found)
        mac = _mac_within(name)
        return FileRequest(FileKind.NONE, mac) if mac is not None else NOTHING


_MAC_ALONE = re.compile(
    rf"(?<![0-9A-Za-z])(?:{HEX_MAC}|{_UNDERSCORED}|(?:[0-9A-Fa-f]{{4}}\.){{2}}[0-9A-Fa-f]{{4}})(?![0-9A-Za-z])"
)
_NO_MAC = "0" * 12
"""Poly's name of what all phones share."""


def _mac_within(name: str) -> str | None:
    """The phone that a name for all phones is about after all: `000413aabbcc.cfg.xml` looks like a model's."""
    found = (bare(one[0]) for one in _MAC_ALONE.finditer(name))
    return next((mac for mac in found if mac != _NO_MAC), None)


def _request(rule: FileRule, name: str, found: re.Match[str]) -> FileRequest:
    groups: dict[str, str | None] = found.groupdict()
    mac = bare(groups["mac"] or "") if "mac" in groups else _mac_within(name)
    if rule.profiles == _OWN and mac is not None:
        return FileRequest(FileKind.DOCUMENT, mac, (mac,))  # what most ask for, in 2 µs less
    filled = {
        "{mac}": mac or "",
        "{model}": groups.get("model") or "",
        "{file}": name,
        "{stem}": name.rpartition(".")[0] or name,
    }
    names = _names(rule.profiles, filled)
    first = name.partition(".")[0]
    if first and first != filled["{stem}"]:
        # Up to the first dot, which is how repositories were named that were made for earlier versions.
        names += _names([one for one in rule.profiles if "{stem}" in one], filled | {"{stem}": first})
    kind = FileKind.UPLOAD if not names else FileKind.DOCUMENT if mac is not None else FileKind.COMMON
    return FileRequest(kind, mac, tuple(dict.fromkeys(names)))


def _names(profiles: Iterable[str], filled: Mapping[str, str]) -> list[str]:
    """Each profile with its places filled, as it is and in lower case."""
    texts = (_PLACE.sub(lambda place: filled[place[0]], profile) for profile in profiles)
    return [name for text in texts for name in (text, text.lower())]


def _compiled(rule: FileRule) -> re.Pattern[str]:
    """The pattern of a rule; raises InvalidFileRule."""
    if not rule.name or "/" in rule.name:
        raise InvalidFileRule(f"{rule.name!r} is no file name")
    parts, end = [], 0
    for place in _PLACE.finditer(rule.name):
        if place[0] not in _PLACES:
            raise InvalidFileRule(f"{place[0]} is unknown in {rule.name!r}; there are {', '.join(_PLACES)}")
        if rule.name.count(place[0]) > 1:
            raise InvalidFileRule(f"{place[0]} is twice in {rule.name!r}")
        parts += [re.escape(rule.name[end : place.start()]), _PLACES[place[0]]]
        end = place.end()
    parts.append(re.escape(rule.name[end:]))
    for profile in rule.profiles:
        for place in _PLACE.findall(profile):
            wanted = place in _KNOWN_PROFILE_PLACES and (place in rule.name or place in ("{file}", "{stem}"))
            if not wanted:
                raise InvalidFileRule(f"{place} in {profile!r} has nothing in {rule.name!r} to be filled from")
    return re.compile("".join(parts), re.IGNORECASE)
