"""One script that asks a real Airflow, and us, the same questions about the same home.

It is run by Airflow's Python with `airflow` questions and by ours with `framework` ones: a list of [verb, argument…] on
stdin, a list of answers on stdout. An Airflow takes more than a second to start, so many questions go into one process.
Nothing but the standard library may be imported at the top: each side has its own packages.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GETTERS = {"integer": "getint", "float": "getfloat", "boolean": "getboolean"}
FIELDS = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra", "extra_dejson")


def answers(conf: Any, options: list[list[str]]) -> dict[str, Any]:
    """What the getters of either side return for every option: `section.key` -> getter -> value."""
    found: dict[str, Any] = {}
    for section, key, type_ in options:
        getters = ["has_option", "get", GETTERS.get(type_, "getlist")]
        found[f"{section}.{key}"] = {name: attempt(getattr(conf, name), section, key) for name in getters}
        if type_ == "string":
            found[f"{section}.{key}"]["getjson"] = attempt(conf.getjson, section, key)
    return found


def attempt(getter: Callable[..., Any], *args: Any) -> Any:
    """The value of the getter, or that it failed: the two sides have different errors."""
    try:
        return getter(*args)
    except Exception:
        return {"error": True}


def comparable(answers: Any) -> Any:
    """What can be compared: at an empty text Airflow's typed getters fail, and ours say None, for empty means none.

    A list in JSON form is read as JSON by our `getlist`; Airflow's splits it at each comma.
    """
    if not isinstance(answers, dict):
        return answers
    if str(answers.get("get")).startswith("["):
        return {name: value for name, value in answers.items() if name != "getlist"}
    if answers.get("get") != "":
        return answers
    typed = GETTERS.values()
    return {name: value for name, value in answers.items() if name not in typed or value not in (None, {"error": True})}


# Run by Airflow's Python


def airflow_declared() -> dict[str, Any]:
    """What Airflow declares: the schema file, its core options, the renamed ones and the choices."""
    import airflow
    import airflow.configuration

    described = airflow.configuration.retrieve_configuration_description(include_providers=False)
    parser = airflow.configuration.AirflowConfigParser
    return {
        "version": airflow.__version__,
        "schema": os.path.join(os.path.dirname(airflow.configuration.__file__), "config_templates", "config.yml"),
        "options": [
            [section, key, option["type"], bool(option.get("sensitive"))]
            for section, content in described.items()
            for key, option in content["options"].items()
        ],
        "renamed": [[*new, *old[:2]] for new, old in parser.deprecated_options.items()],
        "choices": [[*name, list(choices)] for name, choices in parser.enums_options.items()],
    }


def airflow_answers(options: list[list[str]], whole: bool) -> dict[str, Any]:
    """What Airflow's configuration says, of the whole of Airflow or by itself.

    The whole of Airflow does not start with options that are mere texts: it makes engines, loggers and plugins of them.
    """
    if not whole:
        os.environ["_AIRFLOW__AS_LIBRARY"] = "1"
    from airflow.configuration import conf

    return answers(conf, options)


def airflow_whole() -> dict[str, Any]:
    """Every option that Airflow and its installed providers declare, and what Airflow's configuration returns."""
    os.environ["_AIRFLOW__AS_LIBRARY"] = "1"
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    options = [
        [section, key, declared.get("type") or "string", (section, key) in conf.sensitive_config_values]
        for section, content in conf.configuration_description.items()
        for key, declared in content["options"].items()
    ]
    return {"options": options, "answers": answers(conf, [option[:3] for option in options])}


def airflow_commands(*lines: list[str]) -> list[str]:
    """What Airflow's own command line prints, for each of these lines."""
    from contextlib import redirect_stdout
    from io import StringIO

    from airflow.__main__ import main

    printed = []
    for words in lines:
        sys.argv = ["airflow", *words]
        with redirect_stdout(StringIO()) as output:
            main()
        printed.append(output.getvalue())
    return printed


def airflow_rows() -> dict[str, Any]:
    """Every connection and variable of the metastore, as Airflow's own models and its own backend read them."""
    from airflow.models import Connection, Variable
    from airflow.secrets.metastore import MetastoreBackend
    from airflow.settings import Session
    from sqlalchemy import select

    session, backend = Session(), MetastoreBackend()
    connections = list(session.scalars(select(Connection)))
    variables = list(session.scalars(select(Variable)))
    in_clear = [row.conn_id for row in connections if row.password and not row.is_encrypted]
    in_clear += [row.conn_id for row in connections if row.extra and not row.is_extra_encrypted]
    in_clear += [row.key for row in variables if not row.is_encrypted]
    for row in connections:
        assert fields_of(backend.get_connection(row.conn_id)) == fields_of(row), "Airflow contradicts itself"
    return {
        "connections": {row.conn_id: fields_of(row) for row in connections},
        "variables": {row.key: backend.get_variable(row.key) for row in variables},
        "descriptions": {row.key: row.description for row in variables},
        "in clear": in_clear,
    }


def airflow_searches(site: str, connections: list[str], variables: list[str], options: list[list[str]]) -> Any:
    """What Airflow's own search says, with the SDKs of our packages where Airflow has none.

    A worker's search is one of its own, with a connection class of its own.
    """
    sys.path.append(site)
    from airflow.configuration import conf, ensure_secrets_loaded
    from airflow.models import Connection, Variable
    from airflow.sdk.configuration import initialize_secrets_backends
    from airflow.sdk.execution_time.secrets import DEFAULT_SECRETS_SEARCH_PATH_WORKERS

    backends = ensure_secrets_loaded(), initialize_secrets_backends(DEFAULT_SECRETS_SEARCH_PATH_WORKERS)
    at_work = backends[1][0]
    return {
        "backends": [class_of(search[0]) for search in backends],
        "connections": {
            name: attempt(lambda name: fields_of(Connection.get_connection_from_secrets(name)), name)
            for name in connections
        },
        "of workers": {
            name: attempt(lambda name: fields_of(at_work.get_connection(conn_id=name)), name) for name in connections
        },
        "classes": [
            attempt(lambda: class_of(Connection.get_connection_from_secrets(connections[0]))),
            attempt(lambda: class_of(at_work.get_connection(conn_id=connections[0]))),
        ],
        "variables": {name: attempt(Variable.get, name) for name in variables},
        "options": {f"{section}.{key}": attempt(conf.get, section, key) for section, key in options},
    }


def class_of(thing: Any) -> str:
    return f"{type(thing).__module__}.{type(thing).__name__}"


def fields_of(connection: Any) -> dict[str, Any]:
    """The fields of either side's connection."""
    return {**{name: getattr(connection, name) for name in FIELDS}, "uri": connection.get_uri()}


# Run by our Python, where Airflow is installed but never imported


def framework_answers(site: str, schema: str, options: list[list[str]]) -> dict[str, Any]:
    """The schema found in the installed Airflow, given by name with an `environ`, and typed by the schema."""
    from framework import App

    environ = dict(os.environ)
    sys.path.append(site)
    app = App("airflow")
    found = {"found": answers(app.conf, options)}
    found["typed"] = {f"{section}.{key}": attempt(app.conf.value, section, key) for section, key, _ in options}
    sys.path.remove(site)
    os.environ.clear()
    found["named"] = answers(App("airflow", schema=schema, environ=environ).conf, options)
    assert not [name for name in sys.modules if name.partition(".")[0] == "airflow"], "Airflow was imported"
    return found


def framework_whole(options: list[list[str]], with_airflow: bool) -> dict[str, Any]:
    """What we return for options, and which of them we call sensitive."""
    from importlib.util import find_spec

    from framework import App

    assert (find_spec("airflow") is not None) is with_airflow
    conf = App("airflow").conf
    found = answers(conf, options)
    assert not [name for name in sys.modules if name.partition(".")[0] == "airflow"], "Airflow was imported"
    sensitive = [f"{section}.{key}" for section, key, _ in options if conf.is_sensitive(section, key)]
    return {"answers": found, "sensitive": sensitive}


def framework_searches(
    name: str, site: str, connections: list[str], variables: list[str], options: list[list[str]]
) -> Any:
    """What our search says for an application of this name, and of what it warns.

    Airflow's Python runs this as well, for backends of Airflow's.
    """
    import warnings

    from framework import App

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        sys.path.append(site)
        app = App(name, sensitive=None if name == "airflow" else ["*"])  # whose options nothing declares
        answers: dict[str, Any] = {
            "connections": {
                name: attempt(lambda name: fields_of(app.get_connection(name)), name) for name in connections
            },
            "classes": [attempt(lambda: class_of(app.get_connection(connections[0])))],
            "variables": {name: attempt(app.get_variable, name) for name in variables},
            "options": {f"{section}.{key}": attempt(app.conf.get, section, key) for section, key in options},
            "prefetch": [f"{section}.{key}" for section, key in app.prefetch()],
        }
    answers["backends"] = [class_of(app.chain.links[0].backend)]
    answers["links"] = {name: attempt(lambda name: app.chain.connection(name)[1], name) for name in connections}
    answers["warnings"] = [str(one.message) for one in warned if issubclass(one.category, UserWarning)]
    answers["loaded"] = "airflow" in sys.modules
    return answers


def framework_writes(site: str, calls: list[list[Any]]) -> list[Any]:
    """Write to the metastore of the home: `Variable.…` or `store.…`, with the arguments."""
    sys.path.append(site)
    from framework import App, Connection, Variable

    app = App("airflow").use()
    results = []
    for name, *arguments in calls:
        owner, _, method = name.partition(".")
        if method == "set_connection":
            arguments = [Connection(**arguments[0])]
        results.append(getattr(Variable if owner == "Variable" else app.store, method)(*arguments))
    assert not [name for name in sys.modules if name.partition(".")[0] == "airflow"], "Airflow was imported"
    return results


if __name__ == "__main__":
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # Airflow's commands talk on stdout
    del sys.path[0]  # the tests' own folder holds nothing that is wanted here
    json.dump([globals()[verb](*arguments) for verb, *arguments in json.load(sys.stdin)], answer_to)
    answer_to.close()
