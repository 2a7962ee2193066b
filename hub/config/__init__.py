"""Settings: one TOML file, systemd credentials, environment and ``--set``, as frozen models."""

from hub.config.base import Section
from hub.config.loader import DEFAULT_FILE, FILE_VARIABLE, Loaded, load
from hub.config.log import Log
from hub.config.metrics import Metrics
from hub.config.models import (
    Broker,
    Cash,
    Cloud,
    Discovery,
    Pairing,
    Paths,
    Settings,
    Staff,
    Stock,
    Storage,
    Store,
    Web,
)
from hub.config.printing import Printing
from hub.config.problems import ConfigError, Origin, Problem

__all__ = [
    "DEFAULT_FILE",
    "FILE_VARIABLE",
    "Broker",
    "Cash",
    "Cloud",
    "ConfigError",
    "Discovery",
    "Loaded",
    "Log",
    "Metrics",
    "Origin",
    "Pairing",
    "Paths",
    "Printing",
    "Problem",
    "Section",
    "Settings",
    "Staff",
    "Stock",
    "Storage",
    "Store",
    "Web",
    "load",
]
