"""What a signature in a commit or an annotated tag is about: the bytes that were signed, apart from it (pure).

It is stricter than git: exactly one signature, nothing behind it, and an object whose bytes have the id that it was
asked for by. So there is one way only to read it, whatever another program would make of it.
"""

import hashlib
import re
from dataclasses import dataclass

MAX_BYTES = 1 << 20
"""Of a commit or tag that is looked at: its message is people's text, and verifying it costs time."""
_BEGIN = re.compile(rb"^-----BEGIN [A-Z ]+-----", re.MULTILINE)
_PERSON = re.compile(rb"(?P<name>.*) (?P<time>\d{1,12}) [+-]\d{4}")
_HEADERS = (b"gpgsig", b"gpgsig-sha256")
_FIRST = re.compile(rb"tree (parent )*author committer ")
"""Headers that git reads by their place: behind a signature it would not see them, though they are signed."""


class Malformed(ValueError):
    """It is no object whose signature means anything; the message says why."""


@dataclass(frozen=True, slots=True)
class SignedObject:
    """A commit or tag, taken apart."""

    payload: bytes
    """What the signature is about."""
    signature: bytes | None
    """As it was written; None: there is none."""
    who: str
    """The author of a commit, the tagger of a tag: `Name <mail>`, "" where a tag has none."""
    when: int | None
    """Unix seconds that its committer or tagger wrote, who may write anything."""


@dataclass(frozen=True, slots=True)
class SignedTag(SignedObject):
    """An annotated tag."""

    name: str
    target: str
    """The id of the object that it is on."""


def check_id(object_id: str, kind: str, data: bytes) -> None:
    """Raises Malformed unless these bytes are that object: git does not look again at what is on its disk."""
    if len(data) > MAX_BYTES:
        raise Malformed(f"it has more than {MAX_BYTES >> 20} MB")
    digest = hashlib.sha1(usedforsecurity=False) if len(object_id) == 40 else hashlib.sha256()
    digest.update(f"{kind} {len(data)}\0".encode() + data)
    if digest.hexdigest() != object_id:
        raise Malformed("its bytes are not those of its id: the repository is damaged or tampered with")


def parse_commit_object(commit: str, data: bytes) -> SignedObject:
    """The commit with this id; raises Malformed."""
    check_id(commit, "commit", data)
    head, gap, message = data.partition(b"\n\n")
    kept: list[bytes] = []
    signatures: list[list[bytes]] = []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith(b" "):
            (signatures[-1] if inside else kept).append(line[1:] if inside else line)
            continue
        name, _, value = line.partition(b" ")
        inside = name in _HEADERS
        if inside:
            _check_header(commit, name)
            signatures.append([value])
        else:
            kept.append(line)
    if len(signatures) > 1:
        raise Malformed("it has more than one signature")
    author, _ = _person(kept, b"author")
    _, when = _person(kept, b"committer")
    _check_order(head)
    signature = b"\n".join(signatures[0]) if signatures else None
    return SignedObject(b"\n".join(kept) + gap + message, signature, author, when)


def parse_tag_object(tag: str, data: bytes) -> SignedTag:
    """The annotated tag with this id; raises Malformed."""
    check_id(tag, "tag", data)
    found = _BEGIN.search(data)
    payload, signature = (data, None) if found is None else (data[: found.start()], data[found.start() :])
    if signature is not None and len(_BEGIN.findall(signature)) > 1:
        raise Malformed("it has more than one signature")
    lines = payload.partition(b"\n\n")[0].split(b"\n")
    if any(line.partition(b" ")[0] in _HEADERS for line in lines):
        raise Malformed("it has a signature for another kind of repository")
    fields = [line.partition(b" ") for line in lines[:3]]
    if [name for name, _, _ in fields] != [b"object", b"type", b"tag"]:
        raise Malformed("it is no tag that git would make")
    target, _, name = (value.decode("utf-8", "backslashreplace") for _, _, value in fields)
    who, when = _person(lines, b"tagger")
    return SignedTag(payload, signature, who, when, name, target)


def _check_order(head: bytes) -> None:
    """What the signer saw and what git sees must be one commit: its files, and all of its parents."""
    names = [line.partition(b" ")[0] for line in head.split(b"\n") if not line.startswith(b" ")]
    first = _FIRST.match(b" ".join([*names, b""]))
    rest = names[len(first[0].split()) :] if first is not None else names
    if first is None or {b"tree", b"parent"} & set(rest):
        raise Malformed("its headers are not in the order in which git writes them")


def _check_header(commit: str, name: bytes) -> None:
    """A signature for the other hash is about an object that is not here."""
    if (name == b"gpgsig") != (len(commit) == 40):
        raise Malformed("it has a signature for another kind of repository")


def _person(lines: list[bytes], field: bytes) -> tuple[str, int | None]:
    """Who, and when; raises Malformed when it is there twice."""
    values = [line.partition(b" ")[2] for line in lines if line.startswith(field + b" ")]
    if len(values) > 1:
        raise Malformed(f"it has more than one {field.decode()}")
    match = _PERSON.fullmatch(values[0]) if values else None
    if match is None:
        return (values[0] if values else b"").decode("utf-8", "replace"), None
    return match["name"].decode("utf-8", "replace"), int(match["time"])
