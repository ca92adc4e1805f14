"""More than one process that speaks SIP: whose a message is, how it gets there, and what the main process knows."""

from .channel import Channel
from .mirror import Mirror
from .owner import Owners
from .pool import Pool
from .post import CONNECTIONS, Post, first_connection, mailbox
from .reports import Reports, is_worth_a_line, tell
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
    "Reports",
    "Subscriptions",
    "close_all",
    "first_connection",
    "for_workers",
    "is_worth_a_line",
    "mailbox",
    "pack",
    "tell",
    "unpack",
]
