"""One backend at its place in the chain: how it is built and asked, and what its failures mean."""

from __future__ import annotations

from math import inf
from time import monotonic

from framework.backends.base import KINDS, BaseSecretsBackend
from framework.chain.cache import Cache
from framework.chain.level import CUSTOM, ENVIRONMENT, AtWork, NotAtHand, only_at_hand
from framework.chain.runner import Outage, outcome_of
from framework.chain.translate import checked, for_caller, how_to_stop_asking, translated
from framework.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    FrameworkError,
    NotFound,
    OptionNotFound,
    SecretsError,
    warn,
)
from framework.lifetime import Preferred, at_exit
from framework.locks import ProcessLock
from framework.logs import Logins
from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from framework.chain.cache import Ask, Key
    from framework.chain.deadline import Threads
    from framework.chain.shared import SharedCache

    Result = TypeVar("Result")

#: Exceptions that may end more than one look-up.
OF_THE_PROCESS = (KeyboardInterrupt, GeneratorExit)

#: After how many seconds a backend that could not say who asks is asked for it again.
_ASK_WHO_AGAIN = 30.0

_METHODS = {kind: f"get_{kind}" for kind in KINDS}


class Link:
    """One backend at its place in the chain, built when it is first asked.

    Attributes:
        name: its name in messages and in `config_links`.
        level: its place in the build order; it may use only links with a lower level.
        role: `CUSTOM`, `ENVIRONMENT` or `METASTORE`.
        chain: the chain that it is a link of, or None.
        cache: the answers of a remote backend, and how often it was asked.
        unserved: the kinds that the backend refused with NotImplementedError.

    Args:
        make: makes the backend.
        find: finds its class, which carries the same attributes, before it is made.
        seconds: how long a question to it may take, `[secrets] resolve_timeout_seconds`.
        share: makes the shared cache of a remote backend, given its identity; see `shared_cache`.
    """

    def __init__(
        self,
        name: str,
        level: int,
        make: Callable[[], object],
        *,
        find: Callable[[], object] | None = None,
        role: str = CUSTOM,
        cache: Cache | None = None,
        seconds: Callable[[], float] = lambda: 30.0,
        share: Callable[[str], SharedCache] | None = None,
    ) -> None:
        self.name, self.level, self.role = name, level, role
        self.chain: object = None
        self.cache = Cache() if cache is None else cache
        self.unserved: set[str] = set()
        self._make = make
        self._find = find
        self._class: object = None
        self._backend: Any = None
        self._filters_names = False  # whether the backend has an `asks_for` of its own
        self._lock, self._logins = ProcessLock(), Logins()
        self._seconds = seconds
        self._all_threads: list[Threads] = []  # one, once it is needed
        self._share, self._sharing = share, ProcessLock()
        self._shared: tuple[object, SharedCache | None, float] = (None, None, 0.0)  # of a backend, until when
        self.cache.is_shared = share is not None

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

    @property
    def built(self) -> object:
        """The backend if it was built, else None."""
        return self._backend

    def _build(self) -> None:
        with self._lock, AtWork(self.chain, self.level):
            if self._backend is None:
                made = self._make()
                self._filters_names = getattr(type(made), "asks_for", None) not in (None, BaseSecretsBackend.asks_for)
                self._backend = made

    def renew(self) -> None:
        """Build the backend again when it is next asked, because what it is built from has changed."""
        with self._lock:
            self._backend = None

    def in_time(self, question: Callable[[], Result], late: Callable[[Result], None] | None = None) -> Result:
        """What a question returns or raises; under a deadline if the link may hang.

        Args:
            late: called with an answer that comes after the deadline.

        Raises:
            BackendUnavailable: there was no answer in time.
        """
        try:
            return self._threads.ask(self.name, self._seconds(), question, late) if self.may_hang else question()
        finally:
            if self.custom:
                self._logins.log_new(self.name, self._backend)
                at_exit.handle_signal()

    @property
    def _threads(self) -> Threads:
        """Makes the calls that may hang."""
        if not self._all_threads:
            from framework.chain.deadline import Threads

            self._all_threads.append(Threads())
        return self._all_threads[0]  # callers share the first one

    @property
    def custom(self) -> bool:
        """Whether it is one of the application's own backends."""
        return self.role == CUSTOM

    @property
    def may_hang(self) -> bool:
        """Whether a question may take long and needs a deadline: it goes to another machine, or to unknown code."""
        if self._backend is None and self._find is None:
            return self.custom
        try:
            backend = self.backend_or_class()
        except FrameworkError:  # the class does not exist, so it is never asked
            return False
        return bool(getattr(backend, "may_hang", getattr(backend, "remote", True)))

    def backend_or_class(self) -> object:
        """The backend if built, else its class; both carry the attributes."""
        if self._backend is not None or self._find is None:
            return self.backend
        if self._class is None:
            self._class = self._find()
        return self._class

    @property
    def is_remote(self) -> bool:
        """Whether a question costs a call to another machine, so that its answers are kept."""
        return self.custom and bool(getattr(self.backend_or_class(), "remote", True))

    @property
    def keeps_versions(self) -> bool:
        """Whether it can be asked for a version of a config secret."""
        backend = self.backend_or_class()
        return hasattr(backend, "get_config_version") and bool(getattr(backend, "keeps_versions", True))

    def asks_for(self, kind: str, key: str) -> bool:
        """Whether the backend would ask its store for this name at all. Raises: as `ask`."""
        backend = self.backend
        return not self._filters_names or bool(self.guard(kind, key, lambda: backend.asks_for(kind, key)))

    def serves(self, kind: str) -> bool:
        """Whether the backend has a method of its own for this kind that did not raise NotImplementedError."""
        backend_class = type(self.backend)
        methods = (_METHODS[kind], "get_conn_value") if kind == "connection" else (_METHODS[kind],)
        own = [getattr(backend_class, method, None) for method in methods]
        inherited = [None, *(getattr(BaseSecretsBackend, method) for method in methods)]
        return kind not in self.unserved and any(method not in inherited for method in own)

    def ask(
        self,
        kind: str,
        key: str,
        version: str | None = None,
        outage: Outage | None = None,
        since: float | None = None,
    ) -> Any:
        """The backend's value, or None: absent, or a kind that it does not serve. Answers of remote ones are kept.

        The secrets of a connection, and a variable with the name of a secret, are masked from now on.

        Args:
            outage: knows how other questions of the same time ended.
            since: on the monotonic clock: an answer counts only if it was asked for after that. None: as long as it is
                kept.

        Raises:
            SecretsError: denied, unavailable or invalid, with the link's name and the key.
        """
        is_environment = self.role == ENVIRONMENT
        kept = None if is_environment else self.cache.kept((kind, key, version), since)
        if kept is not None:
            return for_caller(kind, key, kept[0])
        at_hand_only = not is_environment and only_at_hand.get()
        if self._backend is None:
            if at_hand_only:
                raise NotAtHand
            self.guard(kind, key, lambda: self.backend)  # under a deadline of its own
        if self._filters_names and not self.asks_for(kind, key):
            return None
        if at_hand_only and self.serves(kind):
            raise NotAtHand
        return for_caller(kind, key, self._answer(kind, key, version, outage, since))

    def _answer(self, kind: str, key: str, version: str | None, outage: Outage | None, since: float | None) -> object:
        """The backend's answer, kept if it is remote."""

        def look_up() -> object:
            # A replica may be behind, so that its answers are not of now.
            other = "replica_last" if isinstance(since, Preferred) else "without_replica"
            backend = self.backend if since is None else getattr(self.backend, other, self.backend)
            method = getattr(backend, _METHODS[kind], None)
            if method is None and kind == "connection":  # a class that is not ours may have the text alone
                method = getattr(self.backend, "get_conn_value", None)
            if method is None:
                raise NotImplementedError
            if since is not None and (ask_anew := getattr(self.backend, "ask_anew", None)) is not None:
                ask_anew(kind, key)
            return checked(kind, key, method(key) if version is None else self._version(kind, key, version))

        if self.role == ENVIRONMENT:
            return self.guard(kind, key, look_up)

        def guarded() -> object:
            asked = monotonic()
            late = (lambda value: self.cache.add((kind, key, version), value, asked)) if self.custom else None
            return self.guard(kind, key, lambda: self.in_time(look_up, late))

        def fetch() -> object:
            if outage is None:
                return guarded()
            refusal = outage.over()
            outcome = outcome_of(guarded) if refusal is None else refusal
            outage.note([outcome])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        if not self.custom:
            return guarded()
        if not self.is_remote:
            return self.cache.count((kind, key, version), guarded)
        if self._share is None:
            return self.cache.get((kind, key, version), fetch, since)
        return self.cache.get((kind, key, version), fetch, since, self.through(since))

    def through(self, since: float | None) -> Callable[[list[Key], Ask], list[object] | None]:
        """Asks by way of the shared cache, if there is one."""

        def asked(keys: list[Key], ask: Ask) -> list[object] | None:
            shared = self.shared_cache()
            return ask(keys) if shared is None else shared.get_many(keys, ask, since)

        return asked

    def shared_cache(self) -> SharedCache | None:
        """The cache that the link shares with other processes of the same identity; None: it shares nothing.

        Raises:
            BackendError: its options are wrong.
        """
        if self._share is None or not self.is_remote or not getattr(self.backend_or_class(), "shares", True):
            return None
        backend = self.backend
        with self._sharing:
            before, shared, until = self._shared
            if before is not backend or monotonic() >= until:
                until = inf
                try:
                    who = self.identity()
                except FrameworkError as fault:  # the store may say the same, or answer
                    who, until = None, monotonic() + _ASK_WHO_AGAIN
                    warn(f"{self.name}: the principal that asks the store is unknown, so nothing is shared: {fault}")
                shared = None if who is None else self._share(who)
                self._shared = backend, shared, until
        return shared

    @property
    def sharing_counts(self) -> dict[str, object]:
        """How the server of the shared cache answered last, how often it was asked, and how that ended."""
        if self._share is None:
            return {}
        backend, shared, _ = self._shared
        state = shared.state if shared is not None else "not asked" if backend is None else "not shared"
        counts = {"hits": 0, "misses": 0, "faults": 0} if shared is None else shared.counts
        return {"cache server": state, **{f"shared {name}": number for name, number in counts.items()}}

    def identity(self) -> str | None:
        """The store and who asks it, None if the backend cannot say. Raises: what the backend raises."""
        find = getattr(self._backend, "identity", None)
        made_from = getattr(self._backend, "made_from", None)
        who = None if find is None or made_from is None else self.guard("config", None, lambda: self.in_time(find))
        if who is None:
            name = type(self._backend).__name__
            warn(f"{self.name}: nothing is shared, because {name} does not name its principal; see its `identity`")
        return None if who is None or made_from is None else f"{made_from()}\n{who}"

    def _version(self, kind: str, key: str, version: str) -> object:
        """One version of a name; None from a backend without versions, which may still have the name."""
        try:
            return getattr(self.backend, f"get_{kind}_version")(key, version)
        except NotImplementedError:
            return None

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind, none if the backend does not list them; raises as `names_if_listed` does."""
        return self.names_if_listed(kind) or []

    def names_if_listed(self, kind: str) -> list[str] | None:
        """The names of one kind, None if the backend does not list them.

        A store may allow reading and refuse listing, so a refusal here says nothing of reading.

        Raises:
            SecretsError: denied, unavailable or invalid, with the link's name.
        """

        def look_up() -> list[str] | None:
            method = getattr(self.backend, "list_names", None)
            try:
                return None if method is None else list(method(kind))
            except NotImplementedError:
                return None

        return self.guard(kind, None, lambda: self.in_time(look_up))

    def guard(self, kind: str, key: str | None, look_up: Callable[[], Result]) -> Result | None:
        """What a look-up of one name, or of all (None), returns; each failure of the backend as a SecretsError.

        None if the backend does not serve the kind.
        """
        try:
            if self.role == ENVIRONMENT:  # it asks no other link
                return look_up()
            with AtWork(self.chain, self.level):
                return look_up()
        except NotImplementedError:
            self.unserved.add(kind)
            return None
        except (SecretsError, NotFound, OptionNotFound) as fault:
            failure = self._located(kind, key, fault)
        except BackendError as fault:
            if self.custom and self._backend is not None and not fault.where.startswith(self.name):
                fault.where = f"{self.name}: {fault.where}".removesuffix(": ")  # a client that cannot be made
            raise
        except FrameworkError:
            raise
        except (*OF_THE_PROCESS, NotAtHand):
            raise
        except BaseException as fault:  # a backend must not end the process, and its text may hold secrets
            failure = translated(fault, f"{self.name}: {_question(kind, key)}")
        raise failure  # outside the blocks, so without the context of what was handled there

    def _located(self, kind: str, key: str | None, fault: SecretsError | NotFound | OptionNotFound) -> SecretsError:
        """A failure with the link's name and the key."""
        question = _question(kind, key)
        where = f"{self.name}: {question}"
        if not isinstance(fault, SecretsError):  # the backend needs something else, which is not there
            return BackendUnavailable(f"it needs something that is missing: {fault.what}", where=where, hint=fault.hint)
        failure = fault.again()  # a backend may raise one error object again and again
        if not fault.where.startswith(where):
            at = fault.where.removeprefix(question) if fault.where.startswith(question) else f" at {fault.where}"
            failure.where = where if fault.where in ("", self.name) else f"{where}{at}"
        if isinstance(fault, AccessDenied) and key is not None:
            failure.hint = f"{fault.hint} {how_to_stop_asking(self._backend, kind, fault.hint)}".strip()
        return failure

    @safe_repr
    def __repr__(self) -> str:
        return f"<Link {self.name}>"


def _question(kind: str, key: str | None) -> str:
    return f"names of every {kind}" if key is None else f"{kind} {key!r}"
