"""What one `conf.get` costs, beside looking into a dictionary inside a method, and beside the peers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from importlib.util import find_spec

from timing import ROOT, Row, Times, airflow_python, calls, median, nanoseconds, ratio

BASE = "`self.d[section, key]` inside a method call"

#: What is asked -> (expression, how many times as long as the dictionary it may take).
OURS = {
    "a default": ("conf.get('ledger', 'verbose')", 2.5),
    "a value of a cfg file": ("conf.get('server', 'host')", 2.5),
    "a value of a TOML file": ("conf.get('server', 'port')", 2.5),
    "a value of `.env`": ("conf.get('ledger', 'port')", 2.5),
    "an environment value": ("conf.get('mail', 'timeout')", 2.5),
    "the same, other letters: `get('Mail', 'TIMEOUT')`": ("conf.get('Mail', 'TIMEOUT')", 2.5),
    "a sensitive value of a file": ("conf.get('invoices', 'token')", 3.5),
    "a sensitive value of the environment": ("conf.get('server', 'token')", 3.5),
    "a `_secret`, followed once": ("conf.get('ledger', 'token')", 3.5),
    "`from framework import conf`: a default": ("front.get('ledger', 'verbose')", 4),
    "`from framework import conf`: an environment value": ("front.get('mail', 'timeout')", 4),
    "`from framework import conf`: a sensitive value": ("front.get('invoices', 'token')", 4),
    "a value with `$VAR` in it, expanded each time": ("conf.get('mail', 'host')", None),
    "`conf.getint`, found and converted each time": ("conf.getint('ledger', 'port')", None),
    "`conf.value`, found and converted each time": ("conf.value('ledger', 'port')", None),
}

AIRFLOW = f"""
import sys
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
import bench_get
from airflow.configuration import conf
bench_get.print_airflow(conf)
"""


class Base:
    """The least that a method can do."""

    def __init__(self) -> None:
        self.d = {("server", "port"): "8080"}

    def get(self, section: str, key: str) -> str:
        return self.d[section, key]


def rows(quick: bool) -> list[Row]:
    rounds, each = (15, 5_000) if quick else (101, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        names = _names(folder)
        expressions = {BASE: "base.get('server', 'port')"} | {name: text for name, (text, _) in OURS.items()}
        times = calls(expressions, names, rounds, each)
        _check_that_it_is_live(names)
        found = [Row(BASE, nanoseconds(median(times, BASE)), "1x")]
        for name, (_, limit) in OURS.items():
            relative = ratio(times, name, BASE)
            target, met = (f"under {limit:g}x", relative < limit) if limit else ("", None)
            found.append(Row(name, nanoseconds(median(times, name)), f"{relative:.2f}x", target, met))
        return [*found, *_peers(folder, rounds, each), *_airflow(folder)]


def _names(folder: str) -> dict[str, object]:
    import applications

    from framework import App, conf

    applications.make(folder)
    os.environ["BENCH__MAIL__TIMEOUT"] = "7.5"
    os.environ["BENCH__MAIL__HOST"] = "$USER-smtp.example"
    app = App.from_project(folder).use()
    return {"base": Base(), "conf": app.conf, "front": conf}


def _check_that_it_is_live(names: dict[str, object]) -> None:
    """What was timed is no copy: a change of the environment is seen by the next `get`."""
    for text in ("conf.get('Mail', 'TIMEOUT')", "front.get('mail', 'timeout')"):
        for value in ("8.5", "9.5"):
            os.environ["BENCH__MAIL__TIMEOUT"] = value
            assert eval(text, dict(names)) == value
    os.environ["BENCH__INVOICES__TOKEN_CMD"] = "echo from-a-command"
    assert eval("front.get('invoices', 'token')", dict(names)) == "from-a-command"
    del os.environ["BENCH__INVOICES__TOKEN_CMD"], os.environ["BENCH__MAIL__TIMEOUT"], os.environ["BENCH__MAIL__HOST"]


def _peers(folder: str, rounds: int, each: int) -> list[Row]:
    names: dict[str, object] = {"base": Base(), "os": os}
    expressions = {BASE: "base.get('server', 'port')", "`os.environ.get(…)`": "os.environ.get('HOME')"}
    if find_spec("dynaconf"):
        from dynaconf import Dynaconf

        path = os.path.join(folder, "settings.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[server]\nport = 8080\n")
        names["settings"] = Dynaconf(settings_files=[path])
        expressions["dynaconf: `settings.server.port` (as it was read)"] = "settings.server.port"
        expressions["dynaconf: `settings.get('server.port')` (as it was read)"] = "settings.get('server.port')"
    if find_spec("pydantic_settings"):
        names["model"] = _model()
        expressions["pydantic-settings: `settings.server.port` (as it was read)"] = "model.server.port"
    times = calls(expressions, names, rounds, each // 5)
    return [_peer(times, name) for name in list(expressions)[1:]]


def _peer(times: Times, name: str) -> Row:
    return Row(name, nanoseconds(median(times, name)), f"{ratio(times, name, BASE):.2f}x")


def _model() -> object:
    from pydantic import BaseModel
    from pydantic_settings import BaseSettings

    class Server(BaseModel):
        port: int = 8080

    class Settings(BaseSettings):
        server: Server = Server()

    return Settings()


def _airflow(folder: str) -> list[Row]:
    """Airflow's figures come from its own Python, relative to the same method there."""
    peer = airflow_python()
    if peer is None:
        return []
    environ = {**os.environ, "AIRFLOW_HOME": os.path.join(folder, "airflow"), "AIRFLOW__CORE__PARALLELISM": "16"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([peer, "-c", AIRFLOW], env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("Airflow")]
    return [Row(what, time, relative) for what, time, relative in lines]


def print_airflow(conf: object) -> None:
    """Called in Airflow's Python."""
    expressions = {
        BASE: "base.get('server', 'port')",
        "Airflow: `conf.get`, a default": "conf.get('core', 'dag_ignore_file_syntax')",
        "Airflow: `conf.get`, an environment value": "conf.get('core', 'parallelism')",
        "Airflow: `conf.get`, a sensitive value": "conf.get('core', 'fernet_key')",
    }
    times = calls(expressions, {"base": Base(), "conf": conf}, 9, 500)
    for name in list(expressions)[1:]:
        print(*_peer(times, name)[:3], sep="\t")
