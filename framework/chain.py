"""The search: custom backends, then the environment, then the metastore; the first match wins.

Two orders. The *search* goes custom -> environment -> metastore. The *strata* say who leans on whom: the environment
(0) leans on nothing, the custom backends (1, 2, …) may lean on it and on those before them, the metastore on all. What
runs while link i is built or asked sees the strata below i alone, so a circle cannot be written.
"""

from __future__ import annotations

from _thread import RLock
from contextvars import ContextVar

from framework.backends.base import KINDS, BaseSecretsBackend
from framework.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    ConnectionNotFound,
    FrameworkError,
    InvalidSecret,
    NotFound,
    SecretsError,
    VariableNotFound,
    warn,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from framework.connection import Connection

ENVIRONMENT, METASTORE = 0, 1_000_000

_NOT_FOUND = {"connection": ConnectionNotFound, "variable": VariableNotFound, "config": NotFound}

#: chain id -> the stratum of the link that is at work right now in this context.
_at_work: ContextVar[dict[int, int]] = ContextVar("framework_links_at_work")


class Link:
    """One backend at its place in the chain, built when it is first asked.

    Attributes:
        name: what messages and `config_links` call it.
        stratum: what it leans on: the strata below this number.
        custom: whether it is one of the application's own backends.
        chain: the id of the chain that it is a link of.
    """

    __slots__ = ("name", "stratum", "custom", "chain", "_make", "_backend", "_lock")

    def __init__(self, name: str, stratum: int, make: Callable[[], Any], *, custom: bool = False) -> None:
        self.name, self.stratum, self.custom, self.chain = name, stratum, custom, 0
        self._make: Callable[[], Any] = make
        self._backend: Any = None
        self._lock = RLock()

    @property
    def backend(self) -> Any:
        """The backend, built on first use.

        Raises:
            BackendError: it cannot be built; the next use tries again.
        """
        if self._backend is None:
            with self._lock, _AtWork(self.chain, self.stratum):
                if self._backend is None:
                    self._backend = self._make()
        return self._backend

    def serves(self, kind: str) -> bool:
        """Whether the backend has a method of its own for this kind."""
        backend_class = type(self.backend)
        methods = (_METHODS[kind], "get_conn_value") if kind == "connection" else (_METHODS[kind],)
        return any(
            getattr(backend_class, method, None) not in (None, getattr(BaseSecretsBackend, method))
            for method in methods
        )

    def ask(self, kind: str, key: str, version: str | None = None) -> Any:
        """The backend's value, or None: absent, or a kind that it does not serve.

        Raises:
            SecretsError: denied, unavailable or invalid, with the link's name and the key.
        """

        def look_up() -> Any:
            method = getattr(self.backend, _METHODS[kind], None)
            if method is None:
                return None
            value = method(key) if version is None else self.backend.get_config_version(key, version)
            return value if value is None or kind != "connection" else _connection(value, key)

        return self._guarded(f"{self.name}: {kind} {key!r}", kind, look_up)

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind, none if the backend does not list them; raises as `names_if_listed` does."""
        return self.names_if_listed(kind) or []

    def names_if_listed(self, kind: str) -> list[str] | None:
        """The names of one kind, None if the backend does not list them.

        Raises:
            SecretsError: denied, unavailable or invalid, with the link's name.
        """

        def look_up() -> list[str] | None:
            method = getattr(self.backend, "list_names", None)
            return None if method is None else list(method(kind))

        names: list[str] | None = self._guarded(f"{self.name}: names of every {kind}", kind, look_up)
        return names

    def _guarded(self, where: str, kind: str, look_up: Callable[[], Any]) -> Any:
        """What the backend says, every failure of it as a SecretsError; None where it does not serve the kind."""
        failure: SecretsError
        try:
            return look_up()
        except NotImplementedError:
            return None
        except SecretsError as fault:
            failure = fault
            if not fault.where.startswith(where):  # a backend may raise one error object again and again
                what = where.removeprefix(f"{self.name}: ")
                at = fault.where.removeprefix(what) if fault.where.startswith(what) else f" at {fault.where}"
                failure.where = f"{where}{at}" if fault.where else where
            if isinstance(fault, AccessDenied) and not fault.hint:
                failure.hint = self._how_to_stop_asking(kind)
        except FrameworkError:
            raise
        except Exception as fault:
            what, hint = _foreign(fault)
            failure = BackendUnavailable(what, where=where, hint=hint)
        # Raised out here, without its causes: foreign texts may hold a secret.
        raise failure from None

    def _how_to_stop_asking(self, kind: str) -> str:
        switch = getattr(self._backend, "switches", {}).get(kind)
        return f'To stop asking it, set "{switch}": null in its backend_kwargs.' if switch else ""

    def __repr__(self) -> str:
        return f"<Link {self.name}>"


_METHODS = {kind: f"get_{kind}" for kind in KINDS}


class Chain:
    """The links in search order and the one rule of search and failure.

    Args:
        links: in the order of the search.
        on_failure: `stop` or `next`: what an unavailable or invalid link means for connections and variables.
        config_links: the only links that may answer for config secrets, or empty for all.
    """

    def __init__(
        self, links: Iterable[Link], *, on_failure: Callable[[], str], config_links: Callable[[], list[str]]
    ) -> None:
        self.links = list(links)
        for link in self.links:
            link.chain = id(self)
        self._on_failure, self._config_links = on_failure, config_links

    def connection(self, conn_id: str) -> tuple[Connection, str]:
        """The connection and the link that has it.

        Raises:
            ConnectionNotFound: every link was asked.
            SecretsError: a link failed.
        """
        found: tuple[Connection, str] = self._search("connection", conn_id)
        return found

    def variable(self, key: str) -> tuple[Any, str]:
        """The variable's value and the link that has it.

        Raises:
            VariableNotFound: every link was asked.
            SecretsError: a link failed.
        """
        return self._search("variable", key)

    def config(self, name: str, *, version: str | None = None, reach: int | None = None) -> tuple[str, str]:
        """The config secret's value and the link that has it.

        Args:
            name: the secret's name.
            version: only links that keep versions are asked for one.
            reach: only strata below this number are asked.

        Raises:
            NotFound: every link was asked.
            SecretsError: a link failed.
        """
        value, link = self._search("config", name, version, reach)
        if not isinstance(value, str):
            raise InvalidSecret("the value is no text", where=f"{link}: config {name!r}", hint="Store it as text.")
        return value, link

    def names_of(self, link: Link, kind: str) -> list[str]:
        """The names of one kind that a link lists; raises as `Link.list_names` does."""
        with self.at_work(link):
            return link.list_names(kind)

    def visible(self, kind: str, reach: int | None = None) -> list[Link]:
        """The links that may be asked from here, in search order."""
        ceiling = self._ceiling(reach)
        links = [link for link in self.links if link.stratum < ceiling]
        if kind == "config" and (names := self._config_links()):
            self._check_names(names)
            links = [link for link in links if link.name in names]
        return links

    def _ceiling(self, reach: int | None) -> int:
        ceiling = _at_work.get({}).get(id(self), METASTORE + 1)
        return ceiling if reach is None else min(ceiling, reach)

    def at_work(self, link: Link) -> _AtWork:
        """A block in which the link is built or asked: what runs inside sees the strata below it alone."""
        return _AtWork(id(self), link.stratum)

    def _search(self, kind: str, key: str, version: str | None = None, reach: int | None = None) -> tuple[Any, str]:
        links = self.visible(kind, reach)
        if version is not None:
            links = [link for link in links if hasattr(link.backend, "get_config_version")]
        failure: SecretsError | None = None
        for link in links:
            try:
                with self.at_work(link):
                    value = link.ask(kind, key, version)
            except AccessDenied:
                raise
            except SecretsError as fault:
                if kind == "config" or self._on_failure() != "next":
                    raise
                warn(f"{str(fault).rstrip('.')}. The next link is asked, as [secrets] on_failure = next says.")
                failure = fault
                continue
            if value is not None:
                return value, link.name
        if failure is not None:
            raise failure
        raise self._not_found(kind, key, version, links, reach)

    def _not_found(self, kind: str, key: str, version: str | None, links: list[Link], reach: int | None) -> NotFound:
        word = "secret" if kind == "config" else kind
        what = f"nobody has the {word} {key!r}" + (f" in version {version}" if version is not None else "")
        names = ", ".join(link.name for link in links) or "no link"
        reasons = self._reasons(kind, version, links, self._ceiling(reach))
        return _NOT_FOUND[kind](f"{what}; asked: {names}", hint=" ".join(reasons) or "Check its name, or create it.")

    def _reasons(self, kind: str, version: str | None, asked: list[Link], ceiling: int) -> Iterator[str]:
        """Why the other links were not asked."""
        above = [link for link in self.links if link.stratum >= ceiling]
        for link in above:
            if link.stratum == ceiling:
                others = ", ".join(other.name for other in above if other is not link)
                later = f", nor are those that come after it: {others}" if others else ""
                yield f"This is for the link {link.name} itself, so it is not asked{later}."
        rest = [link.name for link in self.links if link not in asked and link not in above]
        if rest and kind == "config" and (allowed := self._config_links()):
            rest, forbidden = [name for name in rest if name in allowed], [name for name in rest if name not in allowed]
            if forbidden:
                yield f"[secrets] config_links leaves out {', '.join(forbidden)}."
        if rest and version is not None:
            yield f"No versions are kept by {', '.join(rest)}: ask without ?version."

    def _check_names(self, names: list[str]) -> None:
        known = [link.name for link in self.links]
        for name in names:
            if name not in known:
                raise BackendError(
                    f"config_links names {name!r}, which is no link",
                    where="[secrets] config_links",
                    hint=f"The links are {', '.join(known)}.",
                )

    def explain(self, kind: str, key: str) -> list[tuple[str, str]]:
        """Every link and what it says, `found` once and `shadowed` after it; nothing is raised and no value shown."""
        rows, found = [], False
        for link in self.visible(kind):
            try:
                with self.at_work(link):
                    if not link.serves(kind):
                        said = "does not serve this kind"
                    elif link.ask(kind, key) is None:
                        said = "absent"
                    else:
                        said, found = ("shadowed" if found else "found"), True
            except FrameworkError as fault:
                said = f"{_STATES.get(type(fault), 'invalid')}: {fault}"
            rows.append((link.name, said))
        return rows

    def shadowing(self, kind: str, key: str) -> str | None:
        """The name of a link before the metastore that has the key, or None."""
        for link in self.links:
            if link.stratum == METASTORE:
                return None
            try:
                with self.at_work(link):
                    if link.ask(kind, key) is not None:
                        return link.name
            except FrameworkError:
                continue  # a write is not held up by a store that fails
        return None


_STATES: dict[type, str] = {AccessDenied: "denied", BackendUnavailable: "unavailable"}


class _AtWork:
    """Sets the ceiling of one chain for this context."""

    __slots__ = ("_chain", "_stratum", "_token")

    def __init__(self, chain: int, stratum: int) -> None:
        self._chain, self._stratum = chain, stratum

    def __enter__(self) -> None:
        before = _at_work.get({})
        stratum = min(self._stratum, before.get(self._chain, self._stratum))
        self._token = _at_work.set({**before, self._chain: stratum})

    def __exit__(self, *_: object) -> None:
        _at_work.reset(self._token)


def is_restricted() -> bool:
    """Whether a link is at work in this context, so that an answer may be less than the whole chain's."""
    return bool(_at_work.get({}))


def _connection(value: Any, conn_id: str) -> Any:
    """The value as our own Connection: a backend written for Airflow may answer with Airflow's."""
    from framework.connection import FIELDS, Connection

    if isinstance(value, Connection):
        return value
    try:
        fields = {name: getattr(value, name) for name in FIELDS}
    except AttributeError:
        fields = None
    if fields is None:
        raise InvalidSecret(f"get_connection returned a {type(value).__name__}", hint="Return a Connection or None.")
    return Connection(**{**fields, "conn_id": conn_id})


def _foreign(fault: Exception) -> tuple[str, str]:
    """What can be said of an exception whose text is not ours to show: its type, and where it was raised."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return (
        f"the backend raised {type(fault).__name__}{place}",
        "A backend says AccessDenied, BackendUnavailable or InvalidSecret; anything else counts as unavailable.",
    )
