"""What is known of phones: their MACs, what they say of themselves, which files they ask for, how they are told (pure).

Every fact is from `reference/phones.md` or from vendors' public documents; nothing here decides who may have what.
"""

from gitops_profile.presentity import FileRule

from .file_names import FileKind, FileRequest, FileRoutes, InvalidFileRule
from .ladder import HEARD_WITHOUT_EFFECT, Facts, Rung, Standing, standing, worst
from .mac import HEX_MAC, bare, mac_in
from .oui import vendor_of_mac
from .presentation import shown_to
from .sighting import How, Sighting
from .user_agent import NOTHING_SAID, Claim, read_user_agent
from .vendor import (
    GENERIC,
    SAYS_NOTHING,
    VENDORS,
    CheckSync,
    PnPURL,
    Vendor,
    event_for,
    model_said,
    vendor_named,
    vendor_of,
)

__all__ = [
    "GENERIC",
    "HEARD_WITHOUT_EFFECT",
    "HEX_MAC",
    "NOTHING_SAID",
    "SAYS_NOTHING",
    "VENDORS",
    "CheckSync",
    "Claim",
    "Facts",
    "FileKind",
    "FileRequest",
    "FileRoutes",
    "FileRule",
    "How",
    "InvalidFileRule",
    "PnPURL",
    "Rung",
    "Sighting",
    "Standing",
    "Vendor",
    "bare",
    "event_for",
    "mac_in",
    "model_said",
    "read_user_agent",
    "shown_to",
    "standing",
    "vendor_named",
    "vendor_of",
    "vendor_of_mac",
    "worst",
]
