"""A small world for tests: one application called billing in its own folder, reached by Python and by commands."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import HealthCheck, settings
from patience import (
    GUARD,
    clock,  # noqa: F401 - a fixture: a clock that a test moves
    threads_named,
)
from quick import (  # noqa: F401 - hooks and a fixture: which tests are quick
    _stays_quick,
    pytest_collection_finish,
    pytest_collection_modifyitems,
)
from servers import place, served  # noqa: F401 - fixtures: databases on real servers

from framework import App, current, masking, project
from framework.cli.main import main
from framework.files import modules

# Neither the speed of a machine nor chance decides; `FRAMEWORK_FUZZ_EXAMPLES` tries other examples each time.
settings.register_profile(
    "tests",
    deadline=None,
    derandomize="FRAMEWORK_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")

# A background job ignores SIGINT and SIGQUIT, and nohup SIGHUP. Programs that the tests start would inherit that and go
# on waiting for the signal.
for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """All cores, and two more while servers are waited for; none with `-s` or when a test is named."""
    if config.option.capture == "no" or any("::" in argument for argument in config.args):
        return 0
    cores = os.cpu_count() or 1
    return cores if config.option.markexpr == "quick" else cores + 2


class World:
    """A folder that is the working directory and the home of the application `billing`, and a clean environment."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._monkeypatch, self._capsys = home, monkeypatch, capsys

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def project(self, **settings: Any) -> None:
        """Write the project file."""
        settings = {"name": "billing", "home": ".", **settings}
        self.write(
            "pyproject.toml", "[tool.framework]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in settings.items())
        )

    def set(self, **environ: str) -> None:
        for name, text in environ.items():
            self._monkeypatch.setenv(name, text)

    def app(self) -> App:
        """The application as the command line makes it."""
        found = project.find(str(self.home), named=True)
        assert found is not None
        return App(**found.settings)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command: exit status, stdout, stderr, with the folder's path written as HOME."""
        self._capsys.readouterr()
        with warnings.catch_warnings():
            try:
                status = main(words)
            except SystemExit as stop:  # argparse
                status = stop.code if isinstance(stop.code, int) else 1
        out, err = self._capsys.readouterr()
        return status, self.shown(out), self.shown(err)

    def shown(self, text: object) -> str:
        return str(text).replace(str(self.home), "HOME")


#: Threads of applications that a fixture of a module holds.
_kept: WeakSet[threading.Thread] = WeakSet()


@pytest.fixture(autouse=True)
def _nobody_in_the_background() -> None:
    """Applications that earlier tests have left behind end: they would go on refreshing, and warn, and be counted."""
    for _ in range(50):
        left = [one for one in threads_named("framework-refresh", "framework-watch") if one not in _kept]
        if not left:
            return
        gc.collect()
        time.sleep(0.005)
    _kept.update(left)


@pytest.fixture(autouse=True)
def _forget_secrets() -> Any:
    """A secret that one test registers must not mask text in another."""
    masking.reset()
    yield
    masking.reset()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name in list(os.environ):
        if name.startswith(("BILLING_", "FRAMEWORK_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(modules, "_folders", [])
    made = World(tmp_path, monkeypatch, capsys)
    made.project()
    before, known = current.use(None), set(sys.modules)
    yield made
    current.use(before)
    for name in set(sys.modules) - known:  # another test may write another module of this name
        module = getattr(sys.modules[name], "__dict__", {})  # None means a module that cannot be imported
        if str(module.get("__file__")).startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lifetimes are what they are set to, and pauses half of their bounds."""
    monkeypatch.setattr("framework.jitter.fraction", lambda: 0.5)


@pytest.fixture(autouse=True)
def _slow_is_not_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures that only a busy machine draws out are no outage."""
    monkeypatch.setattr("framework.chain.runner._A_WHILE", GUARD)


@pytest.fixture
def real_pauses() -> None:
    """For a test that waits for something real between the tries of a store."""


@pytest.fixture(autouse=True)
def _short_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the pauses between the tries take next to no time."""
    if "real_pauses" not in request.fixturenames:
        monkeypatch.setattr("framework.backends.retries.FIRST", 0.01)
        monkeypatch.setattr("framework.backends.retries.LONGEST", 0.05)
