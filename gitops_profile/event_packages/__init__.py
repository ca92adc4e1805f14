"""One file for each SIP event package (pure)."""

from .ua_profile import UAProfile

__all__ = ["UAProfile"]
