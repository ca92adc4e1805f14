"""The settings as types. The names are the contract: files, variables and flags are made from them."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gitops_profile.presentity import canonical_domain

from .forge import CommitStatusSettings, WebhookSettings
from .pnp import PnPSettings
from .provisioning import ProvisioningSettings
from .push import PushSettings
from .section import DAY, Section
from .values import Count, FolderSetting, HostPortSetting, Listener, ListenerSetting, Network, Seconds

Auth = Literal["none", "digest"]
DIGEST_ALGORITHMS = Literal["MD5", "SHA-256", "SHA-512-256"]


class RepositorySettings(Section):
    """Where the profiles come from."""

    url: str = Field(
        default=".", min_length=1, description="path or URL of the repository: https, ssh, git, file, or git@host:path"
    )
    ref: str = Field(default="main", min_length=1, description="the branch or tag that is served")
    path: FolderSetting = Field(
        default="profiles", min_length=1, description="the profiles folder in it; . for its root"
    )
    poll: Seconds = Field(default=30.0, gt=0, le=DAY, description="seconds between looks, beside being told at once")
    fetch: Seconds = Field(default=60.0, ge=1, le=DAY, description="seconds between fetches from a remote")
    timeout: Seconds = Field(
        default=120.0, ge=1, le=3600, description="seconds for one fetch; ten times that for the first one"
    )
    history: bool = Field(default=True, description="fetch the history behind the newest commit too")
    username: str = Field(
        default="x-access-token", pattern=r"^[\x21-\x39\x3b-\x7e]+$", description="goes with the token, over https"
    )
    token: SecretStr | None = Field(default=None, description="for https; from the environment only")
    token_file: Path | None = Field(default=None, description="file with the token for https; read at every fetch")
    ssh_key: Path | None = Field(default=None, description="file with the private key for ssh, without passphrase")
    known_hosts: Path | None = Field(default=None, description="file with the host keys that are accepted over ssh")
    ca_file: Path | None = Field(default=None, description="PEM file of the CAs that sign the remote's certificate")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("there is a token and a token_file; leave one of them out")
        return self


class HTTPSettings(Section):
    """Profile content, health and metrics over HTTP."""

    listen: HostPortSetting | None = Field(default=None, description="where, such as 127.0.0.1:8060; null for nowhere")
    public_url: str | None = Field(
        default=None, description="the URL under which phones reach it; null: no document is told as a link"
    )
    tls: bool = Field(default=False, description="serve HTTPS with the certificate of the tls section")
    token_file: Path | None = Field(
        default=None, description="file with the token of those who may ask how far a revision has come; null: nobody"
    )

    @field_validator("public_url")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        # Only what every HTTP client and every SIP header takes as it is.
        if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?", url):
            raise ValueError(f"{url!r} is no plain URL such as https://prov.example.com/")
        return url if url.endswith("/") else f"{url}/"

    @model_validator(mode="after")
    def _links_lead_to_the_listener(self) -> Self:
        if self.public_url is not None and self.listen is None:
            raise ValueError("public_url needs listen: it says where phones reach that listener")
        if self.token_file is not None and self.listen is None:
            raise ValueError("token_file needs listen: revisions are asked for there")
        if self.public_url is not None and self.tls and not self.public_url.startswith("https:"):
            raise ValueError("public_url must begin with https: when tls is true")
        return self


class TLSSettings(Section):
    """Certificates of the TLS, WSS and HTTPS listeners; read again when the files change."""

    certificate: Path | None = Field(default=None, description="PEM file with the certificate chain")
    key: Path | None = Field(default=None, description="PEM file with its private key")
    client_ca: Path | None = Field(default=None, description="PEM file of the CAs that sign client certificates")


class SubscriptionSettings(Section):
    """How long a subscription lasts, in seconds."""

    default_expires: Count = Field(
        default=3600, ge=1, le=2**31 - 1, description="when the phone names none, in seconds"
    )
    min_expires: Count = Field(default=60, ge=0, le=3600, description="shorter is answered 423, in seconds")
    max_expires: Count = Field(default=86400, ge=1, le=2**31 - 1, description="longer is cut down to it, in seconds")

    on_stop: Literal["keep", "deactivate", "probation"] = Field(
        default="keep",
        description="at SIGTERM: keep them in silence, or send all phones elsewhere (deactivate: at once, probation: "
        "after a minute)",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ValueError("must be min_expires <= default_expires <= max_expires")
        return self


class NotifySettings(Section):
    """How fast changes go out."""

    rate: Count = Field(default=20000, ge=1, description="NOTIFYs per second, overall")
    in_flight: Count = Field(default=1000, ge=1, description="unanswered NOTIFYs, overall")
    removed: Literal["end", "empty"] = Field(
        default="empty", description="a removed profile ends its subscriptions, or is told as an empty one"
    )
    fragment: bool = Field(
        default=False,
        description="a NOTIFY above 1300 bytes may leave in fragments when nothing else works",
    )


class AccessRule(Section):
    """An exception from "own profile only"."""

    who: str = Field(min_length=1, description="user@domain as authenticated; * and ? are wildcards")
    may: list[str] = Field(min_length=1, description="profiles, such as device/example.com/0004f2*; * and ? as well")


class Domain(Section):
    """How subscribers of one domain show who they are, and what they may have."""

    auth: Auth | None = Field(
        default=None, description="none or digest; must be said for listeners that are not loopback"
    )
    realm: str | None = Field(default=None, min_length=1, description="of the digest challenge; the domain when null")
    credentials: Path | None = Field(default=None, description="htdigest file")
    algorithms: list[DIGEST_ALGORITHMS] = Field(default=["MD5"], min_length=1, description="one challenge for each")

    access: list[AccessRule] = Field(default=[], description="who may have more than the own profile")
    unknown_device: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="a device without a profile gets 403, or the profile device/DOMAIN/default, or an empty NOTIFY",
    )

    @model_validator(mode="after")
    def _digest_has_credentials(self) -> Self:
        if self.auth == "digest" and self.credentials is None:
            raise ValueError("digest needs credentials: name the file that gitops-profile passwd writes")
        return self


class Limits(Section):
    """Bounds, each with an answer when it is reached."""

    message_bytes: Count = Field(
        default=65535, ge=1500, le=1 << 20, description="largest SIP message; more is answered 513"
    )
    subscriptions: Count = Field(default=1_000_000, ge=1, description="overall; more is answered 503")
    repository_bytes: Count = Field(
        default=2 << 30, ge=1 << 20, description="of what is fetched from a remote at once; more is refused"
    )
    subscriptions_per_source: Count = Field(default=1000, ge=1, description="per address; a trusted proxy is no source")
    subscriptions_per_profile: Count = Field(default=100_000, ge=1, description="per profile; more is answered 503")
    unverified_rate: Count = Field(
        default=50, ge=1, description="NOTIFYs per second to one address that has not answered any yet, over UDP"
    )


class TrustSettings(Section):
    """What a revision must show before it comes into force."""

    signatures: Literal["off", "head", "all"] = Field(
        default="off",
        description="what must be signed: nothing, the newest commit (or the tag that is served), or every commit that "
        "is new",
    )
    allowed_signers: Path | None = Field(
        default=None, description="file with those who may sign with SSH; see ALLOWED SIGNERS in ssh-keygen(1)"
    )
    keyring: Path | None = Field(
        default=None,
        description="file with the OpenPGP public keys of those who may sign, as gpg --export writes it, or a folder "
        "of such files",
    )
    revoked_keys: Path | None = Field(
        default=None,
        description="file with SSH keys that no longer count: public keys, or what ssh-keygen -k writes (a KRL)",
    )
    rewrites: Literal["allow", "hold", "refuse"] = Field(
        default="allow",
        description="a ref that no longer contains what is in force (force-push): apply it, wait for "
        "gitops-profile approve, or reject it",
    )

    @model_validator(mode="after")
    def _signers_are_known(self) -> Self:
        if self.signatures != "off" and self.allowed_signers is None and self.keyring is None:
            raise ValueError("signatures needs allowed_signers (SSH) or keyring (OpenPGP): who may sign?")
        if self.revoked_keys is not None and self.allowed_signers is None:
            raise ValueError("revoked_keys needs allowed_signers: it is about keys of SSH")
        return self


DomainName = Annotated[str, AfterValidator(canonical_domain)]


class Config(Section):
    """All settings of a server."""

    repository: RepositorySettings = RepositorySettings()
    state: Path = Field(
        default=Path(".gitops-profile"), description="folder of the event log, subscriptions and admin socket"
    )
    loop: Literal["asyncio", "uvloop"] = Field(
        default="asyncio", description="event loop: uvloop makes documents over HTTP cheaper, where it is installed"
    )
    listen: list[ListenerSetting] = Field(
        default=[Listener("udp", "127.0.0.1", 5060), Listener("tcp", "127.0.0.1", 5060)],
        json_schema_extra={"default": ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]},  # as it is written
        min_length=1,
        description="SIP listeners, such as udp:0.0.0.0:5060 or tcp:[::]:5060",
    )
    workers: Count = Field(default=1, ge=1, le=16, description="processes that speak SIP, one for each core")
    http: HTTPSettings = HTTPSettings()
    tls: TLSSettings = TLSSettings()
    webhook: WebhookSettings = WebhookSettings()
    commit_status: CommitStatusSettings = CommitStatusSettings()
    pnp: PnPSettings = PnPSettings()
    provisioning: ProvisioningSettings = ProvisioningSettings()
    push: PushSettings = PushSettings()
    subscriptions: SubscriptionSettings = SubscriptionSettings()
    notify: NotifySettings = NotifySettings()
    domains: dict[DomainName, Domain] = Field(
        default={}, description="by name; one that is not listed is served without authentication, on loopback only"
    )
    limits: Limits = Limits()
    trust: TrustSettings = TrustSettings()
    trusted_proxies: list[Network] = Field(default=[], description="networks whose P-Asserted-Identity is believed")
    trusted_certificates: list[DomainName] = Field(
        default=[], description="names in client certificates whose P-Asserted-Identity is believed"
    )

    @field_validator("listen")
    @classmethod
    def _each_once(cls, listeners: list[Listener]) -> list[Listener]:
        fixed = [listener for listener in listeners if listener.port]
        for listener in fixed:
            if fixed.count(listener) > 1:
                raise ValueError(f"{listener} is there twice")
        return listeners

    @field_validator("domains", mode="before")
    @classmethod
    def _each_domain_once(cls, domains: Any) -> Any:
        seen: dict[str, str] = {}
        for name in domains if isinstance(domains, dict) else ():
            first = seen.setdefault(str(name).lower().removesuffix("."), str(name))
            if first != str(name):
                raise ValueError(f"{first} and {name} are the same domain")
        return domains

    @model_validator(mode="after")
    def _secure_listeners_have_certificates(self) -> Self:
        secure = [str(listener) for listener in self.listen if listener.transport in ("tls", "wss")]
        secure += ["http.tls"] if self.http.tls else []
        if secure and (self.tls.certificate is None or self.tls.key is None):
            raise ValueError(f"{secure[0]} needs tls.certificate and tls.key")
        if self.trusted_certificates and self.tls.client_ca is None:
            raise ValueError("trusted_certificates needs tls.client_ca")
        return self

    @model_validator(mode="after")
    def _plug_and_play_has_a_url(self) -> Self:
        if self.pnp.interfaces and self.pnp.url is None and self.http.public_url is None:
            raise ValueError("pnp needs a URL to tell phones: set http.public_url, or pnp.url")
        ways = self.provisioning.authenticate
        if self.pnp.link is not None and ways is not None and "link" not in ways:
            raise ValueError("pnp.link opens nothing: put link into provisioning.authenticate")
        return self

    @model_validator(mode="after")
    def _devices_show_who_they_are(self) -> Self:
        if "certificate" in (self.provisioning.authenticate or ()) and not self.http.tls:
            raise ValueError("provisioning.authenticate: certificate needs http.tls: true")
        if self.provisioning.authenticate == ["basic"] and not (self.http.tls or self.trusted_proxies):
            raise ValueError("provisioning.authenticate: basic needs http.tls: true, or a proxy in trusted_proxies")
        return self

    @model_validator(mode="after")
    def _webhook_has_a_listener(self) -> Self:
        if self.webhook.secret_file is not None and self.http.listen is None:
            raise ValueError("webhook.secret_file needs http.listen: that is where webhooks come in")
        return self

    @field_validator("domains")
    @classmethod
    def _exposed_domains_say_how(cls, domains: dict[str, Domain], info: ValidationInfo) -> dict[str, Domain]:
        """Nobody is served without authentication to the world by saying nothing."""
        exposed = [listener for listener in info.data.get("listen", ()) if not listener.is_loopback]
        silent = [name for name, domain in domains.items() if domain.auth is None]
        if exposed and not domains:
            raise ValueError(
                f"{exposed[0]} is not loopback, so each domain served there must say how its subscribers authenticate: "
                "list it, such as example.com: {auth: none}"
            )
        if exposed and silent:
            raise ValueError(
                f"{silent[0]} has no auth, and {exposed[0]} is not loopback: say auth: none if you mean it"
            )
        return domains

    def auth_for(self, domain: str, listener_is_loopback: bool) -> Auth | None:
        """How a subscriber of `domain` authenticates on such a listener; None: the domain is not served there."""
        listed = self.domains.get(domain.lower().removesuffix("."))
        if listed is not None and listed.auth is not None:
            return listed.auth
        return "none" if listener_is_loopback else None
