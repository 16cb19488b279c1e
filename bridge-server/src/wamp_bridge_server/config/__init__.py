"""What a bridge is told: the structs, and where they come from."""

from wamp_bridge_server.config._callbacks import callback_rule
from wamp_bridge_server.config._deliveries import OF_A_SUBSCRIPTION as DELIVERY_CHECKS
from wamp_bridge_server.config._environment import PREFIX
from wamp_bridge_server.config._errors import ConfigError, Problem
from wamp_bridge_server.config._load import check_listener, load, parse
from wamp_bridge_server.config._model import (
    EVERYTHING,
    Action,
    Address,
    AppConfig,
    AuthMethod,
    CallbackRule,
    CallConfig,
    Config,
    CrossbarKey,
    DeliveryConfig,
    Permissions,
    RouterAuth,
    RouterConfig,
    Secret,
    StoreConfig,
    StreamConfig,
    TlsConfig,
    Token,
    hash_token,
)
from wamp_bridge_server.config._secrets import read_reference

__all__ = [
    "DELIVERY_CHECKS",
    "EVERYTHING",
    "PREFIX",
    "Action",
    "Address",
    "AppConfig",
    "AuthMethod",
    "CallConfig",
    "CallbackRule",
    "Config",
    "ConfigError",
    "CrossbarKey",
    "DeliveryConfig",
    "Permissions",
    "Problem",
    "RouterAuth",
    "RouterConfig",
    "Secret",
    "StoreConfig",
    "StreamConfig",
    "TlsConfig",
    "Token",
    "callback_rule",
    "check_listener",
    "hash_token",
    "load",
    "parse",
    "read_reference",
]
