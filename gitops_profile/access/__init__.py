"""Who is asking, and what he may have: digest, trusted proxies, own profile only (pure)."""

from .challenged import answer_challenge
from .gate import DIGEST, Gate
from .policy import AccessRule, DomainPolicy

__all__ = ["DIGEST", "AccessRule", "DomainPolicy", "Gate", "answer_challenge"]
