"""What backends of other machines have in common, so that each one writes only what is its own.

`RemoteBackend` serves any of them, `RemoteStore` those that store texts under names.
"""

from __future__ import annotations

from framework import given
from framework.backends.base import TeamsBackend, read_each
from framework.backends.faults import unavailable
from framework.backends.named import StoreBackend
from framework.backends.quiet import Quietly
from framework.backends.session import OnePerProcess
from framework.backends.signature import NoSettings, WholeSignature
from framework.errors import BackendError, FrameworkError, InvalidSecret, SecretsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    from framework.backends.faults import Fault

    Result = TypeVar("Result")

#: How many names that a batch left out are asked for at once.
_SIDE_BY_SIDE = 4


class RemoteBackend(TeamsBackend):
    """A backend of another machine, over a client library.

    A subclass fills in the attributes and writes `open` and `code_of`; its lookups call `ask`. The library is imported
    when it is first needed, and its log records are dropped. Each process has one client. An expired login is renewed
    once. Exceptions become our errors.

    Attributes:
        store: the name of the store in messages.
        packages: the modules that must be there, and the name of each for pip: `{"hvac": "hvac"}`.
        extra: the extra of this package that installs them; empty: they are named one by one.
        quiet: the packages whose log records are dropped during a call.
        expired: the codes after which a new client is opened and the question asked once more.
        acts: name of an action -> its wording in messages and the permission that it needs, for `{doing}` and
            `{right}`.
        faults: code -> the error, its text and its hint, see `backends.faults`. None: the secret does not exist. The
            empty code stands for all others. Both texts may hold `{code}`, `{doing}` and `{right}`.
        settings: a class whose annotated attributes are further kwargs and their defaults, for a backend that only
            passes them on; see `settings_of`.
        logins: how often this process has logged in.
    """

    __signature__ = WholeSignature()

    store: str = ""
    packages: Mapping[str, str] = {}
    extra: str = ""
    quiet: tuple[str, ...] = ()
    expired: Iterable[str] = ()
    acts: Mapping[str, tuple[str, str]] = {"read": ("reading it", ""), "list": ("listing the secrets", "")}
    faults: Mapping[str, Fault | None] = {}
    settings: type[Any] = NoSettings

    def __init__(self) -> None:
        self.logins = 0
        self._clients = OnePerProcess(self._opened)

    def open(self) -> Any:
        """A client that has logged in, or logs in by itself. See `not_opened` for what it raises."""
        raise NotImplementedError

    def code_of(self, fault: Exception) -> str | tuple[str, str]:
        """The store's own code for an exception, a key of `faults`; with a second text, messages show that one."""
        raise NotImplementedError

    def settings_of(self, kwargs: Mapping[str, object]) -> dict[str, Any]:
        """All of `settings` by name, given or default.

        Raises:
            TypeError: a kwarg is unknown.
            InvalidArgument: one that must be text, or a number of seconds, is not.
        """
        known = self.settings.__annotations__
        if unknown := [name for name in kwargs if name not in known]:
            raise TypeError(f"{type(self).__name__} takes no argument {unknown[0]!r}")
        for name, value in kwargs.items():
            kind = str(known[name]).partition(" | None")[0]
            if kind == "str":
                given.optional(given.text, value, name)
            elif kind == "float":
                given.optional(given.seconds, value, name)
        return {name: kwargs.get(name, getattr(self.settings, name)) for name in known}

    def who(self, client: Any) -> str | None:
        """Who asks the store, as far as the kwargs do not say it; None: it is not known. See `identity`.

        It may raise what the library raises; see `faults`.
        """
        return None

    def identity(self) -> str | None:
        return self.ask(self.who)

    def not_opened(self, fault: Exception) -> FrameworkError:
        """The error for an exception in `open`."""
        return self.misconfigured(f"the client cannot be built ({type(fault).__name__})", "Check backend_kwargs.")

    def connection(self, conn_id: str) -> Any:
        """A connection to log in with, or None: of the application, or inside Airflow of Airflow's own class."""
        find: Any = self.find_connection
        if find is None:
            connection_class = self._get_connection_class()
            find = getattr(connection_class, "get_connection_from_secrets", None) or connection_class.get
        try:
            return find(conn_id)
        except Exception as fault:
            if type(fault).__name__ not in ("ConnectionNotFound", "AirflowNotFoundException"):
                raise
        return None

    def misconfigured(self, what: str, hint: str = "Correct it in backend_kwargs.") -> BackendError:
        """The error for kwargs of this backend."""
        return BackendError(what, where=self.store, hint=hint)

    def is_expired(self, fault: Exception) -> bool:
        """Whether a new login may help."""
        code = self.code_of(fault)
        return (code if isinstance(code, str) else code[0]) in self.expired

    def where(self, name: str = "", version: str | None = None) -> str:
        """The place in the store, for messages; without a name, the place of the list."""
        return f"{self.store}: {name or 'the list of secrets'}" + (f", version {version}" if version else "")

    def ask(
        self, question: Callable[[Any], Result], name: str = "", version: str | None = None, act: str = "read"
    ) -> Result | None:
        """The answer of the store; None if the secret does not exist. It is asked once more after an expired login.

        Args:
            question: called with the client.
            name, version: for messages, see `where`.
            act: a key of `acts`.

        Raises:
            AccessDenied, BackendUnavailable, InvalidSecret: see `faults`.
            BackendError: the library is not installed, or the kwargs are wrong.
        """
        answer, fault = self._answer(question)
        failure = None if fault is None else self.failure(fault, self.where(name, version), act)
        del fault  # its text and its frames may hold secrets
        if failure is not None:
            raise failure
        return answer

    def failure(self, fault: Exception, where: str, act: str = "read") -> SecretsError | None:
        """The error for an exception of the library; None: the secret does not exist."""
        found = self.code_of(fault)
        code, shown = (found, found) if isinstance(found, str) else found
        return None if self.faults.get(code, ()) is None else self.failed(code, shown, where, act)

    def failed(self, code: str, shown: str, where: str, act: str = "read") -> SecretsError:
        """The error for a code of `faults`, which messages show as `shown`."""
        error, what, hint = self.faults.get(code) or self.faults.get("") or unavailable()
        doing, right = self.acts[act]
        for word, text in (("{doing}", doing), ("{right}", right), ("{code}", shown)):
            what, hint = what.replace(word, text), hint.replace(word, text)
        return error(what, where=where, hint=hint)

    def _answer(self, question: Callable[[Any], Result]) -> tuple[Result | None, Exception | None]:
        with Quietly(*self.quiet):
            return self._clients.ask(question, self.is_expired)

    def _opened(self) -> Any:
        import_packages(self.packages, self.extra, self.store)
        try:
            with Quietly(*self.quiet):
                return self.open()
        except FrameworkError:
            raise
        except Exception as fault:
            failure = self.not_opened(fault)
        raise failure


class RemoteStore(RemoteBackend, StoreBackend):
    """A store of named texts on another machine.

    A subclass writes `open`, `code_of` and `fetch`; where the store can, also `fetch_many` and `names`. Names are
    checked before the store is asked, and bytes become text.

    Args:
        **names: the kwargs of `StoreBackend`.

    Attributes:
        name_rule: a regular expression for a whole name, and its characters in words. A secret with another name does
            not exist, and the store is not asked.
        version_rule: the same for versions, without the words.
        alone_up_to: up to this many names are asked for one by one, and not by a batch call.
    """

    name_rule: tuple[str, str] | None = None
    version_rule: str | None = None
    alone_up_to: int = 1

    def __init__(self, **names: Any) -> None:
        RemoteBackend.__init__(self)
        StoreBackend.__init__(self, **names)
        for kind, switch in self.switches.items():
            prefix = self.given_prefix(kind)
            if prefix and self.name_rule and not self.is_name(self.joined(prefix, "x")):
                what = f"{switch} and sep have characters that the name of a secret cannot have"
                raise self.misconfigured(what, f"Use {self.name_rule[1]}.")

    def fetch(self, client: Any, name: str, version: str | None) -> str | bytes | None:
        """The value of a secret, or None. It may raise what the library raises; see `faults`."""
        raise NotImplementedError

    def fetch_many(self, client: Any, names: list[str]) -> Mapping[str, str | bytes | SecretsError | None]:
        """Up to `batch_size` values by one call, or their errors; None: the secret does not exist.

        A name that is left out is asked for alone.
        """
        raise NotImplementedError

    def names(self, client: Any, start: str) -> Iterable[str]:
        """The names in the store that begin with `start`; others are ignored."""
        raise NotImplementedError

    def is_name(self, name: str) -> bool:
        """Whether a secret can have this name."""
        return self.name_rule is None or _matches(self.name_rule[0], name)

    def is_version(self, version: str) -> bool:
        """Whether a version can have this name."""
        return self.version_rule is None or _matches(self.version_rule, version)

    def name_of(self, kind: str, secret_id: str, team: str | None = None) -> str | None:
        name = super().name_of(kind, secret_id, team)
        return name if name is not None and self.is_name(name) else None

    def read(self, name: str, version: str | None = None) -> str | None:
        if not self.is_name(name) or (version is not None and not self.is_version(version)):
            return None
        found = self._text(self.ask(lambda client: self.fetch(client, name, version), name, version), name, version)
        if isinstance(found, SecretsError):
            raise found
        return found

    def read_many(self, names: list[str]) -> Mapping[str, str | SecretsError]:
        if self.batch_size == 1:
            return read_each(self.read, names)
        names = [name for name in names if self.is_name(name)]
        found: dict[str, str | SecretsError | None] = {}
        for start in range(0, len(names), self.batch_size or len(names) or 1):
            found |= self._batch(names[start:][: self.batch_size])
        alone = read_side_by_side(self.read, [name for name in names if name not in found])
        return {**{name: value for name, value in found.items() if value is not None}, **alone}

    def names_below(self, start: str) -> Iterable[str]:
        return self.ask(lambda client: list(self.names(client, start)), act="list") or []

    def _batch(self, names: list[str]) -> Mapping[str, str | SecretsError | None]:
        """The answer of one call, or its failure for each name; few names are left to `read`."""
        if len(names) <= self.alone_up_to:
            return {}
        try:
            answer, fault = self._answer(lambda client: self.fetch_many(client, names))
        except SecretsError as failure:
            return {name: failure.again() for name in names}
        if fault is None:
            return {name: self._text(value, name) for name, value in (answer or {}).items() if name in names}
        failures = {name: self.failure(fault, self.where(name)) for name in names}
        return {name: failure for name, failure in failures.items() if failure is not None}

    def _text(
        self, value: str | bytes | SecretsError | None, name: str, version: str | None = None
    ) -> str | SecretsError | None:
        """The value, with bytes as text; an error if they are not text."""
        try:
            return value.decode("utf-8") if isinstance(value, bytes) else value
        except UnicodeDecodeError:
            hint = "Store text; encode bytes, as base64 for example."
            return InvalidSecret("the value is not UTF-8 text", where=self.where(name, version), hint=hint)


def read_side_by_side(read: Callable[[str], str | None], names: list[str]) -> dict[str, str | SecretsError]:
    """What `read_each` returns, by a few calls at once."""
    workers = min(_SIDE_BY_SIDE, len(names))
    if workers < 2:
        return read_each(read, names)
    from contextvars import copy_context
    from threading import Thread

    found: dict[str, str | SecretsError] = {}
    faults: list[BaseException] = []

    def read_some(some: list[str]) -> None:
        try:
            found.update(read_each(read, some))
        except BaseException as fault:  # raised again in the caller's thread
            faults.append(fault)

    contexts = [copy_context() for _ in range(workers)]
    threads = [
        Thread(target=context.run, args=(read_some, names[start::workers]), daemon=True)
        for start, context in enumerate(contexts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults.pop()
    return found


def _matches(rule: str, text: str) -> bool:
    import re

    return re.fullmatch(rule, text) is not None


def import_packages(packages: Mapping[str, str], extra: str, store: str) -> None:
    """Import the modules of a client library. Raises BackendError that says what to install."""
    from importlib import import_module

    for module, package in packages.items():
        try:
            import_module(module)
            continue
        except ImportError:
            pass  # an error raised here would carry it as its context
        what = f"the package {package} is not installed"
        wanted = f"'framework[{extra}]'" if extra else package
        raise BackendError(what, where=store, hint=f"Run pip install {wanted}.")
