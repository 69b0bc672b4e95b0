"""Every error is tried here and shown by its message: what happened, where, and what to do.

Each case is asked through Python and through `config get-value`, which says the same and shows no traceback.
"""

from __future__ import annotations

import builtins
import json
import sqlite3
import sys
import traceback
from typing import Any

import pytest
from conftest import World

from framework import Connection, Variable, current, errors
from framework.metastore import crypto, database

SCHEMA = """
[core.options.port]
type = "integer"
default = "8080"
[core.options.pool]
type = "integer"
sensitive = true
example = "5"
[core.options.password]
sensitive = true
[core.options.colour]
choices = ["red", "green"]
[db.options.url]
sensitive = true
"""

STORES = """
from framework import BaseSecretsBackend, conf, errors

class Plain(BaseSecretsBackend):
    def __init__(self, token=None, size: int = 1): self.token = token
    def get_config(self, key): return "kept here" if key == "kwargs" else None
    def get_variable(self, key): return None

class Denied(BaseSecretsBackend):
    switches = {"config": "config_prefix", "variable": "variables_prefix"}
    def get_config(self, key): raise errors.AccessDenied("permission denied")
    get_variable = get_conn_value = get_config

class LoginDenied(BaseSecretsBackend):
    def __init__(self): raise errors.AccessDenied("login refused")

class Down(BaseSecretsBackend):
    def get_config(self, key): raise ConnectionError("hunter2@vault:8200 refused")
    get_variable = get_conn_value = list_names = get_config

class SaysDown(BaseSecretsBackend):
    def get_config(self, key):
        try:
            int("hunter2")
        except ValueError as fault:
            raise errors.BackendUnavailable("no answer in 5 s", where="https://vault:8200") from fault

class Numbers(BaseSecretsBackend):
    def get_config(self, key): return 5

class Raising(BaseSecretsBackend):
    def __init__(self, token): raise RuntimeError("cannot log in with " + token)

class Selfish(BaseSecretsBackend):
    def get_config(self, key): return conf.get("db", "url")

class NoBackend: ...
"""

NO_DATABASE = "hunter2 is no database, and this is long enough" * 30


class Case:
    """What is written, what is asked for, and the message that is expected."""

    def __init__(
        self,
        message: str,
        cfg: str | bytes = "",
        *,
        files: dict[str, str] | None = None,
        env: dict[str, str] | None = None,
        project: dict[str, Any] | None = None,
        ask: tuple[str, str] = ("core", "password"),
        mode: int = 0o600,
        kind: str = "",
        status: int = 1,
    ) -> None:
        self.message, self.cfg, self.files, self.env = " ".join(message.split()), cfg, files or {}, env or {}
        self.project, self.ask, self.mode, self.kind, self.status = project or {}, ask, mode, kind, status

    def write(self, world: World) -> None:
        world.write("schema.toml", SCHEMA)
        world.write("stores.py", STORES)
        world.project(**{"schema": "schema.toml", **self.project})
        if self.cfg:
            world.write("billing.cfg", self.cfg, self.mode)
        for name, text in self.files.items():
            world.write(name, text)
        world.set(**self.env)


def backend(name: str, more: str = "") -> str:
    """A cfg file with a backend, whose `[core] password` points into the chain."""
    return f"[secrets]\nbackend = {name}\n{more}[core]\npassword_secret = db/password\n"


CASES = {
    # files
    "bad_encoding": Case(
        """
        HOME/billing.cfg:3: the byte at offset 28 (0xff) is not UTF-8. Save the file as UTF-8.
        """,
        b"[core]\nport = 1\npassword = a\xffb\n",
        kind="ConfigFileError",
    ),
    "bad_encoding_utf16": Case(
        """
        HOME/billing.cfg:1: the text is UTF-16 or binary. Save the file as UTF-8.
        """,
        b"\xff\xfe[\x00c\x00o\x00r\x00e\x00]\x00\n\x00p\x00o\x00r\x00t\x00 \x00=\x00 \x001\x00",
        kind="ConfigFileError",
    ),
    "byte_order_mark": Case(
        """
        HOME/billing.cfg:1: the file begins with a byte order mark. Save it as UTF-8 without a byte
        order mark (BOM).
        """,
        b"\xef\xbb\xbf[core]\n",
        kind="ConfigFileError",
    ),
    "directory": Case(
        """
        HOME/production.toml: this is a directory. Name the file inside it.
        """,
        files={"production.toml/x": ""},
        project={"config_files": ["production.toml"]},
        kind="ConfigFileError",
    ),
    "section_twice": Case(
        """
        HOME/billing.cfg:4: section [core] appears twice, first on line 1. Keep one of the two, or
        write both as one.
        """,
        "[core]\nport = 1\n[db]\n[core]\nport = 2\n",
        kind="ConfigFileError",
    ),
    "option_twice": Case(
        """
        HOME/billing.cfg:3: option port of [core] appears twice, first on line 2. Keep one of the
        two, or write both as one.
        """,
        "[core]\nport = 1\nport = 2\n",
        kind="ConfigFileError",
    ),
    "no_option": Case(
        """
        HOME/billing.cfg:2: a line has no '=' or ':'. Write [section] and key = value, indent the lines
        that continue a value, begin a comment with '#'.
        """,
        "[core]\nhunter2\n",
        kind="ConfigFileError",
    ),
    "no_section": Case(
        """
        HOME/billing.cfg:1: a line comes before the first [section]. Write [section] and key = value,
        indent the lines that continue a value, begin a comment with '#'.
        """,
        "port = 1\n",
        kind="ConfigFileError",
    ),
    "bad_percent": Case(
        """
        HOME/billing.cfg:2: [core] password: a '%' is followed by neither '%' nor '(name)s'. Write '%%'
        for a literal '%'.
        """,
        "[core]\npassword = hunter2%b\n",
        kind="ConfigError",
    ),
    "percent_nobody": Case(
        """
        HOME/billing.cfg:2: [core] password: a %(name)s names an option that neither this section nor
        [DEFAULT] has. Correct the name (upper and lower case must match), or write '%%' for a
        literal '%'.
        """,
        "[core]\npassword = %(nope)s\n",
        kind="ConfigError",
    ),
    "percent_circle": Case(
        """
        HOME/billing.cfg:2: [core] password: %(name)s refers back to itself, or is nested more than 10 options deep.
        Write the text itself in one of them; a literal '%' is written '%%'.
        """,
        "[core]\npassword = %(a)s\na = %(password)s\n",
        kind="ConfigError",
    ),
    "malformed_toml": Case(
        """
        HOME/production.toml:2: this is not valid TOML (Invalid value). Write text in quotes, and true and
        false in small letters.
        """,
        files={"production.toml": "[core]\nport = = 3\n"},
        project={"config_files": ["production.toml"]},
        kind="ConfigFileError",
    ),
    "malformed_json": Case(
        """
        HOME/production.json:1: this is not valid JSON (Expecting value). Write text in double quotes, true, false
        and null in small letters, and no comma before ].
        """,
        files={"production.json": '{"core": {"port": }}'},
        project={"config_files": ["production.json"]},
        kind="ConfigFileError",
    ),
    "malformed_yaml": Case(
        """
        HOME/production.yaml:3: this is not valid YAML (did not find expected ',' or ']'). Correct the line.
        """,
        files={"production.yaml": "core:\n  port: [1\n"},
        project={"config_files": ["production.yaml"]},
        kind="ConfigFileError",
    ),
    "option_twice_toml": Case(
        """
        HOME/production.toml:3: this is not valid TOML (Cannot overwrite a value). Keep one of the two.
        """,
        files={"production.toml": "[core]\nport = 3\nport = 4\n"},
        project={"config_files": ["production.toml"]},
        kind="ConfigFileError",
    ),
    "option_twice_json": Case(
        """
        HOME/production.json:2: 'port' appears twice, first on line 1. Keep one of the two.
        """,
        files={"production.json": '{"core": {"port": 1,\n"port": 2}}'},
        project={"config_files": ["production.json"]},
        kind="ConfigFileError",
    ),
    "option_twice_yaml": Case(
        """
        HOME/production.yaml:3: 'port' appears twice, first on line 2. Keep one of the two.
        """,
        files={"production.yaml": "core:\n  port: 1\n  port: 2\n"},
        project={"config_files": ["production.yaml"]},
        kind="ConfigFileError",
    ),
    "outside_of_sections": Case(
        """
        HOME/production.toml:1: 'port' is outside every section. Put it under a section.
        """,
        files={"production.toml": "port = 3\n"},
        project={"config_files": ["production.toml"]},
        kind="ConfigFileError",
    ),
    "config_file_missing": Case(
        """
        HOME/production.yaml: the file does not exist. Create it, correct the path, or write production.yaml?
        if it may be missing.
        """,
        project={"config_files": ["production.yaml"]},
        kind="ConfigFileError",
    ),
    "config_missing": Case(
        """
        HOME/production.cfg: the file does not exist. Create it, or correct the path.
        """,
        project={"config": "production.cfg"},
        kind="ConfigFileError",
    ),
    "config_variable_missing": Case(
        """
        /nonexistent/billing.cfg: the file does not exist. Create it, or correct the path.
        """,
        env={"BILLING_CONFIG": "/nonexistent/billing.cfg"},
        kind="ConfigFileError",
    ),
    "dotenv_missing": Case(
        """
        HOME/.env: the file does not exist. Create it, correct the path, or write .env? if it may be
        missing.
        """,
        project={"dotenv": [".env"]},
        kind="ConfigFileError",
    ),
    "dotenv_malformed": Case(
        """
        HOME/.env:1: line 1 cannot be read. Write NAME=value, quoted where needed.
        """,
        files={".env": "A='b\nC"},
        project={"dotenv": [".env"]},
        kind="ConfigFileError",
    ),
    "settings_missing": Case(
        """
        HOME/settings.toml: the file does not exist. Create it, correct the path, or write settings.toml? if it may be
        missing.
        """,
        project={"settings_files": ["settings.toml"]},
        kind="ConfigFileError",
    ),
    "settings_no_object": Case(
        """
        nowhere:settings: the settings object cannot be loaded (there is no module nowhere). Write dynaconf =
        'module:attribute'.
        """,
        project={"dynaconf": "nowhere:settings"},
        kind="ConfigFileError",
    ),
    # the project file, the schema and the name
    "app_name": Case(
        """
        App(name): the application's name 'bill__ing' must start with a letter and hold letters, digits,
        '-' and single '_'. For example App("billing").
        """,
        project={"name": "bill__ing"},
        kind="ConfigError",
    ),
    "project_unknown_setting": Case(
        """
        HOME/pyproject.toml:5: unknown setting 'nam'. Use one of name, schema, home, config,
        config_files, settings_files, dynaconf, settings_environments, root_section, env_style, missing_secrets, dotenv,
        environments,
        sensitive, worker.
        """,
        project={"nam": "billing"},
        kind="ConfigFileError",
    ),
    "project_wrong_type": Case(
        """
        HOME/pyproject.toml:4: schema must be text. Write schema = …
        """,
        project={"schema": ["schema.toml"]},
        kind="ConfigFileError",
    ),
    "project_malformed": Case(
        """
        HOME/pyproject.toml:2: this is not valid TOML (Invalid value). Write text in quotes, and true and
        false in small letters.
        """,
        files={"pyproject.toml": "[tool.framework]\nname = "},
        kind="ConfigFileError",
    ),
    "project_no_table": Case(
        """
        HOME/pyproject.toml:2: [tool.framework] must be a table. Write name = "…" under it.
        """,
        files={"pyproject.toml": "[tool]\nframework = 'billing'\n"},
        kind="ConfigFileError",
    ),
    "schema_missing": Case(
        """
        HOME/nowhere.toml: the file does not exist. Create it, or correct the path.
        """,
        project={"schema": "nowhere.toml"},
        kind="ConfigFileError",
    ),
    "schema_unknown_type": Case(
        """
        HOME/other.toml:2: [core] port: unknown type 'integr'. Did you mean integer? Use one of string, integer,
        float, boolean, list, array, object, json, timedelta, import, path, url, duration, bytes, datetime, decimal.
        """,
        files={"other.toml": "[core.options.port]\ntype = 'integr'\n"},
        project={"schema": "other.toml"},
        kind="SchemaError",
    ),
    "schema_wrong_shape": Case(
        """
        HOME/other.yaml:1: [core]: must be a table. For example {description: …, options: {…}}.
        """,
        files={"other.yaml": "core: [1]\n"},
        project={"schema": "other.yaml"},
        kind="SchemaError",
    ),
    # options
    "unknown_key": Case(
        """
        [core] prot: the option is not set. Did you mean [core] port?
        """,
        ask=("core", "prot"),
        kind="OptionNotFound",
    ),
    "unknown_section": Case(
        """
        [kore] port: the option is not set. Did you mean [core] port?
        """,
        ask=("kore", "port"),
        kind="OptionNotFound",
    ),
    "unknown_both": Case(
        """
        [zzz] qqq: the option is not set. Set BILLING__ZZZ__QQQ, write it in a file, or pass
        fallback=.
        """,
        ask=("zzz", "qqq"),
        kind="OptionNotFound",
    ),
    "nobody_writes_it": Case(
        """
        [core] password: the option is not set. It is declared without a default: set
        BILLING__CORE__PASSWORD or write it in a file.
        """,
        kind="OptionNotFound",
    ),
    # commands
    "cmd_fails": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: sh ended with status 3. Run it by hand to see its
        output.
        """,
        "[core]\npassword_cmd = sh -c 'echo hunter2; echo hunter2 >&2; exit 3'",
        kind="PointerError",
    ),
    "cmd_killed": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: sh was ended by signal 9. Run it by hand to see its
        output.
        """,
        "[core]\npassword_cmd = sh -c 'kill -9 $$'",
        kind="PointerError",
    ),
    "cmd_hangs": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: sleep did not end within 0.1 s. See [core]
        command_timeout_seconds.
        """,
        "[core]\npassword_cmd = sleep 20\ncommand_timeout_seconds = 0.1",
        kind="PointerError",
    ),
    "cmd_child_holds_the_pipe": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: sh did not end within 0.1 s. See [core]
        command_timeout_seconds.
        """,
        "[core]\npassword_cmd = sh -c 'sleep 20 & echo hunter2'\ncommand_timeout_seconds = 0.1",
        kind="PointerError",
    ),
    "cmd_binary": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: the output of printf is not UTF-8. Encode it, as base64
        for example.
        """,
        "[core]\npassword_cmd = printf '\\377\\376'",
        kind="PointerError",
    ),
    "cmd_missing": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: vaultt cannot be started (No such file or directory).
        Install it or correct the path.
        """,
        "[core]\npassword_cmd = /usr/nowhere/vaultt read hunter2",
        kind="PointerError",
    ),
    "cmd_assignment": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: the program cannot be started (No such file or
        directory). No shell runs it: write env NAME=value program.
        """,
        "[core]\npassword_cmd = TOKEN=hunter2 vault read",
        kind="PointerError",
    ),
    "cmd_prints_nothing": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: true printed nothing. To set it to an empty text,
        write the option itself, without a pointer.
        """,
        "[core]\npassword_cmd = true",
        kind="PointerError",
    ),
    "cmd_empty": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: the command is empty. Write a program and its
        arguments.
        """,
        "[core]\npassword_cmd = ",
        kind="PointerError",
    ),
    "cmd_open_quote": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: the command has a quote that is not closed. Close it.
        """,
        "[core]\npassword_cmd = echo 'hunter2",
        kind="PointerError",
    ),
    "cmd_file_of_others": Case(
        """
        HOME/billing.cfg:2: [core] password_cmd: a command is not run from a file that others can write
        (mode 646). chmod go-w HOME/billing.cfg
        """,
        "[core]\npassword_cmd = echo hunter2",
        mode=0o646,
        kind="PointerError",
    ),
    # references
    "secret_absent": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: secret 'db/password' not found (asked:
        environment (BILLING_SECRET_DB_PASSWORD), metastore). Check its name, or create it.
        """,
        "[core]\npassword_secret = db/password",
        kind="PointerError",
    ),
    "secret_version_absent": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: secret 'db/password' not found in version 3
        (asked: no link). No versions are kept by environment, metastore: leave out ?version.
        """,
        "[core]\npassword_secret = db/password?version=3",
        kind="PointerError",
    ),
    "secret_denied": Case(
        """
        HOME/billing.cfg:4: [core] password_secret: the secret 'db/password' cannot be read from Denied:
        config 'db/password': permission denied. To stop asking it, set "config_prefix": null in its
        backend_kwargs.
        """,
        backend("stores.Denied"),
        kind="PointerError",
        status=3,
    ),
    "secret_login_denied": Case(
        """
        HOME/billing.cfg:4: [core] password_secret: the secret 'db/password' cannot be read from
        LoginDenied: config 'db/password': login refused. Give this process access to it.
        """,
        backend("stores.LoginDenied"),
        kind="PointerError",
        status=3,
    ),
    "secret_down": Case(
        """
        HOME/billing.cfg:4: [core] password_secret: the secret 'db/password' cannot be read from Down:
        config 'db/password': the backend raised ConnectionError at HOME/stores.py:18. A backend raises
        AccessDenied, BackendUnavailable or InvalidSecret; anything else counts as unavailable.
        """,
        backend("stores.Down"),
        kind="PointerError",
        status=3,
    ),
    "secret_says_down": Case(
        """
        HOME/billing.cfg:4: [core] password_secret: the secret 'db/password' cannot be read from
        SaysDown: config 'db/password' at https://vault:8200: no answer in 5 s. Try again when the store
        answers.
        """,
        backend("stores.SaysDown"),
        kind="PointerError",
        status=3,
    ),
    "secret_no_text": Case(
        """
        HOME/billing.cfg:4: [core] password_secret: the secret 'db/password' cannot be read from Numbers:
        config 'db/password': the value is not text. Store it as text.
        """,
        backend("stores.Numbers"),
        kind="PointerError",
        status=3,
    ),
    "secret_like_a_url": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: this looks like a value, not like the name of a
        secret: it holds '://' or white space. Write name[?version=V][#/json/pointer].
        """,
        "[core]\npassword_secret = postgres://user:hunter2@host/db",
        kind="PointerError",
    ),
    "secret_like_a_sentence": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: this looks like a value, not like the name of a
        secret: it holds '://' or white space. Write name[?version=V][#/json/pointer].
        """,
        "[core]\npassword_secret = hunter2 hunter3",
        kind="PointerError",
    ),
    "secret_empty": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: the reference is empty. Write
        name[?version=V][#/json/pointer].
        """,
        "[core]\npassword_secret = ",
        kind="PointerError",
    ),
    "secret_no_name": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: the reference has no name. Write
        name[?version=V][#/json/pointer].
        """,
        "[core]\npassword_secret = ?version=3",
        kind="PointerError",
    ),
    "secret_bad_query": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: what follows '?' must be version=…. Write
        name[?version=V][#/json/pointer].
        """,
        "[core]\npassword_secret = db?v=hunter2",
        kind="PointerError",
    ),
    "secret_bad_part": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: what follows '#' must be a JSON pointer and start
        with '/'. Write name[?version=V][#/json/pointer].
        """,
        "[core]\npassword_secret = db#hunter2",
        kind="PointerError",
    ),
    "secret_part_absent": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: the secret 'db' of environment: its value has no
        such part. Correct the reference.
        """,
        "[core]\npassword_secret = db#/password",
        env={"BILLING_SECRET_DB": '{"pass": "hunter2"}'},
        kind="PointerError",
    ),
    "secret_part_of_text": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: the secret 'db' of environment: its value is not
        JSON, so it has no parts. Correct the reference.
        """,
        "[core]\npassword_secret = db#/password",
        env={"BILLING_SECRET_DB": "hunter2"},
        kind="PointerError",
    ),
    "one_variable_for_two": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: the secret 'db/password' cannot be read from
        environment: config 'db/password' at BILLING_SECRET_DB_PASSWORD: the references 'db/password'
        and 'db-password' both mean the variable BILLING_SECRET_DB_PASSWORD. Rename one of them.
        """,
        "[core]\npassword_secret = db/password\n[db]\nurl_secret = db-password",
        env={"BILLING_SECRET_DB_PASSWORD": "hunter2"},
        kind="PointerError",
        status=3,
    ),
    "config_links_unknown": Case(
        """
        [secrets] config_links: config_links names 'vault', which is not a link. The links are environment,
        metastore.
        """,
        "[secrets]\nconfig_links = vault\n[core]\npassword_secret = db/password",
        kind="BackendError",
        status=3,
    ),
    "config_links_leave_out": Case(
        """
        HOME/billing.cfg:4: [core] password_secret: secret 'db/password' not found (asked:
        metastore). [secrets] config_links leaves out environment.
        """,
        "[secrets]\nconfig_links = metastore\n[core]\npassword_secret = db/password",
        env={"BILLING_SECRET_DB_PASSWORD": "hunter2"},
        kind="PointerError",
    ),
    "file_missing": Case(
        """
        HOME/billing.cfg:2: [core] password_file: HOME/run/password: the file does not exist. Create it,
        or correct the path.
        """,
        "[core]\npassword_file = run/password",
        kind="PointerError",
    ),
    "file_is_a_directory": Case(
        """
        HOME/billing.cfg:2: [core] password_file: /: this is a directory. Name the file inside it.
        """,
        "[core]\npassword_file = /",
        kind="PointerError",
    ),
    # backends
    "kwargs_python": Case(
        """
        HOME/billing.cfg:3: [secrets] backend_kwargs: the kwargs cannot be read: expected JSON, such
        as {"key": "value"}; the error is at line 1, column 2. Write {"name": "value"} with double
        quotes, null, true and false (not None, True, False).
        """,
        backend("stores.Plain", "backend_kwargs = {'token': None}\n"),
        kind="BackendError",
        status=3,
    ),
    "kwargs_true": Case(
        """
        HOME/billing.cfg:3: [secrets] backend_kwargs: the kwargs cannot be read: expected JSON, such
        as {"key": "value"}; the error is at line 1, column 11. Write {"name": "value"} with double
        quotes, null, true and false (not None, True, False).
        """,
        backend("stores.Plain", 'backend_kwargs = {"token": True}\n'),
        kind="BackendError",
        status=3,
    ),
    "kwargs_list": Case(
        """
        HOME/billing.cfg:3: [secrets] backend_kwargs: the kwargs cannot be read: it must be a JSON
        object. Write {"name": "value"} with double quotes, null, true and false (not None, True,
        False).
        """,
        backend("stores.Plain", 'backend_kwargs = ["hunter2"]\n'),
        kind="BackendError",
        status=3,
    ),
    "kwargs_unknown": Case(
        """
        HOME/billing.cfg:3: [secrets] backend_kwargs: Plain takes no argument 'tokn'. Did you mean
        'token'?
        """,
        backend("stores.Plain", 'backend_kwargs = {"tokn": "hunter2"}\n'),
        kind="BackendError",
        status=3,
    ),
    "kwarg_of_another_type": Case(
        """
        BILLING__SECRETS__BACKEND_KWARG__SIZE: expected a whole number, such as 8080. The parameter
        size is annotated int.
        """,
        backend("stores.Plain"),
        env={"BILLING__SECRETS__BACKEND_KWARG__SIZE": "hunter2"},
        kind="BackendError",
        status=3,
    ),
    "no_such_class": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: the class stores.Nope cannot be used: its module has no
        such name. Correct the class path.
        """,
        backend("stores.Nope"),
        kind="BackendError",
        status=3,
    ),
    "no_such_module": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: the class nowhere.Plain cannot be used: there is no such
        module. Correct the class path.
        """,
        backend("nowhere.Plain"),
        kind="BackendError",
        status=3,
    ),
    "module_fails": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: the class broken.Plain cannot be used: its module fails
        with OSError when imported. Correct the class path.
        """,
        backend("broken.Plain"),
        files={"broken.py": "raise OSError('hunter2')"},
        kind="BackendError",
        status=3,
    ),
    "module_needs_another": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: the class needy.Plain cannot be used: its module needs
        one that is not installed: hvacc. Correct the class path.
        """,
        backend("needy.Plain"),
        files={"needy.py": "import hvacc"},
        kind="BackendError",
        status=3,
    ),
    "no_path": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: the class stores..Plain cannot be used: expected the
        dotted path of something in a module, such as package.module.name. Correct the class path.
        """,
        backend("stores..Plain"),
        kind="BackendError",
        status=3,
    ),
    "no_backend": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: the class stores.NoBackend cannot be used: it is not a
        secrets backend: it has none of get_connection, get_conn_value, get_variable, get_config.
        Correct the class path.
        """,
        backend("stores.NoBackend"),
        kind="BackendError",
        status=3,
    ),
    "short_name_unknown": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: there is no backend called 'valt'. Did you mean
        vault? Use one of akeyless, aws_rds_tokens, aws_secrets_manager, aws_ssm, azure_database_tokens,
        azure_key_vault, gcp_secret_manager, keyring, kubernetes, local_filesystem, mounted_files, vault,
        vault_database, yandex_lockbox, or a class path.
        """,
        backend("valt"),
        kind="BackendError",
        status=3,
    ),
    "airflow_class_without_twin": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: framework has no backend for airflow.providers.x.Backend. Write
        import:airflow.providers.x.Backend to load Airflow's own class.
        """,
        backend("airflow.providers.x.Backend"),
        kind="BackendError",
        status=3,
    ),
    "constructor_raises": Case(
        """
        HOME/billing.cfg:2: [secrets] backend: Raising cannot be built (RuntimeError at
        HOME/stores.py:32). Check [secrets] backend_kwargs.
        """,
        backend("stores.Raising", 'backend_kwargs = {"token": "hunter2"}\n'),
        kind="BackendError",
        status=3,
    ),
    "backend_and_backends": Case(
        """
        HOME/billing.cfg:2: [secrets]: backend and backends are both set. Remove backend, and list it
        in backends.
        """,
        backend("stores.Plain", "backends = corp, team\n"),
        kind="BackendError",
        status=3,
    ),
    "backends_twice": Case(
        """
        HOME/billing.cfg:2: [secrets] backends: a name is given twice. List each name once.
        """,
        "[secrets]\nbackends = corp, corp\n[core]\npassword_secret = db/password",
        kind="BackendError",
        status=3,
    ),
    "backends_without_section": Case(
        """
        [secrets.corp] backend: the option is not set. It is declared without a default: set
        BILLING__SECRETS_CORP__BACKEND or write it in a file.
        """,
        "[secrets]\nbackends = corp\n[core]\npassword_secret = db/password",
        kind="OptionNotFound",
    ),
    # the bootstrap is a line
    "kwargs_that_only_it_has": Case(
        """
        HOME/billing.cfg:3: [secrets] backend_kwargs_secret: secret 'kwargs' not found (asked:
        environment (BILLING_SECRET_KWARGS)). This is for the link Plain itself, so it is not asked, nor
        are those that come after it: metastore.
        """,
        backend("stores.Plain", "backend_kwargs_secret = kwargs\n"),
        kind="PointerError",
    ),
    "kwargs_that_a_later_one_has": Case(
        """
        HOME/billing.cfg:5: [secrets.corp] backend_kwargs_secret: secret 'kwargs' not found (asked:
        environment (BILLING_SECRET_KWARGS)). This is for the link corp itself, so it is not asked, nor
        are those that come after it: team, metastore.
        """,
        "[secrets]\nbackends = corp, team\n[secrets.corp]\nbackend = stores.Plain\nbackend_kwargs_secret = kwargs\n"
        "[secrets.team]\nbackend = stores.Plain\n[core]\npassword_secret = db/password",
        kind="PointerError",
    ),
    "url_that_only_the_metastore_has": Case(
        """
        HOME/billing.cfg:2: [database] sql_alchemy_conn_secret: secret 'url' not found (asked:
        environment (BILLING_SECRET_URL)). This is for the link metastore itself, so it is not asked.
        """,
        "[database]\nsql_alchemy_conn_secret = url\n[core]\npassword_secret = db/password",
        kind="PointerError",
    ),
    "backend_that_asks_itself": Case(
        """
        HOME/billing.cfg:6: [db] url_secret: secret 'db/password' not found (asked:
        environment (BILLING_SECRET_DB_PASSWORD)). This is for the link Selfish itself, so it is not asked,
        nor are those that come after it: metastore.
        """,
        "[secrets]\nbackend = stores.Selfish\n[core]\npassword_secret = db/password\n[db]\nurl_secret = db/password",
        kind="PointerError",
    ),
    # the metastore
    "metastore_missing_is_empty": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: secret 'db/password' not found (asked:
        environment (BILLING_SECRET_DB_PASSWORD), metastore). Check its name, or create it.
        """,
        "[core]\npassword_secret = db/password",
        kind="PointerError",
    ),
    "metastore_no_database": Case(
        """
        HOME/billing.cfg:2: [core] password_secret: the secret 'db/password' cannot be read from
        metastore: config 'db/password' at HOME/billing.db: it is not a SQLite database. Name another
        file in [database] sql_alchemy_conn.
        """,
        "[core]\npassword_secret = db/password",
        files={"billing.db": NO_DATABASE},
        kind="PointerError",
        status=3,
    ),
}


@pytest.fixture(autouse=True)
def _fresh_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stores", "broken", "needy"):
        monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.mark.parametrize("name", CASES)
def test_error(name: str, world: World) -> None:
    case = CASES[name]
    case.write(world)
    with pytest.raises(errors.FrameworkError) as caught:
        world.app().use().conf.get(*case.ask)
    assert world.shown(caught.value) == case.message
    assert type(caught.value).__name__ == case.kind
    trace = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in trace.replace("tests/test_errors.py", "")

    status, out, err = world.run("--project", str(world.home), "config", "get-value", *case.ask)
    assert (status, out) == (case.status, "")
    assert err == "error: " + case.message.replace("HOME/", "") + "\n"


def test_file_that_may_not_be_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.write("billing.cfg", "[core]\nport = 1\n")
    real = builtins.open

    def refuse(file: Any, *args: Any, **kwargs: Any) -> Any:  # root may read whatever its mode is
        if file == str(path):
            raise PermissionError(13, "Permission denied", file)
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", refuse)
    message = "billing.cfg: this process may not read the file. Give its user the permission to read it."
    with pytest.raises(errors.ConfigFileError) as caught:
        world.app()
    assert world.shown(caught.value) == f"HOME/{message}"
    assert world.run("dump") == (1, "", f"error: {message}\n")


def test_project_that_others_can_write(world: World) -> None:
    world.write("schema.toml", SCHEMA, 0o666)
    world.project(schema="schema.toml")
    message = (
        "error: schema.toml: a file that was not named explicitly is not used when others can write it (mode 666, "
        "owner root, uid 0). Correct that, or, if you trust it, pass --project DIR, or set FRAMEWORK_PROJECT=DIR in "
        "the environment of the process.\n"
    )
    assert world.run("config", "get-value", "core", "port") == (1, "", message)
    with pytest.raises(errors.ConfigFileError, match="is not used when others can write it"):
        current.app()
    assert world.run("--project", ".", "config", "get-value", "core", "port") == (0, "8080\n", "")


def test_project_that_does_not_exist(world: World) -> None:
    message = "error: nowhere/pyproject.toml: there is no project file. Write one with [tool.framework].\n"
    assert world.run("--project", "nowhere", "dump") == (1, "", message)
    world.write("empty/pyproject.toml", "[tool.other]\n")
    message = 'error: empty/pyproject.toml: there is no [tool.framework]. Write it, with name = "…".\n'
    assert world.run("--project", "empty", "dump") == (1, "", message)
    world.write("odd/pyproject.toml", "tool = 5\n")
    assert world.run("--project", "odd", "dump") == (1, "", message.replace("empty", "odd"))


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("port", "http", "[core] port: expected a whole number, such as 8080, not 'http'"),
        ("pool", "hunter2", "[core] pool: expected a whole number, such as 8080. For example: 5"),
        ("colour", "blue", "[core] colour: expected one of 'red', 'green', not 'blue'"),
    ],
    ids=["shown", "sensitive", "choices"],
)
def test_conversion(option: str, text: str, message: str, world: World) -> None:
    Case("", f"[core]\n{option} = {text}\n", project={"schema": "schema.toml"}).write(world)
    with pytest.raises(errors.InvalidValue) as caught:
        world.app().conf.value("core", option)
    assert world.shown(caught.value) == f"HOME/billing.cfg:2: {message}"
    status, out, err = world.run("check", "--offline")
    assert (status, err) == (1, "1 error, 0 warnings\n")
    assert out == f"error: billing.cfg:2: {message}.\n"


def test_conversion_without_a_schema_hides_what_sounds_secret(world: World) -> None:
    world.write("billing.cfg", "[db]\npassword = hunter2\n[tokens]\nother = hunter2\n")
    for section, key in (("db", "password"), ("tokens", "other")):
        with pytest.raises(errors.InvalidValue) as caught:
            world.app().conf.getint(section, key)
        assert "hunter2" not in str(caught.value)


def test_pointer_to_an_option_that_is_not_sensitive(world: World) -> None:
    Case("", "[core]\nport_cmd = echo 1\n").write(world)
    message = "the pointer [core] port_cmd is ignored, because [core] port is not declared sensitive"
    shown = f"warning: billing.cfg:2: {message}\n"
    assert world.run("config", "get-value", "core", "port") == (0, "8080\n", shown)


KEY, OTHER_KEY = crypto.generate(), crypto.generate()


def stored(world: World) -> None:
    world.set(BILLING__CORE__FERNET_KEY=KEY)
    world.app().use()
    Variable.set("rate", "hunter2")
    world.app().store.set_config("db/password", "hunter2")


def fails(world: World, variable: str, kind: type[errors.FrameworkError], expected: str, kind_of_failure: str) -> None:
    """A variable's error, by Python, `explain` and `dump`."""
    with pytest.raises(kind) as caught:
        world.app().get_variable(variable)
    assert world.shown(caught.value) == expected
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    status, out, err = world.run("explain", "--variable", variable)
    assert (status, err) == (3, "")
    assert f"{kind_of_failure}: {expected.replace('HOME/', '')}" in out
    status, out, err = world.run("dump", "--variables", "--section", "core")
    assert status == 3
    assert "[core]" in out
    assert "Traceback" not in err
    assert err.startswith("error: ")


def test_metastore_locked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(world)
    monkeypatch.setattr(database.open, "__defaults__", (0.05,))
    with sqlite3.connect(world.home / "billing.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        message = (
            "metastore: variable 'rate' at HOME/billing.db: another process kept it locked for too long. "
            "Try again when that process has finished."
        )
        fails(world, "rate", errors.BackendUnavailable, message, "unavailable")
        with pytest.raises(errors.MetastoreError) as caught:
            Variable.set("rate", "hunter2")
    assert world.shown(caught.value) == message.partition(" at ")[2]
    other.close()


def test_metastore_of_another_key(world: World) -> None:
    stored(world)
    world.set(BILLING__CORE__FERNET_KEY=OTHER_KEY)
    message = (
        "metastore: variable 'rate' in HOME/billing.db: the only key in [core] fernet_key does not "
        "open it. Add the key that it was written with, after a comma."
    )
    fails(world, "rate", errors.InvalidSecret, message, "invalid")
    world.set(BILLING__CORE__FERNET_KEY=f"{OTHER_KEY},{KEY}")
    assert world.app().get_variable("rate") == "hunter2"


def test_metastore_without_a_key(world: World) -> None:
    stored(world)
    world.set(BILLING__CORE__FERNET_KEY="")
    message = (
        "metastore: variable 'rate' in HOME/billing.db: no key in [core] fernet_key opens it. "
        "Add the key that it was written with, after a comma."
    )
    fails(world, "rate", errors.InvalidSecret, message, "invalid")
    with pytest.raises(errors.NoFernetKey) as caught:
        world.app().use()
        Variable.set("rate", "hunter2")
    assert str(caught.value) == (
        "[core] fernet_key: secrets are stored encrypted, and there is no key. "
        "Create one with: python -m framework fernet generate, or, in a project, init --metastore"
    )


def test_metastore_with_a_malformed_key(world: World) -> None:
    stored(world)
    world.set(BILLING__CORE__FERNET_KEY=f"{KEY},hunter2")
    message = (
        "[core] fernet_key: key 2 of 2 is not 32 bytes as URL-safe base64. "
        "Create one with: python -m framework fernet generate"
    )
    fails(world, "rate", errors.BackendError, message, "invalid")


def test_metastore_no_database(world: World) -> None:
    world.write("billing.db", NO_DATABASE)
    message = (
        "metastore: variable 'rate' at HOME/billing.db: it is not a SQLite database. "
        "Name another file in [database] sql_alchemy_conn."
    )
    fails(world, "rate", errors.InvalidSecret, message, "invalid")


def test_metastore_missing_is_empty(world: World) -> None:
    with pytest.raises(errors.VariableNotFound) as caught:
        world.app().get_variable("rate")
    asked = "environment (BILLING_VAR_RATE), metastore"
    message = f"variable 'rate' not found (asked: {asked}). Check its name, or create it."
    assert str(caught.value) == message
    status, out, _ = world.run("explain", "--variable", "rate")
    assert (status, out.split()) == (1, ["link", "answer", "environment", "absent", "metastore", "absent"])
    assert world.run("dump", "--variables", "--connections")[0] == 0
    assert not (world.home / "billing.db").exists()


@pytest.mark.parametrize("url", ["nowhere://user:hunter2@host/db", "hunter2", "sqlite://"])
def test_metastore_of_no_known_kind(url: str, world: World) -> None:
    """Names the place and what to write; what is written there is a secret."""
    Case("", f"[database]\nsql_alchemy_conn = {url}\n[core]\npassword_secret = db/password\n").write(world)
    status, out, err = world.run("config", "get-value", "core", "password")
    assert (status, out) == (3, "")
    assert err.startswith("error: billing.cfg:2: [database] sql_alchemy_conn: ")
    assert "hunter2" not in err


def test_denied_variable(world: World) -> None:
    Case("", backend("stores.Denied", "on_failure = next\n")).write(world)
    message = "Denied: variable 'rate': permission denied. "
    message += 'To stop asking it, set "variables_prefix": null in its backend_kwargs.'
    with pytest.raises(errors.AccessDenied) as caught:
        world.app().get_variable("rate")
    assert str(caught.value) == message
    status, out, _ = world.run("explain", "--variable", "rate")
    assert (status, f"denied: {message}" in out) == (3, True)


def test_store_that_is_down(world: World) -> None:
    Case("", backend("stores.Down")).write(world)
    message = (
        "Down: variable 'rate': the backend raised ConnectionError at HOME/stores.py:18. "
        "A backend raises AccessDenied, BackendUnavailable or InvalidSecret; anything else counts as unavailable."
    )
    fails(world, "rate", errors.BackendUnavailable, message, "unavailable")
    world.set(BILLING__SECRETS__ON_FAILURE="next", BILLING_VAR_RATE="19")
    with pytest.warns(errors.FrameworkWarning) as warned:
        assert world.app().get_variable("rate") == "19"
    assert world.shown(warned[0].message) == f"{message} The next link is asked, because [secrets] on_failure = next."


def test_short_name_claimed_twice(world: World) -> None:
    world.write("other-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    world.write("other-1.0.dist-info/entry_points.txt", "[framework.backends]\nlocal_filesystem = elsewhere:Backend\n")
    Case("", backend("local_filesystem")).write(world)
    status, out, err = world.run("config", "get-value", "core", "password")
    assert (status, out) == (3, "")
    assert err == (
        "error: billing.cfg:2: [secrets] backend: the short name 'local_filesystem' is claimed by elsewhere:Backend "
        "and framework.backends.local_filesystem.LocalFilesystemBackend. Write the class path instead.\n"
    )


def test_one_error_does_not_hide_the_rest(world: World) -> None:
    cfg = "[core]\nport = 1\npassword_cmd = false\npool = 5%\n[db]\nurl_secret = nowhere\n"
    Case("", cfg).write(world)
    status, out, err = world.run("dump", "--changed")
    assert status == 1
    assert "\nport = 1\n" in out
    assert err.splitlines() == [
        "error: billing.cfg:4: [core] pool: a '%' is followed by neither '%' nor '(name)s'. "
        "Write '%%' for a literal '%'.",
        "error: billing.cfg:3: [core] password_cmd: false ended with status 1. Run it by hand to see its output.",
        "error: billing.cfg:6: [db] url_secret: secret 'nowhere' not found (asked: "
        "environment (BILLING_SECRET_NOWHERE), metastore). Check its name, or create it.",
    ]
    assert world.run("check")[0] == 1


def test_has_option_and_a_fallback_never_hide_a_failure(world: World) -> None:
    Case("", "[core]\npassword_cmd = false\n").write(world)
    conf = world.app().conf
    assert conf.has_option("core", "password")
    with pytest.raises(errors.PointerError):
        conf.get("core", "password", fallback="x")


def test_an_error_object_that_is_raised_twice_names_its_place_once() -> None:
    from framework.testing import isolated

    with isolated() as app:
        app.memory.failures["variable", "rate"] = errors.BackendUnavailable("down", where="https://vault")
        for _ in range(3):
            with pytest.raises(errors.BackendUnavailable) as caught:
                app.get_variable("rate")
        assert str(caught.value) == "memory: variable 'rate' at https://vault: down"


def test_less_reach_leaves_nothing_behind(world: World) -> None:
    """A backend that asks for an option sees fewer links; who asks later, with all of them, gets their answer."""
    from framework import BaseSecretsBackend
    from framework.testing import isolated

    class Store(BaseSecretsBackend):
        def get_config(self, key: str) -> str:
            return "from the store"

        def get_variable(self, key: str, team_name: str | None = None) -> str:
            return str(app.conf.get("core", "password"))

    environ = {"BILLING_SECRET_TOKEN": "from the environment"}
    with isolated("billing", {("core", "password_secret"): "token"}, environ=environ) as app:
        app.chain.links[0]._backend = Store()
        assert app.get_variable("any") == "from the environment"
        assert app.conf.get("core", "password") == "from the store"


def test_kwargs_that_are_ordinary_words_leave_our_words_alone(world: World) -> None:
    world.set(BILLING__SECRETS__BACKEND="vault")
    kwargs = {"auth_type": "approle", "url": "http://127.0.0.1:9", "token": "secret", "approle_mount": "backend"}
    world.set(BILLING__SECRETS__BACKEND_KWARGS=json.dumps(kwargs))
    with pytest.raises(errors.BackendError) as caught:
        world.app().get_connection("x")
    assert "takes no argument 'approle_mount'" in str(caught.value)
    del kwargs["approle_mount"]
    world.set(BILLING__SECRETS__BACKEND_KWARGS=json.dumps(kwargs))
    with pytest.raises(errors.BackendError) as caught:
        world.app().get_connection("x")
    assert "role_id" in str(caught.value) and "***" not in str(caught.value)


def test_the_hint_on_a_url_is_whole_whatever_the_password_is(world: World) -> None:
    world.set(BILLING_CONN_X="postgres://a:postgres@h/d")
    app = world.app()
    app.get_connection("x")
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN="postgres-is-here")
    with pytest.raises(errors.FrameworkError) as caught:
        world.app().get_connection("y")
    assert "***" not in str(caught.value).partition("Write ")[2]


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "{" * 500])
def test_an_extra_that_was_set_to_no_object(text: str) -> None:
    connection = Connection("warehouse")
    connection.extra = text
    for use in (lambda: connection.extra_dejson, connection.get_uri, connection.as_json, connection.to_dict):
        with pytest.raises(errors.InvalidConnection, match="extra is not a JSON object"):
            use()
