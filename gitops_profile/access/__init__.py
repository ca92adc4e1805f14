"""Who is asking, and what he may have: digest, trusted proxies, own profile only (pure)."""

from .gate import Gate
from .policy import AccessRule, DomainPolicy

__all__ = ["AccessRule", "DomainPolicy", "Gate"]
