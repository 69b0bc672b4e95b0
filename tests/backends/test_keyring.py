"""The keyring package: GNOME's keyring on its own bus where there is one, and the project's keyring in a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

pytest.importorskip("keyring", reason="keyring is not installed")
pytest.importorskip("keyrings.alt", reason="keyrings.alt, the keyring in a file, is not installed")

import keyring.backend  # noqa: E402
import keyring.errors  # noqa: E402
from store_checks import by_threads, in_a_child, refused  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends import build  # noqa: E402
from framework.backends.keyring import KeyringBackend  # noqa: E402
from framework.testing import BackendContract  # noqa: E402

FILE = "keyrings.alt.file.PlaintextKeyring"
FOLDERS = {"connection": "airflow/connections", "variable": "airflow/variables", "config": "airflow/config"}
CANARY = "keyring-value-canary"


@pytest.fixture(autouse=True)
def _own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)


def put(service: str, name: str, text: str) -> None:
    keyring.core.load_keyring(FILE).set_password(service, name, text)


class TestContract(BackendContract):
    def backend(self) -> Any:
        return KeyringBackend(keyring=FILE)

    def put(self, kind: str, name: str, text: str) -> None:
        put(FOLDERS[kind], name, text)

    def in_trouble(self, trouble: str) -> Any:
        stores = {"sealed": "Locked", "down": "Broken", "binary": "Bytes"}
        return KeyringBackend(keyring=f"{__name__}.{stores[trouble]}") if trouble in stores else None


class Own(keyring.backend.KeyringBackend):
    """A keyring that fails."""

    priority = -1  # type: ignore[assignment] - never chosen, only named

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


class Locked(Own):
    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked(CANARY)


class Broken(Own):
    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(CANARY)


class Bytes(Own):
    def get_password(self, service: str, username: str) -> str | None:
        return (CANARY.encode() + b"\xff").decode()


@pytest.mark.parametrize(
    ("name", "error"),
    [("Locked", errors.BackendUnavailable), ("Broken", errors.BackendUnavailable), ("Bytes", errors.InvalidSecret)],
)
def test_failures_are_what_they_are_and_say_nothing(name: str, error: Any) -> None:
    backend = KeyringBackend(keyring=f"{__name__}.{name}")
    refused(error, lambda: backend.get_variable("x"), CANARY)
    assert isinstance(backend.get_many("variable", ["x"])["x"], error)


def test_no_keyring_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    refused(
        errors.BackendUnavailable, lambda: KeyringBackend(keyring="keyring.backends.fail.Keyring").get_variable("x")
    )
    for name in ("no.such.Keyring", "keyring.backends.fail.Missing", "json"):
        with pytest.raises(errors.BackendError, match="the kwarg keyring") as caught:
            KeyringBackend(keyring=name).get_variable("x")
        assert caught.value.__context__ is None


def test_names_and_texts() -> None:
    for name, text in (("a b/ü.%", "ü🔑\n"), ("empty", ""), ("long", "x" * 65536), ("_", "a=b\nc")):
        put("airflow/variables", name, text)
        assert KeyringBackend(keyring=FILE).get_variable(name) == text


def test_services() -> None:
    put("billing/variables", "vat", "19")
    put("own", "vat", "7")
    backend = KeyringBackend(keyring=FILE)
    backend.bind("billing", "")
    assert backend.get_variable("vat") == "19"
    assert KeyringBackend(keyring=FILE, variables_prefix="own").get_variable("vat") == "7"
    assert KeyringBackend(keyring=FILE, variables_prefix=None).get_variable("vat") is None
    assert backend.get_many("variable", ["vat", "gone"]) == {"vat": "19"}


def test_connections_in_every_form() -> None:
    put("airflow/connections", "uri", "postgres://me:pw@host:5/db")
    put("airflow/connections", "json", '{"conn_type": "postgres", "password": "pw"}')
    put("airflow/connections", "own", '{"at": {"host": "host"}}')
    backend = KeyringBackend(keyring=FILE)
    assert backend.get_connection("uri").port == 5  # type: ignore[union-attr]
    assert backend.get_connection("json").password == "pw"  # type: ignore[union-attr]
    backend.connection_map = {"host": "at.host", "conn_type": {"const": "postgres"}}
    assert backend.get_connection("own").host == "host"  # type: ignore[union-attr]


def test_threads_and_forks() -> None:
    put("airflow/variables", "x", "here")
    backend = KeyringBackend(keyring=FILE)
    assert by_threads(lambda: backend.get_variable("x")) == ["here"] * 32
    assert in_a_child(lambda: backend.get_variable("x")) == "here"


def test_in_an_application_and_without_versions(tmp_path: Path) -> None:
    put("billing/variables", "vat", "19")
    kwargs = json.dumps({"keyring": FILE})
    (tmp_path / "billing.cfg").write_text(f"[secrets]\nbackend = keyring\nbackend_kwargs = {kwargs}\n")
    app = App("billing", home=str(tmp_path), environ={})
    backend = build(app, "secrets")
    assert backend.get_variable("vat") == app.get_variable("vat") == "19"
    assert not hasattr(backend, "get_config_version")


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['keyring'] = None\n"
        "from framework.backends.keyring import KeyringBackend\n"
        "KeyringBackend().get_variable('x')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "framework[keyring]" in done.stderr.splitlines()[-1]
    assert "During handling" not in done.stderr


DESKTOP = """
import sys
import keyring
from framework.backends.keyring import KeyringBackend

desktop = "keyring.backends.SecretService.Keyring"
backend = KeyringBackend(keyring=desktop)
if sys.argv[1] == "locked":
    try:
        backend.get_variable("vat")
    except Exception as fault:
        print(type(fault).__name__, fault.__context__, fault)
else:
    keyring.core.load_keyring(desktop).set_password("airflow/variables", "vat", "19 \\u00fc")
    print([backend.get_variable("vat") == "19 \\u00fc", backend.get_variable("gone")])
"""


@pytest.mark.skipif(
    not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
    reason="there is no gnome-keyring-daemon or no dbus-run-session (apt install gnome-keyring dbus)",
)
def test_a_real_desktop_keyring(tmp_path: Path) -> None:
    pytest.importorskip("secretstorage", reason="secretstorage, which speaks to GNOME's keyring, is not installed")
    script = tmp_path / "desktop.py"
    script.write_text(DESKTOP)
    hidden = ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL")
    environ = {name: text for name, text in os.environ.items() if name not in hidden}
    environ |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}

    def session(daemon: str, argument: str) -> str:
        run = f'{daemon} >/dev/null 2>&1; exec "$@"'
        words = ["dbus-run-session", "--", "sh", "-c", run, "sh", sys.executable, str(script), argument]
        done = subprocess.run(words, capture_output=True, text=True, timeout=GUARD, env=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    opened = session("printf pw | gnome-keyring-daemon --unlock --components=secrets", "open")
    assert opened == "[True, None]\n"
    locked = session("gnome-keyring-daemon --start --components=secrets", "locked")
    assert locked.startswith("BackendUnavailable None")
