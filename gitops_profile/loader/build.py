"""One file as the documents it makes."""

from typing import Any

from gitops_profile.presentity import InvalidKey, ProfileDocument, ProfileKey, mac_of

from .base import Base
from .layout import folders_above, key_of_path
from .manifest import Defaults, Manifest, ReadManifest, alias_key, merge
from .problem import Problem, UnreadableProfile

_INHERITED = ("template", "content_type", "sensitive", "effective_by")


class Builder:
    """Makes documents from the files of one state; folder defaults are merged once for each folder."""

    def __init__(self, state: Base) -> None:
        self._state = state
        self._folders: dict[str, Defaults] = {}

    def plain(self, path: str, content: bytes) -> list[ProfileDocument]:
        """A plain document: delivered byte for byte. Raises UnreadableProfile."""
        return [ProfileDocument(key_of_path(path), self._state.settings.content_type(path), content, path)]

    def from_manifest(self, path: str, read: ReadManifest) -> list[ProfileDocument]:
        """The documents of a manifest, one for its path and one for each alias. Raises UnreadableProfile."""
        manifest = read.manifest
        keys = [key_of_path(path), *self._aliases(path, read)]
        inherited = self._inherited(path)
        settled = {name: self._settled(manifest, inherited, name) for name in _INHERITED}
        documents = []
        for key in keys:
            body, content_type = self._body(path, read, key, inherited, settled["content_type"])
            documents.append(
                ProfileDocument(
                    key,
                    content_type,
                    body,
                    path,
                    sensitive=bool(settled["sensitive"]),
                    effective_by=settled["effective_by"],
                )
            )
        return documents

    def template_of(self, path: str, manifest: Manifest) -> str | None:
        """The template that a manifest is rendered with, its own or an inherited one."""
        if manifest.body is not None or manifest.file is not None:
            return None
        name = self._settled(manifest, self._inherited(path), "template")
        return str(name).removeprefix("templates/") if name is not None else None

    @staticmethod
    def _settled(manifest: Manifest, inherited: Defaults, name: str) -> Any:
        value = getattr(manifest, name)
        return getattr(inherited, name) if value is None else value

    def _inherited(self, path: str) -> Defaults:
        """Every defaults.yaml from the top down to the folder of `path`, merged."""
        folder = path.rpartition("/")[0]
        known = self._folders.get(folder)
        if known is None:
            known = Defaults()
            for above in folders_above(path):
                own = self._state.defaults.get(above)
                if own is not None:
                    update = {n: getattr(own, n) for n in _INHERITED if getattr(own, n) is not None}
                    known = known.model_copy(update={**update, "values": merge(known.values, own.values)})
            self._folders[folder] = known
        return known

    def _aliases(self, path: str, read: ReadManifest) -> list[ProfileKey]:
        keys = []
        for number, text in enumerate(read.manifest.aliases):
            try:
                keys.append(alias_key(text))
            except InvalidKey as error:
                line, column = read.data.place(("aliases", number))
                raise UnreadableProfile(Problem(path, line, column, f"alias: {error}")) from error
        return keys

    def _body(
        self, path: str, read: ReadManifest, key: ProfileKey, inherited: Defaults, given: str | None
    ) -> tuple[bytes, str]:
        """The body for one key, and its content type: the given one, or what its source suggests."""
        manifest, settings = read.manifest, self._state.settings
        if manifest.body is not None:
            return manifest.body.encode(), given or settings.content_type("body.txt")
        if manifest.file is not None:
            data = self._state.data.get(f"files/{manifest.file}")
            if data is None:
                line, column = read.data.place(("file",))
                message = f"there is no files/{manifest.file}"
                raise UnreadableProfile(Problem(path, line, column, message, "`file:` names a file under files/"))
            return data, given or settings.content_type(manifest.file)
        name = self.template_of(path, manifest)
        if name is None:
            hint = "give one of template, body and file, or a template in a defaults.yaml above"
            raise UnreadableProfile(Problem(path, 0, 0, "nothing says what the document is made of", hint))
        if name not in self._state.templates:
            line, column = read.data.place(("template",))
            raise UnreadableProfile(Problem(path, line, column, f"there is no templates/{name}"))
        context = merge(inherited.values, manifest.values)
        context |= {"key": str(key), "domain": key.domain, "name": key.name, "mac": mac_of(key.name) or ""}
        content_type = given or settings.content_type(name)
        return self._state.templates.render(path, name, context, content_type), content_type
