"""The application that is measured: 30 options, and one of everything that they can be written in."""

from __future__ import annotations

import json
import os

SECTIONS = ("server", "ledger", "payments", "invoices", "mail")

#: Type and default of the six options that each section declares; the last one is sensitive.
OPTIONS = {
    "host": ("string", "localhost"),
    "port": ("integer", "8000"),
    "timeout": ("float", "2.5"),
    "verbose": ("boolean", "false"),
    "regions": ("list", "north, south"),
    "token": ("string", None),
}

_PROJECT = """\
[tool.framework]
name = "bench"
home = "."
schema = "schema.toml"
config_files = ["production.toml"]
dotenv = [".env"]
"""

_CFG = """\
# What is the same on every machine.
[core]
fernet_key = {key}

[secrets]
backend = local_filesystem
backend_kwargs = {{
    "configs_file_path": "secrets.json",
    "variables_file_path": "variables.json"
    }}

[server]
host = 0.0.0.0
port = 8080
regions = north, east,
    west

[ledger]
host = %(name)s.example
name = ledger
timeout = 30
# From the local file.
token_secret = ledger/token

[payments]
token_secret = payments#/token
verbose = true

[invoices]
regions = $HOME_REGION, south
token = plain-invoices-token

[mail]
host = smtp.example
# Neither the local file nor the environment has it: this one is asked of the metastore.
token_secret = mail-token
"""

_TOML = """\
# What is special about production.
[server]
port = 8443
timeout = 15

[invoices]
regions = ["EUR", "CHF"]

[mail]
port = 587
verbose = true
"""

_DOTENV = """\
HOME_REGION=alps
BENCH__SERVER__TOKEN=token-of-the-server
BENCH__LEDGER__PORT=5433
BENCH_VAR_MAINTENANCE=off
"""


def make(folder: str) -> None:
    """Write the application called `bench` into a folder: schema, cfg, TOML, `.env`, local secrets, metastore."""
    from framework import App, Connection
    from framework.metastore.crypto import generate

    def write(name: str, text: str) -> None:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    write("pyproject.toml", _PROJECT)
    write("schema.toml", "\n".join(map(_section, SECTIONS)))
    write("bench.cfg", _CFG.format(key=generate()))
    write("production.toml", _TOML)
    write(".env", _DOTENV)
    write("secrets.json", json.dumps({"ledger/token": "token-of-the-ledger", "payments": '{"token": "token-to-pay"}'}))
    write("variables.json", json.dumps({"batch": "500"}))
    App.from_project(folder).store.write_many(
        [
            ("connection", "warehouse", Connection(uri="postgres://me:warehouse-password@host/db"), None),
            ("variable", "weekday", "monday", None),
            ("config", "mail-token", "token-of-the-mail", None),
        ]
    )


def _section(section: str) -> str:
    lines = [f'[{section}]\ndescription = "About {section}."\n']
    for name, (kind, default) in OPTIONS.items():
        lines.append(f'[{section}.options.{name}]\ndescription = "The {name} of {section}."\ntype = "{kind}"')
        lines.append("sensitive = true\n" if default is None else f'default = "{default}"\n')
    return "\n".join(lines)
