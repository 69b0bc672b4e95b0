"""Teams of an Airflow on real stores: a team finds its own secrets and those of no team, and never another team's."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kmock", reason="kmock is not installed")
pytest.importorskip("yandexcloud", reason="yandexcloud is not installed")

from servers_akeyless import ID, KEY, Vault, vault  # noqa: E402, F401 - fixtures
from servers_aws import Aws, aws, moto_port, no_aws_around  # noqa: E402, F401
from servers_kubernetes import Cluster, cluster  # noqa: E402, F401
from servers_vault import Bao, bao  # noqa: E402, F401
from servers_yandex import FOLDER, OAUTH, Lockbox, authority, cloud  # noqa: E402, F401

from framework.backends.akeyless import AkeylessBackend  # noqa: E402
from framework.backends.aws import SecretsManagerBackend, SystemsManagerParameterStoreBackend  # noqa: E402
from framework.backends.azure import AzureKeyVaultBackend  # noqa: E402
from framework.backends.base import BaseSecretsBackend  # noqa: E402
from framework.backends.environment import EnvironmentVariablesBackend  # noqa: E402
from framework.backends.gcp import GcpSecretManagerBackend  # noqa: E402
from framework.backends.kubernetes import KubernetesSecretsBackend  # noqa: E402
from framework.backends.vault import VaultBackend  # noqa: E402
from framework.backends.yandex import LockboxSecretBackend  # noqa: E402
from framework.layers.environment import Environment  # noqa: E402
from framework.names import Names  # noqa: E402

# ruff: noqa: F811 - fixtures

#: Puts a variable into the store: its id, the team or None, the text.
Put = Callable[[str, "str | None", str], Any]
Store = tuple[Any, Put]


def secrets_manager(request: pytest.FixtureRequest, folder: Path) -> Store:
    server: Aws = request.getfixturevalue("aws")
    start = "airflow/variables/"
    return SecretsManagerBackend(**server.kwargs()), lambda key, team, text: server.put_secret(
        start + (f"{team}--{key}" if team else key), text
    )


def ssm(request: pytest.FixtureRequest, folder: Path) -> Store:
    server: Aws = request.getfixturevalue("aws")
    start = "/airflow/variables/"
    return SystemsManagerParameterStoreBackend(**server.kwargs()), lambda key, team, text: server.put_parameter(
        start + (f"{team}--{key}" if team else key), text
    )


def hashicorp(request: pytest.FixtureRequest, folder: Path) -> Store:
    server: Bao = request.getfixturevalue("bao")
    mount = server.mount()
    made = VaultBackend(url=server.url, mount_point=mount, token="root")
    return made, lambda key, team, text: server.put(
        mount, f"variables/{team}/{key}" if team else f"variables/{key}", {"value": text}
    )


def kubernetes(request: pytest.FixtureRequest, folder: Path) -> Store:
    server: Cluster = request.getfixturevalue("cluster")

    def put(key: str, team: str | None, text: str) -> None:
        labels = {"airflow.apache.org/variable-key": key, **({"airflow.apache.org/team": team} if team else {})}
        server.put(labels, {"value": text.encode()}, f"{key}-{team}".lower().replace("_", "."))

    return KubernetesSecretsBackend(kubeconfig=server.kubeconfig(folder)), put


def lockbox(request: pytest.FixtureRequest, folder: Path) -> Store:
    server: Lockbox = request.getfixturevalue("cloud")
    made = LockboxSecretBackend(yc_oauth_token=OAUTH, folder_id=FOLDER, endpoint=server.address)
    start = "airflow/variables/"
    return made, lambda key, team, text: server.put(start + (f"{team}//{key}" if team else key), text)


def akeyless(request: pytest.FixtureRequest, folder: Path) -> Store:
    server: Vault = request.getfixturevalue("vault")
    made = AkeylessBackend(access_id=ID, access_key=KEY, api_url=server.url)
    start = "/airflow/variables/"
    return made, lambda key, team, text: server.put(start + (f"{team}/{key}" if team else key), text)


def gcp(request: pytest.FixtureRequest, folder: Path) -> Store:
    return held(GcpSecretManagerBackend(project_id="p"), "airflow-variables-")


def azure(request: pytest.FixtureRequest, folder: Path) -> Store:
    return held(AzureKeyVaultBackend(vault_url="https://v.example"), "airflow-variables-", str.maketrans("_", "-"))


def held(backend: Any, start: str, table: Any = None) -> Store:
    """A backend over a dictionary in place of its client; the real ones are in the tests of each store."""
    texts: dict[str, str] = {}
    backend.read = lambda name, version=None: texts.get(name)

    def put(key: str, team: str | None, text: str) -> None:
        texts[(start + (f"{team}--{key}" if team else key)).translate(table or {})] = text

    return backend, put


def environment(request: pytest.FixtureRequest, folder: Path) -> Store:
    texts: dict[str, str] = {}
    backend = EnvironmentVariablesBackend(Names("airflow"), Environment(texts), list)
    return backend, lambda key, team, text: texts.update(
        {f"AIRFLOW_VAR__{team}___{key}".upper() if team else f"AIRFLOW_VAR_{key}".upper(): text}
    )


STORES = [secrets_manager, ssm, hashicorp, kubernetes, lockbox, akeyless, gcp, azure, environment]


@pytest.fixture(params=STORES, ids=[each.__name__ for each in STORES])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = request.param(request, tmp_path)
    return made


@contextmanager
def warned_or_not() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def in_airflow(monkeypatch: pytest.MonkeyPatch, multi_team: bool) -> None:
    """As if this process were Airflow's."""
    conf = SimpleNamespace(getboolean=lambda section, key, fallback: multi_team)
    monkeypatch.setitem(sys.modules, "airflow.configuration", SimpleNamespace(conf=conf))  # type: ignore[arg-type]


def test_a_team_sees_its_own_secrets_and_those_of_no_team(store: Store) -> None:
    backend, put = store
    put("own", "ops", "of ops")
    put("own", None, "of no team")
    put("shared", None, "shared")
    put("theirs", "dev", "of dev")
    falls_back = not isinstance(backend, VaultBackend)  # as in Airflow
    assert backend.get_variable("own", team_name="ops") == "of ops"
    assert backend.get_variable("own", team_name="dev") == ("of no team" if falls_back else None)
    assert backend.get_variable("own") == "of no team"
    assert backend.get_variable("shared", team_name="ops") == ("shared" if falls_back else None)
    assert backend.get_variable("theirs", team_name="ops") is None
    assert backend.get_variable("theirs") is None


#: What would name the variable `x` of team `dev` for who is in another team, or in none.
SPELLINGS = {
    secrets_manager: "dev--x",
    ssm: "dev--x",
    hashicorp: "dev/x",
    lockbox: "dev//x",
    akeyless: "dev/x",
    gcp: "dev--x",
    azure: "dev__x",
    environment: "_dev___x",
    kubernetes: "_dev___x",
}


@pytest.mark.parametrize("make", STORES, ids=[each.__name__ for each in STORES])
def test_no_id_reaches_into_another_team(
    make: Any, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, put = make(request, tmp_path)
    put("x", "dev", "of dev")
    in_airflow(monkeypatch, True)
    name = SPELLINGS[make]
    with (
        pytest.warns(UserWarning, match="is not looked up") if make not in (kubernetes, hashicorp) else warned_or_not()
    ):
        assert backend.get_variable(name, team_name="ops") is None
    if make is environment:  # our own chain has no teams: what Airflow says is for Airflow's link
        return
    with warned_or_not():
        assert backend.get_variable(name) is None
        assert backend.get_variable("x") is None
        assert backend.get_variable("x", team_name="dev") == "of dev"


@pytest.mark.parametrize("make", [secrets_manager, ssm, gcp, lockbox, environment], ids=lambda make: make.__name__)
@pytest.mark.filterwarnings("ignore::framework.errors.FrameworkWarning")
def test_two_teams_never_share_a_name(make: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Airflow's own guards miss these: team `ops` and id `-x` are team `ops-` and id `x`."""
    backend, put = make(request, tmp_path)
    edge = {lockbox: "/", environment: "_"}.get(make, "-")
    put(f"{edge}x", "ops", "of the other team")
    found = [backend.get_variable(f"{edge}x", team_name="ops"), backend.get_variable("x", team_name=f"ops{edge}")]
    assert found.count(None) >= 1
    assert found[0] is None


@pytest.mark.filterwarnings("ignore::framework.errors.FrameworkWarning")
def test_two_teams_of_azure_or_the_environment_that_make_one_name(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    backend, put = azure(request, tmp_path)
    put("x", "a_b", "of a_b")
    assert backend.get_variable("x", team_name="a_b") == "of a_b"
    assert backend.get_variable("x", team_name="a-b") is None
    backend, put = environment(request, tmp_path)
    put("x", "ops_a", "of ops_a")
    assert backend.get_variable("x", team_name="ops_a") == "of ops_a"
    assert backend.get_variable("x", team_name="Ops_A") is None


@pytest.mark.parametrize("team", ["../dev", "dev/x", "ops dev", "ops--x/", "*"])
@pytest.mark.filterwarnings("ignore::framework.errors.FrameworkWarning")
def test_an_invalid_name_of_a_team_finds_nothing_of_a_team(team: str, store: Store) -> None:
    backend, put = store
    put("x", "dev", "of dev")
    assert backend.get_variable("x", team_name=team) is None


def test_a_connection_of_a_team(store: Store) -> None:
    """`get_connection` is what Airflow calls."""
    backend, _ = store
    asked = []

    def get_conn_value(conn_id: str, team_name: str | None = None) -> str:
        asked.append(team_name)
        return "http://api.example"

    backend.get_conn_value = get_conn_value
    assert backend.get_connection("x", team_name="ops").host == "api.example"
    backend.get_connection("x")
    assert asked == ["ops", None]


def test_without_multi_team_vault_and_akeyless_know_no_teams(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_airflow(monkeypatch, False)
    for make in (hashicorp, akeyless):
        backend, put = make(request, tmp_path)
        put("own", "ops", "of ops")
        put("shared", None, "shared")
        assert backend.get_variable("shared", team_name="ops") == "shared"
        assert backend.get_variable("own", team_name="ops") is None
        assert backend.get_variable("ops/own") == "of ops"


def test_our_own_chain_has_no_teams(monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    in_airflow(monkeypatch, True)
    backend = SecretsManagerBackend(**aws.kwargs())
    backend.bind("airflow", "")
    aws.put_secret("airflow/variables/a--b", "mine")
    assert backend.get_variable("a--b") == "mine"


def test_a_class_that_knows_no_teams_is_not_given_one() -> None:
    class Plain(BaseSecretsBackend):
        def get_conn_value(self, conn_id: str) -> str:  # type: ignore[override]
            return "http://api.example"

    found = Plain().get_connection("x")
    assert found is not None
    assert found.host == "api.example"
