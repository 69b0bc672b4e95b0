"""The chain: search, failure, levels, and what a backend may be."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import Clock

from framework import App, BaseSecretsBackend, Connection, errors
from framework.chain.cache import Cache
from framework.chain.chain import Chain
from framework.chain.link import Link
from framework.errors import AccessDenied, BackendUnavailable, InvalidSecret
from framework.testing import BackendContract, MemoryBackend, isolated


def chain_of(*backends: Any, on_failure: str = "stop", config_links: list[str] | None = None) -> Chain:
    """Links a, b, c… over these backends; the first ones are custom, the last two environment and metastore."""
    links = [Link("abcdef"[i], i + 1, lambda backend=backend: backend) for i, backend in enumerate(backends)]
    return Chain(links, on_failure=lambda: on_failure, config_links=lambda: config_links or [])


def test_first_match_wins_and_the_rest_is_not_asked() -> None:
    first, second = MemoryBackend(variables={"x": "1"}), MemoryBackend(variables={"x": "2", "y": "3"})
    chain = chain_of(first, second)
    assert chain.variable("x") == ("1", "a")
    assert second.calls == []
    assert chain.variable("y") == ("3", "b")


def test_no_link_has_it() -> None:
    with pytest.raises(errors.VariableNotFound, match=r"variable 'x' not found \(asked: a, b\)") as caught:
        chain_of(MemoryBackend(), MemoryBackend()).variable("x")
    assert isinstance(caught.value, KeyError)
    with pytest.raises(errors.ConnectionNotFound):
        chain_of(MemoryBackend()).connection("x")


@pytest.mark.parametrize("failure", [AccessDenied, BackendUnavailable, InvalidSecret])
def test_a_failure_stops_the_search(failure: type[errors.SecretsError]) -> None:
    first, second = MemoryBackend(), MemoryBackend(variables={"x": "2"})
    first.failures["variable", "x"] = failure("no luck")
    with pytest.raises(failure, match="a: variable 'x': no luck"):
        chain_of(first, second).variable("x")
    assert second.calls == []


@pytest.mark.parametrize("failure", [BackendUnavailable, InvalidSecret])
def test_on_failure_next_asks_on_with_a_warning(failure: type[errors.SecretsError]) -> None:
    first = MemoryBackend()
    first.failures["variable", "x"] = first.failures["variable", "z"] = failure("no luck")
    chain = chain_of(first, MemoryBackend(variables={"x": "2"}), on_failure="next")
    with pytest.warns(errors.FrameworkWarning, match="The next link is asked"):
        assert chain.variable("x") == ("2", "b")
    with pytest.warns(errors.FrameworkWarning), pytest.raises(failure):  # not "not found"
        chain.variable("z")


def test_on_failure_next_never_means_denied_nor_config_secrets() -> None:
    first = MemoryBackend()
    first.failures["variable", "x"] = AccessDenied("no")
    first.failures["config", "x"] = BackendUnavailable("no")
    chain = chain_of(first, MemoryBackend(variables={"x": "2"}, configs={"x": "2"}), on_failure="next")
    with pytest.raises(AccessDenied):
        chain.variable("x")
    with pytest.raises(BackendUnavailable):
        chain.config("x")


def test_whatever_else_a_backend_raises_counts_as_unavailable() -> None:
    class Broken(BaseSecretsBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> str | None:
            raise RuntimeError("the token hunter2 was refused")

    with pytest.raises(
        BackendUnavailable, match=r"a: variable 'x': the backend raised RuntimeError at .*test_chain.py:\d+"
    ) as e:
        chain_of(Broken(), MemoryBackend(variables={"x": "2"})).variable("x")
    assert "hunter2" not in str(e.value)
    assert e.value.__cause__ is None


def test_kinds_that_a_backend_does_not_serve_are_skipped() -> None:
    class OnlyConnections(BaseSecretsBackend):
        def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
            return "http://h"

    class Nothing:
        def get_connection(self, conn_id: str) -> Connection | None:
            return None

    chain = chain_of(OnlyConnections(), Nothing(), MemoryBackend(variables={"x": "2"}))
    assert chain.variable("x") == ("2", "c")
    assert chain.explain("variable", "x") == [
        ("a", "does not serve this kind"),
        ("b", "does not serve this kind"),
        ("c", "found"),
    ]


def test_explain_names_the_shadowed_and_the_failed_links() -> None:
    down = MemoryBackend()
    down.failures["variable", "x"] = BackendUnavailable("down", hint="Wait.")
    one, two = MemoryBackend(variables={"x": "1"}), MemoryBackend(variables={"x": "2"})
    assert chain_of(MemoryBackend(), one, two, down).explain("variable", "x") == [
        ("a", "absent"),
        ("b", "found"),
        ("c", "shadowed"),
        ("d", "unavailable: d: variable 'x': down. Wait."),
    ]


def test_explain_tells_how_long_an_answer_was_kept_and_not_how_long_it_took(clock: Clock) -> None:
    class Slow(BaseSecretsBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> str | None:
            clock.now += 30
            return "1"

    chain = Chain([Link("a", 1, Slow, cache=Cache(900))], on_failure=lambda: "stop", config_links=list)
    assert chain.explain("variable", "x") == [("a", "found")]
    clock.now += 5
    assert chain.explain("variable", "x") == [("a", "found (kept for 35 s)")]


def test_config_links_limit_and_never_reorder() -> None:
    one, two = MemoryBackend(configs={"x": "1"}), MemoryBackend(configs={"x": "2"}, variables={"v": "1"})
    assert chain_of(one, two, config_links=["b"]).config("x") == ("2", "b")
    assert chain_of(one, two, config_links=["b", "a"]).config("x") == ("1", "a")
    with pytest.raises(errors.BackendError, match="config_links names 'z', which is not a link"):
        chain_of(one, config_links=["z"]).config("x")


def test_what_runs_inside_a_link_sees_the_links_below_it_alone() -> None:
    class Asking(BaseSecretsBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> str | None:
            return f"inside: {chain.variable('below')}"

    below = MemoryBackend(variables={"below": "1"})
    chain = Chain(
        [Link("custom", 1, Asking), Link("environment", 0, lambda: below), Link("metastore", 2, Asking)],
        on_failure=lambda: "stop",
        config_links=list,
    )
    assert chain.variable("x") == ("inside: ('1', 'environment')", "custom")
    del below.values["variable"]["below"]
    with pytest.raises(errors.BackendUnavailable, match=r"asked: environment\). This is for the link custom itself"):
        chain.variable("x")  # ends by construction; what the inner search lacks is no absence of what the outer asks


def test_only_links_with_versions_are_asked_for_one() -> None:
    class Versioned(MemoryBackend):
        def get_config_version(self, key: str, version: str) -> str | None:
            return f"{key} in version {version}"

    chain = chain_of(MemoryBackend(configs={"x": "1"}), Versioned())
    assert chain.config("x", version="7") == ("x in version 7", "b")
    with pytest.raises(errors.NotFound, match="in version 7"):
        chain_of(MemoryBackend(configs={"x": "1"})).config("x", version="7")


# Backends written by users, found by the configuration


MODULE = """
from framework import BaseSecretsBackend
from framework.connection import Connection

class Whole(BaseSecretsBackend):
    def get_connection(self, conn_id):
        return Connection(conn_id=conn_id, conn_type="whole")

class Text(BaseSecretsBackend):
    def get_conn_value(self, conn_id, team_name=None):
        return "text://h"

class Company(BaseSecretsBackend):
    def get_conn_value(self, conn_id):
        return "db-host|db-user|db-pass"
    def deserialize_connection(self, conn_id, value):
        host, login, password = value.split("|")
        return Connection(conn_id=conn_id, conn_type="postgres", host=host, login=login, password=password)

class WithKwargs(BaseSecretsBackend):
    def __init__(self, url: str = "", port: int = 1, verify: bool = True, tags: "list[str] | None" = None, **rest):
        self.arguments = (url, port, verify, tags, rest)
    def get_variable(self, key, team_name=None):
        return repr(self.arguments)

class NotOurs:
    def get_variable(self, key):
        return f"duck {key}"

class Raises(BaseSecretsBackend):
    def __init__(self):
        raise ValueError("the password hunter2 is wrong")
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "company.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def app(backend: str, kwargs: str = "", **environ: str) -> App:
        variables = {"BILLING__SECRETS__BACKEND": backend, **environ}
        if kwargs:
            variables["BILLING__SECRETS__BACKEND_KWARGS"] = kwargs
        return App("billing", home=str(tmp_path), environ=variables)

    yield app
    sys.modules.pop("company", None)


def test_a_backend_may_override_either_method_or_the_format(company: Any) -> None:
    assert company("company.Whole").get_connection("c").conn_type == "whole"
    assert company("company.Text").get_connection("c").conn_type == "text"
    connection = company("company.Company").get_connection("c")
    assert (connection.host, connection.login, connection.password) == ("db-host", "db-user", "db-pass")


def test_a_class_that_knows_nothing_of_us_is_a_backend(company: Any) -> None:
    assert company("company.NotOurs").get_variable("k") == "duck k"


def test_kwargs_as_json_and_one_by_one(company: Any) -> None:
    app = company(
        "company.WithKwargs",
        json.dumps({"url": "u", "port": 5, "other": None}),
        BILLING__SECRETS__BACKEND_KWARG__PORT="6",
        BILLING__SECRETS__BACKEND_KWARG__VERIFY="false",
        BILLING__SECRETS__BACKEND_KWARG__TAGS='["a"]',
        BILLING__SECRETS__BACKEND_KWARG__FREE="text",
    )
    assert app.get_variable("x") == repr(("u", 6, False, ["a"], {"other": None, "free": "text"}))


def test_airflow_class_path_is_served_by_its_twin(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text('{"x": "from the twin"}')
    environ = {
        "BILLING__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "BILLING__SECRETS__BACKEND_KWARGS": json.dumps({"variables_file_path": str(tmp_path / "v.json")}),
    }
    assert App("billing", home=str(tmp_path), environ=environ).get_variable("x") == "from the twin"


def test_several_named_backends_in_order(tmp_path: Path) -> None:
    (tmp_path / "corp.json").write_text('{"x": "corp", "key": "unused"}')
    (tmp_path / "team.json").write_text('{"x": "team", "y": "team"}')
    (tmp_path / "billing.cfg").write_text(
        textwrap.dedent(
            """\
            [secrets]
            backends = corp, team
            [secrets.corp]
            backend = local_filesystem
            backend_kwargs = {"variables_file_path": "corp.json"}
            [secrets.team]
            backend = local_filesystem
            backend_kwargs = {"variables_file_path": "team.json"}
            """
        )
    )
    app = App("billing", home=str(tmp_path), environ={})
    assert [link.name for link in app.chain.links] == ["corp", "team", "environment", "metastore"]
    assert app.chain.variable("x") == ("corp", "corp")
    assert app.chain.variable("y") == ("team", "team")


def test_the_bootstrap_is_a_line(tmp_path: Path) -> None:
    """The second backend's kwargs may come from the first, the metastore's URL from both; never from themselves."""
    (tmp_path / "one.json").write_text(json.dumps({"kwargs": json.dumps({"variables_file_path": "two.json"})}))
    (tmp_path / "two.json").write_text('{"x": "found"}')
    cfg = """\
        [secrets]
        backends = one, two
        [secrets.one]
        backend = local_filesystem
        backend_kwargs = {"configs_file_path": "one.json"}
        [secrets.two]
        backend = local_filesystem
        backend_kwargs_secret = kwargs
        """
    (tmp_path / "billing.cfg").write_text(textwrap.dedent(cfg))
    assert App("billing", home=str(tmp_path), environ={}).get_variable("x") == "found"
    (tmp_path / "billing.cfg").write_text(textwrap.dedent(cfg).replace("one, two", "two, one"))
    with pytest.raises(errors.PointerError, match=r"\[secrets.two\] backend_kwargs_secret: secret 'kwargs' not found"):
        App("billing", home=str(tmp_path), environ={}).get_variable("x")


def test_an_option_that_is_written_plainly_never_builds_the_chain(tmp_path: Path) -> None:
    app = App("billing", home=str(tmp_path), environ={"BILLING__SECRETS__BACKEND": "nope.Nope"})
    assert app.conf.get("secrets", "backend") == "nope.Nope"
    assert app.conf.get("core", "x", fallback="y") == "y"
    with pytest.raises(errors.BackendError, match="nope.Nope"):
        app.get_variable("x")


def test_two_references_that_make_one_variable_both_fail(tmp_path: Path) -> None:
    (tmp_path / "billing.cfg").write_text("[a]\nx_secret = db/pw\ny_secret = db-pw\nz_secret = other\n")
    environ = {"BILLING_SECRET_DB_PW": "v", "BILLING_SECRET_OTHER": "fine"}
    app = App("billing", home=str(tmp_path), environ=environ, sensitive=["a.*"])
    assert app.conf.get("a", "z") == "fine"
    for key, names in (("x", "'db/pw' and 'db-pw'"), ("y", "'db-pw' and 'db/pw'")):
        with pytest.raises(errors.PointerError, match=f"the references {names} both mean the variable"):
            app.conf.get("a", key)


def test_references_are_listed_again_only_after_a_change(tmp_path: Path) -> None:
    options = "".join(f"k{number}_secret = s{number}\n" for number in range(50))
    (tmp_path / "billing.cfg").write_text(f"[a]\n{options}")
    environ = {f"BILLING_SECRET_S{number}": f"value-{number}" for number in range(50)}
    app = App("billing", home=str(tmp_path), environ=environ, sensitive=["a.*"])
    before = app.engine.referred_secrets()
    assert [app.conf.get("a", f"k{number}") for number in range(50)] == [f"value-{number}" for number in range(50)]
    assert app.engine.referred_secrets() is before  # else 10,000 secrets would take 100 times as long as 1,000
    environ["BILLING__A__OTHER_SECRET"] = "S49"
    with pytest.raises(errors.PointerError, match="both mean the variable"):
        app.conf.get("a", "other")
    del environ["BILLING__A__OTHER_SECRET"]
    (tmp_path / "billing.cfg").write_text("[a]\nx_secret = s1\ny_secret = S1\n")
    app.reload()
    with pytest.raises(errors.PointerError, match="both mean the variable"):
        app.conf.get("a", "x")


def test_a_write_warns_when_an_earlier_link_shadows_the_key(tmp_path: Path) -> None:
    from framework import Variable
    from framework.metastore.crypto import generate

    environ = {"BILLING_VAR_X": "shadow", "BILLING__CORE__FERNET_KEY": generate()}
    App("billing", home=str(tmp_path), environ=environ).use()
    with pytest.warns(errors.FrameworkWarning, match="the link environment has it"):
        Variable.set("x", "new")
    assert Variable.get("x") == "shadow"
    del environ["BILLING_VAR_X"]
    assert Variable.get("x") == "new"


def test_isolated_sees_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from framework import Variable, conf

    monkeypatch.setenv("BILLING__CORE__PORT", "from the machine")
    with isolated("billing", {("core", "x"): "1"}, variables={"v": "2"}, connections={"c": "http://h"}) as app:
        assert conf.get("core", "x") == "1"
        assert not conf.has_option("core", "port")
        assert Variable.get("v") == "2"
        assert Connection.get("c").host == "h"
        assert app.memory.calls == [("variable", "v"), ("connection", "c")]


@pytest.fixture
def isolated_app() -> Iterator[App]:
    with isolated("billing") as app:
        yield app


def test_conf_override_fixture(isolated_app: App, conf_override: Any) -> None:
    conf_override({("core", "x"): "1"})
    assert isolated_app.conf.get("core", "x") == "1"


# Every backend of the package passes the contract


class TestMemory(BackendContract):
    @pytest.fixture(autouse=True)
    def _fresh(self) -> None:
        self.memory = MemoryBackend()

    def backend(self) -> Any:
        return self.memory

    def put(self, kind: str, name: str, text: str) -> None:
        self.memory.values[kind][name] = text

    def in_trouble(self, trouble: str) -> Any:
        error = {"denied": AccessDenied, "down": BackendUnavailable}.get(trouble)
        if error is None:
            return None
        backend = MemoryBackend()
        backend.failures = {(kind, "stored_name"): error("no") for kind in self.kinds}
        return backend


class TestLocalFilesystem(BackendContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def backend(self) -> Any:
        from framework.backends.local_filesystem import LocalFilesystemBackend

        paths = {f"{kind}s_file_path": str(self.folder / f"{kind}.json") for kind in self.kinds}
        return LocalFilesystemBackend(**paths)

    def put(self, kind: str, name: str, text: str) -> None:
        for other in self.kinds:
            (self.folder / f"{other}.json").touch()
            if not (self.folder / f"{other}.json").read_text():
                (self.folder / f"{other}.json").write_text("{}")
        (self.folder / f"{kind}.json").write_text(json.dumps({name: text}))

    def failing(self) -> Any:
        from framework.backends.local_filesystem import LocalFilesystemBackend

        gone = {f"{kind}s_file_path": str(self.folder / "gone.json") for kind in self.kinds}
        yield LocalFilesystemBackend(**gone), BackendUnavailable
        (self.folder / "broken.json").write_text("{ no json")
        broken = {f"{kind}s_file_path": str(self.folder / "broken.json") for kind in self.kinds}
        yield LocalFilesystemBackend(**broken), InvalidSecret


class TestEnvironment(BackendContract):
    @pytest.fixture(autouse=True)
    def _app(self, tmp_path: Path) -> None:
        self.environ: dict[str, str] = {}
        self.app = App("billing", home=str(tmp_path), environ=self.environ)

    def backend(self) -> Any:
        return next(link.backend for link in self.app.chain.links if link.name == "environment")

    def put(self, kind: str, name: str, text: str) -> None:
        spell = {"connection": "connection", "variable": "variable", "config": "secret"}[kind]
        self.environ[getattr(self.app.names, spell)(name)] = text


class TestMetastore(BackendContract):
    @pytest.fixture(autouse=True)
    def _app(self, tmp_path: Path) -> None:
        from framework.metastore.crypto import generate

        self.app = App("billing", home=str(tmp_path), environ={"BILLING__CORE__FERNET_KEY": generate()})

    def backend(self) -> Any:
        return self.app.chain.links[-1].backend

    def put(self, kind: str, name: str, text: str) -> None:
        if kind == "connection":
            try:
                self.app.store.set_connection(Connection.from_uri(text, conn_id=name))
            except InvalidSecret:
                pytest.skip("a metastore holds fields, so a text that is not a connection cannot be put there")
        elif kind == "variable":
            self.app.store.set_variable(name, text)
        else:
            self.app.store.set_config(name, text)


def test_the_contract_notices_a_bad_backend() -> None:
    class Bad(MemoryBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> str | None:
            return super().get_variable(key) or ""  # empty text for absence

    class Contract(BackendContract):
        memory = Bad()

        def backend(self) -> Any:
            return self.memory

        def put(self, kind: str, name: str, text: str) -> None:
            self.memory.values[kind][name] = text

    with pytest.raises(AssertionError, match="absent must be None"):
        Contract().test_absent_is_none()


def test_a_fork_and_threads_share_nothing_that_breaks(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from framework.metastore.crypto import generate

    app = App("billing", home=str(tmp_path), environ={"BILLING__CORE__FERNET_KEY": generate()})
    app.store.set_variable("x", "1")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: app.get_variable("x"), range(200))) == {"1"}
    child = os.fork()
    if not child:
        os._exit(0 if app.get_variable("x") == "1" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_backend_that_asks_while_it_is_built_sees_the_links_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
    from framework import BaseSecretsBackend, Connection

    class Leaning(BaseSecretsBackend):
        def __init__(self):
            self.login = Connection.get("store_login").login
        def get_variable(self, key, team_name=None):
            return self.login
        def get_config_version(self, key, version):
            return version
    """
    (tmp_path / "leaning.py").write_text(textwrap.dedent(code))
    monkeypatch.syspath_prepend(str(tmp_path))
    environ = {"BILLING__SECRETS__BACKEND": "leaning.Leaning", "BILLING_CONN_STORE_LOGIN": "http://me@h"}
    app = App("billing", home=str(tmp_path), environ=environ).use()
    assert app.chain.config("x", version="7") == ("7", "Leaning")
    assert app.get_variable("x") == "me"
    del environ["BILLING_CONN_STORE_LOGIN"]
    app.reload()
    with pytest.raises(errors.BackendUnavailable, match="This is for the link Leaning itself"):
        app.get_variable("x", default="no answer to a failure")
    sys.modules.pop("leaning")


@pytest.mark.parametrize("fault", [SystemExit("hunter2-canary"), SystemExit(3)])
def test_a_backend_does_not_end_the_process(fault: BaseException) -> None:
    class Ending(BaseSecretsBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> str | None:
            raise fault

    with pytest.raises(BackendUnavailable) as caught:
        chain_of(Ending()).variable("x")
    assert "hunter2" not in str(caught.value)


def test_a_class_that_has_the_text_of_a_connection_alone() -> None:
    class Duck:
        def get_conn_value(self, conn_id: str) -> str | None:
            return "http://h" if conn_id == "c" else None

    chain = chain_of(Duck())
    assert chain.connection("c")[0].host == "h"
    with pytest.raises(errors.ConnectionNotFound):
        chain.connection("x")


def test_a_backend_may_say_when_it_is_asked_that_it_does_not_serve_a_kind() -> None:
    class Half(BaseSecretsBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> str | None:
            raise NotImplementedError

    chain = chain_of(Half(), MemoryBackend())
    assert chain.explain("variable", "x")[0] == ("a", "does not serve this kind")
    with pytest.raises(errors.VariableNotFound, match=r"asked: b"):
        chain.variable("x")


@pytest.mark.parametrize("value", [b"bytes", object()])
def test_a_value_that_is_not_text_is_invalid(value: Any) -> None:
    class Odd(BaseSecretsBackend):
        def get_variable(self, key: str, team_name: str | None = None) -> Any:
            return value

        def get_conn_value(self, conn_id: str, team_name: str | None = None) -> Any:
            return value

    with pytest.raises(InvalidSecret, match="answered with"):
        chain_of(Odd()).variable("x")
    with pytest.raises(InvalidSecret, match="get_conn_value returned"):
        chain_of(Odd()).connection("x")


def test_a_named_backend_may_be_declared_in_the_environment_alone(tmp_path: Path) -> None:
    environ = {"BILLING__SECRETS__BACKENDS": "corp", "BILLING__SECRETS_CORP__BACKEND": "local_filesystem"}
    app = App("billing", home=str(tmp_path), environ=environ)
    assert ("secrets.corp", "backend") in list(app.engine.entries())
    assert app.conf.as_dict()["secrets.corp"]["backend"] == "local_filesystem"


def test_an_invalid_on_failure_is_reported_before_it_is_needed(tmp_path: Path) -> None:
    app = App("billing", home=str(tmp_path), environ={"BILLING__SECRETS__ON_FAILURE": "nxt"})
    with pytest.raises(errors.InvalidValue, match="expected one of 'stop', 'next'"):
        app.get_variable("x")


def test_one_path_instead_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[s]\nk = 1\n")
    assert App("billing", home=str(tmp_path), config_files=tmp_path / "a.toml", environ={}).conf.get("s", "k") == "1"


def test_a_refusal_of_airflows_own_is_a_refusal(tmp_path: Path) -> None:
    from framework.chain.link import Link

    class AirflowSecretsBackendAccessDenied(PermissionError):
        """As in airflow.sdk.exceptions."""

    class Provider:
        def get_variable(self, key: str) -> str | None:
            raise AirflowSecretsBackendAccessDenied("canary")

    app = App("billing", home=str(tmp_path), environ={"BILLING_VAR_X": "1", "BILLING__SECRETS__ON_FAILURE": "next"})
    app.chain.links.insert(0, Link("provider", 1, Provider))
    with pytest.raises(AccessDenied, match="provider: variable 'x': the backend refuses") as caught:
        app.get_variable("x")
    assert "canary" not in str(caught.value)
