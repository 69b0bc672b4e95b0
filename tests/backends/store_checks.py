"""What the tests of several stores ask of every one of them."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import threading
import time
import traceback
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from patience import GUARD

from framework import App, errors
from framework.backends import AIRFLOW_TWINS, build, find_class
from framework.chain import runner as parallel
from framework.chain.batches import ask_many
from framework.chain.link import Link
from framework.chain.runner import Runner
from framework.errors import FrameworkError
from framework.testing import BackendContract

Fault = TypeVar("Fault", bound=FrameworkError)

#: How long a child may take to come to life, in seconds.
_FORK = 60.0


def refused(error: type[Fault], ask: Callable[[], Any], *canaries: str) -> Fault:
    """The error that a look-up raises: of exactly this type, without a cause, and with no canary in any text of it."""
    with pytest.raises(error) as caught:
        ask()
    fault = caught.value
    assert type(fault) is error, type(fault)
    assert fault.__cause__ is None
    assert fault.__context__ is None
    shown = "".join(traceback.format_exception_only(fault))
    for canary in canaries:
        assert canary not in shown + repr(fault) + fault.what + fault.where + fault.hint
    assert fault.where, "the error says where"
    assert fault.hint, "the error says what to do"
    return fault


def by_threads(ask: Callable[[], Any], count: int = 32) -> list[Any]:
    """What as many threads get, all starting at once."""
    start, found = threading.Barrier(count), list[Any]()

    def run() -> None:
        start.wait()
        try:
            found.append(ask())
        except Exception as fault:
            found.append(fault)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    return found


def many(backend: Any, names: list[str], workers: int = 16) -> dict[str, Any]:
    """What the chain gets when it asks for config secrets at once: values and errors; absent ones are left out."""
    runner = Runner(workers, GUARD, lambda: TimeoutError("a call was late"))
    answer = ask_many(Link("store", 1, lambda: backend), [(name, None) for name in names], runner)
    return {name: outcome for name, outcome in zip(names, answer, strict=True) if outcome is not None}


def in_a_child(ask: Callable[[], Any]) -> Any:
    """What a forked child gets.

    The servers of gRPC's tests run in this process. While one is busy, gRPC's own fork handler may never return in the
    child, which then does not come to our code: another child is forked.
    """
    for _ in range(5):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b" ")
            try:
                found: Any = ask()
            except BaseException as fault:
                found = f"{type(fault).__name__}: {fault}"
            os.write(write, json.dumps(found).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as answer:
            has_begun = bool(select.select([answer], [], [], _FORK)[0])
            if not has_begun:
                os.kill(child, signal.SIGKILL)
            text = answer.read()
        os.waitpid(child, 0)
        if has_begun:
            return json.loads(text)
    raise AssertionError("no child came to life")


class StoreContract(BackendContract):
    """What every remote store of named texts does, over its own server.

    Attributes:
        short: its short name.
        module: a module of its client library, and `extra`, the extra that installs it.
        start, sep: names in the store begin so, and are joined so.
        odd_ids: ids that the store can hold; `bad_ids`: those that it cannot.
        tries: how often a read is tried of a store that is throttled for long; None: any number of times.
        keeps_separators: whether one at the end of a prefix stays.
        canaries: further texts of the server that must not be logged.
    """

    short = ""
    module = ""
    extra = ""
    start = ""
    sep = "/"
    odd_ids: tuple[str, ...] = ()
    bad_ids: tuple[str, ...] = ()
    tries: int | None = None
    keeps_separators = False
    canaries: tuple[str, ...] = ()

    def kwargs(self) -> dict[str, Any]:
        """How a backend reaches the server and logs in."""
        raise NotImplementedError

    def store_at(self, name: str, text: str) -> None:
        """Store a text under a whole name."""
        raise NotImplementedError

    def reads(self) -> int:
        """How many reads the server has seen so far."""
        raise NotImplementedError

    def lists(self) -> int:
        """How many pages of names the server has given so far."""
        raise NotImplementedError

    def in_the_child(self, backend: Any) -> None:
        """What a forked child does before it asks."""

    def backend(self, **more: Any) -> Any:
        return find_class(self.short, "here")(**{**self.kwargs(), **more})

    def name(self, kind: str, name: str, app: str = "airflow") -> str:
        folder = kind if kind == "config" else f"{kind}s"
        return self.start + self.sep.join((app, folder, name))

    def put(self, kind: str, name: str, text: str) -> None:
        self.store_at(self.name(kind, name), text)

    def test_null_and_a_pattern_stop_the_asking(self) -> None:
        self.put("variable", "SEC_x", "1")
        switches = self.backend().switches
        backend = self.backend(**dict.fromkeys(switches.values()))
        assert backend.get_connection("x") is backend.get_variable("SEC_x") is backend.get_config("x") is None
        assert backend.get_many("variable", ["SEC_x"]) == {}
        assert backend.list_names("variable") == []
        backend = self.backend(variables_lookup_pattern="sec_")
        assert backend.get_variable("other") is None
        assert self.reads() == 0
        assert backend.get_variable("SEC_x") == "1"

    def test_an_empty_prefix_is_the_bare_id_and_the_default_begins_with_the_application(self) -> None:
        self.store_at("bare", "1")
        self.store_at(self.name("variable", "vat", app="billing"), "2")
        switch = self.backend().switches["variable"]
        assert self.backend(**{switch: ""}).get_variable("bare") == "1"
        backend = self.backend()
        backend.bind("billing", "")
        assert backend.get_variable("vat") == "2"

    def test_connections_as_uri_as_json_and_by_a_map(self) -> None:
        self.put("connection", "uri", "postgres://me:pw@host:5/db")
        self.put("connection", "json", '{"conn_type": "postgres", "host": "host", "password": "pw"}')
        self.put("connection", "own", '{"username": "me", "endpoint": {"address": "host"}}')
        backend = self.backend()
        assert backend.get_connection("uri").port == 5
        assert backend.get_connection("json").password == "pw"
        assert backend.get_connection("gone") is None
        backend.connection_map = {"login": "username", "host": "endpoint.address", "conn_type": {"const": "postgres"}}
        own = backend.get_connection("own")
        assert (own.host, own.login, own.conn_type) == ("host", "me", "postgres")

    def test_prefixes_and_separators(self) -> None:
        switch, prefix = self.backend().switches["variable"], self.name("variable", "").removesuffix(self.sep)
        self.store_at(f"{self.start}own-x", "own")
        assert self.backend(**{switch: f"{self.start}own", "sep": "-"}).get_variable("x") == "own"
        for name in ("x", *self.odd_ids):
            self.put("variable", name, name)
            assert self.backend().get_variable(name) == name
        answer = self.backend(**{switch: prefix + self.sep}).get_variable("x")
        assert answer == (None if self.keeps_separators else "x")

    def test_names_that_the_store_cannot_hold_are_never_asked_for(self) -> None:
        if not self.bad_ids:
            pytest.skip("it can hold every name")
        backend = self.backend()
        for name in self.bad_ids:
            assert backend.get_variable(name) is None
            assert backend.get_many("variable", [name, name]) == {}
        assert self.backend(variables_prefix="").get_variable("") is None
        assert self.reads() == 0
        for switch in backend.switches.values():
            with pytest.raises(errors.BackendError, match=switch):
                self.backend(**{switch: "air/flow"})

    def test_texts_come_as_they_are(self) -> None:
        texts = {f"text{i}": text for i, text in enumerate(("", "a", "ü🔑\n", " ", "a\0b", "%s {x} $HOME", "{", "0"))}
        for name, text in texts.items():
            self.put("config", name, text)
        assert {name: self.backend().get_config(name) for name in texts} == texts
        assert self.backend().get_many("config", texts) == texts

    def test_lists_page_by_page(self) -> None:
        for number in range(7):
            self.put("variable", f"n{number}", "x")
        self.put("connection", "c", "x")
        self.store_at(f"{self.start}other{self.sep}{self.name('variable', 'n').removeprefix(self.start)}", "x")
        backend = self.backend()
        assert sorted(backend.list_names("variable")) == [f"n{number}" for number in range(7)]
        assert self.lists() > 1
        assert backend.list_names("connection") == ["c"]
        every = self.backend(**{backend.switches["config"]: ""}).list_names("config")
        assert {self.name("connection", "c"), self.name("variable", "n6")} < set(every)

    def test_throttled_for_long(self) -> None:
        super().test_throttled_for_long()
        assert self.tries in (None, self.reads())

    def test_one_client_for_all_threads(self) -> None:
        self.put("variable", "x", "here")
        backend, made = self.backend(), list[Any]()
        make = backend._clients._make

        def counted() -> Any:
            made.append(1)
            return make()

        backend._clients._make = counted
        assert by_threads(lambda: [backend.get_variable("x") for _ in range(3)]) == [["here"] * 3] * 32
        assert (len(made), backend.logins) == (1, 1)

    def test_a_child_has_its_own_client(self) -> None:
        self.put("variable", "x", "here")
        backend = self.backend()
        assert backend.get_variable("x") == "here"
        kept = backend._clients.get()

        def ask() -> Any:
            self.in_the_child(backend)
            return [backend.get_variable("x"), backend.get_variable("gone"), backend._clients.get() is kept]

        assert in_a_child(ask) == ["here", None, False]
        assert backend.get_variable("x") == "here"
        assert backend._clients.get() is kept

    def test_nothing_of_a_secret_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        self.put("variable", "stored_name", "canary-value")
        backend = self.backend()
        assert backend.get_variable("stored_name") == "canary-value"
        for trouble in ("denied", "wrong credential"):
            with pytest.raises(errors.AccessDenied):
                self.in_trouble(trouble).get_variable("stored_name")
        credentials = [text for text in self.kwargs().values() if isinstance(text, str) and "canary" in text]
        shown = repr(backend) + "".join(f"{record.__dict__} {record.getMessage()}" for record in caplog.records)
        for hidden in ("canary-value", b64encode(b"canary-value").decode(), *credentials, *self.canaries):
            assert hidden not in shown

    def test_without_the_package_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, self.module, None)
        message = str(refused(errors.BackendError, lambda: self.backend().get_variable("x")))
        assert "is not installed" in message
        assert f"pip install 'framework[{self.extra}]'" in message

    def test_an_airflow_cfg_moves_over_unchanged(self, tmp_path: Path) -> None:
        self.prepare()
        self.put("variable", "vat", "19")
        self.store_at(self.name("variable", "vat", app="billing"), "7")
        twin = next(path for path, short in AIRFLOW_TWINS.items() if short == self.short)
        for path, found in ((self.short, "7"), (twin, "19")):
            cfg = f"[secrets]\nbackend = {path}\nbackend_kwargs = {json.dumps(self.kwargs())}\n"
            (tmp_path / "billing.cfg").write_text(cfg)
            app = App("billing", home=str(tmp_path), environ={})
            assert type(build(app, "secrets")) is find_class(self.short, "here")
            assert app.get_variable("vat") == found
        switch = self.backend().switches["connection"]
        self.in_trouble("denied")
        with pytest.raises(errors.AccessDenied, match=switch):
            App("billing", home=str(tmp_path), environ={}).get_connection("stored_name")


class OneByOneContract(StoreContract):
    """Of a store without a call for several names."""

    def on_read(self, act: Callable[[str], None]) -> None:
        """Have the server call this with each name before it answers; what is raised is its answer."""
        raise NotImplementedError

    def denial(self) -> Exception:
        """What `on_read` may raise to deny a read."""
        raise NotImplementedError

    def check_connections(self) -> None:
        """Look at how the server was used."""

    def test_many_names_are_read_in_parallel(self) -> None:
        names = [f"n{number}" for number in range(100)]
        for name in names:
            self.put("config", name, name)
        at_once, most, lock = [0], [0], threading.Condition()

        def act(name: str) -> None:
            with lock:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
                lock.notify_all()
                lock.wait_for(lambda: most[0] >= 8, GUARD)
            time.sleep(0.02)  # more than may be would be seen
            with lock:
                at_once[0] -= 1
            if name.endswith("denied"):
                raise self.denial()

        backend = self.backend()
        assert backend.get_config("n0") == "n0"
        self.on_read(act)
        found = many(backend, [*names, "gone", "denied", "no name"])
        assert {name: found[name] for name in names} == dict(zip(names, names, strict=True))
        assert isinstance(found["denied"], errors.AccessDenied)
        assert set(found) == {*names, "denied"}
        assert (self.reads(), backend.logins) == (103, 1), "one request a name, one login"
        assert 8 <= most[0] <= 16
        assert backend.get_many("config", []) == {}
        self.check_connections()

    def test_many_names_of_a_store_that_is_down_cost_the_time_of_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parallel, "_A_WHILE", 0)
        found = many(self.in_trouble("down"), [f"n{number}" for number in range(100)])
        assert len(found) == 100
        spared = [fault for fault in found.values() if "it was not asked for" in str(fault)]
        assert len(spared) >= 100 - 31, "16 had failed, and 15 were under way"
        assert {type(fault) for fault in found.values()} == {errors.BackendUnavailable}
