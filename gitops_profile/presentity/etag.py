"""The entity-tag of a profile document: one tag per presentation (RFC 5839 §6.1)."""

import hashlib
import hmac


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


def concealed_tag(etag: str, key: bytes) -> str:
    """An entity-tag that tells nothing of its content: a plain hash of a short secret can be guessed from outside.

    For sensitive documents wherever the tag goes without the document. It changes exactly when `etag` does.
    """
    return hmac.digest(key, etag.encode(), "sha256").hex()[:32]
