"""What importing the framework costs, and the first option; as whole processes, compared with the peers."""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec

from timing import BARE, Program, Row, above, airflow_python, median, milliseconds, processes, python

NAMES = "from framework import App, conf, Connection, Variable"
GET = f"{NAMES}; assert App('shop', home='.').conf.get('server', 'port') == '8080'"
#: The same with everything that an application can have.
WHOLE = f"{NAMES}; assert App.from_project('.').conf.get('server', 'host') == '0.0.0.0'"

DYNACONF = "from dynaconf import Dynaconf; assert Dynaconf(settings_files=['settings.toml']).server.port == 8080"
PYDANTIC = """
from pydantic import BaseModel
from pydantic_settings import BaseSettings
class Server(BaseModel):
    port: int
class Settings(BaseSettings, env_nested_delimiter='__'):
    server: Server
assert Settings().server.port == 8080
"""
AIRFLOW = "from airflow.configuration import conf; assert conf.get('core', 'parallelism')"


def rows(quick: bool) -> list[Row]:
    import applications

    with tempfile.TemporaryDirectory() as folder:
        applications.make(folder)
        for name in ("shop.cfg", "settings.toml"):  # a cfg file and a TOML file may look alike
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("[server]\nport = 8080\n")
        programs = {
            BARE: python("-c", "pass", folder=folder),
            f"`{NAMES}`": python("-c", NAMES, folder=folder),
            "… and an App with a cfg file, and one `get`": python("-c", GET, folder=folder),
            "… with a TOML schema and file and `.env` too": python("-c", WHOLE, folder=folder),
        }
        if find_spec("dynaconf"):
            programs["dynaconf: import and one setting of a TOML file"] = python("-c", DYNACONF, folder=folder)
        if find_spec("pydantic_settings"):
            environ = {"SERVER__PORT": "8080"}
            programs["pydantic-settings: import and one setting of the environment"] = python(
                "-c", PYDANTIC, environ=environ, folder=folder
            )
        if (peer := airflow_python()) is not None:
            home = {"AIRFLOW_HOME": os.path.join(folder, "airflow")}
            name = "Airflow: import of its configuration and one `get`"
            programs[name] = Program([peer, "-c", AIRFLOW], home, folder)
        times = processes(programs, 7 if quick else 21)
    targets = dict(zip(programs, (None, 10, 30), strict=False))
    found = [Row(BARE, milliseconds(median(times, BARE)))]
    for name in list(programs)[1:]:
        more, limit = above(times, name, BARE), targets.get(name)
        target = f"at most +{limit} ms" if limit else ""
        met = more <= limit if limit else None
        found.append(Row(name, milliseconds(median(times, name)), f"+{milliseconds(more)}", target, met))
    return found
