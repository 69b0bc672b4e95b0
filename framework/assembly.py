"""Builds the chain of an application from its options, and says which links each of them may use."""

from __future__ import annotations

from framework.backends.base import BaseSecretsBackend
from framework.backends.factory import build
from framework.backends.registry import find_class
from framework.chain.cache import Cache
from framework.chain.chain import Chain
from framework.chain.level import ENVIRONMENT, HIGHEST, LOWEST, METASTORE, NotAtHand, only_at_hand
from framework.chain.link import Link
from framework.errors import BackendError, FrameworkError
from framework.options.own import OF_THE_METASTORE, is_backend_kwarg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from framework.access import AccessLog
    from framework.chain.shared import SharedCache
    from framework.chain.turns import Turns
    from framework.config import Config
    from framework.connection import Connection
    from framework.metastore.base import Database
    from framework.options.engine import Engine
    from framework.options.values import Answer

    class Parts(Protocol):
        """What the links of an application are made from."""

        name: str
        home: str
        worker: bool
        access: AccessLog | None
        conf: Config
        engine: Engine

        @property
        def chain(self) -> Chain: ...
        def answer(self, section: str, key: str) -> Answer: ...
        def get_connection(self, conn_id: str) -> Connection: ...
        def custom_links(self) -> list[Link]: ...


#: The options of `[database]` that name the metastore, and its replica.
METASTORE_URLS = ("sql_alchemy_conn", "sql_alchemy_conn_read")
FAILOVER = ("database", "failover_timeout_seconds")


def build_chain(parts: Parts) -> Chain:
    """Custom backends -> environment -> metastore; a worker has no metastore. Nothing is built before it is asked.

    Raises:
        NotAtHand: an event loop waits, and there is no chain yet.
    """
    if only_at_hand.get():  # it reads options, whose pointers may take long
        raise NotAtHand
    parts.conf.value("secrets", "on_failure")  # an invalid value is reported now, not during a failure
    links = [*parts.custom_links(), Link("environment", LOWEST, lambda: _environment(parts), role=ENVIRONMENT)]
    if not parts.worker:
        links.append(Link("metastore", HIGHEST, lambda: _metastore(parts), role=METASTORE, seconds=_seconds(parts)))
    make: Callable[..., Chain] = Chain
    if parts.access is not None:
        from framework.chain.logged import LoggedChain

        access = parts.access
        make = lambda *given, **more: LoggedChain(access, *given, **more)  # noqa: E731
    return make(
        links,
        on_failure=lambda: str(parts.conf.value("secrets", "on_failure")),
        config_links=lambda: parts.conf.getlist("secrets", "config_links"),
        note=lambda: parts.engine.note,
    )


def turns(parts: Parts) -> Turns:
    """Reads for event loops. Each needs one thread, and one more for each link that may hang."""
    from framework.chain.turns import Turns

    def workers() -> int:
        threads = 1 + sum(link.may_hang for link in parts.chain.links)
        return max(1, int(parts.conf.value("secrets", "max_workers")) // threads)

    return Turns(workers, _seconds(parts))


def custom_links(parts: Parts) -> list[Link]:
    """The application's own backends, in order."""
    share = _share(parts)
    return [custom_link(parts, *names, level, share) for level, names in enumerate(backend_options(parts), 1)]


def custom_link(
    parts: Parts, section: str, key: str, level: int = 1, share: Callable[[str], SharedCache] | None = None
) -> Link:
    """The link to the backend that an option names; `share` makes its shared cache."""
    return Link(
        _name(parts, section, key),
        level,
        _maker(parts, section, key),
        find=_finder(parts, section, key),
        cache=_cache(parts),
        seconds=_seconds(parts),
        share=share,
    )


def _share(parts: Parts) -> Callable[[str], SharedCache] | None:
    """Makes the shared cache of a link; None: there is none, and nothing of it is loaded."""
    mention = next(parts.engine.mentions("secrets", "shared_cache_url"), None)
    if mention is None or (not mention.is_pointer and not str(mention.raw).strip()):
        return None
    if not parts.conf.value("secrets", "use_cache") or not parts.conf.value("secrets", "cache_ttl_seconds"):
        return None
    from framework.sharing import Sharing

    return Sharing(parts)


def backend_options(parts: Parts) -> list[tuple[str, str]]:
    """The options that name the custom backends, in order, as (section, key).

    A worker asks `[workers] secrets_backend` instead of those of `[secrets]`, if it is set: as in Airflow.

    Raises:
        BackendError: `backend` and `backends` are both set, or a name is given twice.
    """
    if parts.worker and workers_backend(parts) is not None:
        return [WORKERS]
    names = parts.conf.getlist("secrets", "backends")
    backend = parts.conf.get("secrets", "backend")
    if names and backend:
        raise BackendError(
            "backend and backends are both set",
            where=f"{parts.answer('secrets', 'backend').mention.origin}: [secrets]",
            hint="Remove backend, and list it in backends.",
        )
    if len(set(map(str.lower, names))) < len(names):
        where = f"{parts.answer('secrets', 'backends').mention.origin}: [secrets] backends"
        raise BackendError("a name is given twice", where=where, hint="List each name once.")
    if names:
        return [(f"secrets.{name.lower()}", "backend") for name in names]
    return [("secrets", "backend")] if backend else []


#: What the shared cache is opened with.
SHARED_CACHE = (("secrets", "shared_cache_url"), ("secrets", "shared_cache_key"))

#: Airflow's option for the backend of workers; its kwargs are next to it.
WORKERS = ("workers", "secrets_backend")


def workers_backend(parts: Parts) -> Answer | None:
    """What `[workers] secrets_backend` says, or None if it is not set or empty."""
    answer = parts.engine.answer(*WORKERS)
    return answer if answer is not None and str(answer.value).strip() else None


def note_on_workers(parts: Parts) -> str:
    """A note if a backend for workers is set and this application is not a worker; else empty."""
    if parts.worker or workers_backend(parts) is None:
        return ""
    return (
        "only workers use [workers] secrets_backend, and this application is not a worker: use --worker, or "
        f'App("{parts.name}", worker=True), to see what a worker finds'
    )


def _name(parts: Parts, section: str, option: str) -> str:
    """The name of a custom link: the one in `backends`, or that of its class.

    Raises:
        BackendError: it is the name of a link that every chain has.
    """
    name = section.partition(".")[2] or parts.conf.get(section, option).rpartition(".")[2]
    if name.lower() in (ENVIRONMENT, METASTORE):
        if "." in section:
            section, option = "secrets", "backends"
        raise BackendError(
            f"a backend cannot be called {name!r}: every application already has a link of that name",
            where=f"{parts.answer(section, option).mention.origin}: [{section}] {option}",
            hint="Call it something else in [secrets] backends, with a section [secrets.NAME] of its own.",
        )
    return name


def max_level(parts: Parts, section: str, key: str) -> int | None:
    """For an option that a link is built from, the link's level: only links below it may answer. Else None."""
    if (section, key) in OF_THE_METASTORE:
        return HIGHEST
    if (section, key) in SHARED_CACHE:
        return _lowest_shared(parts)
    if is_backend_kwarg(section, key) and (section != WORKERS[0] or parts.worker):
        sections = [section for section, _ in backend_options(parts)]
        return sections.index(section) + 1 if section in sections else 1
    return None


def _lowest_shared(parts: Parts) -> int:
    """The level of the first link that uses the shared cache."""
    try:
        return next((link.level for link in parts.custom_links() if link.is_remote), 1)
    except FrameworkError:  # reported where the links are built
        return 1


def _seconds(parts: Parts) -> Callable[[], float]:
    """How long a question to a link may take."""
    return lambda: float(parts.conf.value("secrets", "resolve_timeout_seconds"))


def _cache(parts: Parts) -> Cache:
    """The cache of one link, as the options of `[secrets]` say."""
    if not parts.conf.value("secrets", "use_cache"):
        return Cache()
    names = ("cache_ttl_seconds", "negative_cache_ttl_seconds", "stale_if_error_seconds")
    return Cache(*(parts.conf.value("secrets", name) for name in names))


def _finder(parts: Parts, section: str, key: str) -> Callable[[], object]:
    """Finds the class of a link's backend. It needs no kwargs, which may be a pointer."""

    def find() -> object:
        answer = parts.answer(section, key)
        path = str(answer.value).strip()
        if path in _ours() or path.startswith("import:"):  # so that Airflow is not started for this
            return BaseSecretsBackend
        return find_class(str(answer.value), f"{answer.mention.origin}: [{section}] {key}")

    return find


def _maker(parts: Parts, section: str, key: str) -> Callable[[], object]:
    made_here = _ours().get(parts.conf.get(section, key).strip())
    return (lambda: build(parts, section, key)) if made_here is None else (lambda: made_here(parts))


def _ours() -> dict[str, Callable[[Parts], object]]:
    """Airflow's class paths of the two links that every chain has."""
    return {
        "airflow.secrets.environment_variables.EnvironmentVariablesBackend": _environment,
        "airflow.secrets.metastore.MetastoreBackend": _metastore,
    }


def _environment(parts: Parts) -> object:
    from framework.backends.environment import EnvironmentVariablesBackend

    return EnvironmentVariablesBackend(parts.engine.names, parts.engine.environment, parts.engine.referred_secrets)


def _metastore(parts: Parts) -> object:
    main = database_of(parts, METASTORE_URLS[0])
    if main is None:
        nothing = BaseSecretsBackend()
        nothing.remote = False
        return nothing
    from framework.backends.metastore import MetastoreBackend
    from framework.metastore.crypto import Keys
    from framework.metastore.store import Store

    keys = Keys(lambda: parts.conf.get("core", "fernet_key", fallback=""))
    store, replica = Store(main, keys), database_of(parts, METASTORE_URLS[1])
    if replica is None:
        return MetastoreBackend(store)
    from framework.metastore.replica import Replica

    return MetastoreBackend(store, Replica(Store(replica, keys), store))


def database_of(parts: Parts, key: str) -> Database | None:
    """The database that an option of `[database]` names, opened, which connects to nothing; None if it is not set.

    Raises:
        BackendError: the URL is not valid.
    """
    url = parts.conf.get("database", key, fallback="")
    if not url:
        return None
    from framework.metastore import database

    option, failover = parts.engine.schema.option("database", key), parts.conf.value(*FAILOVER)
    options: dict[str, Any] = {"create": option is None or option.own, "failover": failover}
    if key != METASTORE_URLS[0]:  # a replica is not waited for, because the primary can be asked
        options = {"create": False, "wants": "any", "timeout": max(1.0, min(30.0, failover / 2))}
    try:
        return database.open(url, like=parts.home, option=f"[database] {key}", **options)
    except BackendError as fault:
        fault.where = f"{parts.answer('database', key).mention.origin}: {fault.where}"
        raise
