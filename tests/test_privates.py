"""What we use of other packages that they do not promise: the only list of it, with a test of each.

A test fails when its private changes. A private name that is not in `NAMES` fails as well. Modules and hooks without
documentation (the parser of python-dotenv, the composer of PyYAML, the parts of alembic) have no such name to look for;
they are in `UNDOCUMENTED`.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import os
import subprocess
import sys
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import pytest
import servers
from hypothesis import example, given
from hypothesis import strategies as st

PACKAGE = Path(__file__).parent.parent / "framework"

#: A private name -> the files that use it, and why no public name will do.
NAMES = {
    "_thread": (
        "locks metastore.gate chain.cache chain.deadline cli.progress cli.terminal masking.masker",
        "threading takes 1 ms of a start",
    ),
    "_frozen_importlib_external": ("schemas.__init__", "importlib takes 0.3 ms of a start"),
    "_contextvars": ("chain.deadline chain.level deadlines errors lifetime options.values", "contextvars imports more"),
    "_weakref": (
        "backends.factory chain.deadline options.overrides options.values following reads",
        "weakref imports more",
    ),
    "_Environ": ("layers.environment", "whether `os.environ` is Python's own, with `_data`"),
    "_data": ("layers.environment", "os.environ decodes and encodes at every read"),
    "_getframe": ("errors", "a warning names the caller's line"),
    "_field_type": ("binding.kinds", "which fields of a dataclass are class variables"),
    "_parser": ("options.constraints", "the tree of a regular expression, to find endless repetition"),
    "_try_wait": ("options.pointers", "Popen takes an exit status that other code collected for success"),
    "_actions": ("cli.parsers cli.completion", "argparse has no public way to walk a parser"),
    "_choices_actions": ("cli.parsers", "the help texts of subcommands"),
    "_xxsubinterpreters": ("parsing", "its name before Python 3.13"),
    "_session": ("backends.gcp", "the pool of connections of Google's REST transport"),
    "_temp_files": ("backends.kubernetes", "a forked child would remove the key files of its parent"),
    "_preload_content": ("backends.kubernetes", "the raw answer, which is bounded"),
    "_request_timeout": ("backends.kubernetes", "the only time-out that the client has"),
    "_continue": ("backends.kubernetes", "the parameter that Kubernetes calls `continue`"),
    "_pool": ("backends.retries", "what urllib3 hands to Retry.increment"),
    "_creator": (
        "integrations.sqlalchemy",
        "whether an engine was made with creator=, which takes the place of events",
    ),
    "_sock": ("integrations.redis", "whether a synchronous connection of valkey is open"),
    "_read_timeout": ("metastore.pools", "PyMySQL has no other time-out for the handshake"),
    "_get_server_version_info": ("metastore.pools", "CockroachDB does not call itself PostgreSQL"),
}
#: Documented names, private by their spelling only.
DOCUMENTED = {"_exit", "_fields", "_field_defaults", "_asdict", "_replace"}
#: Modules and hooks that are not documented, and who uses them.
UNDOCUMENTED = {
    "dotenv.parser": "layers.environment",
    "yaml composers": "files.yaml_nodes",
    "dynaconf.loaders": "layers.settings",
    "alembic.script.revision": "metastore.migrations",
    "logging.root.manager": "backends.quiet",
    "botocore credential_provider": "backends.aws.client",
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def test_every_private_name_is_in_the_list() -> None:
    trees = {name_of(path): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    nodes = [(name, node) for name, tree in trees.items() for node in ast.walk(tree)]
    own: set[str] = set()
    for _, node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Name):
            own.add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(node.attr)
    used: dict[str, set[str]] = {}
    for name, node in nodes:
        private: list[str] = []
        if isinstance(node, ast.Attribute):
            private = [node.attr]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] != "framework":
            private = [node.module.split(".")[0], *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            private = [alias.name.split(".")[0] for alias in node.names]
        for word in private:
            if (
                word.startswith("_")
                and not word.startswith("__")
                and word not in DOCUMENTED
                and (word not in own or word in NAMES)
            ):
                used.setdefault(word, set()).add(name)
    assert {word for word in used if word not in NAMES} == set()
    for word, (files, _) in NAMES.items():
        text = {name for name in files.split() if word in (PACKAGE / f"{name.replace('.', '/')}.py").read_text()}
        assert text == set(files.split()), f"{word} is no longer used there"
        assert word in own or used.get(word, set()) <= set(files.split()), word


def test_locks_context_variables_and_references_are_the_public_ones() -> None:
    import _contextvars
    import _thread
    import _weakref
    import contextvars
    import threading
    import weakref

    assert (_thread.allocate_lock, _thread.get_ident) == (threading.Lock, threading.get_ident) or isinstance(
        threading.Lock(), type(_thread.allocate_lock())
    )
    assert threading.TIMEOUT_MAX == _thread.TIMEOUT_MAX
    assert isinstance(threading.RLock(), _thread.RLock)
    assert _contextvars.ContextVar is contextvars.ContextVar
    assert _weakref.ref is weakref.ref


def test_the_data_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from framework.layers.environment import Environment

    assert type(os.environ) is os._Environ
    environment = Environment()
    assert environment.data is os.environ._data  # type: ignore[attr-defined]
    monkeypatch.setenv("FRAMEWORK_PRIVATE", "é")
    encoded = environment.encode("FRAMEWORK_PRIVATE")
    assert environment.decode(environment.data[encoded]) == "é"
    monkeypatch.delenv("FRAMEWORK_PRIVATE")
    assert encoded not in environment.data


def test_the_finder_of_modules_is_the_public_one() -> None:
    import _frozen_importlib_external
    from importlib.machinery import PathFinder

    assert _frozen_importlib_external.PathFinder is PathFinder


def test_frames() -> None:
    assert sys._getframe().f_code.co_name == "test_frames"


def test_the_field_type_of_a_dataclass() -> None:
    @dataclasses.dataclass
    class Made:
        a: int
        only: dataclasses.InitVar[int]
        shared: ClassVar[int] = 1

    kinds = {name: field._field_type.name for name, field in Made.__dataclass_fields__.items()}  # type: ignore[attr-defined]
    assert kinds == {"a": "_FIELD", "only": "_FIELD_INITVAR", "shared": "_FIELD_CLASSVAR"}


def test_the_tree_of_a_regular_expression() -> None:
    from framework.options.constraints import _parsed

    names = [str(node[0]) for node in _parsed(r"a+(b|c)*[d]")]
    assert names == ["MAX_REPEAT", "MAX_REPEAT", "LITERAL"]
    (least, most, inner) = _parsed("(?:ab){2,3}")[0][1]
    assert (least, most, len(inner)) == (2, 3, 2)


def test_popen_asks_try_wait_for_the_exit_status() -> None:
    asked: list[int] = []

    class Process(subprocess.Popen[bytes]):
        def _try_wait(self, flags: int) -> tuple[int, int]:
            asked.append(flags)
            return os.waitpid(self.pid, flags)

    process = Process([sys.executable, "-c", "raise SystemExit(3)"])
    assert process.wait() == 3
    assert asked


def test_the_actions_of_a_parser() -> None:
    parser = argparse.ArgumentParser()
    flag = parser.add_argument("--flag")
    below = parser.add_subparsers()
    inner = below.add_parser("inner", help="what it does")
    assert flag in parser._actions
    (commands,) = (action for action in parser._actions if isinstance(action.choices, dict))
    assert commands.choices == {"inner": inner}
    assert [(choice.dest, choice.help) for choice in commands._choices_actions] == [  # type: ignore[attr-defined]
        ("inner", "what it does")
    ]


def test_the_interpreter_knows_whether_it_is_the_main_one() -> None:
    names = ("_interpreters", "_xxsubinterpreters")
    found = [name for name in names if name in sys.builtin_module_names or _can_import(name)]
    assert found, "framework.parsing takes every interpreter for the main one"
    known: Any = import_module(found[0])
    assert known.get_current() == known.get_main()


def _can_import(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def test_the_session_of_googles_rest_transport() -> None:
    secretmanager = pytest.importorskip("google.cloud.secretmanager")
    from google.auth.credentials import AnonymousCredentials
    from requests import Session

    client = secretmanager.SecretManagerServiceClient(credentials=AnonymousCredentials(), transport="rest")  # type: ignore[no-untyped-call]
    assert isinstance(client.transport._session, Session)


def test_the_files_and_parameters_of_kubernetes() -> None:
    client = pytest.importorskip("kubernetes.client")
    from kubernetes.config import kube_config

    assert isinstance(kube_config._temp_files, dict)
    asked: list[Any] = []

    class Answer:
        status, response = 200, "raw"

    class Api(client.ApiClient):  # type: ignore[misc]
        def call_api(self, *args: Any, **more: Any) -> Any:
            asked.append((args, more))
            return Answer()

    call = client.CoreV1Api(Api()).list_namespaced_secret
    answer = call("default", _preload_content=False, _request_timeout=(1, 2), _continue="token")
    assert answer == "raw"
    assert "continue=token" in repr(asked)
    assert "(1, 2)" in repr(asked)


@pytest.mark.external
def test_urllib3_hands_the_pool_to_retry() -> None:
    pytest.importorskip("urllib3")
    import urllib3

    given: list[Any] = []

    class Once(urllib3.Retry):
        def increment(self, method: Any = None, url: Any = None, *args: Any, **more: Any) -> Any:
            given.append((more["_pool"], more["error"]))
            raise RuntimeError

    pool = urllib3.HTTPConnectionPool("127.0.0.1", 9, retries=Once(1), timeout=1)  # nothing listens there
    with pytest.raises(RuntimeError):
        pool.request("GET", "/")
    assert given[0][0] is pool
    assert isinstance(given[0][1], urllib3.exceptions.NewConnectionError)


@pytest.mark.parametrize("client", ["redis", "valkey"])
def test_a_connection_of_redis_or_valkey_knows_its_socket(client: str, tmp_path: Path) -> None:
    connection_class = pytest.importorskip(client).Connection
    with servers.valkey(tmp_path) as port:
        connection = connection_class(port=port)
        assert not connection._sock
        connection.connect()
        assert connection._sock
        connection.disconnect()
        assert not connection._sock


def test_the_pool_of_an_engine_knows_who_connects() -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    usual, own = (sqlalchemy.create_engine("sqlite://", **more) for more in ({}, {"creator": lambda: None}))
    assert usual.pool._creator.__module__.startswith("sqlalchemy.engine.")
    assert own.pool._creator.__module__ == __name__


def test_sqlalchemy_asks_the_dialect_for_the_servers_version() -> None:
    import sqlalchemy
    from sqlalchemy.dialects.postgresql import psycopg

    from framework.metastore.pools import _tolerate_other_names

    dialect: Any = psycopg.dialect()  # type: ignore[no-untyped-call]

    class Connection:
        def exec_driver_sql(self, sql: str) -> Any:
            class Answer:
                def scalar(self) -> str:
                    return "CockroachDB CCL v25.1.0"

            return Answer()

    with pytest.raises(AssertionError):
        dialect._get_server_version_info(Connection())
    _tolerate_other_names(dialect)
    assert dialect._get_server_version_info(Connection()) == (13, 0)
    import inspect

    assert "_get_server_version_info" in inspect.getsource(sqlalchemy.engine.default.DefaultDialect.initialize)


# --- Modules and hooks that are not documented


def test_the_parser_of_python_dotenv() -> None:
    from framework.layers.environment import _dotenv

    found = list(_dotenv().parse_stream(StringIO("A=1\n# x\nexport B='2'\nbad line\nC\n")))
    pairs = [(each.key, each.value, each.error, each.original.line) for each in found if each.key or each.error]
    assert pairs == [("A", "1", False, 1), ("B", "2", False, 3), (None, None, True, 4), ("C", None, False, 5)]


_PIECES = [
    *("A", "b_1", "1x", "=", "=", "=", " ", "\t", "'", '"', "\\", "#", "\n", "\n"),
    *("export ", "ä", "$A", "\x0c", ".", "x y"),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
@example("A=1\n\n# x\nexport B='2 #'\nC=\"\"\nA=2")
@example("A='\n")
def test_simple_env_files_mean_what_python_dotenv_reads(text: str) -> None:
    from framework.layers.environment import _dotenv, _plain

    plain = _plain(text)
    if plain is not None:
        found = list(_dotenv().parse_stream(StringIO(text)))
        assert not any(each.error for each in found)
        assert {name: value for name, (value, _) in plain.items()} == {
            each.key: each.value for each in found if each.key
        }


def test_the_simple_env_files_are_the_usual_ones() -> None:
    from framework.layers.environment import _plain

    assert _plain("# of the host\n\nexport A=1\nB='two words'\n") == {"A": ("1", 3), "B": ("two words", 4)}
    assert _plain('A="a\\nb"\n') is None


@pytest.mark.parametrize("kind", ["CSafeLoader", "SafeLoader"])
def test_the_composers_of_pyyaml_call_their_resolver_around_each_node(kind: str) -> None:
    import yaml

    calls: list[tuple[str, str]] = []

    class Loader(getattr(yaml, kind)):  # type: ignore[misc]
        def descend_resolver(self, parent: Any, index: Any) -> None:
            calls.append(("down", type(parent).__name__))

        def ascend_resolver(self) -> None:
            calls.append(("up", ""))

    reader = Loader("a: [b]")
    root = reader.get_single_node()
    reader.dispose()
    assert [where for where, _ in calls] == ["down", "down", "up", "down", "down", "up", "up", "up"]
    assert [parent for where, parent in calls if where == "down"] == [
        *("NoneType", "MappingNode", "MappingNode", "SequenceNode"),
    ]
    constructor = yaml.constructor.SafeConstructor()
    constructor.flatten_mapping(root)
    assert [constructor.construct_object(node, deep=True) for node in root.value[0]] == ["a", ["b"]]


def test_the_loaders_of_dynaconf_take_a_text() -> None:
    dynaconf = pytest.importorskip("dynaconf")
    from framework.layers.settings import _LOADERS

    texts = {
        "toml_loader": "port = 1\n",
        "yaml_loader": "port: 1\n",
        "json_loader": '{"port": 1}\n',
    }
    assert set(texts) == set(_LOADERS.values())
    for name, text in texts.items():
        settings = dynaconf.LazySettings(ENVIRONMENTS_FOR_DYNACONF=False)
        loader: Any = import_module(f"dynaconf.loaders.{name}")
        loader.load(settings, env="_envless", filename=[text])
        assert settings.PORT == 1, name


def test_alembic_runs_steps_without_a_folder_of_scripts(tmp_path: Path) -> None:
    import sqlalchemy
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationStep
    from alembic.script import Script
    from alembic.script.revision import RevisionMap

    from framework.metastore.migrations import STEPS

    modules = [import_module(f"framework.metastore.migrations.versions.{name}") for name in STEPS]
    known = RevisionMap(lambda: [Script(module, module.revision, module.__name__) for module in modules])
    steps = [
        MigrationStep.upgrade_from_script(known, each)  # type: ignore[arg-type]
        for each in reversed(list(known.iterate_revisions("head", (), implicit_base=True)))
    ]
    assert len(steps) == len(STEPS)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.begin() as connection:
        options: dict[str, Any] = {"version_table": "versions", "fn": lambda heads, context: steps if not heads else []}
        context = MigrationContext.configure(connection, opts=options)
        context.run_migrations(op=Operations(context), secrets_only=False)
        assert context.get_current_heads() == (modules[-1].revision,)


def test_logging_knows_its_loggers() -> None:
    import logging

    logging.getLogger("framework.test.private")
    assert "framework.test.private" in logging.root.manager.loggerDict


def test_botocore_asks_a_component_for_credentials() -> None:
    botocore = pytest.importorskip("botocore.session")
    from botocore.credentials import Credentials

    from framework.backends.aws.client import _Source

    session = botocore.Session()
    session.register_component("credential_provider", _Source(Credentials("key", "secret")))
    assert session.get_credentials().access_key == "key"
