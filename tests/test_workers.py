"""An application that is a worker, as in Airflow: another backend, for `_secret` as well, and no metastore."""

from __future__ import annotations

import json
from typing import Any

import pytest

from framework import App, Variable, errors

FILES = "airflow.secrets.local_filesystem.LocalFilesystemBackend"
CANARY = "canary-5c2e"


@pytest.fixture
def home(world: Any) -> Any:
    """An Airflow home with a backend for the scheduler and another one for workers."""
    for whose in ("scheduler", "worker"):
        world.write(f"{whose}.json", json.dumps({"who": whose, "api_token": f"{CANARY}-{whose}"}))
    world.write(
        "airflow.cfg",
        f"""
[api]
secret_key_secret = api_token
[secrets]
backend = {FILES}
backend_kwargs = {{"variables_file_path": "scheduler.json", "configs_file_path": "scheduler.json"}}
[workers]
secrets_backend = {FILES}
secrets_backend_kwargs = {{"variables_file_path": "worker.json", "configs_file_path": "worker.json"}}
""",
    )
    world.set(AIRFLOW_HOME=str(world.home))
    return world


def app(home: Any, **more: Any) -> App:
    return App("airflow", home=str(home.home), **more)


def names_of(application: App) -> list[str]:
    return [link.name for link in application.chain.links]


def test_a_worker_asks_its_own_backend_and_no_metastore(home: Any) -> None:
    scheduler, worker = app(home), app(home, worker=True)
    assert names_of(scheduler) == ["LocalFilesystemBackend", "environment", "metastore"]
    assert names_of(worker) == ["LocalFilesystemBackend", "environment"]
    assert (scheduler.get_variable("who"), worker.get_variable("who")) == ("scheduler", "worker")
    for each, whose in ((scheduler, "scheduler"), (worker, "worker")):
        assert each.conf.get("api", "secret_key") == f"{CANARY}-{whose}"
    with pytest.raises(errors.MetastoreError, match="a worker has no metastore"):
        _ = worker.store
    worker.use()
    with pytest.raises(errors.MetastoreError, match="a worker has no metastore"):
        Variable.set("a", "b")


@pytest.mark.parametrize("written", ["", "secrets_backend = \n"])
def test_without_a_backend_of_its_own_a_worker_asks_that_of_secrets(home: Any, written: str) -> None:
    text = (home.home / "airflow.cfg").read_text()
    kwargs = 'secrets_backend_kwargs = {"variables_file_path": "worker.json"}\n'
    home.write("airflow.cfg", text.partition("[workers]")[0] + "[workers]\n" + written + kwargs)
    worker = app(home, worker=True)
    assert names_of(worker) == ["LocalFilesystemBackend", "environment"]
    assert worker.get_variable("who") == "scheduler"
    out = home.run("--name", "airflow", "check", "--offline")[1]
    assert "[workers] secrets_backend_kwargs is ignored, because [workers] secrets_backend is not set" in out


def test_backend_test_tries_the_backend_that_is_named(home: Any) -> None:
    kwargs = '{"variables_file_path": "worker.json"}'
    for words in ((), ("--worker",)):
        named = ("backend-test", "local_filesystem", "--kwargs", kwargs)
        status, out, err = home.run("--name", "airflow", *words, *named)
        assert (status, "LocalFilesystemBackend" in out or "local_filesystem" in out) == (0, True), err
        assert home.run("--name", "airflow", *words, "backend-test")[0] == 0


def test_check_does_not_report_empty_options(home: Any) -> None:
    """As they are in the file that Airflow writes for itself."""
    home.write("airflow.cfg", "[workers]\nsecrets_backend =\nsecrets_backend_kwargs =\n")
    assert home.run("--name", "airflow", "check")[1] == ""


def test_single_kwargs_of_a_worker(home: Any) -> None:
    home.write("other.json", json.dumps({"who": "other"}))
    home.set(AIRFLOW__WORKERS__SECRETS_BACKEND_KWARG__VARIABLES_FILE_PATH=str(home.home / "other.json"))
    assert app(home, worker=True).get_variable("who") == "other"
    assert app(home).get_variable("who") == "scheduler"
    worker = app(home, worker=True)
    assert worker.conf.is_sensitive("workers", "secrets_backend_kwarg__variables_file_path")
    out = home.run("--name", "airflow", "--worker", "check")[1]
    assert "secrets_backend_kwarg__" not in out


def test_the_kwargs_of_a_worker_may_be_a_pointer_into_the_environment(home: Any) -> None:
    text = (home.home / "airflow.cfg").read_text()
    at = text.rindex("secrets_backend_kwargs =")
    home.write("airflow.cfg", text[:at] + "secrets_backend_kwargs_secret = kwargs\n")
    home.set(AIRFLOW_SECRET_KWARGS=json.dumps({"variables_file_path": str(home.home / "worker.json")}))
    assert app(home, worker=True).get_variable("who") == "worker"


def test_a_mistake_in_the_kwargs_is_named_with_its_option(home: Any) -> None:
    home.set(AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS='{"variable_file_path": "x"}')
    with pytest.raises(errors.BackendError, match="did you mean|Did you mean") as caught:
        app(home, worker=True).get_variable("who")
    assert "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS: [workers] secrets_backend_kwargs" in str(caught.value)
    home.set(AIRFLOW__WORKERS__SECRETS_BACKEND="no.such.Backend")
    with pytest.raises(errors.BackendError, match=r"\[workers\] secrets_backend"):
        app(home, worker=True).get_variable("who")


def test_check_and_explain_name_the_backend_that_this_chain_does_not_ask(home: Any) -> None:
    words = "only workers use [workers] secrets_backend"
    _, out, _ = home.run("--name", "airflow", "check")
    assert f"airflow.cfg:8: {words}" in out
    for ask in (("workers", "secrets_backend"), ("secrets", "backend"), ("--variable", "who"), ("--connection", "c")):
        assert words in home.run("--name", "airflow", "explain", *ask)[2]
        assert words not in home.run("--name", "airflow", "--worker", "explain", *ask)[2]
    assert words not in home.run("--name", "airflow", "explain", "core", "executor")[2]
    home.set(AIRFLOW__WORKERS__SECRETS_BACKEND="no.such.Backend")
    status, out, _ = home.run("--name", "airflow", "check")
    assert status == 1 and "AIRFLOW__WORKERS__SECRETS_BACKEND" in out and "no.such.Backend" in out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("KWARGS", "{bad", "[workers] secrets_backend_kwargs: the kwargs cannot be read"),
        ("KWARGS", '{"nope": 1}', "takes no argument 'nope'"),
        ("KWARG__NOPE", "1", "takes no argument 'nope'"),
        ("KWARGS_SECRET", "nowhere", "secret 'nowhere' not found"),
    ],
)
def test_check_tries_the_backend_of_workers_although_this_is_not_a_worker(
    home: Any, option: str, value: str, words: str
) -> None:
    home.set(**{f"AIRFLOW__WORKERS__SECRETS_BACKEND_{option}": value})
    status, out, _ = home.run("--name", "airflow", "check")
    assert status == 1 and words in out


@pytest.mark.parametrize("option", ["SECRETS__BACKEND", "WORKERS__SECRETS_BACKEND"])
def test_check_offline_runs_no_command_for_kwargs(home: Any, option: str) -> None:
    ran = home.home / "ran"
    home.set(**{f"AIRFLOW__{option}_KWARGS_CMD": f"touch {ran}"})
    assert home.run("--name", "airflow", "check", "--offline")[0] == 0
    assert not ran.exists()
    home.run("--name", "airflow", "check")
    assert ran.exists()


@pytest.mark.parametrize("name", ["environment_variables.EnvironmentVariablesBackend", "metastore.MetastoreBackend"])
def test_workers_may_name_a_link_that_every_chain_has(home: Any, name: str) -> None:
    home.set(AIRFLOW__WORKERS__SECRETS_BACKEND=f"airflow.secrets.{name}", AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS="")
    status, out, _ = home.run("--name", "airflow", "check")
    assert (status, "error" in out.replace("0 errors", "")) == (0, False), out


def test_the_command_line_can_be_a_worker(home: Any) -> None:
    assert home.run("--name", "airflow", "variables", "get", "who")[1] == "scheduler\n"
    assert home.run("--name", "airflow", "--worker", "variables", "get", "who")[1] == "worker\n"
    status, _, err = home.run("--name", "airflow", "--worker", "variables", "set", "a", "b")
    assert status == 1 and "a worker has no metastore" in err
    _, out, _ = home.run("--name", "airflow", "--worker", "explain", "--variable", "who")
    assert "metastore" not in out and "found" in out
    status, _, err = home.run("--app", "x:y", "--worker", "dump")
    assert status == 1 and "--worker requires --project or --name" in err
    for word in ("dump", "check"):
        shown = home.run("--name", "airflow", "--worker", word)
        assert CANARY not in shown[1] + shown[2] and "Traceback" not in shown[2]


def test_a_project_can_be_a_worker(world: Any) -> None:
    world.write("worker.json", json.dumps({"who": "worker"}))
    world.write(
        "billing.cfg",
        "[workers]\nsecrets_backend = local_filesystem\n"
        'secrets_backend_kwargs = {"variables_file_path": "worker.json"}\n',
    )
    world.write("pyproject.toml", '[tool.framework]\nname = "billing"\nhome = "."\nworker = true\n')
    assert world.run("variables", "get", "who")[1] == "worker\n"
    world.write("pyproject.toml", '[tool.framework]\nname = "billing"\nworker = "yes"\n')
    assert "worker must be true or false" in world.run("variables", "get", "who")[2]
