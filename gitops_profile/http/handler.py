"""What answers one name of the admin socket."""

from collections.abc import Awaitable, Callable
from typing import Any

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
"""Takes parameters and returns data for JSON. An AdminError it raises is the caller's answer.

The parameter `by` is the name of the user who asks: the kernel says so, whatever was sent.
"""
