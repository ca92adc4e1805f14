"""Which phones were seen, and what each was told, given and has: observed, and kept out of git."""

from .device import Device, Holding
from .inventory import MAX_GUESTS, MAX_GUESTS_PER_SOURCE, MAX_STRANGERS, MAX_STRANGERS_PER_SOURCE, Inventory
from .reading import Fetched, read_fetched
from .store import InventoryStore, InventoryUnavailable

__all__ = [
    "MAX_GUESTS",
    "MAX_GUESTS_PER_SOURCE",
    "MAX_STRANGERS",
    "MAX_STRANGERS_PER_SOURCE",
    "Device",
    "Fetched",
    "Holding",
    "Inventory",
    "InventoryStore",
    "InventoryUnavailable",
    "read_fetched",
]
