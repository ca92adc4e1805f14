"""More than one process that speaks SIP: whose a message is, how it gets there, and what the main process knows."""

from .channel import Channel
from .mirror import Mirror
from .owner import Owners
from .pool import Pool
from .post import CONNECTIONS, Post, mailbox
from .reports import Report, Reports, is_worth_a_line, tell
from .rows import pack, unpack
from .sockets import Bound, close_all, for_workers
from .subscriptions import Subscriptions
from .writer import RemoteStore

__all__ = [
    "CONNECTIONS",
    "Bound",
    "Channel",
    "Mirror",
    "Owners",
    "Pool",
    "Post",
    "RemoteStore",
    "Report",
    "Reports",
    "Subscriptions",
    "close_all",
    "for_workers",
    "is_worth_a_line",
    "mailbox",
    "pack",
    "tell",
    "unpack",
]
