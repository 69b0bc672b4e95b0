"""Test doubles for applications: an isolated application, a backend in memory, a contract for every backend.

from framework.testing import isolated

def test_invoice():
    with isolated("billing", {("core", "port"): "1"}, variables={"vat": "19"}) as app:
        assert app.get_variable("vat") == "19"
"""

from __future__ import annotations

from unittest import SkipTest

from framework import current, given
from framework.app import App
from framework.backends.base import BaseSecretsBackend, read_each
from framework.chain.link import Link
from framework.errors import AccessDenied, BackendUnavailable, InvalidSecret, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from framework.connection import Connection


class MemoryBackend(BaseSecretsBackend):
    """A backend that answers from dictionaries, and fails on request.

    Args:
        connections: id -> URI, JSON text or Connection.
        variables, configs: name -> text.

    Attributes:
        failures: (kind, name) -> the error that a look-up raises.
        calls: every look-up so far, as (kind, name).
    """

    remote = False

    def __init__(
        self,
        connections: Mapping[str, str | Connection] | None = None,
        variables: Mapping[str, str] | None = None,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        self.values: dict[str, dict[str, Any]] = {
            "connection": dict(given.mapping(connections or {}, "connections")),
            "variable": dict(given.mapping(variables or {}, "variables")),
            "config": dict(given.mapping(configs or {}, "configs")),
        }
        self.failures: dict[tuple[str, str], SecretsError] = {}
        self.calls: list[tuple[str, str]] = []

    def _find(self, kind: str, name: str) -> Any:
        self.calls.append((kind, name))
        if (kind, name) in self.failures:
            raise self.failures[kind, name]
        return self.values[kind].get(name)

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        value = self._find("connection", conn_id)
        return self.deserialize_connection(conn_id, value) if isinstance(value, str) else value

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        value: str | None = self._find("variable", key)
        return value

    def get_config(self, key: str) -> str | None:
        value: str | None = self._find("config", key)
        return value

    def get_many(self, kind: str, names: Iterable[str]) -> Mapping[str, str | SecretsError]:
        return read_each(lambda name: self._find(kind, name), names)

    def list_names(self, kind: str) -> Iterable[str]:
        return list(self.values[kind])


class isolated:  # noqa: N801 - it reads as a verb: with isolated():
    """A block in which the current application sees nothing of this machine: no environment, no files, no database.

    Args:
        name: the application's name.
        options: options that are set.
        connections, variables, configs: what the first link of the chain, a `MemoryBackend`, holds.
        environ: the whole environment; empty by default.
        **more: further arguments of `App`, a schema for example.

    The block's value is the `App`; its `memory` is the backend.
    """

    def __init__(
        self,
        name: str = "framework",
        options: Mapping[tuple[str, str], Any] | None = None,
        *,
        connections: Mapping[str, str | Connection] | None = None,
        variables: Mapping[str, str] | None = None,
        configs: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        self._name, self._options = (
            name,
            {("database", "sql_alchemy_conn"): "", **given.options(options or {}, "options")},
        )
        self._memory = MemoryBackend(connections, variables, configs)
        self._environ, self._more = dict(given.mapping(environ or {}, "environ")), more

    def __enter__(self) -> IsolatedApp:
        self._app = IsolatedApp(
            self._name, self._memory, environ=self._environ, **{"home": "/nonexistent", **self._more}
        )
        self._override = self._app.conf.override(self._options)
        self._override.__enter__()
        self._before = current.use(self._app)
        return self._app

    def __exit__(self, *_: object) -> None:
        current.use(self._before)
        self._override.__exit__()


class IsolatedApp(App):
    """An application whose first link is a backend in memory, `memory`."""

    def __init__(self, name: str, memory: MemoryBackend, **more: Any) -> None:
        self.memory = memory
        super().__init__(name, **more)

    def custom_links(self) -> list[Link]:
        return [Link("memory", 1, lambda: self.memory), *super().custom_links()]


def require(fits: object, message: str) -> None:
    """An assertion that holds under `python -O` as well: `backend-test` runs the contract.

    Raises:
        AssertionError: it does not fit.
    """
    if not fits:
        raise AssertionError(message)


class ReadingContract:
    """What every backend must do, as far as reading can show it: `backend-test` runs it against live stores.

    Attributes:
        kinds: the kinds that the backend serves.
        absent: a name that does not exist.
    """

    kinds: tuple[str, ...] = ("connection", "variable", "config")
    absent = "framework-contract-absent"

    def backend(self) -> Any:
        """The backend under test."""
        raise AssertionError("define the backend: def backend(self)")

    def ask(self, backend: Any, kind: str, name: str) -> Any:
        return getattr(backend, f"get_{kind}")(name)

    def prepare(self) -> None:
        """Called before each of these tests."""

    def test_absent_is_none(self) -> None:
        self.prepare()
        for kind in self.kinds:
            value = self.ask(self.backend(), kind, self.absent)
            require(value is None, f"{kind}: absent must be None, and is {type(value).__name__}")

    def test_many_leaves_out_what_is_absent(self) -> None:
        self.prepare()
        for kind in self.kinds:
            try:
                many = self.backend().get_many(kind, [self.absent, f"{self.absent}-2"])
            except (AttributeError, NotImplementedError):
                raise SkipTest("it has no get_many") from None
            failed = [value for value in many.values() if isinstance(value, Exception)]
            if failed:
                raise failed[0]
            require(not many, f"{kind}: get_many must leave absent names out")

    def test_reads_what_it_lists(self) -> None:
        self.prepare()
        listed = 0
        for kind in self.kinds:
            try:
                names = list(self.backend().list_names(kind))
            except (AttributeError, NotImplementedError):
                raise SkipTest("it has no list_names") from None
            listed += len(names)
            values = [self.ask(self.backend(), kind, name) for name in names[:5]]  # some stores list what is deleted
            require(not values or any(value is not None for value in values), f"{kind}: what is listed has no value")
        if not listed:
            raise SkipTest("it lists nothing yet")


class BackendContract(ReadingContract):
    """What every backend must do. Inherit it in a test class and define how its store is filled.

        class TestMyBackend(BackendContract):
            def backend(self):
                return MyBackend(url=…)

            def put(self, kind, name, text):
                my_store.write(…)

            def in_trouble(self, trouble):
                if trouble == "down":
                    return MyBackend(url="http://127.0.0.1:9")

    Attributes:
        largest: how many characters a value may have, for a store that does not hold 64 KiB.
    """

    largest = 65_536

    def put(self, kind: str, name: str, text: str) -> None:
        """Store a text under a name of one kind."""
        raise AssertionError("define how the store is filled: def put(self, kind, name, text)")

    def prepare(self) -> None:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))

    def in_trouble(self, trouble: str) -> Any:
        """A backend over the store in this state; None if the store cannot be brought into it.

        The states are `denied`, `wrong credential`, `expired token`, `throttled`, `throttled for long`, `slow`,
        `too slow`, `cut`, `cut for long`, `down`, `sealed` and `binary`. The store has `stored_name` in each kind.
        For `binary` it must have the config secret `binary_name`, with bytes that are not text or without a text.
        """
        return None

    def failing(self) -> Iterable[tuple[Any, type[SecretsError]]]:
        """More backends over stores that fail, each with the error that it must raise."""
        return ()

    def sample(self, kind: str) -> str:
        return "postgres://user:pass@host:5432/db" if kind == "connection" else "a text, with = % $HOME and ü🔑"

    def test_gives_what_is_stored(self) -> None:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
            require(self._shown(kind, "stored_name") == self.sample(kind), f"{kind}: the value came back changed")

    def test_a_large_value_comes_whole(self) -> None:
        for kind in [kind for kind in self.kinds if kind != "connection"]:
            text = "ü🔑x" * (self.largest // 8)  # seven bytes each
            self.put(kind, "large_name", text)
            require(self._shown(kind, "large_name") == text, f"{kind}: the value came back changed")

    def test_a_connection_carries_its_id(self) -> None:
        if "connection" in self.kinds:
            self.put("connection", "stored_name", self.sample("connection"))
            require(self.ask(self.backend(), "connection", "stored_name").conn_id == "stored_name", "it has another id")

    def test_broken_connection_is_invalid(self) -> None:
        if "connection" in self.kinds:
            self.put("connection", "broken", "no-uri-and-no-json hunter2-canary")
            try:
                self.ask(self.backend(), "connection", "broken")
            except InvalidSecret as fault:
                require("hunter2-canary" not in str(fault), "the error shows the value")
            else:
                raise AssertionError("a text that is not a connection must raise InvalidSecret")

    def test_lists_what_is_stored(self) -> None:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
            try:
                names = list(self.backend().list_names(kind))
            except (AttributeError, NotImplementedError):
                raise SkipTest("it has no list_names") from None
            require("stored_name" in names, f"{kind}: list_names leaves it out")

    def test_many_at_once(self) -> None:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
            try:
                many = self.backend().get_many(kind, ["stored_name", "other_name"])
            except (AttributeError, NotImplementedError):
                raise SkipTest("it has no get_many") from None
            require(set(many) == {"stored_name"}, f"{kind}: get_many must leave absent names out")

    def test_failure_is_not_absence(self) -> None:
        for backend, error in self.failing():
            for kind in self.kinds:
                try:
                    value = self.ask(backend, kind, "stored_name")
                except (AccessDenied, BackendUnavailable, InvalidSecret) as fault:
                    require(isinstance(fault, error), f"{kind}: {type(fault).__name__} instead of {error.__name__}")
                else:
                    raise AssertionError(f"{kind}: a failing store answered {type(value).__name__} instead of raising")

    def test_repr_shows_no_value(self) -> None:
        for kind in self.kinds:
            self.put(kind, "stored_name", self.sample(kind))
            backend = self.backend()
            self.ask(backend, kind, "stored_name")
            require(self.sample(kind) not in repr(backend), f"{kind}: the repr shows the value")

    def test_denied(self) -> None:
        for kind in self.kinds:
            self._fails("denied", AccessDenied, kind)

    def test_wrong_credential(self) -> None:
        for kind in self.kinds:
            self._fails("wrong credential", AccessDenied, kind)

    def test_an_expired_token_is_replaced(self) -> None:
        self._works("expired token")

    def test_throttled_is_tried_again(self) -> None:
        self._works("throttled")

    def test_throttled_for_long(self) -> None:
        self._fails("throttled for long", BackendUnavailable)

    def test_slow_is_waited_for(self) -> None:
        self._works("slow")

    def test_too_slow(self) -> None:
        self._fails("too slow", BackendUnavailable)

    def test_a_cut_connection_is_tried_again(self) -> None:
        self._works("cut")

    def test_cut_for_long(self) -> None:
        self._fails("cut for long", BackendUnavailable)

    def test_down(self) -> None:
        for kind in self.kinds:
            self._fails("down", BackendUnavailable, kind)

    def test_sealed(self) -> None:
        self._fails("sealed", BackendUnavailable)

    def test_what_is_no_text_is_invalid(self) -> None:
        self._fails("binary", InvalidSecret, name="binary_name")

    def _shown(self, kind: str, name: str) -> Any:
        value = self.ask(self.backend(), kind, name)
        return value.get_uri() if kind == "connection" and value is not None else value

    def _troubled(self, trouble: str) -> Any:
        self.prepare()
        backend = self.in_trouble(trouble)
        if backend is None:
            raise SkipTest("the fixture cannot bring the store into this state")
        return backend

    def _works(self, trouble: str) -> None:
        kind = self.kinds[-1]
        value = self.ask(self._troubled(trouble), kind, "stored_name")
        shown = value.get_uri() if kind == "connection" and value is not None else value
        require(shown == self.sample(kind), f"{trouble}: another value came back")

    def _fails(self, trouble: str, error: type[SecretsError], kind: str = "", name: str = "stored_name") -> None:
        kind = kind or self.kinds[-1]
        backend = self._troubled(trouble)
        try:
            value = self.ask(backend, kind, name)
        except SecretsError as fault:
            require(isinstance(fault, error), f"{trouble}: {type(fault).__name__} instead of {error.__name__}")
            require(fault.__cause__ is None, f"{trouble}: the error has a cause, whose text may hold a secret")
            require(self.sample(kind) not in str(fault), f"{trouble}: the error shows the value")
        else:
            raise AssertionError(f"{trouble}: the answer was {type(value).__name__}, not {error.__name__}")
