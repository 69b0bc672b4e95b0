"""Write a project file, a schema and a cfg file to start from. Nothing that is there is overwritten.

for example:
  python -m framework init
  python -m framework init services/billing --name billing
"""

from __future__ import annotations

import os

from framework.cli.edit import replace
from framework.cli.output import OK, short
from framework.errors import ConfigError, ConfigFileError
from framework.files.formats import Malformed, read_toml
from framework.files.tables import read_table
from framework.files.text import read_text
from framework.layers.cfg import parse
from framework.names import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

NEEDS_APP = False

_PROJECT = """\
[tool.framework]
name = "{name}"
home = "."
schema = "schema.toml"
"""

_SCHEMA = """\
# The options of {name}: section, then option. What is not declared here is unknown: `check` finds it.

[server]
description = "The service."

[server.options.port]
description = "Port to listen on."
type = "integer"
default = "8000"

[server.options.log_level]
description = "How much is logged."
type = "string"
choices = ["debug", "info", "error"]
default = "info"

# Sensitive: never shown, and written as a pointer: password_cmd, password_secret or password_file.
[mail.options.password]
description = "Password of the mail server."
type = "string"
sensitive = true
"""

_CFG = """\
# What is so on every machine. The environment wins over it: {prefix}__SERVER__PORT=9000

[server]
port = 8080
# log_level = info

[mail]
# password_secret = smtp-password
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("directory", nargs="?", metavar="DIR", help="the project's folder (default: this one)")
    parser.add_argument("--name", help="the application's name (default: the project's, or the folder's)")


def run(app: None, args: Namespace) -> int:
    from shlex import quote

    given = args.given  # what stands before the command
    folder = args.directory or given.project or "."
    path = os.path.normpath(os.path.join(folder, "pyproject.toml"))
    before = _project(path)
    names = _names(folder, path, args.name if args.name is not None else given.name)
    values = {"{name}": names.app, "{prefix}": names.prefix}
    schema, cfg = (os.path.normpath(os.path.join(folder, name)) for name in ("schema.toml", names.cfg()))
    _refuse_unfit(schema, cfg)
    os.makedirs(folder, exist_ok=True)
    _write(schema, _filled(_SCHEMA, values), 0o644)
    _write(cfg, _filled(_CFG, values), 0o600)
    replace(path, before + _filled(_PROJECT, values), mode=0o644)  # last: now it is a project
    print(f"{'added [tool.framework] to' if before else 'wrote'} {short(path)}")
    where = "" if os.path.realpath(folder) == os.getcwd() else f" --project {quote(folder)}"
    print(
        "next:\n"
        f"  python -m framework{where} dump\n"
        f"  python -m framework{where} config set server port 9000\n"
        f"  {names.option('server', 'port')}=http python -m framework{where} check"
    )
    return OK


def _project(path: str) -> str:
    """What is in the project file, ready for one more table.

    Raises:
        ConfigFileError: it describes an application already, or is malformed.
    """
    if not os.path.exists(path):
        return ""
    table, places = read_table(path)
    tools = table.get("tool")
    if isinstance(tools, dict) and "framework" in tools:
        raise ConfigFileError(
            "there is a [tool.framework] already, so nothing was written",
            where=places.get(("tool", "framework"), path),
            hint="See what it gives: python -m framework dump",
        )
    if not _takes_a_table(path):
        raise ConfigFileError(
            "no [tool.framework] can be added here, so nothing was written",
            where=places.get(("tool",), path),
            hint="Write tool as tables: [tool.NAME].",
        )
    text = read_text(path, universal=False)
    return text + ("" if text.endswith("\n") or not text else "\n") + ("\n" if text.strip() else "")


def _takes_a_table(path: str) -> bool:
    """Whether a table can follow: TOML forbids it after `tool = {…}` and `tool.x = …` at the top."""
    try:
        read_toml(f"{read_text(path)}\n[tool.framework]\n")
    except Malformed:
        return False
    return True


def _names(folder: str, path: str, said: str | None) -> Names:
    """The application's name: as it is said, or the project's, or the folder's.

    Raises:
        ConfigError: it is no name.
    """
    name = said
    if name is None and os.path.exists(path):
        project = read_table(path)[0].get("project")
        name = project.get("name") if isinstance(project, dict) else None
    if name is None or not isinstance(name, str):
        name = os.path.basename(os.path.realpath(folder))
    if said is None:
        name = "-".join("".join(char if char.isascii() and char.isalnum() else " " for char in name.lower()).split())
    try:
        return Names(name)
    except ValueError as fault:
        raise ConfigError(str(fault), where="--name", hint="Say --name NAME, for example --name billing.") from None


def _refuse_unfit(schema: str, cfg: str) -> None:
    """Files that are there are kept, and so they must be what the project will take them for."""
    if os.path.exists(schema):
        from framework.schema import load

        load(schema)
    if os.path.exists(cfg):
        parse(read_text(cfg), cfg)


def _write(path: str, text: str, mode: int) -> None:
    if os.path.lexists(path):
        print(f"kept {short(path)}")
        return
    replace(path, text, mode=mode)
    print(f"wrote {short(path)}")


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text
