"""The settings of the shop: the only place where its options are declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le

from framework import Secret


@dataclass(frozen=True)
class Tls:
    cert: Path
    key: Secret


@dataclass(frozen=True)
class Server:
    """Where the shop listens."""

    host: str = "localhost"
    port: Annotated[int, Ge(1), Le(65535)] = 8000
    """Below 1024 only for root."""
    origins: list[str] = field(default_factory=list)
    timeout: timedelta = timedelta(seconds=30)
    tls: Tls | None = None  # the section [server.tls]; without it, no TLS


@dataclass(frozen=True)
class Warehouse:
    """One place that goods are sent from."""

    city: str
    capacity: Annotated[int, Ge(0)] = 100


@dataclass(frozen=True)
class Orders:
    warehouses: list[Warehouse]
    currency: Literal["EUR", "CHF"] = "EUR"
    discount: str = "0%"  # a default is used as it is written here: nothing in it is expanded


@dataclass(frozen=True)
class Payments:
    api_key: Secret


@dataclass(frozen=True)
class Settings:
    server: Server
    orders: Orders
    payments: Payments
