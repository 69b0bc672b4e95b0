"""One backend at its place in the chain: how it is built, asked, and its failures told apart."""

from __future__ import annotations

from framework.backends.base import KINDS, BaseSecretsBackend
from framework.chain.cache import Cache
from framework.chain.deadline import Threads
from framework.chain.level import CUSTOM, AtWork
from framework.chain.runner import Outage, outcome_of
from framework.chain.translate import checked, translated
from framework.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    FrameworkError,
    NotFound,
    OptionNotFound,
    SecretsError,
)
from framework.locks import ProcessLock
from framework.logs import Logins
from framework.masking import REPLACEMENT
from framework.masking.wording import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    from framework.chain.runner import Runner

    VersionedName = tuple[str, str | None]  # a config secret's name and version


class Link:
    """One backend at its place in the chain, built when it is first asked.

    Attributes:
        name: what messages and `config_links` call it.
        level: what it leans on: the levels below this number.
        role: `CUSTOM`, `ENVIRONMENT` or `METASTORE`.
        chain: the chain that it is a link of, or None.
        cache: what a remote backend said, and how often it was asked.
        unserved: the kinds of which the backend, when it was asked, said that it does not serve them.

    Args:
        make: makes the backend.
        find: finds its class, which tells what it is like before it is made.
        seconds: how long a question to it may take, `[secrets] resolve_timeout_seconds`.
    """

    def __init__(
        self,
        name: str,
        level: int,
        make: Callable[[], Any],
        *,
        find: Callable[[], Any] | None = None,
        role: str = CUSTOM,
        cache: Cache | None = None,
        seconds: Callable[[], float] = lambda: 30.0,
    ) -> None:
        self.name, self.level, self.role = name, level, role
        self.chain: object = None
        self.cache = Cache() if cache is None else cache
        self.unserved: set[str] = set()
        self._make: Callable[[], Any] = make
        self._find, self._class = find, None
        self._backend: Any = None
        self._filters_names = False  # whether the backend has a say in what its store is asked for
        self._lock, self._logins = ProcessLock(), Logins()
        self._seconds, self._threads = seconds, Threads()

    @property
    def backend(self) -> Any:
        """The backend, built on first use.

        Raises:
            BackendError: it cannot be built; the next use tries again.
            BackendUnavailable: it was not built in time.
        """
        if self._backend is None:
            self.in_time(self._build)
        return self._backend

    def _build(self) -> None:
        with self._lock, AtWork(self.chain, self.level):
            if self._backend is None:
                made = self._make()
                self._filters_names = getattr(type(made), "asks_for", None) not in (None, BaseSecretsBackend.asks_for)
                self._backend = made

    def in_time(self, question: Callable[[], Any], late: Callable[[Any], None] | None = None) -> Any:
        """What a question comes to, or how it fails; of a link that may hang, under a deadline.

        Args:
            late: is given an answer that comes too late.

        Raises:
            BackendUnavailable: there was no answer in time.
        """
        try:
            return self._threads.ask(self.name, self._seconds(), question, late) if self.may_hang else question()
        finally:
            if self.custom:
                self._logins.tell(self.name, self._backend)

    @property
    def custom(self) -> bool:
        """Whether it is one of the application's own backends."""
        return self.role == CUSTOM

    @property
    def may_hang(self) -> bool:
        """Whether asking may take long: it is another machine, or nobody knows what. Else a thread is saved."""
        if self._backend is None and self._find is None:
            return self.custom
        try:
            like = self._backend_or_class()
        except FrameworkError:  # there is no such class, and nobody will be asked
            return False
        return bool(getattr(like, "may_hang", getattr(like, "remote", True)))

    def _backend_or_class(self) -> Any:
        """The backend, or its class while the backend is not made: what it is like, either says."""
        if self._backend is not None or self._find is None:
            return self.backend
        if self._class is None:
            self._class = self._find()
        return self._class

    @property
    def is_remote(self) -> bool:
        """Whether asking costs a call to another machine, whose answers are worth keeping."""
        return self.custom and bool(getattr(self._backend_or_class(), "remote", True))

    @property
    def keeps_versions(self) -> bool:
        """Whether it can be asked for a version of a config secret."""
        like = self._backend_or_class()
        return hasattr(like, "get_config_version") and bool(getattr(like, "keeps_versions", True))

    def asks_for(self, kind: str, key: str) -> bool:
        """Whether the backend would put this question to its store at all. Raises: as `ask`."""
        backend = self.backend
        return not self._filters_names or bool(self.guard(kind, key, lambda: backend.asks_for(kind, key)))

    def serves(self, kind: str) -> bool:
        """Whether the backend has a method of its own for this kind, and has not said that it does not serve it."""
        backend_class = type(self.backend)
        methods = (_METHODS[kind], "get_conn_value") if kind == "connection" else (_METHODS[kind],)
        own = [getattr(backend_class, method, None) for method in methods]
        inherited = [None, *(getattr(BaseSecretsBackend, method) for method in methods)]
        return kind not in self.unserved and any(method not in inherited for method in own)

    def ask(self, kind: str, key: str, version: str | None = None, outage: Outage | None = None) -> Any:
        """The backend's value, or None: absent, or a kind that it does not serve. Remote ones are asked once a while.

        Args:
            outage: knows how other questions of the same time ended.

        Raises:
            SecretsError: denied, unavailable or invalid, with the link's name and the key.
        """
        if self._backend is None:
            self.guard(kind, key, lambda: self.backend)  # under a deadline of its own
        if self._filters_names and not self.asks_for(kind, key):
            return None

        def look_up() -> Any:
            method = getattr(self.backend, _METHODS[kind], None)
            if method is None and kind == "connection":  # a class of nobody's that has the text alone
                method = getattr(self.backend, "get_conn_value", None)
            if method is None:
                raise NotImplementedError
            return checked(kind, key, method(key) if version is None else self._version(key, version))

        def guarded() -> Any:
            late = (lambda value: self.cache.add((kind, key, version), value)) if self.custom else None
            return self.guard(kind, key, lambda: self.in_time(look_up, late))

        if not self.custom:
            return guarded()
        if not self.is_remote:
            return self.cache.count((kind, key, version), guarded)

        def fetch() -> Any:
            if outage is None:
                return guarded()
            outcome = outage.over() or outcome_of(guarded)
            outage.note([outcome])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        value = self.cache.get((kind, key, version), fetch)
        if kind != "connection" or value is None:
            return value
        from copy import copy

        return copy(value)  # who changes a connection must not change everybody's

    def _version(self, key: str, version: str) -> Any:
        """One version of a config secret; None too from a backend that keeps none, which says nothing of the others."""
        try:
            return self.backend.get_config_version(key, version)
        except NotImplementedError:
            return None

    def ask_many(self, wanted: list[VersionedName], runner: Runner) -> list[Any]:
        """What `ask` says to each config secret, or the error that it raises; in as few calls as the store has.

        Args:
            wanted: names and versions, each once.
            runner: makes the calls side by side.
        """
        if not self.is_remote:
            return [outcome_of(self._asking(wish)) for wish in wanted]
        outage = Outage(runner.workers)
        batches = self._batches(wanted)
        said: dict[VersionedName, Any] = {}
        answers = runner.run([self._asking_for(batch, outage) for batch in batches])
        for batch, answer in zip(batches, answers, strict=True):
            said.update(dict.fromkeys(batch, answer) if isinstance(answer, Exception) else answer)
        rest = [wish for wish in wanted if wish not in said]
        said.update(zip(rest, runner.run([self._asking(wish, outage) for wish in rest]), strict=True))
        return [self._located(wish[0], said[wish]) for wish in wanted]

    def calls_for(self, wanted: list[VersionedName]) -> int:
        """How many calls to the store that many config secrets are, if nothing goes wrong: a version is asked alone."""
        plain = sum(version is None for _, version in wanted)
        versions = len(wanted) - plain if self.keeps_versions else 0
        return -(-plain // self.batch_size(plain)) + versions

    def _batches(self, wanted: list[VersionedName]) -> list[list[VersionedName]]:
        """What can be asked for together: a version is asked for alone, and so is what needs no call."""
        plain = [wish for wish in wanted if wish[1] is None and not self.cache.peek(("config", *wish))[0]]
        plain = [wish for wish in plain if self.asks_for("config", wish[0])]
        size = self.batch_size(len(plain))
        starts = range(0, len(plain) if size > 1 else 0, size)
        return [batch for start in starts if len(batch := plain[start : start + size]) > 1]

    def batch_size(self, number: int) -> int:
        """How many of so many names one call takes: all of them unless the backend says how many, or has no batch."""
        like = self._backend_or_class()
        own = getattr(like if isinstance(like, type) else type(like), "get_many", None)
        size = 1 if own in (None, BaseSecretsBackend.get_many) else getattr(like, "batch_size", None)
        return max(1, number if size is None else int(size))

    def _asking(self, wish: VersionedName, outage: Outage | None = None) -> Callable[[], Any]:
        """The question for one config secret."""
        return lambda: self.ask("config", *wish, outage)

    def _asking_for(self, batch: list[VersionedName], outage: Outage) -> Callable[[], dict[VersionedName, Any]]:
        """The question for several: one call of the store's batch. Left out are those of which it can say nothing."""

        def fetch(keys: list[tuple[str, str, str | None]]) -> list[Any] | None:
            names = [name for _, name, _ in keys]
            over = outage.over()
            said = self._many(names) if over is None else over
            if said is None:
                return None
            outcomes = [self._located(name, said.get(name) if isinstance(said, dict) else said) for name in names]
            if over is None:
                outage.note(outcomes)
            return outcomes

        def ask() -> dict[VersionedName, Any]:
            said = self.cache.get_many([("config", *wish) for wish in batch], fetch)
            return {(name, version): outcome for (_, name, version), outcome in said.items()}

        return ask

    def _many(self, names: list[str]) -> dict[str, Any] | BaseException | None:
        """The backend's batch, or how it failed; None if it has none."""
        try:
            with AtWork(self.chain, self.level):
                return self.in_time(lambda: dict(self.backend.get_many("config", names)), self._late)  # type: ignore[no-any-return]
        except NotImplementedError:
            return None
        except _OF_THE_PROCESS:
            raise
        except BaseException as fault:
            return fault

    def _late(self, said: Any) -> None:
        """A batch that came too late: its values are kept, its failures are not."""
        for name, value in dict(said).items():
            if isinstance(value, str):
                self.cache.add(("config", name, None), value)

    def _located(self, name: str, outcome: Any) -> Any:
        """What a batch says of one name, a failure as if that name had been asked for alone."""
        if outcome is None or isinstance(outcome, str):
            return outcome

        def said() -> Any:
            if isinstance(outcome, SecretsError):
                raise outcome.again()
            if isinstance(outcome, BaseException):
                raise outcome
            return checked("config", name, outcome)

        return outcome_of(lambda: self.guard("config", name, said))

    def stats(self, unshown: Container[str] = ()) -> dict[str, Any]:
        """What this link was asked so far, for people who wonder why a start is slow.

        Args:
            unshown: names that must not be shown.
        """
        misses = sorted(
            ((REPLACEMENT if name in unshown else name, times) for name, times in self.cache.misses.items()),
            key=lambda item: -item[1],
        )[:5]
        return {
            "link": self.name,
            **self.cache.counts,
            "kept": len(self.cache),
            "logins": getattr(self._backend, "logins", None),
            "most missed": ", ".join(f"{name} ({times})" for name, times in misses),
        }

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind, none if the backend does not list them; raises as `names_if_listed` does."""
        return self.names_if_listed(kind) or []

    def names_if_listed(self, kind: str) -> list[str] | None:
        """The names of one kind, None if the backend does not list them.

        Who may read need not be allowed to list: a refusal here says nothing of reading.

        Raises:
            SecretsError: denied, unavailable or invalid, with the link's name.
        """

        def look_up() -> list[str] | None:
            method = getattr(self.backend, "list_names", None)
            try:
                return None if method is None else list(method(kind))
            except NotImplementedError:
                return None

        names: list[str] | None = self.guard(kind, None, lambda: self.in_time(look_up))
        return names

    def guard(self, kind: str, key: str | None, look_up: Callable[[], Any]) -> Any:
        """What the backend says of a name, or of all (None); every failure of it as a SecretsError.

        None where it does not serve the kind.
        """
        what = f"names of every {kind}" if key is None else f"{kind} {key!r}"
        where = f"{self.name}: {what}"
        failure: SecretsError
        try:
            with AtWork(self.chain, self.level):
                return look_up()
        except NotImplementedError:
            self.unserved.add(kind)
            return None
        except SecretsError as fault:
            failure = fault.again()  # a backend may raise one error object again and again
            if not fault.where.startswith(where):
                at = fault.where.removeprefix(what) if fault.where.startswith(what) else f" at {fault.where}"
                failure.where = where if fault.where in ("", self.name) else f"{where}{at}"
            if isinstance(fault, AccessDenied) and key is not None:
                failure.hint = f"{fault.hint} {self._how_to_stop_asking(kind, fault.hint)}".strip()
        except (NotFound, OptionNotFound) as fault:  # something else that it needs: nothing is said of this name
            failure = BackendUnavailable(f"it needs what is not there: {fault.what}", where=where, hint=fault.hint)
        except BackendError as fault:
            if self.custom and self._backend is not None and not fault.where.startswith(self.name):
                fault.where = f"{self.name}: {fault.where}".removesuffix(": ")  # a client that cannot be made
            raise
        except FrameworkError:
            raise
        except _OF_THE_PROCESS:
            raise
        except BaseException as fault:  # a backend must not end the process, nor have its words printed
            failure = translated(fault, where)
        raise failure  # behind the blocks, so without what was handled there

    def _how_to_stop_asking(self, kind: str, said: str) -> str:
        switch = getattr(self._backend, "switches", {}).get(kind)
        if switch is None or switch in said:
            return ""
        return f'To stop asking it, set "{switch}": null in its backend_kwargs.'

    @safe_repr
    def __repr__(self) -> str:
        return f"<Link {self.name}>"


_METHODS = {kind: f"get_{kind}" for kind in KINDS}


#: What may end more than a look-up.
_OF_THE_PROCESS = (KeyboardInterrupt, GeneratorExit)
