"""The command `init`."""

from __future__ import annotations

import os

from framework.app import App
from framework.cli.edit import edit, replace
from framework.cli.output import OK, short
from framework.errors import ConfigError, ConfigFileError
from framework.files.tables import read_table
from framework.files.text import read_text
from framework.layers.cfg import parse
from framework.layers.data import read_layer
from framework.metastore.crypto import generate
from framework.names import Names
from framework.parsing import Malformed, read_toml

DESCRIPTION = """\
Write a project file, a schema, a cfg file and a file for each of two environments. Nothing is overwritten.

With `--metastore` it also creates a key for the metastore: a file that only its owner can read and that git ignores,
and the option that points to it. This also works in an existing project.

for example:
  python -m framework init
  python -m framework init --metastore
  python -m framework init services/billing --name billing
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

_PROJECT = """\
[tool.framework]
name = "{name}"
home = "."
schema = "schema.toml"
environments = ["development", "production"]
config_files = ["{env}.toml?"]
dotenv = [".env?"]
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
# Settings for every environment. {env}.toml, .env and the environment win over it: {prefix}__SERVER__PORT=9000

[server]
port = 8080
# log_level = info

[mail]
# password_secret = smtp-password
"""

_ENVIRONMENTS = {
    "development": """\
# Settings for development, used where neither {prefix}_ENV nor --env names another environment.

[server]
log_level = "debug"
""",
    "production": """\
# Settings for production: {prefix}_ENV=production, or --env production.

[server]
log_level = "error"
""",
}

_KEY = "fernet.key"


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, needs_app=False)
    parser.add_argument("directory", nargs="?", metavar="DIR", help="the project's folder (default: this one)")
    parser.add_argument("--name", help="the application's name (default: the project's, or the folder's)")
    parser.add_argument("--metastore", action="store_true", help="create a key for the metastore, and point to it")


def _run(app: None, args: Namespace) -> int:
    from shlex import quote

    given = args.given  # what comes before the command
    folder = args.directory or given.project or "."
    path = os.path.normpath(os.path.join(folder, "pyproject.toml"))
    where = "" if os.path.realpath(folder) == os.getcwd() else f" --project {quote(folder)}"
    if args.metastore and _is_project(path):
        return _make_key(folder, where)
    before = _project(path)
    names = _names(folder, path, args.name if args.name is not None else given.name)
    values = {"{name}": names.app, "{prefix}": names.prefix}
    schema, cfg = (os.path.normpath(os.path.join(folder, name)) for name in ("schema.toml", names.cfg()))
    files = {env: os.path.normpath(os.path.join(folder, f"{env}.toml")) for env in _ENVIRONMENTS}
    _refuse_unfit(schema, cfg, *files.values())
    os.makedirs(folder, exist_ok=True)
    is_ours = _write(schema, _filled(_SCHEMA, values), 0o644)
    _write(cfg, _filled(_CFG, values), 0o600)
    for env, file in files.items():
        text = _filled(_ENVIRONMENTS[env], values)
        _write(file, text if is_ours else text.partition("\n")[0] + "\n", 0o644)  # another schema has other options
    replace(path, before + _filled(_PROJECT, values), mode=0o644)  # last: now it is a project
    print(f"{'added [tool.framework] to' if before else 'wrote'} {short(path)}")
    if args.metastore:
        return _make_key(folder, where)
    print(
        "next:\n"
        f"  python -m framework{where} dump\n"
        f"  python -m framework{where} --env production dump\n"
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
            hint="See the result: python -m framework dump",
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


def _names(folder: str, path: str, given: str | None) -> Names:
    """The application's name: the given one, or the project's, or the folder's.

    Raises:
        ConfigError: invalid name.
    """
    name = given
    if name is None and os.path.exists(path):
        project = read_table(path)[0].get("project")
        name = project.get("name") if isinstance(project, dict) else None
    if name is None or not isinstance(name, str):
        name = os.path.basename(os.path.realpath(folder))
    if given is None:
        name = "-".join("".join(char if char.isascii() and char.isalnum() else " " for char in name.lower()).split())
    try:
        return Names(name)
    except ValueError as fault:
        raise ConfigError(str(fault), where="--name", hint="Pass --name NAME, for example --name billing.") from None


def _is_project(path: str) -> bool:
    tools = read_table(path)[0].get("tool") if os.path.exists(path) else None
    return isinstance(tools, dict) and isinstance(tools.get("framework"), dict)


def _make_key(folder: str, where: str) -> int:
    """Make the key of a project's metastore, unless it has one: ignored by git before it is there."""
    app = App.from_project(folder)
    mention = next(app.engine.mentions("core", "fernet_key"), None)
    if mention is not None and mention.layer != "default":
        print(f"kept [core] fernet_key: {short(mention.origin)}")
        return OK
    cfg = app.main_file()[0]
    beside = os.path.dirname(cfg)
    _ignore(os.path.join(beside, ".gitignore"), (_KEY, app.names.database(), ".env"))
    _write(os.path.join(beside, _KEY), f"{generate()}\n", 0o600)
    edit(cfg, lambda text: text.set("core", "fernet_key_file", _KEY) and None)
    print(f"wrote {short(cfg)}: [core] fernet_key_file = {_KEY}")
    print(
        "next:\n"
        f"  python -m framework{where} dump\n"
        f"  python -m framework{where} variables set vat 19\n"
        f"  python -m framework{where} dump --variables\n"
        "Keep a copy of the key elsewhere: without it, what it encrypted is lost."
    )
    return OK


def _ignore(path: str, names: tuple[str, ...]) -> None:
    """Make git ignore files."""
    before = read_text(path, universal=False) if os.path.exists(path) else ""
    known = {line.strip().lstrip("/") for line in before.splitlines()}
    lines = "".join(f"/{name}\n" for name in names if name not in known)
    if lines:
        replace(path, before + ("\n" if before and not before.endswith("\n") else "") + lines, mode=0o644)
        print(f"{'added to' if before else 'wrote'} {short(path)}: {', '.join(lines.split())}")


def _refuse_unfit(schema: str, cfg: str, *typed: str) -> None:
    """Files that are there are kept, and so they must be what the project will take them for."""
    if os.path.exists(schema):
        from framework.options.schema import load

        load(schema)
    if os.path.exists(cfg):
        parse(read_text(cfg), cfg)
    for path in filter(os.path.exists, typed):
        read_layer(path)


def _write(path: str, text: str, mode: int) -> bool:
    """Write a file, unless there is one."""
    if os.path.lexists(path):
        print(f"kept {short(path)}")
        return False
    replace(path, text, mode=mode)
    print(f"wrote {short(path)}")
    return True


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text
