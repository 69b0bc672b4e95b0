"""`plan` against replays: what it says is what a proxy in front of moto counts."""

from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "backends"))
pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("botocore", reason="botocore is not installed")

from quotas import Quotas  # noqa: E402
from servers_aws import Aws, aws, moto_port, no_aws_around  # noqa: E402, F401

from framework import App, BaseSecretsBackend  # noqa: E402
from framework.cli.main import main  # noqa: E402
from framework.inspection.fleet import BY_HOST, DIRECT, SHARED, Fleet, _known, plan  # noqa: E402

PROCESSES, SECRETS = 6, 45


class Own(BaseSecretsBackend):
    def get_config(self, key: str) -> str | None:
        raise AssertionError("a plan asks no store")


def app_of(folder: Path, backend: str, kwargs: Any, secrets: int = SECRETS) -> App:
    options = "\n".join(f"k{number}_secret = s{number}" for number in range(secrets))
    folder.mkdir(exist_ok=True)
    text = f"[secrets]\nbackend = {backend}\nbackend_kwargs = {json.dumps(kwargs)}\n[s]\n{options}\n"
    (folder / "billing.cfg").write_text(text)
    return App("billing", home=str(folder), environ={}, sensitive=["s.*"])


def filled(aws: Aws) -> None:  # noqa: F811
    for number in range(SECRETS):
        aws.put_secret(f"billing/config/s{number}", f"value {number}")
        aws.put_parameter(f"/billing/config/s{number}", f"value {number}")


def way(app: App, name: str = DIRECT, processes: int = PROCESSES, **more: Any) -> dict[str, Any]:
    fleet = Fleet(
        **{"processes": processes, "hosts": 2, "starts_per_day": 4, "reads_every": 0, "cached_for": 900, **more}
    )
    return plan(app, fleet)["links"][0]["ways"][name]  # type: ignore[no-any-return]


def replay(folder: Path, backend: str, aws: Aws, quotas: Quotas) -> None:  # noqa: F811
    """Processes that start one after the other: an application each, which keeps nothing of another's."""
    for number in range(PROCESSES):
        kwargs = aws.kwargs(endpoint_url=f"http://127.0.0.1:{quotas.port}")
        app = app_of(folder / str(number), backend, kwargs)
        assert app.prefetch() == {}
        assert app.conf.get("s", "k7") == "value 7"


@pytest.mark.parametrize("backend", ["aws_secrets_manager", "aws_ssm"])
@pytest.mark.parametrize("secrets", [SECRETS, 43])
def test_the_calls_are_those_of_a_replay(aws: Aws, tmp_path: Path, backend: str, secrets: int) -> None:  # noqa: F811
    filled(aws)
    with Quotas(aws.port) as quotas:
        kwargs = aws.kwargs(endpoint_url=f"http://127.0.0.1:{quotas.port}")
        app = app_of(tmp_path / "planned", backend, kwargs, secrets)
        planned = plan(app, Fleet(1, 1, 1, 0, 900))["links"][0]["calls_of_one_process"]
        assert not quotas.answered, "a plan asks no store"
        assert app.prefetch() == {}
        assert dict(quotas.answered) == planned


def test_a_throttled_fleet_reads_one_by_one_as_planned(aws: Aws, tmp_path: Path) -> None:  # noqa: F811
    filled(aws)
    with Quotas(aws.port, BatchGetSecretValue=0.001) as quotas:  # as if all others had used it up
        replay(tmp_path, "aws_secrets_manager", aws, quotas)
    assert quotas.answered["GetSecretValue"] == PROCESSES * SECRETS, "each secret once"
    assert quotas.throttled["BatchGetSecretValue"] <= PROCESSES * 3, "a throttled batch is not repeated"
    app = app_of(tmp_path / "planned", "aws_secrets_manager", {"region_name": "eu-west-1"})
    planned = way(app, processes=10_000)
    assert planned["first_quota"] == "BatchGetSecretValue"
    assert planned["calls_if_all_start"] == pytest.approx(10_000 * SECRETS, rel=0.1)
    assert planned["seconds_to_start_all"] == pytest.approx(45, rel=0.1)


def test_a_throttled_single_call_is_repeated_until_it_is_answered(
    aws: Aws,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled(aws)
    calls = count()
    monkeypatch.setattr("quotas.monotonic", lambda: next(calls) / 6)  # six calls a second, however fast they come
    with Quotas(aws.port, BatchGetSecretValue=0.001, GetSecretValue=5) as quotas:
        app = app_of(tmp_path, "aws_secrets_manager", aws.kwargs(endpoint_url=f"http://127.0.0.1:{quotas.port}"))
        assert app.prefetch() == {}
    assert quotas.answered["GetSecretValue"] == SECRETS
    assert quotas.throttled["GetSecretValue"]


def test_a_shared_cache_is_one_reader(tmp_path: Path) -> None:
    app = app_of(tmp_path, "aws_secrets_manager", {"region_name": "eu-west-1"}, 100)
    calls = [way(app, name, 10_000)["calls_if_all_start"] for name in (BY_HOST, SHARED)]
    assert calls == [2 * 5, 5]
    assert way(app, SHARED, 10_000, reads_every=60)["calls_a_day"] == 5 * 86_400 / 900
    assert way(app, DIRECT, 100, reads_every=3600)["calls_a_day"] == 5 * 100 * (4 + 24)
    assert way(app, DIRECT, 100)["dollars_a_month"] == pytest.approx(100 * 0.40 + 5 * 400 * 30 / 10_000 * 0.05)


def test_a_store_without_published_quotas_has_none(tmp_path: Path) -> None:
    found = way(app_of(tmp_path, "vault", {"url": "http://127.0.0.1:9", "token": "t"}, 100))
    assert found["calls_if_all_start"] == 100 * PROCESSES
    assert (found["first_quota"], found["seconds_to_start_all"], found["dollars_a_month"]) == (None, None, None)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.framework]\nname = "billing"\nhome = "."\nsensitive = ["s.*"]\n')
    app_of(tmp_path, "aws_secrets_manager", {"region_name": "eu-west-1"}, 100)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--fleet", "10000", "--hosts", "100", "--starts-per-day", "50"]) == 0
    out = capsys.readouterr().out
    assert "100 secrets; each process that starts makes 5 BatchGetSecretValue" in out
    assert "cannot be raised" in out
    assert main(["plan", "--fleet", "10000", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["links"][0]["ways"][SHARED]["calls_if_all_start"] == 5


def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, kwargs: Any, secrets: int = 41) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.framework]\nname = "billing"\nhome = "."\nsensitive = ["s.*"]\n')
    app_of(tmp_path, backend, kwargs, secrets)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--fleet", "0"], "--fleet: expected a number from 1"),
        (["--fleet", "-5"], "--fleet: expected a number from 1"),
        (["--fleet", "1", "--hosts", "0"], "--hosts: expected a number from 1"),
        (["--fleet", "1", "--starts-per-day", "-1"], "--starts-per-day: expected a number from 0"),
        (["--fleet", "1", "--starts-per-day", "nan"], "--starts-per-day: expected a number from 0"),
        (["--fleet", "1", "--ttl", "0"], "--ttl: expected a number of seconds above 0, not 0"),
        (["--fleet", "1", "--ttl", "-1"], "--ttl: expected a number of seconds above 0"),
        (["--fleet", "1", "--ttl", "inf"], "--ttl: expected a number of seconds above 0"),
    ],
)
def test_an_invalid_number_of_processes_is_an_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    what: str,
) -> None:
    project(tmp_path, monkeypatch, "aws_secrets_manager", {"region_name": "eu-west-1"})
    assert main(["plan", *words]) == 2
    assert what in capsys.readouterr().err


def test_two_calls_under_one_quota_are_counted_together(tmp_path: Path) -> None:
    found = way(app_of(tmp_path, "aws_ssm", {"region_name": "eu-west-1"}, 41), processes=1000)
    assert found["first_quota"] == "GetParameters"
    assert found["seconds_to_start_all"] == 5 * 1000 / 40  # four batches and one single read


def test_a_quota_may_be_reached_by_what_runs(tmp_path: Path) -> None:
    app = app_of(tmp_path, "aws_secrets_manager", {"region_name": "eu-west-1"}, 100)
    assert way(app, DIRECT, 10, reads_every=60)["first_quota"] is None
    assert way(app, DIRECT, 10, reads_every=0.1)["first_quota"] == "BatchGetSecretValue"


def test_where_no_answer_is_kept_a_shared_cache_changes_nothing(tmp_path: Path) -> None:
    app = app_of(tmp_path, "aws_secrets_manager", {"region_name": "eu-west-1"}, 100)
    assert way(app, SHARED, 100, cached_for=0) == way(app, DIRECT, 100, cached_for=0)


@pytest.mark.parametrize(
    ("lines", "shared", "note"),
    [
        ("", 5 * 86_400 / 900, ""),
        ("refresh_interval_seconds = 60", 5 * 86_400 / 30, ""),
        ("cache_ttl_seconds = 0", 5 * 10 * 4, "a shared cache has no effect"),
        ("use_cache = false", 5 * 10 * 4, "a shared cache has no effect"),
        ("cache_ttl_seconds = inf", 0, ""),
    ],
)
def test_the_times_of_the_configuration_count(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lines: str,
    shared: float,
    note: str,
) -> None:
    project(tmp_path, monkeypatch, "aws_secrets_manager", {"region_name": "eu-west-1"}, 100)
    path = tmp_path / "billing.cfg"
    path.write_text(path.read_text().replace("[s]", f"{lines}\n[s]"))
    starts = "4" if note else "1000"
    assert main(["plan", "--fleet", "10", "--starts-per-day", starts, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["links"][0]["ways"][SHARED]["calls_a_day"]
    assert found == pytest.approx(shared, abs=0.1)
    assert main(["plan", "--fleet", "10"]) == 0
    assert note in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backend", "kwargs", "lines"),
    [
        ("test_plan.Own", {}, ["makes 41 read", "no quota known", "no price"]),
        ("vault", {"url": "http://127.0.0.1:9", "token": "t"}, ["makes 41 read", "no quota published"]),
        ("azure_key_vault", {"vault_url": "https://x.vault.azure.net"}, ["41 GetSecret", "102.5", "not compared"]),
        ("gcp_secret_manager", {"project_id": "p"}, ["41 AccessSecretVersion", "27.3", "as of 20"]),
        ("aws_ssm", {"region_name": "eu-west-1"}, ["4 GetParameters, 1 GetParameter", "125.0", "together with"]),
    ],
)
def test_every_store_can_be_planned(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    backend: str,
    kwargs: Any,
    lines: list[str],
) -> None:
    project(tmp_path, monkeypatch, backend, kwargs)
    assert main(["plan", "--fleet", "1000"]) == 0
    out = capsys.readouterr().out
    assert all(line in out for line in lines), out


def test_without_secrets_there_is_nothing_to_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, monkeypatch, "vault", {"url": "http://127.0.0.1:9", "token": "t"}, 0)
    assert main(["plan", "--fleet", "10"]) == 0
    assert "no option is a _secret pointer" in capsys.readouterr().err


def test_every_backend_of_a_store_is_in_the_table() -> None:
    from framework.backends.registry import SHORT_NAMES

    classes = {path: resolve_name(path) for path in SHORT_NAMES.values()}
    remote = {path for path, cls in classes.items() if getattr(cls, "remote", True)}
    assert remote == set(_known()) - {"date"}
