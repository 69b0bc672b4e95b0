"""A service that gets everything it has to know from one place: `python examples/billing/app.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from framework import App, Connection, Variable, conf

# pyproject.toml beside this file says the rest: schema, files, .env.
app = App.from_project(os.path.dirname(os.path.abspath(__file__))).use()


@dataclass(frozen=True)
class Settings:
    """What the service runs with, each value of the type that the schema declares."""

    host: str
    port: int
    request_timeout: timedelta
    currencies: list[str]
    retry_delays: list[int]
    tax_rates: dict[str, float]
    rounding: str
    serialize: Callable[[Any], str]
    api_key: str = field(repr=False)  # repr() of a settings object ends in a log one day

    @classmethod
    def load(cls) -> Settings:
        return cls(
            host=conf.value("server", "host"),
            port=conf.value("server", "port"),
            request_timeout=conf.value("server", "request_timeout"),
            currencies=conf.value("payments", "currencies"),
            retry_delays=conf.value("payments", "retry_delays"),
            tax_rates=conf.value("invoices", "tax_rates"),
            rounding=conf.value("invoices", "rounding"),
            serialize=conf.value("payments", "serializer"),
            api_key=conf.value("payments", "api_key"),
        )


def main() -> None:
    settings = Settings.load()
    warehouse = Connection.get("warehouse")
    batch = int(Variable.get("batch_size", default=100))
    number = conf.get("invoices", "number_format") % 42

    print(f"billing serves http://{settings.host}:{settings.port}, {settings.request_timeout} for a request")
    print(f"payments in {', '.join(settings.currencies)}, retried after {settings.retry_delays} seconds")
    print(f"taxes {settings.serialize(settings.tax_rates)}, {settings.rounding}")
    print(f"invoice {number}, {batch} in one go, reported to {warehouse.conn_type} at {warehouse.host}")


if __name__ == "__main__":
    main()
