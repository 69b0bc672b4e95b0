"""FastAPI: the lifespan, the dependency and the health page, and the example with its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import framework
from framework import App, errors
from framework.backends.base import BaseSecretsBackend
from framework.errors import AccessDenied, BackendUnavailable

pytest.importorskip("fastapi")
pytest.importorskip("httpx2")

from fastapi import FastAPI  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402

from framework.integrations.fastapi import health, prefetching  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx`")
EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi"
SCHEMA = {"mail": {"options": {"password": {"type": "string", "sensitive": True}}}}


class Store(BaseSecretsBackend):
    """Answers, refuses or is down, as the test sets it."""

    fault: Exception | None = None

    def get_config(self, key: str) -> str | None:
        if type(self).fault is not None:
            raise type(self).fault
        return "canary-value" if key == "canary-name" else None


@dataclass
class Shop:
    limit: int = 1


@dataclass
class Settings:
    shop: Shop


@pytest.fixture
def app() -> App:
    Store.fault = None
    environ = {
        "BILLING__SECRETS__BACKEND": f"{__name__}.Store",
        "BILLING__SECRETS__USE_CACHE": "false",
        "BILLING__MAIL__PASSWORD_SECRET": "canary-name",
    }
    return App("billing", schema=SCHEMA, environ=environ)


def served(app: App, **options: Any) -> FastAPI:
    api = FastAPI(lifespan=prefetching(app))
    api.include_router(health(app, **options))
    return api


def test_secrets_are_fetched_before_the_first_request(app: App) -> None:
    with TestClient(served(app)) as client:
        assert app.stats()[0]["calls"] == 1
        response = client.get("/healthz")
    assert response.json()["status"] == "ok"
    assert "canary" not in response.text
    assert response.headers["cache-control"] == "no-store"


def test_a_missing_secret_stops_the_start(app: App) -> None:
    Store.fault = BackendUnavailable("it is down")
    with pytest.raises(errors.ConfigError, match=r"(?s)not started.*password"), TestClient(served(app)):
        raise AssertionError("it served")


@pytest.mark.parametrize(
    ("fault", "state"), [(BackendUnavailable("canary-text"), "unavailable"), (AccessDenied("canary-text"), "denied")]
)
def test_the_health_page_shows_a_failing_store_and_asks_none(app: App, fault: Exception, state: str) -> None:
    client = TestClient(served(app))
    assert client.get("/healthz").json()["links"][0]["state"] == "not asked"
    Store.fault = fault
    with pytest.raises(errors.PointerError):
        app.conf.get("mail", "password")
    calls = app.stats()[0]["calls"]
    for _ in range(3):
        response = client.get("/healthz")
        assert response.status_code == 200
        assert response.json()["status"] == "degraded"
        assert response.json()["links"][0]["state"] == state
        assert "canary" not in response.text
    assert app.stats()[0]["calls"] == calls
    assert TestClient(served(app, unhealthy_status=503)).get("/healthz").status_code == 503
    Store.fault = None
    app.conf.get("mail", "password")
    assert client.get("/healthz").json()["status"] == "ok"


def test_settings_that_do_not_fit_stop_the_start() -> None:
    app = App("billing", schema=Settings, environ={"BILLING__SHOP__LIMIT": "many"})
    with pytest.raises(errors.ConfigError, match="limit"), TestClient(served(app)):
        raise AssertionError("it served")


def test_another_lifespan_begins_afterwards(app: App) -> None:
    order: list[str] = []

    @asynccontextmanager
    async def own(api: Any) -> Any:
        order.append(f"began after {app.stats()[0]['calls']} call")
        yield {"state": 1}
        order.append("ended")

    with TestClient(FastAPI(lifespan=prefetching(app, own))):
        assert order == ["began after 1 call"]
    assert order[-1] == "ended"


def run_in_example(*words: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: text for name, text in os.environ.items() if not name.startswith(("PRICES_", "FRAMEWORK_", "PYTEST"))
    }
    clean |= {"PYTHONPATH": str(Path(framework.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-m", *words], cwd=EXAMPLE, env=clean, capture_output=True, text=True)


@pytest.mark.external
def test_the_tests_of_the_example_pass() -> None:
    words = ("-n", "0", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLE), "-c", "pyproject.toml", "test_prices.py")
    done = run_in_example("pytest", "-q", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.external
def test_the_dump_in_the_readme_is_what_dump_prints() -> None:
    assert run_in_example("framework", "dump").stdout.strip() in (EXAMPLE / "README.md").read_text()
