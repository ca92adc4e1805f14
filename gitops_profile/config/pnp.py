"""The settings of SIP plug and play."""

import ipaddress
import re
from typing import Literal

from pydantic import Field, field_validator

from .section import DAY, Section
from .values import Seconds

_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")
_URL = re.compile(r"(https?|tftp|ftp)://[!-.0-z|~]+(/[!-~]*)?")
"""Nothing is filled in where the host stands: a phone's own words must not say which server it asks."""
_PLACE = re.compile(r"\{[^{}]*\}")
PLACES = ("{mac}", "{MAC}", "{vendor}", "{model}", "{version}")


class PnPSettings(Section):
    """SIP plug and play: new phones ask a multicast group where their configuration is."""

    interfaces: list[str] = Field(default=[], description="where it is listened for, such as eth0; none: nowhere")
    devices: Literal["known", "all"] = Field(
        default="known", description="who is answered: phones that have a profile, or all"
    )
    url: str | None = Field(
        default=None,
        description="what phones are told, with {mac}, {MAC}, {vendor}, {model} and {version} filled in; null: p/ "
        "below http.public_url, as each vendor wants it",
    )
    link: Seconds | None = Field(
        default=None,
        gt=0,
        le=DAY,
        description="seconds for which the URL opens the phone's documents to whoever has it, which is whoever asks in "
        "the phone's network; null: the phone must show otherwise which one it is",
    )
    group: str = Field(default="224.0.1.75:5060", description="the multicast group and its port")

    @field_validator("interfaces")
    @classmethod
    def _are_interfaces(cls, names: list[str]) -> list[str]:
        for name in names:
            if not _INTERFACE.fullmatch(name):
                raise ValueError(f"{name!r} is no name of an interface, such as eth0")
            if names.count(name) > 1:
                raise ValueError(f"{name} is there twice")
        return names

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not _URL.fullmatch(url) or len(url) > 500:
            raise ValueError(f"{url!r} is no URL such as https://prov.example.com/{{mac}}.cfg")
        unknown = [place for place in _PLACE.findall(url) if place not in PLACES]
        if unknown:
            raise ValueError(f"{unknown[0]} is unknown; there are {', '.join(PLACES)}")
        return url

    @field_validator("group")
    @classmethod
    def _is_a_group(cls, group: str) -> str:
        host, _, port = group.rpartition(":")
        try:
            good = ipaddress.IPv4Address(host).is_multicast and 0 < int(port) < 65536
        except ValueError:
            good = False
        if not good:
            raise ValueError(f"{group!r} is no multicast group and port, such as 224.0.1.75:5060")
        return group

    @property
    def address(self) -> tuple[str, int]:
        """Of the group."""
        host, _, port = self.group.rpartition(":")
        return host, int(port)
