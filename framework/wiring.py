"""How the links of an application's chain are made from its options, and what each may lean on."""

from __future__ import annotations

from framework.backends.base import BaseSecretsBackend
from framework.backends.factory import build
from framework.backends.registry import find_class
from framework.cache import Cache
from framework.chain import Chain
from framework.errors import BackendError
from framework.link import Link
from framework.options import is_backend_kwarg
from framework.strata import ENVIRONMENT, HIGHEST, LOWEST, METASTORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from framework.answer import Answer
    from framework.app import App


def build_chain(app: App) -> Chain:
    """Custom backends -> environment -> metastore; a worker has no metastore. Nothing is built before it is asked."""
    app.conf.value("secrets", "on_failure")  # a wrong word is told now, and not in the place of a failure
    links = [*app.custom_links(), Link("environment", LOWEST, lambda: _environment(app), role=ENVIRONMENT)]
    if not app.worker:
        links.append(Link("metastore", HIGHEST, lambda: _metastore(app), role=METASTORE, seconds=_seconds(app)))
    return Chain(
        links,
        on_failure=lambda: str(app.conf.value("secrets", "on_failure")),
        config_links=lambda: app.conf.getlist("secrets", "config_links"),
        note=lambda: app.engine.note,
    )


def custom_links(app: App) -> list[Link]:
    """The application's own backends, in order."""
    return [custom_link(app, *names, stratum) for stratum, names in enumerate(backend_options(app), 1)]


def custom_link(app: App, section: str, key: str, stratum: int = 1) -> Link:
    """The link to the backend that an option names."""
    return Link(
        _name(app, section, key),
        stratum,
        _maker(app, section, key),
        find=_finder(app, section, key),
        cache=_cache(app),
        seconds=_seconds(app),
    )


def backend_options(app: App) -> list[tuple[str, str]]:
    """The options that name the custom backends, in order, as (section, key).

    A worker asks `[workers] secrets_backend` instead of those of `[secrets]`, if it is set: as in Airflow.

    Raises:
        BackendError: `backend` and `backends` are both set, or a name is given twice.
    """
    if app.worker and workers_backend(app) is not None:
        return [WORKERS]
    names = app.conf.getlist("secrets", "backends")
    backend = app.conf.get("secrets", "backend")
    if names and backend:
        raise BackendError(
            "backend and backends are both set",
            where=f"{app.answer('secrets', 'backend').mention.origin}: [secrets]",
            hint="Name the one in backends as well.",
        )
    if len(set(map(str.lower, names))) < len(names):
        where = f"{app.answer('secrets', 'backends').mention.origin}: [secrets] backends"
        raise BackendError("a name is given twice", where=where, hint="Name each once.")
    if names:
        return [(f"secrets.{name.lower()}", "backend") for name in names]
    return [("secrets", "backend")] if backend else []


#: Airflow's option for the backend of workers; its kwargs stand beside it.
WORKERS = ("workers", "secrets_backend")


def workers_backend(app: App) -> Answer | None:
    """What `[workers] secrets_backend` says, or None if it is not set or empty."""
    answer = app.engine.answer(*WORKERS)
    return answer if answer is not None and str(answer.value).strip() else None


def note_on_workers(app: App) -> str:
    """What is to be said where a backend of workers is set and this application is none; or nothing."""
    if app.worker or workers_backend(app) is None:
        return ""
    return (
        "[workers] secrets_backend is asked by workers only, and this is none: use --worker, or "
        f'App("{app.name}", worker=True), for what a worker finds'
    )


def _name(app: App, section: str, option: str) -> str:
    """What a custom link is called: as in `backends`, or like its class.

    Raises:
        BackendError: that is the name of one of the two links that every chain has.
    """
    name = section.partition(".")[2] or app.conf.get(section, option).rpartition(".")[2]
    if name.lower() in (ENVIRONMENT, METASTORE):
        if "." in section:
            section, option = "secrets", "backends"
        raise BackendError(
            f"no backend can be called {name!r}: that is the name of a link that every application has",
            where=f"{app.answer(section, option).mention.origin}: [{section}] {option}",
            hint="Call it something else in [secrets] backends, with a section [secrets.NAME] of its own.",
        )
    return name


def reach(app: App, section: str, key: str) -> int | None:
    """Which strata may answer for an option that a link is built from: those below that link."""
    if (section, key) in (("core", "fernet_key"), ("database", "sql_alchemy_conn")):
        return HIGHEST
    if is_backend_kwarg(section, key) and (section != WORKERS[0] or app.worker):
        sections = [section for section, _ in backend_options(app)]
        return sections.index(section) + 1 if section in sections else 1
    return None


def _seconds(app: App) -> Callable[[], float]:
    """How long a question to a link may take."""
    return lambda: float(app.conf.value("secrets", "resolve_timeout_seconds"))


def _cache(app: App) -> Cache:
    """What one remote link says is kept as `[secrets]` says."""
    if not app.conf.value("secrets", "use_cache"):
        return Cache()
    names = ("cache_ttl_seconds", "negative_cache_ttl_seconds", "stale_if_error_seconds")
    return Cache(*(app.conf.value("secrets", name) for name in names))


def _finder(app: App, section: str, key: str) -> Callable[[], Any]:
    """Finds the class of a link's backend, for what can be known without the kwargs, which may be a pointer."""

    def find() -> Any:
        answer = app.answer(section, key)
        path = str(answer.value).strip()
        if path in _ours() or path.startswith("import:"):  # Airflow need not start up for this
            return BaseSecretsBackend
        return find_class(str(answer.value), f"{answer.mention.origin}: [{section}] {key}")

    return find


def _maker(app: App, section: str, key: str) -> Callable[[], Any]:
    made_here = _ours().get(app.conf.get(section, key).strip())
    return (lambda: build(app, section, key)) if made_here is None else (lambda: made_here(app))


def _ours() -> dict[str, Callable[[App], Any]]:
    """Airflow's class paths of the two links that every chain has."""
    return {
        "airflow.secrets.environment_variables.EnvironmentVariablesBackend": _environment,
        "airflow.secrets.metastore.MetastoreBackend": _metastore,
    }


def _environment(app: App) -> Any:
    from framework.backends.environment import EnvironmentVariablesBackend

    return EnvironmentVariablesBackend(app.names, app.environment, app.engine.referred_secrets)


def _metastore(app: App) -> Any:
    url = app.conf.get("database", "sql_alchemy_conn")
    if not url:
        nothing = BaseSecretsBackend()
        nothing.remote = False
        return nothing
    from framework.backends.metastore import MetastoreBackend
    from framework.metastore import database
    from framework.metastore.crypto import Keys
    from framework.metastore.store import Store

    option = app.schema.option("database", "sql_alchemy_conn")
    keys = Keys(lambda: app.conf.get("core", "fernet_key", fallback=""))
    try:
        create = option is None or option.own
        return MetastoreBackend(Store(database.open(url, create=create, like=app.home), keys))
    except BackendError as fault:
        fault.where = f"{app.answer('database', 'sql_alchemy_conn').mention.origin}: {fault.where}"
        raise
