"""The secrets that webhooks are signed with: one a line, several while they are rotated."""

import base64
import binascii
from dataclasses import dataclass

MAX_SECRETS = 8
"""Each costs an HMAC over every body."""
MIN_BYTES = 16
"""A shorter one can be guessed from one signature."""
STANDARD_PREFIX = "whsec_"
"""Of a secret that is base64 (Standard Webhooks; GitLab's signing token)."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a signature may have been made with."""

    texts: tuple[bytes, ...] = ()
    """As they were typed in: the keys of GitHub and Gitea, and GitLab's token."""
    keys: tuple[bytes, ...] = ()
    """The keys of Standard Webhooks, in the order of `texts`: decoded after `whsec_`, else the text itself."""
    problems: tuple[str, ...] = ()
    """Lines that are no secrets, for the operator; they do not quote them."""

    def __repr__(self) -> str:
        return f"Secrets({len(self.texts)})"  # never what is in it (invariant I7)


def read_secrets(text: str) -> Secrets:
    """One secret a line; empty lines are nothing. Never raises."""
    texts: list[bytes] = []
    keys: list[bytes] = []
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        secret = line.strip()
        if not secret:
            continue
        key = _key(secret)
        if len(texts) == MAX_SECRETS:
            problems.append(f"line {number}: more than {MAX_SECRETS} secrets; the first {MAX_SECRETS} are used")
            break
        if key is None:
            problems.append(f"line {number}: after {STANDARD_PREFIX} there is no base64")
        elif min(len(key), len(secret)) < MIN_BYTES:
            problems.append(f"line {number}: shorter than {MIN_BYTES} bytes, not used")
        else:
            texts.append(secret.encode("utf-8", "surrogateescape"))
            keys.append(key)
    return Secrets(tuple(texts), tuple(keys), tuple(problems))


def _key(secret: str) -> bytes | None:
    if not secret.startswith(STANDARD_PREFIX):
        return secret.encode("utf-8", "surrogateescape")
    coded = secret.removeprefix(STANDARD_PREFIX)
    try:
        return base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
