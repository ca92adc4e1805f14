"""Two states of all profiles, compared as phones see them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_profile.presentity import NotifyPolicy, Presentation, ProfileDocument, ProfileKey, Variant
from gitops_profile.windows import window_text

from .difference import Fact, Found, Way, differences, way_of, whole_body
from .grouping import Group, Place, Plan, group

TOLD = {True: "notify.allow", False: "notify.deny"}
SILENT = frozenset({"path", "notify.reboot", "notify.aor", *TOLD.values()})
"""Facts that no phone sees."""


class Change(StrEnum):
    """What happens to a profile or a variant."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class PartChange:
    """A profile's document, or one of its variants, with what differs in it."""

    variant: str
    """Whom it is for, such as `vendor=Yea* model=T4?`; empty for the document of all others."""
    change: Change
    shown: Presentation
    """What is given from now on; of a removed part, what was given."""
    found: tuple[Found, ...]

    @property
    def way(self) -> Way:
        """How it can travel."""
        return way_of(self.shown)


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """One profile that is not as it was."""

    key: ProfileKey
    change: Change
    path: str
    names: tuple[ProfileKey, ...]
    """Its key and aliases, those of before included."""
    facts: tuple[Fact, ...]
    """What differs besides the parts: path, aliases, the order of variants."""
    parts: tuple[PartChange, ...]

    @property
    def reaches_phones(self) -> bool:
        """Whether what some phone gets can differ; that a file moved, or how its phones are told, is news to nobody."""
        return bool(self.parts) or any(fact.name not in SILENT for fact in self.facts)


def compare(
    before: Mapping[ProfileKey, ProfileDocument], after: Mapping[ProfileKey, ProfileDocument]
) -> Plan[ProfileChange]:
    """Everything that differs; it is empty exactly when the two are equal."""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    changes = tuple(_change(before.get(key), after.get(key)) for key in keys)
    return Plan(changes, _groups(changes), len(before), len(after))


def _change(before: ProfileDocument | None, after: ProfileDocument | None) -> ProfileChange:
    if after is None:
        assert before is not None
        parts = tuple(PartChange(name, Change.REMOVED, part, ()) for name, part in _parts(before).items())
        return ProfileChange(before.key, Change.REMOVED, before.path, (before.key, *before.aliases), (), parts)
    if before is None:
        parts = tuple(_added(name, part) for name, part in _parts(after).items())
        return ProfileChange(after.key, Change.ADDED, after.path, (after.key, *after.aliases), (), parts)
    old, new = _parts(before), _parts(after)
    names = tuple(dict.fromkeys((after.key, *after.aliases, *before.aliases)))
    facts = tuple(_facts(before, after, list(old), list(new)))
    return ProfileChange(after.key, Change.CHANGED, after.path, names, facts, tuple(_changed_parts(old, new)))


def _changed_parts(old: Mapping[str, Presentation], new: Mapping[str, Presentation]) -> Iterator[PartChange]:
    for name, part in new.items():
        known = old.get(name)
        if known is None:
            yield _added(name, part)
        elif found := tuple(differences(known, part)):
            yield PartChange(name, Change.CHANGED, part, found)
    for name, part in old.items():
        if name not in new:
            yield PartChange(name, Change.REMOVED, part, ())


def _added(name: str, part: Presentation) -> PartChange:
    return PartChange(name, Change.ADDED, part, tuple(whole_body(part)))


def _parts(document: ProfileDocument) -> dict[str, Presentation]:
    """The document under the empty name, and each variant under whom it is for."""
    parts: dict[str, Presentation] = {"": document}
    seen: Counter[str] = Counter()
    for variant in document.variants:
        name = _globs(variant)
        seen[name] += 1  # the loader refuses a second one, which no phone would get; a log of before may have it
        parts[name if seen[name] == 1 else f"{name} ({seen[name]})"] = variant
    return parts


def _globs(variant: Variant) -> str:
    globs = (("vendor", variant.vendor), ("model", variant.model), ("version", variant.version))
    return " ".join(f"{name}={glob}" for name, glob in globs if glob is not None) or "any"


def _facts(before: ProfileDocument, after: ProfileDocument, old: list[str], new: list[str]) -> Iterator[Fact]:
    if before.aliases != after.aliases:
        yield Fact("aliases", _listed(before.aliases), _listed(after.aliases))
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield Fact("order of variants", ", ".join(kept[1:]), ", ".join(name for name in new[1:] if name in old))
    yield from _told(before.notify, after.notify)
    if before.path != after.path:
        (old_folder, _, old_name), (new_folder, _, new_name) = before.path.rpartition("/"), after.path.rpartition("/")
        same = old_name == new_name  # a folder that moved is one group, not one for each file
        yield Fact("path", f"{old_folder}/" if same else before.path, f"{new_folder}/" if same else after.path)


def _told(before: NotifyPolicy, after: NotifyPolicy) -> Iterator[Fact]:
    """What differs in how its phones are told."""
    if before.may_reboot != after.may_reboot:
        words = {True: "allow", False: "never"}
        yield Fact("notify.reboot", words[before.may_reboot], words[after.may_reboot])
    if before.aor != after.aor:
        yield Fact("notify.aor", before.aor, after.aor)
    for allows, name in TOLD.items():
        old, new = (
            "; ".join(window_text(window) for window in policy.windows if window.allows is allows) or None
            for policy in (before, after)
        )
        if old != new:
            yield Fact(name, old, new)


def _listed(keys: tuple[ProfileKey, ...]) -> str | None:
    return ", ".join(map(str, keys)) or None


def _groups(changes: tuple[ProfileChange, ...]) -> tuple[Group, ...]:
    def found() -> Iterator[tuple[Place, Found]]:
        for change in changes:
            for fact in change.facts:
                yield Place(change.key, ""), Found(fact)
            for part in change.parts:
                if change.change is Change.CHANGED and part.change is not Change.CHANGED:
                    was, now = (None, "added") if part.change is Change.ADDED else ("there", "removed")
                    yield Place(change.key, part.variant), Found(Fact("variant", was, now))
                for one in part.found:
                    yield Place(change.key, part.variant, one.line), one

    return group(found())
