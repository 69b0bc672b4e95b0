"""A service whose settings are a class: `python examples/shop/main.py`."""

from __future__ import annotations

import os
import sys

from framework import App, errors

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)

from shop_settings import Settings  # noqa: E402


def main() -> int:
    app = App.from_project(here)
    try:
        settings = app.bind(Settings)  # your editor knows that this is a Settings
    except errors.SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    server, orders = settings.server, settings.orders
    scheme = "https" if server.tls else "http"
    print(f"the shop serves {scheme}://{server.host}:{server.port}, {server.timeout} for a request")
    print(f"it sends from {', '.join(place.city for place in orders.warehouses)}, prices in {orders.currency}")
    print(f"payments with {settings.payments.api_key}")  # a Secret shows itself nowhere
    return 0


if __name__ == "__main__":
    sys.exit(main())
