"""What one `conf.get` costs, compared with a dictionary look-up inside a method, and with the peers."""

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
    "a value with `%(name)s` in it": ("conf.get('ledger', 'host')", 2.5),
    "an environment value": ("conf.get('mail', 'timeout')", 2.5),
    "the same, other letters: `get('Mail', 'TIMEOUT')`": ("conf.get('Mail', 'TIMEOUT')", 2.5),
    "a value with `$VAR` in it": ("conf.get('mail', 'host')", 5.5),
    "not set, with a fallback": ("conf.get('mail', 'nothing', fallback='x')", 6.5),
    "`conf.getint`, not set, with a fallback": ("conf.getint('mail', 'nothing', fallback=5)", 6.5),
    "`conf.value`, not set, with a fallback": ("conf.value('mail', 'nothing', fallback=None)", 6.5),
    "a sensitive value of a file": ("conf.get('invoices', 'token')", 3.5),
    "a sensitive value of the environment": ("conf.get('server', 'token')", 3.5),
    "a `_secret`, followed once": ("conf.get('ledger', 'token')", 3.5),
    "`conf.getint`": ("conf.getint('ledger', 'port')", 3),
    "`conf.getfloat`, an environment value": ("conf.getfloat('mail', 'timeout')", 3),
    "`conf.getboolean`, a default": ("conf.getboolean('ledger', 'verbose')", 3),
    "`conf.value`, an integer": ("conf.value('ledger', 'port')", 3),
    "`conf.value`, a sensitive value": ("conf.value('server', 'token')", 3.5),
    "`conf.getint`, a value with `$VAR` in it": ("conf.getint('payments', 'port')", 5.5),
    "`conf.getlist`, a list of its own for each caller": ("conf.getlist('server', 'regions')", 5.5),
    "`conf.value`, a list of its own for each caller": ("conf.value('server', 'regions')", 5.5),
    "`from framework import conf`: a default": ("front.get('ledger', 'verbose')", 3.5),
    "`from framework import conf`: an environment value": ("front.get('mail', 'timeout')", 3.5),
    "`from framework import conf`: a sensitive value": ("front.get('invoices', 'token')", 3.5),
    "`from framework import conf`: `conf.getint`": ("front.getint('ledger', 'port')", 3.5),
}

SECTION = "`getsection('core')` of `App('airflow')`"

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
        return [*found, *_peers(folder, rounds, each), *_airflow(folder, rounds)]


def _names(folder: str) -> dict[str, object]:
    import applications

    from framework import App, conf

    applications.make(folder)
    os.environ["BENCH__MAIL__TIMEOUT"] = "7.5"
    os.environ["BENCH__MAIL__HOST"] = "$BENCH_NUMBER-smtp.example"
    os.environ["BENCH__PAYMENTS__PORT"] = "$BENCH_NUMBER"
    os.environ["BENCH_NUMBER"] = "8081"
    app = App.from_project(folder).use()
    return {"base": Base(), "conf": app.conf, "front": conf}


def _check_that_it_is_live(names: dict[str, object]) -> None:
    """What was timed is live: the next call sees a changed environment, and no other caller a changed list."""

    def sees(text: str, value: object) -> None:
        assert eval(text, dict(names)) == value, text

    for text in ("conf.get('Mail', 'TIMEOUT')", "front.get('mail', 'timeout')"):
        for value in ("8.5", "9.5"):
            os.environ["BENCH__MAIL__TIMEOUT"] = value
            sees(text, value)
            sees("conf.getfloat('mail', 'timeout')", float(value))
    for number in (8082, 8083):
        os.environ["BENCH_NUMBER"] = str(number)
        sees("conf.getint('payments', 'port')", number)
        sees("conf.get('mail', 'host')", f"{number}-smtp.example")
    for text in ("conf.getlist('server', 'regions')", "conf.value('server', 'regions')"):
        eval(text, dict(names)).append("changed")
        sees(text, ["north", "east", "west"])
    os.environ["BENCH__MAIL__NOTHING"] = "something"
    sees("conf.get('mail', 'nothing', fallback='x')", "something")
    os.environ["BENCH__INVOICES__TOKEN_CMD"] = "echo from-a-command"
    sees("front.get('invoices', 'token')", "from-a-command")
    for name in [name for name in os.environ if name.startswith("BENCH_")]:
        del os.environ[name]


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


def _airflow(folder: str, rounds: int) -> list[Row]:
    """Airflow's figures come from its own Python, relative to the same method there."""
    peer = airflow_python()
    home = os.path.join(folder, "airflow")
    own = _section(home, rounds)
    if peer is None:
        return [Row(SECTION, nanoseconds(own))]
    environ = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__CORE__PARALLELISM": "16"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([peer, "-c", AIRFLOW], env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("Airflow")]
    theirs = float(lines[-1][3])
    section = Row(SECTION, nanoseconds(own), f"{theirs / own:.0f}x faster", "at least 10x faster", theirs / own >= 10)
    return [*(Row(what, time, relative) for what, time, relative, _ in lines), section]


def _section(home: str, rounds: int) -> float:
    """Nanoseconds of a section of Airflow's, read again."""
    from framework import App

    os.environ["AIRFLOW__CORE__PARALLELISM"] = "16"
    conf = App("airflow", home=home).conf
    assert (conf.getsection("core") or {})["parallelism"] == 16
    return median(calls({SECTION: "conf.getsection('core')"}, {"conf": conf}, rounds, 500), SECTION)


def print_airflow(conf: object) -> None:
    """Called in Airflow's Python."""
    expressions = {
        BASE: "base.get('server', 'port')",
        "Airflow: `conf.get`, a default": "conf.get('core', 'dag_ignore_file_syntax')",
        "Airflow: `conf.get`, an environment value": "conf.get('core', 'parallelism')",
        "Airflow: `conf.get`, a sensitive value": "conf.get('core', 'fernet_key')",
        "Airflow: `conf.getint`, an environment value": "conf.getint('core', 'parallelism')",
        "Airflow: `conf.getfloat`, a default": "conf.getfloat('core', 'dagbag_import_timeout')",
        "Airflow: `conf.getboolean`, a default": "conf.getboolean('core', 'load_examples')",
        "Airflow: `conf.getlist`, a default": "conf.getlist('core', 'allowed_deserialization_classes')",
        "Airflow: `conf.getsection('core')`": "conf.getsection('core')",
    }
    times = calls(expressions, {"base": Base(), "conf": conf}, 9, 500)
    for name in list(expressions)[1:]:
        print(*_peer(times, name)[:3], median(times, name), sep="\t")
