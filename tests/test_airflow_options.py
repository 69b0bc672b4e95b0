"""An Airflow home is understood whole: core, providers and older releases, with Airflow beside us and without it.

What needs a real Airflow is skipped where there is none; see test_beside_airflow.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow_home import comparable
from patience import GUARD
from test_beside_airflow import BACKEND, FERNET_KEY, RANDOM, TEST_MODE, Airflow, Home, _ask, airflow  # noqa: F401

from framework import App
from framework.schemas import airflow as packaged
from framework.schemas import facts

PROVIDERS = ("amazon", "celery", "cncf_kubernetes", "fab")
STOCK = Path(__file__).parent / "airflow_homes"

Said = dict[str, Any]


def options_of(flag: str = "") -> list[tuple[str, str]]:
    """The packaged options, or those of them that have a flag; of older releases as well."""
    now = [
        (section, line.split("|")[0])
        for section, (_, text) in packaged.SECTIONS.items()
        for line in text.split("\n")[:-1]
        if flag in line.split("|")[2]
    ]
    older = [
        (section, entry.split("|")[0])
        for section, text in packaged.OLDER.items()
        for entry in text.split(";")[:-1]
        if flag in entry.split("|")[1]
    ]
    return [*now, *older]


# Beside a real Airflow


def empty(home: Home, sensitive: list[tuple[str, str]]) -> None:
    """Nothing but the folder."""


def written(home: Home, sensitive: list[tuple[str, str]]) -> None:
    """The airflow.cfg that Airflow writes is there: see `asked`."""


def by_pointers(home: Home, sensitive: list[tuple[str, str]]) -> None:
    """Every option that Airflow calls sensitive by `_CMD` or `_SECRET`, in the environment and in the cfg by turns."""
    kwargs = json.dumps({"configs_file_path": str(home.path / "configs.json")})
    values, configs = {("secrets", "backend"): BACKEND, ("secrets", "backend_kwargs"): kwargs}, {}
    for number, (section, key) in enumerate(sensitive):
        if (section, key) == ("secrets", "backend_kwargs"):
            continue
        form, text = ("secret", f"name_{number}") if number % 2 else ("cmd", f"printf %s canary_{number}")
        configs[f"name_{number}"] = f"canary_{number}"
        if number % 4 < 2:
            home.set(section, key, text, f"_{form.upper()}")
        else:
            values[section, f"{key}_{form}"] = text.replace("%", "%%")
    home.write_cfg(values)
    (home.path / "configs.json").write_text(json.dumps(configs))
    (home.path / "configs.json").chmod(0o600)


class Whole:
    """One home, what Airflow returns for all its options, and what we return with and without it."""

    def __init__(self, home: Home, theirs: Said, beside: Said, without: Said) -> None:
        self.home, self.theirs, self.ours = home, theirs, {"beside": beside, "without": without}
        self.left_out = {TEST_MODE, *({".".join(name) for name in RANDOM} if not home.cfg.exists() else ())}


@pytest.fixture(scope="module", params=[empty, written, by_pointers], ids=lambda home: home.__name__)
def whole(request: pytest.FixtureRequest, airflow: Airflow) -> Whole:  # noqa: F811
    for name in PROVIDERS:
        if not list(Path(airflow.site).glob(f"apache_airflow_providers_{name}-*.dist-info")):
            pytest.skip(f"Airflow's provider {name} is not installed")
    home = airflow.home(f"whole_{request.param.__name__}")
    if request.param is written:
        airflow.ask(home, ["airflow_commands", ["config", "list"]])
    declared = [(s, k) for s, k, *_, sensitive in _declared(airflow) if sensitive]
    request.param(home, declared)
    (theirs,) = airflow.ask(home, ["airflow_whole"])
    questions = ([option[:3] for option in theirs["options"]],)
    (without,) = airflow.ask_us(home, ["framework_whole", *questions, False])
    (beside,) = _ask(airflow.python, home, (["framework_whole", *questions, True],), PYTHONPATH=airflow._framework())
    return Whole(home, theirs, beside, without)


def _declared(airflow: Airflow) -> list[list[Any]]:  # noqa: F811
    known: list[list[Any]] = getattr(airflow, "everything", [])
    if not known:
        (found,) = airflow.ask(airflow.home("everything"), ["airflow_whole"])
        known = airflow.everything = found["options"]  # type: ignore[attr-defined]
    return known


@pytest.mark.parametrize("where", ["beside", "without"])
def test_every_option_of_core_and_providers_is_equal(whole: Whole, where: str) -> None:
    theirs, ours = whole.theirs["answers"], whole.ours[where]["answers"]
    assert len(theirs) > 480
    pairs = {name: (comparable(option), comparable(ours[name])) for name, option in theirs.items()}
    assert {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name not in whole.left_out} == {}


@pytest.mark.parametrize("where", ["beside", "without"])
def test_what_airflow_calls_sensitive_is_sensitive(whole: Whole, where: str) -> None:
    theirs = {f"{s}.{k}" for s, k, _, sensitive in whole.theirs["options"] if sensitive}
    assert len(theirs) > 15
    assert theirs <= set(whole.ours[where]["sensitive"])


def test_every_sensitive_option_may_be_a_pointer(whole: Whole) -> None:
    if whole.home.path.name != "whole_by_pointers":
        pytest.skip("this home has no pointers")
    for s, k, _, sensitive in whole.theirs["options"]:
        if sensitive and (s, k) != ("secrets", "backend_kwargs"):
            assert str(whole.theirs["answers"][f"{s}.{k}"]["get"]).startswith("canary_"), f"[{s}] {k}"


@pytest.mark.parametrize("release", ["3.3.2", "2.11.0", "1.10.15"])
def test_check_with_airflow_installed(airflow: Airflow, release: str) -> None:  # noqa: F811
    home = airflow.home(f"stock_{release}")
    if release == "3.3.2":
        airflow.ask(home, ["airflow_commands", ["config", "list"]])
    else:
        stock(release, home)
    for done in (airflow.run_us(home, "check"), run(home, "check")):
        assert (errors_in(done), done.returncode) == ([], 0)
        assert ("is now called" in done.stdout) is (release != "3.3.2")


# Without Airflow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "airflow")


def run(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "framework", "--name", "airflow", *words]
    return subprocess.run(command, cwd=home.path, env=home.env, capture_output=True, text=True, timeout=GUARD)


def errors_in(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith("error")]


def stock(release: str, home: Home) -> None:
    """Write the airflow.cfg that a release writes into an empty home."""
    text = (STOCK / f"{release}.cfg").read_text(encoding="utf-8")
    placeholders = {"AIRFLOW_HOME": str(home.path), "FERNET_KEY": FERNET_KEY, "SECRET_KEY": "canary/key=="}
    for name, value in placeholders.items():
        text = text.replace(f"{{{name}}}", value)
    home.cfg.write_text(text, encoding="utf-8")
    home.cfg.chmod(0o600)


@pytest.mark.parametrize("release", [None, "2.11.0", "1.10.15"])
def test_check_of_an_untouched_home(home: Home, release: str | None) -> None:
    if release is not None:
        stock(release, home)
    done = run(home, "check")
    assert (errors_in(done), done.returncode) == ([], 0)
    assert ("[core] sql_alchemy_conn is now called [database] sql_alchemy_conn" in done.stdout) is (
        release == "1.10.15"
    )
    assert "canary" not in done.stdout + done.stderr


SUFFIXES = ("_cmd", "_secret", "_file")


@pytest.mark.parametrize("text", ["", "a text"])
def test_an_option_that_ends_like_a_pointer_is_an_option(home: Home, text: str) -> None:
    names = [name for name in options_of() if name[1].endswith(SUFFIXES)]
    assert {
        ("api_auth", "jwt_secret"),
        ("core", "simple_auth_manager_passwords_file"),
        ("kubernetes_executor", "pod_template_file"),
        ("kubernetes", "git_sync_credentials_secret"),
        ("keycloak_auth_manager", "client_secret"),
        ("webserver", "config_file"),
    } <= set(names)
    numbers = {("logging", "min_length_masked_secret"): "7"}
    home.write_cfg({name: numbers.get(name, text) for name in names})
    app = App("airflow", environ=home.env)
    for section, key in names:
        assert app.conf.get(section, key) == numbers.get((section, key), text)
        base = key.rpartition("_")[0]
        assert not app.conf.has_option(section, base)
        assert base not in (app.conf.getsection(section) or {})
    for words in (["check"], ["dump"], ["config", "list", "--show-values"]):
        done = run(home, *words)
        assert (errors_in(done), done.returncode) == ([], 0), done.stderr
        assert " fails:" not in done.stdout


RECORDER = """
from framework import BaseSecretsBackend

class Recorder(BaseSecretsBackend):
    def __init__(self, **kwargs):
        pass
    def _asked(self, *names):
        with open("asked.txt", "a") as file:
            print(*names, file=file)
    def get_conn_value(self, conn_id, team_name=None):
        self._asked("connection", conn_id)
    def get_variable(self, key, team_name=None):
        self._asked("variable", key)
    def get_config(self, key):
        self._asked("config", key)
"""

#: Several commands in one process would hide from each other what they leak, but for different options.
EXPLAIN = """
import json, sys
from framework.cli.main import main
for section, key in json.load(sys.stdin):
    main(["--name", "airflow", "explain", section, key])
    main(["--name", "airflow", "config", "get-value", section, key + "_nothing"])
"""


def test_no_secret_of_airflow_is_shown_or_asked_for(home: Home) -> None:
    """A canary in each sensitive option of each release: in no output, and never the name of a secret."""
    sensitive = options_of("s")
    assert {("api_auth", "jwt_secret"), ("celery", "flower_basic_auth"), ("ldap", "bind_password")} <= set(sensitive)
    canaries = {name: f"canary{number}Zq+/=" for number, name in enumerate(sensitive)}
    (home.path / "recorder.py").write_text(RECORDER)
    home.env["PYTHONPATH"] = f"{home.path}:{Path(facts.__file__).parents[1]}"
    canaries["secrets", "backend_kwargs"] = '{"token": "canaryKwargs"}'
    canaries["api_auth", "jwt_secret"] = "canaryjwtRk3x9"  # as plain as a name
    redirected = [("core", "sql_alchemy_conn"), ("webserver", "secret_key")]
    values = {name: text for name, text in canaries.items() if name not in redirected}
    home.write_cfg({**values, ("secrets", "backend"): "recorder.Recorder"})
    outputs = {
        " ".join(words): run(home, *words)
        for words in (
            ["check"],
            ["check", "--output", "json"],
            ["dump"],
            *(["dump", "--format", name] for name in ("json", "yaml", "toml", "env", "table")),
            ["dump", "--plan"],
            ["dump", "--connections", "--variables"],
            ["config", "list", "--show-values"],
            ["config", "list", "--show-values", "--output", "json"],
            ["config", "lint"],
            ["config", "update", "--all-recommendations"],
            ["stats"],
            ["policy"],
            ["connections", "get", "nobody"],
            ["variables", "get", "nobody"],
        )
    }
    outputs["explain"] = subprocess.run(
        [sys.executable, "-c", EXPLAIN],
        input=json.dumps(sensitive),
        cwd=home.path,
        env=home.env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    for name, done in outputs.items():
        assert "Traceback" not in done.stderr, done.stderr
        shown = done.stdout + done.stderr
        assert "canary" not in shown, f"{name}: {shown[shown.index('canary') - 200 :][:400]}"
    assert outputs["explain"].stdout.count("hidden") + outputs["explain"].stdout.count("***") >= len(values)
    asked = (home.path / "asked.txt").read_text()
    assert "nobody" in asked
    assert "canary" not in asked


def test_listings_in_python_hide_it(home: Home) -> None:
    sensitive = [name for name in options_of("s") if name not in [("secrets", "backend_kwargs")]]
    home.write_cfg({name: f"canary{number}" for number, name in enumerate(sensitive)})
    app = App("airflow", environ=home.env)
    assert "canary" not in repr(app.conf.as_dict())
    assert "canary" not in repr(app.conf.as_dict(display_source=True, raw=True))
    assert app.conf.as_dict()["api_auth"]["jwt_secret"] == "< hidden >"
    assert "canary" not in repr(app.conf.as_dict(include_env=False))
    assert "canary" not in repr([app.conf.explain(*name) for name in sensitive])


def test_older_names_are_known(home: Home) -> None:
    home.write_cfg({("ldap", "uri"): "x", ("kubernetes_secrets", "some_env"): "name=key", ("core", "mine"): "1"})
    done = run(home, "check")
    assert "[ldap] uri is deprecated: Airflow 3.3.2 does not read it" in done.stdout
    assert "1.10.15" in done.stdout
    assert "kubernetes_secrets" not in done.stdout, "a section that is read whole"
    assert "[core] mine: no such option" in done.stdout
    assert done.returncode == 1


# What is installed wins


def install(site: Path, name: str, version: str, config: str) -> None:
    """A distribution with a provider's entry point, whose function returns what is written."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "entry_points.txt").write_text(
        f"[other]\nx=y:z\n\n[apache_airflow_provider]\nprovider_info={name}.info:get\n"
    )
    (site / name).mkdir()
    (site / name / "info.py").write_text(f"def get():\n    return {{'package-name': '{name}', 'config': {config}}}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with an Airflow of the packaged release, whose files hold no more than these tests need."""
    site = tmp_path / "site"
    templates = site / "airflow" / "config_templates"
    templates.mkdir(parents=True)
    (site / f"{packaged.CORE}.dist-info").mkdir()
    (templates / "config.yml").write_text("core: {options: {only_here: {default: '1'}}}\n")
    (templates / packaged.FALLBACK).write_text("[celery]\npool = threads\nfallback_only = yes\n[hive]\nold = 100%%\n")
    monkeypatch.syspath_prepend(str(site))
    return site


def conf_of(home: Home) -> Any:
    return App("airflow", environ=home.env).conf


def test_the_packaged_release_is_not_read_again(home: Home, site: Path) -> None:
    conf = conf_of(home)
    assert conf.get("core", "parallelism") == "32"
    assert not conf.has_option("core", "only_here")


def test_another_release_says_what_it_declares(home: Home, site: Path) -> None:
    (site / f"{packaged.CORE}.dist-info").rename(site / "apache_airflow_core-9.0.dist-info")
    conf = conf_of(home)
    assert conf.get("core", "only_here") == "1"
    assert not conf.has_option("core", "parallelism")
    assert conf.is_sensitive("api_auth", "jwt_secret"), "what is known to be a secret stays one"


def test_with_an_older_airflow_its_own_names_and_values_apply(home: Home, site: Path) -> None:
    (site / f"{packaged.CORE}.dist-info").rename(site / "apache_airflow-2.11.0.dist-info")
    config = "{webserver: {options: {secret_key: {sensitive: true}}}, core: {options: {executor: {default: x}}}, "
    config += "database: {options: {sql_alchemy_conn: {sensitive: true}}}}"
    (site / "airflow" / "config_templates" / "config.yml").write_text(config)
    values = {("webserver", "secret_key"): "canary", ("core", "executor"): "SequentialExecutor"}
    home.write_cfg({**values, ("core", "sql_alchemy_conn"): "postgres://u:canary@h/d"})
    app = App("airflow", environ=home.env)
    assert app.conf.get("core", "executor") == "SequentialExecutor"
    assert app.schema.redirect("webserver", "secret_key") is None
    assert app.conf.get("database", "sql_alchemy_conn") == "postgres://u:canary@h/d"
    assert "canary" not in repr(app.conf.as_dict())


def test_providers_are_read_from_their_files(home: Home, site: Path) -> None:
    install(site, "corp", "1.0", "{'corp': {'options': {'Url': {'default': '{AIRFLOW_HOME}/x', 'type': 'string'}}}}")
    conf = conf_of(home)
    assert conf.get("corp", "url") == f"{home.path}/x"
    assert "corp" in conf.sections()
    assert "corp" not in sys.modules


def test_a_provider_of_another_release_wins_over_the_table(home: Home, site: Path) -> None:
    name = "apache_airflow_providers_celery"
    options = "{'brand_new': {'default': 'a'}, 'pool': {'default': 'solo'}, 'none': {'default': None}}"
    install(site, name, "99.0", f"{{'celery': {{'options': {options}}}}}")
    conf = conf_of(home)
    assert conf.get("celery", "brand_new") == "a"
    assert conf.get("celery", "pool") == "solo", "a provider's default goes before the fallback"
    assert conf.get("celery", "fallback_only") == "yes"
    assert not conf.has_option("celery", "none")
    assert not conf.has_option("celery", "worker_concurrency"), "this release does not declare it"
    assert conf.is_sensitive("celery", "broker_url")


def test_what_has_been_sensitive_stays_so_whatever_is_installed(home: Home, site: Path) -> None:
    (site / f"{packaged.CORE}.dist-info").rmdir()
    (site / "airflow" / "config_templates" / "config.yml").write_text("api_auth: {options: {jwt_secret: {}}}\n")
    install(site, "apache_airflow_providers_celery", "99.0", "{'celery': {'options': {'broker_url': {}}}}")
    conf = conf_of(home)
    assert conf.is_sensitive("api_auth", "jwt_secret")
    assert conf.is_sensitive("celery", "broker_url")


def test_without_the_provider_the_fallback_holds(home: Home, site: Path) -> None:
    conf = conf_of(home)
    assert conf.get("celery", "pool") == "threads"
    assert conf.get("hive", "old") == "100%"
    assert not conf.has_option("celery", "worker_concurrency")


def test_of_two_providers_the_later_name_has_the_section(home: Home, site: Path) -> None:
    install(site, "corp_a", "1.0", "{'corp': {'options': {'a': {'default': '1'}}}}")
    install(site, "corp_b", "1.0", "{'corp': {'options': {'b': {'default': '2'}}}}")
    assert conf_of(home).getsection("corp") == {"b": 2}


@pytest.mark.parametrize("config", ["dict(core={})", "{'celery': 1}", "open('x')", "{'celery': ["])
def test_a_provider_that_computes_its_options(home: Home, site: Path, config: str) -> None:
    """Then the packaged facts apply, for any release."""
    install(site, "apache_airflow_providers_celery", "99.0", config)
    conf = conf_of(home)
    assert conf.get("celery", "worker_concurrency") == "16"


def test_a_schema_that_is_given_is_the_whole_of_what_is_declared(home: Home) -> None:
    app = App("airflow", schema={"core": {"options": {"mine": {"default": "1"}}}}, environ=home.env)
    assert not app.conf.has_option("celery", "worker_concurrency")
    assert "celery" not in app.conf.sections()
    assert app.conf.is_sensitive("celery", "broker_url")


def test_other_applications_have_nothing_of_it(tmp_path: Path) -> None:
    code = "import sys; from framework import App; App('billing').conf.has_option('celery', 'x'); print(*sys.modules)"
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "framework.schemas.airflow" not in done.stdout.split()


def test_start_up_splits_only_the_sections_that_are_read(home: Home) -> None:
    app = App("airflow", environ=home.env)
    app.conf.get("core", "executor")
    app.conf.get("celery", "worker_concurrency")
    assert {"core", "celery"} <= set(app.schema._options)
    assert not {"kubernetes_executor", "fab", "aws", "scheduler"} & set(app.schema._options)
