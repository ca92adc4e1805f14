"""The composition root: builds every part, wires it, runs it, stops it in order.

A name is looked up when it is asked for: `history` wants two small ones, and importing a server takes 0.3 s.
"""

from typing import TYPE_CHECKING

from gitops_profile.door import late_names

if TYPE_CHECKING:
    from .server import CannotServe, Server
    from .stage import Goal
    from .tags import phone_tags
    from .trust import Signatures
    from .views import iso
else:
    __getattr__ = late_names(
        __name__,
        {
            "CannotServe": "server",
            "Goal": "stage",
            "Server": "server",
            "Signatures": "trust",
            "iso": "views",
            "phone_tags": "tags",
        },
    )

__all__ = ["CannotServe", "Goal", "Server", "Signatures", "iso", "phone_tags"]
