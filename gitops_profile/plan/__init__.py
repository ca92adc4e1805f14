"""What a change of the profiles means for phones: the difference of what they are given, never of the files (pure)."""

from .comparison import Change, PartChange, ProfileChange, compare
from .data import as_data
from .difference import Binary, Fact, Hunk, Secret, Way
from .grouping import Group, Place, Plan
from .markdown import MAX_MARKDOWN, as_markdown
from .outlook import Outlook, Phones, phones_now
from .text import as_text

__all__ = [
    "MAX_MARKDOWN",
    "Binary",
    "Change",
    "Fact",
    "Group",
    "Hunk",
    "Outlook",
    "PartChange",
    "Phones",
    "Place",
    "Plan",
    "ProfileChange",
    "Secret",
    "Way",
    "as_data",
    "as_markdown",
    "as_text",
    "compare",
    "phones_now",
]
