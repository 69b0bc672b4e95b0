"""Run by `python -m pytest`."""

from fastapi.testclient import TestClient
from prices import Rates, Settings, Shop, api, app, settings

from framework import Secret


def test_a_price() -> None:
    with TestClient(api) as client:
        assert client.get("/price").json() == {"amount": "12.50", "currency": "EUR"}


def test_the_store_was_asked_before_the_first_request() -> None:
    with TestClient(api) as client:
        state = client.get("/healthz").json()
    assert state["status"] == "ok"
    assert state["links"][0]["calls"] >= 1
    assert app.settings.rates.api_key.get_secret_value() == "made-up-rates-api-key"


def test_other_settings() -> None:
    api.dependency_overrides[settings] = lambda: Settings(Shop("CHF", 13), Rates(Secret("made-up")))
    try:
        assert TestClient(api).get("/price").json() == {"amount": "13.00", "currency": "CHF"}
    finally:
        api.dependency_overrides.clear()
