"""The settings of documents that phones fetch by URL."""

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from gitops_profile.presentity import canonical_domain

from .section import DAY, Section
from .values import Count, Network, Seconds

WAYS = Literal["certificate", "digest", "basic", "link"]
UPLOADS = Literal["refuse", "discard", "keep"]
ALGORITHMS = Literal["MD5", "SHA-256", "SHA-512-256"]


class Bootstrap(Section):
    """New phones, which have nothing to show yet: who may have documents without, for a while."""

    networks: list[Network] = Field(default=[], description="the clients that need to show nothing until then")
    until: datetime | None = Field(default=None, description="when that ends, such as 2026-12-01T18:00:00+01:00")

    @field_validator("until")
    @classmethod
    def _has_a_zone(cls, until: datetime | None) -> datetime | None:
        return until if until is None or until.tzinfo is not None else until.replace(tzinfo=UTC)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.networks) != (self.until is not None):
            raise ValueError("networks and until go together: who needs to show nothing, and how long")
        return self

    def is_open_to(self, source: str, now: float) -> bool:
        """Whether a client at this address needs to show nothing at `now`, in Unix seconds."""
        if self.until is None or now >= self.until.timestamp():
            return False
        try:
            address = ip_address(source)
        except ValueError:
            return False
        return any(address in network for network in self.networks)


class ProvisioningSettings(Section):
    """Documents by URL, at p/ below http.public_url: for phones that fetch a file by its name."""

    authenticate: list[WAYS] | None = Field(
        default=None,
        description="how a device may show which one it is: certificate, digest, basic (over TLS), link; [] for none, "
        "which serves what is not sensitive to everybody; null: [link], or [] when both http.listen and "
        "http.public_url are loopback",
    )
    domain: Annotated[str, AfterValidator(canonical_domain)] | None = Field(
        default=None, description="whose files are meant when a URL names no domain; null: whoever has the device"
    )
    realm: str = Field(default="provisioning", min_length=1, pattern=r'^[^"\\:]+$', description="of digest and basic")
    credentials: Path | None = Field(
        default=None,
        description="file of the devices' passwords, which gitops-profile passwd writes; the MAC is the user name, and "
        "several lines for one device are several passwords",
    )
    algorithms: list[ALGORITHMS] = Field(default=["MD5"], min_length=1, description="one challenge for each")
    device_ca: Path | None = Field(
        default=None, description="PEM file of the CAs that sign the certificates of devices, such as vendors' roots"
    )
    bootstrap: Bootstrap = Bootstrap()
    uploads: UPLOADS = Field(default="discard", description="what becomes of what phones send, such as logs")
    upload_bytes: Count = Field(default=1 << 20, ge=1024, description="of one upload; more is answered 413")
    uploads_bytes: Count = Field(
        default=64 << 20, ge=1024, description="of all uploads that are kept; the oldest are deleted"
    )
    misses: Count = Field(
        default=30,
        ge=1,
        le=1000,
        description="different devices that one address may ask for in vain within ten minutes",
    )
    ban: Seconds = Field(
        default=3600.0, ge=1, le=30 * DAY, description="seconds that an address is refused that asked for more"
    )

    @model_validator(mode="after")
    def _ways_have_what_they_need(self) -> Self:
        ways = self.authenticate or ()
        for way, given, name in (
            ("digest", self.credentials, "credentials"),
            ("basic", self.credentials, "credentials"),
            ("certificate", self.device_ca, "device_ca"),
        ):
            if way in ways and given is None:
                raise ValueError(f"authenticate: {way} needs {name}")
        return self
