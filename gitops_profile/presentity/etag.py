"""The entity-tag of a profile document: one tag per presentation (RFC 5839 §6.1)."""

import hashlib


def entity_tag(content_type: str, body: bytes, effective_by: int | None = None) -> str:
    """A tag made from all that RFC 5839 §4 counts as the entity; a token, so it is sent without quotes.

    `effective_by` (seconds) is part of it because it travels in the Event header, which belongs to the entity.
    """
    digest = hashlib.sha256()
    for part in (content_type.encode(), b"" if effective_by is None else str(effective_by).encode()):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    digest.update(body)
    return digest.hexdigest()[:32]
