"""What a connection or a variable costs that was read before, from a remote store's cache and from the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Coroutine
from typing import Any

from timing import ROOT, Row, airflow_python, calls, median, nanoseconds, ratio

URI = "postgres://me:{password}@db.example:5432/books?api_key=key-of-the-warehouse&region=alps"

#: What is read -> (expression, microseconds that it may take).
READS: dict[str, tuple[str, float | None]] = {
    "`get_connection`, kept": ("app.get_connection('warehouse')", 5),
    "`get_variable`, kept": ("app.get_variable('vat')", 2),
    "`get_variable`, kept, masked by its name": ("app.get_variable('vat_token')", None),
    "`get_connection`, from the environment": ("plain.get_connection('warehouse')", 5),
    "`get_variable`, from the environment": ("plain.get_variable('vat')", None),
}
#: What is awaited -> (expression, the read with which it is compared).
AWAITED = {
    "`await aget_connection`, kept": ("drive(app.aget_connection('warehouse'))", "`get_connection`, kept"),
    "`await aget_variable`, kept": ("drive(app.aget_variable('vat'))", "`get_variable`, kept"),
    "`await aget_connection`, from the environment": (
        "drive(plain.aget_connection('warehouse'))",
        "`get_connection`, from the environment",
    ),
}
AIRFLOWS = {
    "Airflow: `Connection.get_connection_from_secrets`, custom backend": "get_connection('kept')",
    "Airflow: `Variable.get`, from its cache": "Variable.get('kept')",
    "Airflow: `Connection.get_connection_from_secrets`, environment": "get_connection('warehouse')",
    "Airflow: `Variable.get`, environment, from its cache": "Variable.get('vat')",
}

_STORE = """
from {base} import BaseSecretsBackend

class Store(BaseSecretsBackend):
    def get_conn_value(self, conn_id, team_name=None):
        return {uri!r} if conn_id in ("kept", "warehouse") else None

    def get_variable(self, key, team_name=None):
        return "value-of-" + key if key.startswith(("kept", "vat")) else None
"""


def rows(quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        _write_store(folder, "bench_store", "framework")
        sys.path.insert(0, folder)
        names = _names(folder)
        expressions = {name: text for name, (text, _) in READS.items()}
        expressions |= {name: text for name, (text, _) in AWAITED.items()}
        times = calls(expressions, names, 7 if quick else 31, 2_000)
        sys.path.remove(folder)
        found = []
        for name, (_, limit) in READS.items():
            time = median(times, name)
            met = None if limit is None else time <= limit * 1000
            found.append(Row(name, nanoseconds(time), "", f"at most {limit:g} µs" if limit else "", met))
        for name, (_, base) in AWAITED.items():
            slower = ratio(times, name, base)
            what = f"{slower:.2f}x of not awaited"
            found.append(Row(name, nanoseconds(median(times, name)), what, "at most 2x", slower <= 2))
        return [*found, *_airflow(folder)]


def drive(answer: Coroutine[Any, Any, Any]) -> Any:
    """Await what need not wait for anything: a loop would add its own time."""
    try:
        answer.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for a thread")


def _names(folder: str) -> dict[str, object]:
    from framework import App

    environ = {"WARM__DATABASE__SQL_ALCHEMY_CONN": "", "PLAIN__DATABASE__SQL_ALCHEMY_CONN": ""}
    environ["WARM__SECRETS__BACKEND"] = "bench_store.Store"
    environ |= {"PLAIN_CONN_WAREHOUSE": URI.format(password="password-of-plain"), "PLAIN_VAR_VAT": "19"}
    os.environ.update(environ)
    app, plain = App("warm", home=folder), App("plain", home=folder)
    assert app.get_connection("warehouse").password == "password-of-store"
    assert plain.get_connection("warehouse").password == "password-of-plain"
    return {"app": app, "plain": plain, "drive": drive}


def _write_store(folder: str, module: str, base: str) -> None:
    with open(os.path.join(folder, f"{module}.py"), "w", encoding="utf-8") as file:
        file.write(_STORE.format(base=base, uri=URI.format(password="password-of-store")))


def _airflow(folder: str) -> list[Row]:
    """Airflow's figures come from its own Python. It keeps variables, and parses a connection at each read."""
    peer = airflow_python()
    if peer is None:
        return []
    _write_store(folder, "airflow_bench_store", "airflow.secrets.base_secrets")
    environ = {
        **os.environ,
        "AIRFLOW_HOME": os.path.join(folder, "airflow"),
        "AIRFLOW__SECRETS__BACKEND": "airflow_bench_store.Store",
        "AIRFLOW__SECRETS__USE_CACHE": "True",
        "AIRFLOW_CONN_WAREHOUSE": URI.format(password="password-of-airflow"),
        "AIRFLOW_VAR_VAT": "nineteen",
        "PYTHONPATH": os.pathsep.join((folder, os.path.dirname(os.path.abspath(__file__)))),
    }
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    code = "import bench_warm; bench_warm.print_airflow()"
    done = subprocess.run([peer, "-c", code], env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("Airflow: `")]
    return [Row(what, time) for what, time in lines]


def print_airflow() -> None:
    """Called in Airflow's Python."""
    from airflow.models import Connection, Variable
    from airflow.sdk.execution_time.cache import SecretCache

    SecretCache.init()
    names = {"get_connection": Connection.get_connection_from_secrets, "Variable": Variable}
    times = calls(AIRFLOWS, names, 9, 300)
    for name in AIRFLOWS:
        print(name, nanoseconds(median(times, name)), sep="\t")
