"""The settings of telling phones that hold no subscription to fetch again (check-sync)."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from .section import DAY, Section
from .values import Seconds

_PROXY = re.compile(r"sips?:([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(;[A-Za-z0-9=._-]+)*")


class PushSettings(Section):
    """Check-sync: a NOTIFY outside of any subscription, to phones that fetch their file by URL."""

    enabled: bool = Field(default=True, description="tell phones without a subscription when their document changes")
    to: list[Literal["aor", "contact"]] = Field(
        default=["aor", "contact"],
        description="where: the AoR of the manifest (notify.aor), where the phone was seen, or the first "
        "of both that there is",
    )
    proxy: str | None = Field(
        default=None,
        description="SIP URI of the registrar or proxy for AoRs, such as sip:pbx.example.com; null: the AoR's domain",
    )
    credentials: Path | None = Field(
        default=None,
        description="file with the credentials of the lines, for phones that challenge: user:realm:HA1, or "
        "user::password for any realm",
    )
    challenges: Literal["proven", "anyone"] | None = Field(
        default=None,
        description="whose challenge is answered with them where a phone is told directly, without a proxy: of phones "
        "that have shown which they are at their last fetch, or of anyone where the phone was seen; null: proven, "
        "unless provisioning.authenticate is empty",
    )
    settle: Seconds = Field(
        default=60.0, ge=0, le=DAY, description="seconds after the last change; a further one begins them anew"
    )
    longest: Seconds = Field(default=300.0, ge=0, le=DAY, description="seconds after the first change, whatever comes")
    spread: Seconds = Field(
        default=30.0, ge=0, le=DAY, description="seconds over which the phones of one change are told"
    )

    @field_validator("proxy")
    @classmethod
    def _is_a_uri(cls, uri: str | None) -> str | None:
        if uri is not None and not _PROXY.fullmatch(uri):
            raise ValueError(f"{uri!r} is no SIP URI without a user, such as sip:pbx.example.com:5060;transport=tcp")
        return uri
