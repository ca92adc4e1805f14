"""The settings of a server: from a YAML file, the environment and flags. The only reader of `os.environ`."""

from .errors import ConfigError
from .forge import CommitStatusSettings, WebhookSettings
from .load import Setting, load_config, schema, settings
from .models import (
    AccessRule,
    Auth,
    Config,
    Domain,
    HTTPSettings,
    Limits,
    NotifySettings,
    RepositorySettings,
    SubscriptionSettings,
    TLSSettings,
)
from .pnp import PnPSettings
from .provisioning import Bootstrap, ProvisioningSettings
from .push import PushSettings
from .values import HostPort, Listener, is_this_machine, read_duration

__all__ = [
    "AccessRule",
    "Auth",
    "Bootstrap",
    "CommitStatusSettings",
    "Config",
    "ConfigError",
    "Domain",
    "HTTPSettings",
    "HostPort",
    "Limits",
    "Listener",
    "NotifySettings",
    "PnPSettings",
    "ProvisioningSettings",
    "PushSettings",
    "RepositorySettings",
    "Setting",
    "SubscriptionSettings",
    "TLSSettings",
    "WebhookSettings",
    "is_this_machine",
    "load_config",
    "read_duration",
    "schema",
    "settings",
]
