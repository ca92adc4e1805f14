"""Credentials that a public document has in plain text: what `check` warns of, and a load never looks for.

A document is public unless it is `sensitive`. What its values, its template and its own text say is looked at by name,
as `plan` does when it masks them; what is no secret in spite of its name (a switch, a placeholder) is left out.
"""

import html
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import chain, islice
from typing import Any

from gitops_profile.presentity import Presentation, ProfileDocument

from .build import Builder, Source
from .manifest import ReadManifest
from .masking import SECRET, masked, masked_lines
from .problem import Problem
from .settings import PublicCredential
from .state import State
from .written import Layer, has, leaves
from .yaml_reader import DataPath

MAX_WARNINGS = 1000
"""Of one load; more would be read by nobody."""
MAX_SEARCHED = 8 << 30
"""Bytes of bodies that values are looked for in, of one load, each body once for each value: some ten seconds."""
NOT_SEARCHED = "has more values to look for than there is time for: from here on they were not looked for"
RULE = "plaintext-credential"
HINT = "say `sensitive: true`, take it out of the repository, or list it in public_credentials of profiles.yaml"

# What stands in the place of a secret, or only says something about one.
_PLACEHOLDER = re.compile(
    r"\s*|[*xX.#_?-]+|(?i:change[-_ ]?me|placeholder|secret|password|todo|none|null|nil|empty|default|example)"
    r"|(?i:true|false|yes|no|on|off|enabled?|disabled?|[01])|<[^<>]*>|\$\{?[\w.]+\}?|%[\w.]+%|@[\w.]+@|\[[\w. ]+\]"
    r"|https?://[^@\s]*|/[\w./-]+"
)
_ABOUT = re.compile(
    r"(?i)[-_. ]?(?:file|path|url|uri|length|len|min|max|policy|type|mode|enabled?|required?|expires?|expiry|timeout"
    r"|retries|interval|prompt|label|hint|name|realm|algorithm|visible|show|hide|change|reset)s?$"
)
_NAME_BEFORE = re.compile(r"([\w.$\[\]-]+)[\"']?\s*(?:[=:>]|\s[Vv]alue\s*=)\s*[\"']?(?:<!\[CDATA\[)?$")
_FAR_BEFORE = 400
"""Characters in which the name of a value is looked for: a line of thousands would be gone through for each."""
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class CredentialFinder:
    """Looks at the documents of one load; what many documents have from one place is told once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._builder = Builder(state)
        self._in_layers: dict[tuple[str, DataPath], list[tuple[DataPath, Any]]] = {}
        self._in_texts: dict[str, list[Problem]] = {}
        self._told: set[tuple[str, DataPath]] = set()
        self._searched = 0

    def find(self, documents: Iterable[ProfileDocument]) -> tuple[Problem, ...]:
        """Warnings, at most MAX_WARNINGS; no value is in them."""
        found: set[Problem] = set()
        for warning in chain.from_iterable(map(self._of, documents)):
            found.add(warning)
            if len(found) >= MAX_WARNINGS:
                break
        return tuple(sorted(found))

    def _of(self, document: ProfileDocument) -> Iterator[Problem]:
        read = self._state.manifests.get(document.path)
        if read is None:
            yield from self._in_text(document.path, document.body) if not document.sensitive else ()
            return
        shown: list[tuple[int | None, Presentation]] = [(None, document), *enumerate(document.variants)]
        for number, presentation in shown:
            if not presentation.sensitive:
                yield from self._in_values(document.path, read, number, presentation.body)
                yield from self._in_source(document.path, read, self._builder.source_of(document.path, read, number))

    # -- what is given to a template -----------------------------------------------------------------------------

    def _in_values(self, path: str, read: ReadManifest, variant: int | None, body: bytes) -> Iterator[Problem]:
        """The final values with a secret's name that are in the document as they are."""
        layers = self._builder.values_of(path, read, variant)
        for number, layer in enumerate(layers):
            file, data, place = layer
            for leaf, value in self._suspicious(layer):
                path_there = (*place, *leaf)
                if (file, path_there) in self._told:
                    continue
                if any(has(nearer.value, (*prefix, *leaf)) for _, nearer, prefix in layers[:number]):
                    continue  # another value is in its place
                if self._searched > MAX_SEARCHED:
                    return
                self._searched += len(body)
                if self._searched > MAX_SEARCHED:
                    yield Problem(path, 0, 0, NOT_SEARCHED, "put fewer credentials into what many inherit", RULE)
                    return
                text = str(value)
                escaped = html.escape(text)
                if text.encode() in body or (escaped != text and escaped.encode() in body):
                    self._told.add((file, path_there))
                    dotted = ".".join(map(str, ("values", *leaf)))
                    yield from self._warning(file, *data.place(path_there), dotted)

    def _suspicious(self, layer: Layer) -> list[tuple[DataPath, Any]]:
        file, data, place = layer
        known = self._in_layers.get((file, place))
        if known is None:
            values = data.value or {}
            for key in place:
                values = values[key] if isinstance(values, list) or has(values, (key,)) else {}
            known = [(leaf, value) for leaf, value in leaves(values, ()) if is_credential(leaf, value)]
            self._in_layers[file, place] = known
        return known

    # -- text ----------------------------------------------------------------------------------------------------

    def _in_source(self, path: str, read: ReadManifest, source: Source | None) -> Iterator[Problem]:
        kind, text, place = source or ("", "", ())
        match kind:
            case "body":
                where = read.data.place(place)
                for problem in self._in_text(path, text.encode()):
                    yield Problem(path, *where, problem.message, problem.hint, RULE)
            case "file":
                yield from self._once(f"files/{text}", self._state.data.get(f"files/{text}", b""))
            case "template":
                name = text.removeprefix("templates/")
                for used in self._state.templates.uses(name) or (name,):
                    # What an expression gives is a value, and looked at as such.
                    literal = _EXPRESSION.sub(_line_ends, self._state.sources.get(used, ""))
                    yield from self._once(f"templates/{used}", literal.encode())

    def _once(self, file: str, content: bytes) -> list[Problem]:
        if file not in self._in_texts:
            self._in_texts[file] = list(islice(self._in_text(file, content), MAX_WARNINGS))
        return self._in_texts[file]

    def _in_text(self, file: str, content: bytes) -> Iterator[Problem]:
        """The lines of a text that `plan` would mask something of."""
        try:
            lines = content.decode().splitlines(keepends=True)
        except UnicodeDecodeError:
            return
        for number, (line, shown) in enumerate(zip(lines, masked_lines(lines), strict=True), 1):
            if line != shown:
                for column, name, value in _hidden(line, shown):
                    if not _PLACEHOLDER.fullmatch(value.strip()) and not _ABOUT.search(name):
                        yield from self._warning(file, number, column, name or "this")

    def _warning(self, file: str, line: int, column: int, name: str) -> Iterator[Problem]:
        if not _is_allowed(self._state.settings.public_credentials, file, name):
            yield Problem(file, line, column, f"{name} is a credential in plain text, in a public document", HINT, RULE)


def is_credential(path: DataPath, value: Any) -> bool:
    """Whether a value looks like a secret: by the name of its key or of what it is in, or by itself."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value)
    names = [part for part in path if isinstance(part, str)]
    if _PLACEHOLDER.fullmatch(text) or any(_ABOUT.search(name) for name in names[-1:]):
        return False
    return any(SECRET in masked(f"{name}: x") for name in names[-2:]) or (len(text) > 8 and masked(text) != text)


def _hidden(line: str, shown: str) -> Iterator[tuple[int, str, str]]:
    """Column, name and text of each thing in a line that is masked."""
    at, pieces = 0, shown.split(SECRET)
    for piece, following in zip(pieces, pieces[1:], strict=False):
        begin, end = at + len(piece), len(line.rstrip())
        if following.strip():
            found = line.find(following, begin)
            end = found if found >= begin else end
        named = _NAME_BEFORE.search(line[max(0, begin - _FAR_BEFORE) : begin])
        yield begin + 1, named[1] if named else "", line[begin:end]
        at = end


def _line_ends(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def _is_allowed(rules: Iterable[PublicCredential], file: str, name: str) -> bool:
    return any(fnmatchcase(file, one.path) and fnmatchcase(name, one.key) for one in rules)
