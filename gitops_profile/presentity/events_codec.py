"""Presentity events as plain data for the log, and back.

A body that is UTF-8 is stored as text, so that the log reads with jq; any other as base64. What an older version wrote
is first made into the data of the version after it, step by step: only the newest shape is decoded.
"""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from .document import Presentation, ProfileDocument
from .events import (
    ApplicationResumed,
    ApplicationSuspended,
    HistoryRewritten,
    PresentityEvent,
    ProblemRecord,
    ProfileAdded,
    ProfileChanged,
    ProfileRemoved,
    RepositoryRulesChanged,
    RevisionApplied,
    RevisionApproved,
    RevisionHeld,
    RevisionRejected,
    RevisionStamp,
    RevisionSuperseded,
)
from .key import ProfileKey
from .notify_policy import NO_POLICY, NotifyPolicy, Window
from .repository_rules import FileRule, RepositoryRules
from .variant import Variant

Data = dict[str, Any]
Refused = TypeVar("Refused", RevisionRejected, RevisionHeld)
_WHEN = ("vendor", "model", "version")
_COUNTS = ("added", "changed", "removed", "held_back")


class UnknownEvent(ValueError):
    """A record whose type or version this program does not know: written by a newer one."""


def encode_event(event: PresentityEvent) -> tuple[str, int, str, Data]:
    """Type, version, stream and data of an event. The stream is the profile's key or `ref:<name>`."""
    name = type(event).__name__
    match event:
        case ProfileAdded(document, revision) | ProfileChanged(document, revision):
            return name, 3, str(document.key), {**_document_data(document), "revision": _stamp_data(revision)}
        case ProfileRemoved(key, path, revision):
            return name, 1, str(key), {"key": str(key), "path": path, "revision": _stamp_data(revision)}
        case RepositoryRulesChanged(rules, ref, revision):
            return name, 1, f"ref:{ref}", {"ref": ref, **_rules_data(rules), "revision": _stamp_data(revision)}
        case RevisionApplied():
            data = _outcome_data(event)
            return name, 2, f"ref:{event.ref}", data | {k: getattr(event, k) for k in _COUNTS}
        case RevisionRejected() | RevisionHeld():
            problems = [
                {"path": p.path, "line": p.line, "column": p.column, "message": p.message, "hint": p.hint}
                for p in event.problems
            ]
            data = _outcome_data(event) | {"problems": problems}
            if isinstance(event, RevisionRejected):
                return name, 2, f"ref:{event.ref}", data | {"keys": event.keys}
            return name, 1, f"ref:{event.ref}", data
        case RevisionApproved(commit, ref, by, at):
            return name, 1, f"ref:{ref}", {"commit": commit, "ref": ref, "by": by, "at": at}
        case RevisionSuperseded(revision, ref, by, older):
            data = {"ref": ref, "by": by, "older": older, "revision": _stamp_data(revision)}
            return name, 2, f"ref:{ref}", data
        case HistoryRewritten(ref, old, new):
            return name, 1, f"ref:{ref}", {"ref": ref, "old_commit": old, "new_commit": new}
        case ApplicationSuspended(scope, by, reason, at):
            return name, 1, f"application:{scope}", {"scope": scope, "by": by, "reason": reason, "at": at}
        case ApplicationResumed(scope, by, held_back):
            return name, 1, f"application:{scope}", {"scope": scope, "by": by, "held_back": held_back}


def decode_event(type_: str, version: int, data: Data) -> PresentityEvent:
    """The event that `encode_event` wrote; raises UnknownEvent."""
    while (upcast := _UPCASTERS.get((type_, version))) is not None:
        data, version = upcast(data), version + 1
    decode = _DECODERS.get((type_, version))
    if decode is None:
        raise UnknownEvent(f"event {type_} version {version} is unknown to this version of gitops-profile; upgrade it")
    return decode(data)


def _document_data(document: ProfileDocument) -> Data:
    return {
        "key": str(document.key),
        "path": document.path,
        **_presentation_data(document),
        "variants": [_variant_data(variant) for variant in document.variants],
        "aliases": [str(alias) for alias in document.aliases],
        "notify": _policy_data(document.notify),
    }


def _policy_data(policy: NotifyPolicy) -> Data:
    windows = [{name: getattr(window, name) for name in Window.__slots__} for window in policy.windows]
    return {"may_reboot": policy.may_reboot, "aor": policy.aor, "windows": windows}


def _policy(data: Data) -> NotifyPolicy:
    windows = tuple(Window(**window) for window in data["windows"])
    return NotifyPolicy(data["may_reboot"], data["aor"], windows)


def _rules_data(rules: RepositoryRules) -> Data:
    files = [{"name": rule.name, "profiles": list(rule.profiles)} for rule in rules.files]
    return {"files": files, "decoys": list(rules.decoys)}


def _rules(data: Data) -> RepositoryRules:
    files = tuple(FileRule(rule["name"], tuple(rule["profiles"])) for rule in data["files"])
    return RepositoryRules(files, tuple(data["decoys"]))


def _variant_data(variant: Variant) -> Data:
    when = {name: getattr(variant, name) for name in _WHEN if getattr(variant, name) is not None}
    return {"when": when, **_presentation_data(variant)}


def _presentation_data(presentation: Presentation) -> Data:
    data: Data = {
        "etag": presentation.etag,
        "content_type": presentation.content_type,
        "sensitive": presentation.sensitive,
        "effective_by": presentation.effective_by,
    }
    try:
        data["body"] = presentation.body.decode()
    except UnicodeDecodeError:
        data["body_base64"] = base64.b64encode(presentation.body).decode()
    return data


def _document(data: Data) -> ProfileDocument:
    return ProfileDocument(
        key=ProfileKey.parse(data["key"]),
        content_type=data["content_type"],
        body=_body(data),
        path=data["path"],
        sensitive=data["sensitive"],
        effective_by=data["effective_by"],
        variants=tuple(map(_variant, data["variants"])),
        aliases=tuple(map(ProfileKey.parse, data["aliases"])),
        notify=_policy(data["notify"]),
    )


def _variant(data: Data) -> Variant:
    return Variant(
        **{name: data["when"].get(name) for name in _WHEN},
        content_type=data["content_type"],
        body=_body(data),
        sensitive=data["sensitive"],
        effective_by=data["effective_by"],
    )


def _body(data: Data) -> bytes:
    return data["body"].encode() if "body" in data else base64.b64decode(data["body_base64"])


def _stamp_data(stamp: RevisionStamp) -> Data:
    return {name: getattr(stamp, name) for name in RevisionStamp.__slots__}


def _stamp(data: Data) -> RevisionStamp:
    return RevisionStamp(**data)


def _outcome_data(event: RevisionApplied | RevisionRejected | RevisionHeld) -> Data:
    return {
        "ref": event.ref,
        "path": event.path,
        "loader_version": event.loader_version,
        "revision": _stamp_data(event.revision),
    }


def _applied(data: Data) -> RevisionApplied:
    return RevisionApplied(**(data | {"revision": _stamp(data["revision"])}))


def _refused(kind: type[Refused], data: Data) -> Refused:
    problems = tuple(ProblemRecord(**problem) for problem in data["problems"])
    return kind(**(data | {"revision": _stamp(data["revision"]), "problems": problems}))


_DECODERS: dict[tuple[str, int], Callable[[Data], PresentityEvent]] = {
    ("ProfileAdded", 3): lambda d: ProfileAdded(_document(d), _stamp(d["revision"])),
    ("ProfileChanged", 3): lambda d: ProfileChanged(_document(d), _stamp(d["revision"])),
    ("ProfileRemoved", 1): lambda d: ProfileRemoved(ProfileKey.parse(d["key"]), d["path"], _stamp(d["revision"])),
    ("RepositoryRulesChanged", 1): lambda d: RepositoryRulesChanged(_rules(d), d["ref"], _stamp(d["revision"])),
    ("RevisionApplied", 2): _applied,
    ("RevisionRejected", 2): lambda d: _refused(RevisionRejected, d),
    ("RevisionHeld", 1): lambda d: _refused(RevisionHeld, d),
    ("RevisionApproved", 1): lambda d: RevisionApproved(**d),
    ("RevisionSuperseded", 2): lambda d: RevisionSuperseded(_stamp(d["revision"]), d["ref"], d["by"], d["older"]),
    ("HistoryRewritten", 1): lambda d: HistoryRewritten(**d),
    ("ApplicationSuspended", 1): lambda d: ApplicationSuspended(**d),
    ("ApplicationResumed", 1): lambda d: ApplicationResumed(**d),
}

_UPCASTERS: dict[tuple[str, int], Callable[[Data], Data]] = {
    # Before variants and aliases: an alias was a document of its own.
    ("ProfileAdded", 1): lambda d: d | {"variants": [], "aliases": []},
    ("ProfileChanged", 1): lambda d: d | {"variants": [], "aliases": []},
    # Before `notify:` was acted on.
    ("ProfileAdded", 2): lambda d: d | {"notify": _policy_data(NO_POLICY)},
    ("ProfileChanged", 2): lambda d: d | {"notify": _policy_data(NO_POLICY)},
    # Before anything could be suspended.
    ("RevisionApplied", 1): lambda d: d | {"held_back": 0},
    # Before signatures were checked.
    ("RevisionRejected", 1): lambda d: d | {"keys": None},
    ("RevisionSuperseded", 1): lambda d: d | {"by": None, "older": 0},
}
