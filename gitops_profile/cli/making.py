"""What the document of a commit was made of: for `trace`, as far as git still has it."""

from typing import Any

from gitops_profile.config import Config
from gitops_profile.loader import Origin, Provenance, UnreadableProfile, provenance
from gitops_profile.presentity import ProfileDocument
from gitops_profile.source import NotARepository, Repository, SourceUnavailable

from .opening import repository_folder

_SOURCES = ("template", "body", "file")


def made_of(settings: Config, document: ProfileDocument, commit: str, folder: str) -> dict[str, Any] | None:
    """Defaults, bases and source of a document; None when the repository or the commit is not here to be asked.

    `folder` is the profiles folder in the repository.
    """
    if not document.path.endswith((".yaml", ".yml")):
        return {"defaults": [], "bases": [], "source": {"kind": "plain document", "file": document.path}}
    prefix = "" if folder.strip("/") in ("", ".") else f"{folder.strip('/')}/"
    try:
        repository = Repository(repository_folder(settings))
    except NotARepository:
        return None
    try:
        if repository.read_file_at(commit, prefix + document.path) is None:
            return None
        found = provenance(document.path, lambda path: repository.read_file_at(commit, prefix + path))
    except (UnreadableProfile, SourceUnavailable):
        return None
    finally:
        repository.close()
    return _facts(found)


def _facts(found: Provenance) -> dict[str, Any]:
    layers = found.layers[:-1]
    bases = [layer for layer in layers if layer.startswith("bases/")]
    return {
        "defaults": [layer for layer in layers if layer not in bases],
        "bases": bases,
        "source": next((_source(origin) for origin in found.origins if origin.path[0] in _SOURCES), None),
    }


def _source(origin: Origin) -> dict[str, Any]:
    kind = str(origin.path[0])
    file = {"template": "templates/", "file": "files/"}.get(kind)
    return {
        "kind": kind,
        "file": None if file is None else file + str(origin.value).removeprefix(file),
        "named_in": origin.file,
        "line": origin.line,
    }
