"""Documents as pointers: message/external-body with a URL (RFC 4483)."""

import hashlib
from urllib.parse import urlsplit

from gitops_profile.presentity import Presentation
from gitops_profile.sip import EXTERNAL_BODY, EventState

EXPIRATION = "Fri, 31 Dec 2049 23:59:59 GMT"
"""RFC 4483 §5.7 wants a date, in GMT: a published profile has none, its URL stands until the profile changes. One and
the same for all, so that equal content is an equal entity."""


def external_body(shown: Presentation, tag: str, url: str, event_parameters: str) -> EventState:
    """The event state that points to `url`, where the version `tag` of it is.

    `Content-ID` names the version, so that a device that has it skips the fetch (RFC 4483 §5.6, RFC 6080 §6.5); `hash`
    is SHA-1, as RFC 4483 §5.12 has it: it finds a damaged copy, it proves nothing, and of something sensitive it would
    tell too much.
    """
    digest = "" if shown.sensitive else f"; hash={hashlib.sha1(shown.body, usedforsecurity=False).hexdigest()}"
    host = urlsplit(url).hostname or ""
    domain = f"[{host}]" if ":" in host else host  # RFC 5322 §3.6.4: an address is a no-fold-literal
    body = (
        f"Content-Type: {shown.content_type}\r\nContent-ID: <{tag}@{domain}>\r\nContent-Disposition: render\r\n\r\n"
    ).encode()
    head = (
        f'Content-Type: {EXTERNAL_BODY}; access-type="URL"; expiration="{EXPIRATION}"; URL="{url}"; '
        f"size={len(shown.body)}{digest}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    return EventState(tag, head + body, len(body), event_parameters, entity_tag=f"{tag}.url", is_pointer=True)
