"""Backends of either side in the search of the other, on real stores: our classes in a real Airflow, Airflow's in our
chain, and an `airflow.cfg` that moves over as it is.

Needs the Airflow of test_beside_airflow.py with its providers for amazon and hashicorp; FRAMEWORK_INSTALL_AIRFLOW=1
installs those too. Otherwise skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from servers_aws import Aws, aws, moto_port, no_aws_around  # noqa: F401 - fixtures
from servers_vault import Bao, bao  # noqa: F401 - fixtures
from test_beside_airflow import FERNET_KEY, VERSION, Airflow, Home, _ask, airflow  # noqa: F401 - a fixture

from framework.backends import AIRFLOW_TWINS, SHORT_NAMES

OURS = sysconfig.get_path("purelib")
PROVIDERS = ("amazon", "hashicorp")

URI = "postgres://ada:p%40ss%2Fw%C3%B6rd@db.example:5432/shop?sslmode=require"
FIELDS = {"conn_type": "http", "host": "api.example", "login": "ada", "password": "p@ss%/ö", "port": 8443}
WHOLE = json.dumps({**FIELDS, "schema": "https", "extra": {"deep": {"n": [1, None]}, "flag": True}})
VARIABLES = {"vat": "19", "text": "žluťoučký kůň 🐎\n two lines ", "json": '{"a": [1, 2]}', "a.b-c": "odd name"}
OPTIONS = {
    ("database", "sql_alchemy_conn"): "sqlite:////somewhere/of the canary.db",
    ("core", "fernet_key"): FERNET_KEY,
    ("api", "secret_key"): "canary % $HOME ü",
}


class Filled(NamedTuple):
    """A store with what is asked for.

    Attributes:
        short: our name of the backend.
        kwargs: arguments of the backend on both sides.
        connections: the names that the store has.
    """

    short: str
    kwargs: dict[str, Any]
    connections: list[str]

    @property
    def theirs(self) -> str:
        return next(path for path, short in AIRFLOW_TWINS.items() if short == self.short)


def local_filesystem(request: pytest.FixtureRequest, folder: Path) -> Filled:
    connections = {"uri": URI, "whole": json.loads(WHOLE)}
    for name, content in (("connections", connections), ("variables", VARIABLES), ("configs", config_secrets())):
        (folder / f"{name}.json").write_text(json.dumps(content))
    paths = {f"{name}_file_path": str(folder / f"{name}.json") for name in ("connections", "variables", "configs")}
    return Filled("local_filesystem", paths, list(connections))


def vault(request: pytest.FixtureRequest, folder: Path) -> Filled:
    bao: Bao = request.getfixturevalue("bao")  # noqa: F811
    mount = bao.mount()
    fill_vault(bao, mount, 2, {"connections": "connections", "variables": "variables", "config": "config"})
    login = bao.approle(bao.reading(mount))
    return Filled("vault", {"url": bao.url, "mount_point": mount, **login}, ["uri", "whole", "fields"])


def vault_1(request: pytest.FixtureRequest, folder: Path) -> Filled:
    """The older engine, several configured paths, and the mount in the name."""
    bao: Bao = request.getfixturevalue("bao")  # noqa: F811
    mount = bao.mount(1)
    fill_vault(bao, mount, 1, {"connections": "second/c", "variables": "v", "config": "deep/er/config"})
    (folder / "token").write_text(bao.token(bao.reading(mount)))
    paths = {"connections_path": ["first/c/", "second/c"], "variables_path": "v/", "config_path": "deep/er/config"}
    engine = {"url": bao.url, "mount_point": mount, "kv_engine_version": 1, "token_path": str(folder / "token")}
    return Filled("vault", {**engine, **paths}, ["uri", "whole", "fields"])


def fill_vault(bao: Bao, mount: str, version: int, paths: dict[str, str]) -> None:  # noqa: F811
    connections = {"uri": {"conn_uri": URI}, "whole": json.loads(WHOLE), "fields": FIELDS}
    for name, fields in connections.items():
        bao.put(mount, f"{paths['connections']}/{name}", fields, version)
    for kind, values in (("variables", VARIABLES), ("config", config_secrets())):
        for name, text in values.items():
            bao.put(mount, f"{paths[kind]}/{name}", {"value": text}, version)


def aws_ssm(request: pytest.FixtureRequest, folder: Path) -> Filled:
    aws: Aws = request.getfixturevalue("aws")  # noqa: F811
    fill_aws(aws.put_parameter, "/airflow")
    return Filled("aws_ssm", aws.kwargs(), ["uri", "whole"])


def aws_secrets_manager(request: pytest.FixtureRequest, folder: Path) -> Filled:
    """Configured names and fields, and a connection that is never asked for."""
    aws: Aws = request.getfixturevalue("aws")  # noqa: F811
    fill_aws(aws.put_secret, "team.x", ".")
    words = {"user": "ada", "pass": "canary", "remote_host": "db.example", "port": 5432, "engine": "postgres"}
    aws.put_secret("team.x.connections.words", json.dumps({**words, "database": "shop"}))
    aws.put_secret("team.x.connections.nobody", URI)
    names = {f"{kind}_prefix": f"team.x.{kind}" for kind in ("connections", "variables", "config")}
    names |= {"sep": ".", "connections_lookup_pattern": "URI|w"}
    return Filled("aws_secrets_manager", {**aws.kwargs(), **names}, ["uri", "whole", "words"])


def fill_aws(put: Callable[[str, str], None], start: str, sep: str = "/") -> None:
    for kind, values in (
        ("connections", {"uri": URI, "whole": WHOLE}),
        ("variables", VARIABLES),
        ("config", config_secrets()),
    ):
        for name, text in values.items():
            put(sep.join((start, kind, name)), text)


STORES = [local_filesystem, vault, vault_1, aws_ssm, aws_secrets_manager]


def config_secrets() -> dict[str, str]:
    return {key: text for (_, key), text in OPTIONS.items()}


@pytest.fixture(scope="session")
def providers(airflow: Airflow) -> None:  # noqa: F811
    """Airflow's own classes for the stores."""
    if all((Path(airflow.site) / "airflow" / "providers" / name).is_dir() for name in PROVIDERS):
        return
    if os.environ.get("FRAMEWORK_INSTALL_AIRFLOW") != "1":
        pytest.skip(f"this Airflow has no providers {', '.join(PROVIDERS)}: install them")
    packages = [f"apache-airflow-providers-{name}" for name in PROVIDERS]
    command = [airflow.python, "-m", "pip", "install", "-q", *packages, f"apache-airflow=={VERSION}"]
    subprocess.run(command, check=True)


class Search:
    """One home over a filled store, read in every way."""

    def __init__(self, airflow: Airflow, home: Home, store: Filled) -> None:  # noqa: F811
        self._airflow, self.home, self.store = airflow, home, store
        self._pointers = {(section, f"{key}_secret"): key for section, key in OPTIONS}
        self._write(home, store.theirs)
        connections, variables = [*store.connections, "elsewhere", "nobody"], [*VARIABLES, "elsewhere", "nobody"]
        self._asked = [connections, variables, [list(name) for name in OPTIONS]]

    def _write(self, home: Home, backend: str) -> None:
        kwargs = json.dumps(self.store.kwargs).replace("%", "%%")
        options = {("secrets", "backend"): backend, ("secrets", "backend_kwargs"): kwargs}
        home.write_cfg({**options, **self._pointers})
        for name in ("AIRFLOW", "BILLING"):
            home.env[f"{name}_CONN_ELSEWHERE"], home.env[f"{name}_VAR_ELSEWHERE"] = "http://next.example", "next"
        home.env["AWS_EC2_METADATA_DISABLED"] = "true"

    def by_airflow(self, backend: str | None = None) -> Any:
        """Airflow's search: with the class that the cfg names, or this one."""
        if backend is not None:
            self.home.set("secrets", "backend", backend)
        return self._ask(self._airflow.python, self.home, "airflow_searches", OURS)

    def by_us(self) -> Any:
        """Our search in our Python, with Airflow's cfg."""
        return self._ask(Path(sys.executable), self.home, "framework_searches", "airflow", self._airflow.site)

    def by_us_in_airflow(self, backend: str) -> Any:
        """Our search in Airflow's Python, for its own application: Airflow's cfg could not say `import:`."""
        home = Home(self.home.path.with_name("billing"))
        self._write(home, backend)
        home.env["BILLING_HOME"] = str(home.path)
        home.env["BILLING_CONFIG"] = str(home.cfg)
        home.env["AIRFLOW_HOME"] = str(home.path / "of airflow")
        return self._ask(self._airflow.python, home, "framework_searches", "billing", OURS)

    def _ask(self, python: Path, home: Home, verb: str, *arguments: str) -> Any:
        before = home.files()
        question = [verb, *arguments, *self._asked]
        [answers] = _ask(python, home, (question,), PYTHONPATH=self._airflow._framework())
        assert python != Path(sys.executable) or home.files() == before, "a read wrote something"
        return answers


@pytest.fixture(params=STORES, ids=[store.__name__ for store in STORES])
def search(request: pytest.FixtureRequest, airflow: Airflow, tmp_path: Path) -> Search:  # noqa: F811
    folder = airflow.scratch / request.node.name
    folder.mkdir()
    return Search(airflow, Home(folder / "home"), request.param(request, tmp_path))


def check(answers: Any, store: Filled) -> None:
    """Everything is as it was written, what the store lacks comes from the environment, and the rest is absent."""
    assert answers["variables"] == {**VARIABLES, "elsewhere": "next", "nobody": {"error": True}}
    assert answers["options"] == {f"{section}.{key}": text for (section, key), text in OPTIONS.items()}
    connections = answers["connections"]
    assert connections["nobody"] == {"error": True}
    assert connections["elsewhere"]["host"] == "next.example"
    fields = {"login": "ada", "host": "db.example", "port": 5432, "schema": "shop"}
    assert {**fields, "password": "p@ss/wörd"}.items() <= connections["uri"].items()
    assert connections["uri"]["extra_dejson"] == {"sslmode": "require"}
    assert FIELDS.items() <= connections["whole"].items()
    assert connections["whole"]["extra_dejson"] == {"deep": {"n": [1, None]}, "flag": True}
    assert "fields" not in store.connections or FIELDS.items() <= connections["fields"].items()
    assert "words" not in store.connections or fields.items() <= connections["words"].items()


def test_our_backend_in_airflow(search: Search) -> None:
    ours = SHORT_NAMES[search.store.short]
    answers = search.by_airflow(ours)
    assert answers["backends"] == [ours, ours]
    assert answers["classes"] == [
        "airflow.models.connection.Connection",
        "airflow.sdk.definitions.connection.Connection",
    ]
    check(answers, search.store)
    for name in search.store.connections:
        assert common(answers["of workers"][name]) == common(answers["connections"][name])


@pytest.fixture
def refusing(bao: Bao, airflow: Airflow, tmp_path: Path) -> Search:  # noqa: F811
    """A store that serves options only, and refuses everything else."""
    mount = bao.mount()
    fill_vault(bao, mount, 2, {"connections": "connections", "variables": "variables", "config": "config"})
    login = bao.approle(bao.policy(f'path "{mount}/data/config/*" {{ capabilities = ["read"] }}'))
    folder = airflow.scratch / mount
    folder.mkdir()
    store = Filled("vault", {"url": bao.url, "mount_point": mount, **login}, [])
    return Search(airflow, Home(folder / "home"), store)


def test_a_refusal_ends_airflows_search_as_it_ends_ours(refusing: Search) -> None:
    """What the environment has is not taken for what the store refuses."""
    answers = refusing.by_airflow(SHORT_NAMES["vault"])
    for found in (answers["connections"], answers["of workers"], answers["variables"]):
        assert found["elsewhere"] == {"error": True}
    ours = refusing.by_us()
    assert ours["connections"]["elsewhere"] == ours["variables"]["elsewhere"] == {"error": True}
    assert answers["options"] == ours["options"]


def common(fields: dict[str, Any]) -> dict[str, Any]:
    """What both connection classes of Airflow have in common; they differ in texts and URIs."""
    return {name: value or None for name, value in fields.items() if name not in ("uri", "extra")}


def test_an_airflow_cfg_moves_over(search: Search, providers: None) -> None:
    theirs, ours = search.by_airflow(), search.by_us()
    assert theirs["backends"][0] == search.store.theirs
    assert ours["backends"] == [SHORT_NAMES[search.store.short]]
    assert (ours["warnings"], ours["loaded"], ours["prefetch"]) == ([], False, [])
    check(theirs, search.store)
    check(ours, search.store)
    assert ours["connections"] == theirs["connections"]


def test_airflows_backend_in_our_chain(search: Search, providers: None) -> None:
    answers = search.by_us_in_airflow(f"import:{search.store.theirs}")
    assert answers["backends"] == [search.store.theirs]
    assert answers["classes"] == ["framework.connection.Connection"]
    assert (answers["loaded"], answers["prefetch"]) == (True, [])
    [warning] = [text for text in answers["warnings"] if "is Airflow's own class" in text]
    assert f"{search.store.theirs} is Airflow's own class: Airflow starts in this process" in warning
    link = search.store.theirs.rpartition(".")[2]
    others = {"elsewhere": "environment", "nobody": {"error": True}}
    assert answers["links"] == {**dict.fromkeys(search.store.connections, link), **others}
    check(answers, search.store)
    assert answers["connections"] == search.by_us()["connections"]
