"""What must be loaded to judge what is staged: the staged documents, or everything (pure)."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from gitops_profile.presentity import ProfileDocument, ProfileKey

from .layout import DOCUMENTS, Kind, key_of_path, kind_of
from .problem import Problem, UnreadableProfile
from .state import FileEntryLike

File = TypeVar("File", bound=FileEntryLike)


def files_to_load(files: Sequence[File], staged: Collection[str]) -> list[File]:
    """Those of the index; all of them when something is staged that other files may be made with."""
    kinds = {kind_of(path) for path in staged}
    if kinds - {*DOCUMENTS, Kind.IGNORED}:
        return list(files)
    return [file for file in files if file.path in staged or kind_of(file.path) not in DOCUMENTS]


def owned_elsewhere(documents: Iterable[ProfileDocument], others: Iterable[str]) -> list[Problem]:
    """Staged documents with the key of another file, by its path: `others` are those that were not loaded.

    An alias in one of them is not seen: a check of everything sees it.
    """
    keys: dict[ProfileKey, str] = {}
    for path in others:
        if kind_of(path) in DOCUMENTS:
            try:
                keys[key_of_path(path)] = path
            except UnreadableProfile:
                continue  # it is not staged, and was a problem before
    problems = []
    for document in documents:
        for key in (document.key, *document.aliases):
            if key in keys:
                what = f"{key} is also made by {keys[key]}"
                problems.append(
                    Problem(document.path, 0, 0, what, "one profile, one file: remove one of them", "duplicate-key")
                )
    return problems
