"""The shared cache before real stores: fleets of processes before AWS, and who is who at AWS and OpenBao."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fleet
import pytest
import redis
from cryptography.fernet import Fernet
from patience import PATIENT_SHOP, until
from servers import free_port, valkey
from servers_aws import no_aws_around  # noqa: F401 - fixtures
from servers_vault import Bao, Relay, bao, relay  # noqa: F401 - fixtures

from framework import App, errors

# ruff: noqa: F811 - fixtures

KEY = Fernet.generate_key().decode()
NAMES, PROCESSES = 100, 48


@pytest.fixture(scope="module")
def filled() -> Iterator[fleet.Store]:
    with fleet.store() as store:
        for number in range(NAMES):
            store.put(f"fleet/canary-name-{number}", f"canary-value-{number}")
        yield store


@pytest.fixture
def store(filled: fleet.Store) -> fleet.Store:
    filled.begin()
    return filled


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with valkey(tmp_path_factory.mktemp("valkey")) as port:
        yield port


@pytest.fixture
def port(cache: int) -> int:
    redis.Redis(port=cache).flushall()
    return cache


def started(home: Path, store: fleet.Store, url: str, processes: int, **options: Any) -> list[dict[str, Any]]:
    """A fleet in which no process fails or finds a wrong value."""
    fleet.configure(home, store, names=NAMES, shared_cache_url=url, shared_cache_key=KEY, **options)
    found = fleet.run(home, processes, NAMES)
    right = [f"canary-value-{number}" for number in range(NAMES)]
    assert [one["failures"] for one in found if one["failures"]] == []
    assert all(one["values"] == right for one in found)
    assert "canary" not in found[0]["stderr"] and KEY not in found[0]["stderr"]
    return found


def shared(found: list[dict[str, Any]], what: str) -> list[int]:
    return [one["stats"][0][f"shared {what}"] for one in found]


def test_a_fleet_asks_its_store_once_and_then_not_at_all(tmp_path: Path, store: fleet.Store, port: int) -> None:
    url = f"redis://127.0.0.1:{port}/0"
    cold = started(tmp_path / "home", store, url, PROCESSES)
    assert store.reads <= 6
    assert sum(shared(cold, "hits")) == (PROCESSES - 1) * NAMES
    store.begin()
    started(tmp_path / "home", store, url, PROCESSES)
    assert store.reads == 0
    dump = redis.Redis(port=port)
    everything = repr([(key, dump.get(key)) for key in dump.keys("*")])
    assert "canary" not in everything and everything.count("gAAAA") == NAMES


_ASKED = """
import json, sys
from framework.backends.aws import SecretsManagerBackend
print(json.dumps([SecretsManagerBackend(**json.loads(sys.argv[1])).identity(), "botocore" in sys.modules]))
"""
_KEYS = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}


@pytest.mark.parametrize(
    ("kwargs", "environ", "loads"),
    [
        (_KEYS, {}, False),
        ({}, {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}, False),
        ({**_KEYS, "endpoint_url": "http://127.0.0.1:9"}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:8"}, False),
        (_KEYS, {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:9"}, True),
        (_KEYS, {"AWS_CONFIG_FILE": os.devnull}, True),
    ],
)
def test_fixed_keys_identify_the_principal_without_botocore(
    tmp_path: Path, kwargs: dict[str, str], environ: dict[str, str], loads: bool
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"HOME": str(tmp_path), "AWS_DEFAULT_REGION": "eu-west-1", **environ}
    done = subprocess.run([sys.executable, "-c", _ASKED, json.dumps(kwargs)], env=env, capture_output=True, text=True)
    identity, has_loaded = json.loads(done.stdout)
    assert (identity.split()[0], identity.split()[-2:], has_loaded) == ("eu-west-1", ["k", "s"], loads)


@pytest.mark.parametrize("wrong", ["dead", "hung", "full", "another password"])
def test_without_its_cache_a_fleet_asks_the_store(tmp_path: Path, store: fleet.Store, wrong: str) -> None:
    with valkey(tmp_path) as port:
        admin = redis.Redis(port=port)
        process = int(admin.info("server")["process_id"])
        if wrong == "hung":
            os.kill(process, signal.SIGSTOP)
        elif wrong == "full":
            admin.config_set("maxmemory", "1")
        elif wrong == "another password":
            admin.config_set("requirepass", "another")
        url = f"redis://127.0.0.1:{free_port() if wrong == 'dead' else port}/0"
        found = started(tmp_path / "home", store, url, 4, shared_cache_timeout_seconds=0.3)
    assert 0 < store.reads <= 5 * 4
    if wrong != "full":  # its answers cost no time
        assert max(shared(found, "faults")) <= 12
    assert found[0]["stderr"].count("the shared cache cannot be used") <= 4


def test_a_fleet_outlives_the_end_of_its_cache(tmp_path: Path, store: fleet.Store) -> None:
    import threading

    with valkey(tmp_path) as port:
        process = int(redis.Redis(port=port).info("server")["process_id"])
        url = f"redis://127.0.0.1:{port}/0"

        def kill() -> None:
            admin = redis.Redis(port=port)
            until(admin.dbsize)  # somebody has begun to ask
            os.kill(process, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        started(tmp_path / "home", store, url, 8, shared_cache_timeout_seconds=0.5)
        killer.join()


def test_a_fleet_asks_once_for_a_changed_password_and_once_a_second_while_the_store_is_late(
    tmp_path: Path, store: fleet.Store, port: int
) -> None:
    import threading

    admin, home = redis.Redis(port=port), tmp_path / "home"
    fleet.configure(home, store, shared_cache_url=f"redis://127.0.0.1:{port}/0", shared_cache_key=KEY)
    with fleet.Fleet(home, 12, ["login", "login", "login"]) as started:
        for number, late in enumerate((0.0, 0.0, 2.5)):
            fleet.change_password(admin, f"canary-{number}")
            stored = threading.Timer(late, fleet.put_password, [store, port, f"canary-{number}"])
            began = time.monotonic()
            stored.start()
            if not late:
                stored.join()
            store.begin()
            started.go()
            stored.join()
            # Other versions of the secret are asked for as well, but only once in ten seconds.
            assert store.reads <= (2 + 2 + (time.monotonic() - began) if late else 1)
        found = started.reports()
    assert [one["failures"] for one in found if one["failures"]] == []
    assert "canary" not in started.stderr


# Who asks


def of_aws(home: Path, store: fleet.Store, port: int, **more: Any) -> App:
    kwargs = {"region_name": "eu-west-1", "endpoint_url": store.url, "config_prefix": "fleet", **fleet.KEYS, **more}
    return application(home, "aws_secrets_manager", kwargs, port)


def application(home: Path, backend: str, kwargs: dict[str, Any], port: int) -> App:
    environ = {
        "SHOP__SECRETS__BACKEND": backend,
        "SHOP__SECRETS__BACKEND_KWARGS": json.dumps(kwargs),
        "SHOP__SECRETS__SHARED_CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "SHOP__SECRETS__SHARED_CACHE_KEY": KEY,
        **PATIENT_SHOP,
    }
    return App("shop", home=home, environ=environ)


def test_other_keys_of_aws_read_nothing_that_these_fetched(
    tmp_path: Path, store: fleet.Store, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert of_aws(tmp_path, store, port).chain.config("canary-name-1")[0] == "canary-value-1"
    assert store.reads == 1
    of_aws(tmp_path, store, port, aws_access_key_id="AKIAANOTHERANOTHERAN").chain.config("canary-name-1")
    assert store.reads == 2
    for key, calls in (("one", 3), ("one", 3), ("two", 4)):  # keys that the kwargs do not name
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"AKIAMADEUPMADEUP{key}")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key)
        app = of_aws(tmp_path, store, port, aws_access_key_id=None, aws_secret_access_key=None)
        assert app.chain.config("canary-name-1")[0] == "canary-value-1"
        assert store.reads == calls


def test_sessions_of_one_role_share_and_of_two_roles_do_not(tmp_path: Path, store: fleet.Store, port: int) -> None:
    for role, calls in (("one", 1), ("one", 1), ("two", 2)):
        app = of_aws(
            tmp_path,
            store,
            port,
            role_arn=f"arn:aws:iam::123456789012:role/{role}",
            service_config={"sts": {"endpoint_url": store.url}},
        )
        assert app.chain.config("canary-name-2")[0] == "canary-value-2"
        assert store.reads == calls


def of_vault(home: Path, url: str, port: int, mount: str, **login: Any) -> App:
    return application(home, "vault", {"url": url, "mount_point": mount, "config_path": "app", **login}, port)


def test_a_principal_that_openbao_denies_reads_nothing_that_others_fetched(
    tmp_path: Path, bao: Bao, relay: Relay, port: int
) -> None:
    mount = bao.mount()
    bao.put(mount, "app/canary-name", {"value": "canary-value"})
    may, may_not = bao.reading(mount), bao.policy('path "nothing" { capabilities = ["read"] }')
    allowed = bao.token(may)
    for _ in range(3):
        app = of_vault(tmp_path, relay.url, port, mount, token=allowed)
        assert app.chain.config("canary-name")[0] == "canary-value"
    assert relay.reads() == 1
    for _ in range(2):
        with pytest.raises(errors.AccessDenied):
            of_vault(tmp_path, relay.url, port, mount, token=bao.token(may_not)).chain.config("canary-name")
    (tmp_path / "token").write_text(bao.token(may_not))
    with pytest.raises(errors.AccessDenied):
        of_vault(tmp_path, relay.url, port, mount, token_path=str(tmp_path / "token")).chain.config("canary-name")
    login = bao.approle(may)
    before = relay.reads()
    for _ in range(3):
        app = of_vault(tmp_path, relay.url, port, mount, **login)
        assert app.chain.config("canary-name")[0] == "canary-value"
    assert relay.reads() == before + 1
    with pytest.raises(errors.AccessDenied):
        of_vault(tmp_path, relay.url, port, mount, **{**login, "secret_id": "wrong"}).chain.config("canary-name")
    with pytest.raises(errors.AccessDenied):
        of_vault(tmp_path, relay.url, port, mount, **bao.approle(may_not)).chain.config("canary-name")


def test_stats_counts_it(tmp_path: Path, store: fleet.Store, port: int) -> None:
    for hits, misses, calls in ((0, 1, 1), (1, 0, 0)):
        app = of_aws(tmp_path, store, port)
        app.chain.config("canary-name-3")
        stats = app.stats()[0]
        assert (stats["shared hits"], stats["shared misses"], stats["calls"]) == (hits, misses, calls)
