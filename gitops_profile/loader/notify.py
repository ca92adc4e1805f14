"""`notify:` in files: whether a phone may be rebooted, where it is registered, and when changes may go out."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gitops_profile.presentity import Window
from gitops_profile.windows import check_cron, check_timezone, parse_duration

MAX_WINDOWS = 20
"""Of one kind, in one file: each is looked at before a change is told."""
_SIP_URI = re.compile(r"sips?:[!#-;=?-~]+@[\w.:\[\]-]+(;[!#-;=?A-~]+)*", re.ASCII)
MAX_URI = 256
MAX_CRON = 200
"""Characters: it goes with every document that inherits it."""


def _cron(text: str) -> str:
    check_cron(text)
    return " ".join(text.split())


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _timezone(text: str) -> str:
    check_timezone(text)
    return text


def _sip_uri(text: str) -> str:
    if len(text) > MAX_URI or not _SIP_URI.fullmatch(text):
        raise ValueError(f"{text!r} is no SIP URI, such as sip:2001@example.com")
    return text


class WindowRule(BaseModel):
    """A time that comes again and again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: Annotated[str, Field(max_length=MAX_CRON), AfterValidator(_cron)]
    """When it begins: minute, hour, day of the month, month, day of the week."""
    duration: Annotated[str, AfterValidator(_duration)]
    """How long it lasts, such as 90m, 4h or 1h30m."""
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    """Of the cron fields, such as Europe/Berlin."""

    def window(self, *, allows: bool) -> Window:
        """The same as it goes with a document."""
        return Window(allows, self.cron, parse_duration(self.duration), self.timezone)


Windows = Annotated[tuple[WindowRule, ...], Field(max_length=MAX_WINDOWS)]


class FolderNotify(BaseModel):
    """How phones are told of a change; what is not said is inherited."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    REFUSED: ClassVar[dict[str, tuple[str, str]]] = {
        "aor": ("many phones have no AoR in common", "name it in the manifest of each device")
    }

    reboot: Literal["never", "allow"] | None = None
    """Whether a phone may be rebooted to make it fetch."""
    allow: Windows | None = None
    """Changes go out in one of these windows only; an empty list takes back what is inherited."""
    deny: Windows | None = None
    """No change goes out in any of these windows."""


class Notify(FolderNotify):
    """The same, of one profile."""

    REFUSED: ClassVar[dict[str, tuple[str, str]]] = {}

    aor: Annotated[str, AfterValidator(_sip_uri)] | None = None
    """The SIP URI under which the phone of a device profile is registered."""
