"""The load of an application on its store: requests, counted at a slow proxy; no time is measured."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD
from proxy import Proxy
from servers_aws import Aws, aws, moto_port, no_aws_around  # noqa: F401 - fixtures
from servers_vault import Bao, bao  # noqa: F401 - fixtures
from store_checks import in_a_child

from framework import App
from framework import assembly as wiring

#: Short name -> how many names one call may ask for.
BATCH = {"aws_ssm": 10, "aws_secrets_manager": 20, "vault": 1}
#: Short name -> the most requests that 100 options may cost, the login included.
AT_MOST = {"aws_ssm": 12, "aws_secrets_manager": 7, "vault": 102}


class Store:
    """A real server behind the proxy, and who fills it.

    Attributes:
        kwargs: arguments of the backend.
        put: writes secrets of one kind, id -> text.
    """

    def __init__(self, short: str, proxy: Proxy, kwargs: dict[str, Any], put: Callable[[str, str], Any]) -> None:
        self.short, self.proxy, self.kwargs, self._put = short, proxy, kwargs, put
        proxy.latency = 0.02

    def put(self, kind: str, values: dict[str, str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self._put(f"{kind}/{name}", values[name]), values))

    @property
    def logins(self) -> int:
        return sum(b"/login" in head.partition(b"\r\n")[0] for head in self.proxy.heads)

    @property
    def values(self) -> int:
        """Requests for values: all but the logins."""
        return self.proxy.requests - self.logins


@pytest.fixture(params=BATCH)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    short = request.param
    if short != "vault":
        aws: Aws = request.getfixturevalue("aws")  # noqa: F811
        put = aws.put_parameter if short == "aws_ssm" else aws.put_secret
        start = "/billing/" if short == "aws_ssm" else "billing/"
        yield Store(short, aws.proxy, aws.kwargs(), lambda name, text: put(start + name, text))
        return
    bao: Bao = request.getfixturevalue("bao")  # noqa: F811
    mount = bao.mount()
    with Proxy(int(bao.url.rpartition(":")[2])) as proxy:
        url = {"url": f"http://127.0.0.1:{proxy.port}", "mount_point": mount}
        kwargs = {**url, **bao.approle(bao.reading(mount))}
        yield Store(short, proxy, kwargs, lambda name, text: bao.put(mount, name, {"value": text}))


def app_over(store: Store, home: Path, options: int, **environ: str) -> App:
    """An application whose option `k7` points at the config secret `s7`."""
    pointers = "".join(f"k{number}_secret = s{number}\n" for number in range(options))
    secrets = f"[secrets]\nbackend = {store.short}\nbackend_kwargs = {json.dumps(store.kwargs)}\n"
    (home / "billing.cfg").write_text(f"{secrets}[s]\n{pointers}")
    empty = {"PATH": os.environ["PATH"], "BILLING__DATABASE__SQL_ALCHEMY_CONN": ""}
    return App("billing", home=str(home), environ={**empty, **environ}, sensitive=["s.*"])


def configs(number: int) -> dict[str, str]:
    return {f"s{n}": f"value {n}" for n in range(number)}


def all_of(app: App, options: int) -> list[str]:
    return [app.conf.get("s", f"k{number}") for number in range(options)]


def test_a_hundred_options_cold_and_again(store: Store, tmp_path: Path) -> None:
    store.put("config", configs(100))
    app = app_over(store, tmp_path, 100)
    assert app.prefetch() == {}
    assert store.proxy.requests <= AT_MOST[store.short]
    assert store.values == 100 // BATCH[store.short]
    asked = store.proxy.requests
    assert all_of(app, 100) == list(configs(100).values())
    assert app.prefetch() == {}
    assert all_of(app, 100) == list(configs(100).values())
    assert store.proxy.requests == asked, "what is known is not asked again"
    assert app.stats()[0]["logins"] == 1


def test_what_others_have_costs_no_more(store: Store, tmp_path: Path) -> None:
    store.put("config", configs(90))
    app = app_over(store, tmp_path, 100, **{f"BILLING_SECRET_S{n}": f"value {n}" for n in range(90, 100)})
    assert app.prefetch() == {}
    assert all_of(app, 100) == list(configs(100).values())
    assert store.proxy.requests <= AT_MOST[store.short]
    assert (store.logins, app.stats()[0]["logins"]) == (store.short == "vault", 1)


def test_five_hundred_options(store: Store, tmp_path: Path) -> None:
    store.put("config", configs(500))
    app = app_over(store, tmp_path, 500)
    assert app.prefetch() == {}
    assert all_of(app, 500) == list(configs(500).values())
    assert store.values == 500 // BATCH[store.short]
    assert store.proxy.connections <= 64, "a connection is used again"


def test_many_options_by_get_alone(store: Store, tmp_path: Path) -> None:
    """Without `prefetch` each costs a request, by one client."""
    store.put("config", configs(20))
    app = app_over(store, tmp_path, 20)
    for _ in range(2):
        assert all_of(app, 20) == list(configs(20).values())
    assert store.values == 20
    assert (store.logins, app.stats()[0]["logins"]) == (store.short == "vault", 1)


def test_a_thousand_reads_of_fifty_secrets_by_32_threads_cold(store: Store, tmp_path: Path) -> None:
    """Options and variables mixed, and nothing built before: not even the chain."""
    store.put("config", configs(25))
    store.put("variables", {f"v{n}": f"variable {n}" for n in range(25)})
    app = app_over(store, tmp_path, 25)
    start, wrong, read = threading.Barrier(32), list[Any](), list[int]()

    def work(first: int) -> None:
        start.wait()
        try:
            for number in range(first, first + 32):
                number %= 50
                value = app.get_variable(f"v{number - 25}") if number >= 25 else app.conf.get("s", f"k{number}")
                if value != (f"variable {number - 25}" if number >= 25 else f"value {number}"):
                    wrong.append(value)
                read.append(number)
        except Exception as fault:
            wrong.append(fault)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 64, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    assert wrong == []
    assert (len(read), set(read)) == (1024, set(range(50)))
    assert store.values == 50
    assert (store.logins, app.stats()[0]["logins"]) == (store.short == "vault", 1)


def test_threads_that_start_together_share_one_chain(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("variables", {"x": "1"})
    app, build, together = app_over(store, tmp_path, 0), wiring.build_chain, threading.Barrier(8)

    def at_once(app: App) -> Any:
        together.wait(GUARD)
        return build(app)

    monkeypatch.setattr(wiring, "build_chain", at_once)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: app.get_variable("x"), range(8))) == ["1"] * 8
    assert (store.values, app.stats()[0]["logins"]) == (1, 1)


def test_a_process_has_one_client_and_one_login(store: Store, tmp_path: Path) -> None:
    store.put("config", configs(40))
    store.put("variables", {"x": "1", "y": "2"})
    app = app_over(store, tmp_path, 40)
    assert app.prefetch() == {}
    assert app.get_variable("x") == "1"
    before, logins = store.proxy.requests, store.logins
    found = in_a_child(lambda: [app.conf.get("s", "k7"), app.get_variable("x"), app.get_variable("y")])
    assert found == ["value 7", "1", "2"]
    assert store.logins == 2 * logins, "the child logs in once, for itself"
    assert store.proxy.requests == before + logins + 1, "and asks only for what was not known before the fork"
    assert app.get_variable("y") == "2"
    assert store.logins == 2 * logins
