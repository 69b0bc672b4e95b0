"""What an application reads from its chain, and how changes reach it."""

from __future__ import annotations

from _weakref import ref

from framework import given
from framework.errors import FrameworkError, IssuedOnUse, clean, public, warn
from framework.locks import ProcessLock
from framework.masking import add_mask, should_hide_value_for_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from framework.access import AccessLog
    from framework.chain.chain import Chain
    from framework.chain.link import Link
    from framework.chain.turns import Turns
    from framework.config import Config
    from framework.connection import Connection
    from framework.following import Following, Listener, Name
    from framework.metastore.store import Store
    from framework.options.engine import Engine
    from framework.options.values import Answer


@public
class Reads:
    """The part of an application that reads. Each read asks the links in order.

    The code that follows changes is loaded when it is first used: see `framework.following`.
    """

    if TYPE_CHECKING:
        name: str
        home: str
        worker: bool
        access: AccessLog | None
        engine: Engine
        conf: Config

        @property
        def chain(self) -> Chain: ...
        @property
        def store(self) -> Store: ...
        def answer(self, section: str, key: str) -> Answer: ...
        def custom_links(self) -> list[Link]: ...

    def __init__(self) -> None:
        super().__init__()
        self._me = ref(self)  # also in the copy that `reload` tries, and so are the lists
        self._changing = ProcessLock()  # held by `refresh` and `reload`: of two at once, the one that began last wins
        self._all_turns: list[Turns] = []  # one, once it is needed
        self._all_following: list[Following] = []  # likewise

    def get_connection(self, conn_id: str, *, max_age: float | None = None) -> Connection:
        """The connection from the first link that has it; its password and secret extras are masked from now on.

        Args:
            conn_id: its name.
            max_age: seconds: an answer counts only if the store was asked for it no longer ago. 0: the store is asked
                now, even if another thread is asking already, and no older value stands in for it. None: an answer
                counts as long as it is kept (`[secrets] cache_ttl_seconds`).

        Raises:
            ConnectionNotFound: every link was asked.
            SecretsError: a link failed.
        """
        return self._connection(conn_id, None if max_age is None else given.since(max_age))

    def _connection(self, conn_id: str, since: float | None) -> Connection:
        return self.chain.connection(given.text(conn_id, "conn_id", 'For example "warehouse".'), since)[0]

    def connection_and_others(
        self, conn_id: str, max_age: float | None = None, other: tuple[str, str] | None = None
    ) -> tuple[Connection, list[tuple[str, str]]]:
        """A connection, and which other versions its link may have, as (link, version); for `integrations.rotation`.

        Args, Raises: as for `get_connection`, and `other` as in `Chain.connection`. With max_age None, or with `other`,
            no versions are returned.
        """
        return self._and_others(conn_id, given.since(max_age), other)

    def _and_others(
        self, conn_id: str, since: float | None, other: tuple[str, str] | None
    ) -> tuple[Connection, list[tuple[str, str]]]:
        connection, link = self.chain.connection(conn_id, since, other)
        return connection, [] if since is None or other else self.chain.other_versions(link)

    def test_connection(self, connection: Connection, timeout: float = 10.0) -> tuple[bool, str]:
        """Connect for real, step by step: whether every step worked, and the message of the last one.

        Args:
            connection: which one; it need not be in any link.
            timeout: seconds for each step.
        """
        from framework.probing.probe import probe

        if not hasattr(connection, "conn_type"):
            raise given.wrong(connection, "connection", "a Connection", "Pass get_connection(conn_id).")
        steps = probe(connection, given.seconds(timeout, "timeout"))
        return all(step.ok for step in steps), steps[-1].result

    def get_variable(
        self, key: str, default: object = given.MISSING, deserialize_json: bool = False, *, max_age: float | None = None
    ) -> Any:
        """The variable from the first link that has it; see `Variable.get`, and `get_connection` for `max_age`."""
        from framework.variable import read

        return read(self, key, default, deserialize_json, None if max_age is None else given.since(max_age))

    def hide_variable(self, key: str, value: object) -> None:
        """Mask a variable's value from now on if its key looks like a secret's."""
        if should_hide_value_for_name(given.text(key, "key")):
            add_mask(value)

    def list_names(self, kind: str) -> list[str]:
        """The names of one kind that the links can list, sorted, each once.

        Raises:
            SecretsError: a link failed.
        """
        return self.chain.list_names(given.kind(kind))

    def warn_if_shadowed(self, kind: str, key: str) -> None:
        """Warn if a link before the metastore has the key, so that a write would not be read, or cannot say."""
        link, faults = self.chain.shadowing(given.kind(kind), given.text(key, "key"))
        for fault in faults:
            warn(f"it is unknown whether an earlier link also has the {kind} {key!r}: {fault}")
        if link is not None:
            warn(
                f"the {kind} {key!r} is written to the metastore, but the link {link} has it too and is asked first: "
                "reads still return that one"
            )

    def prefetch(
        self, names: Iterable[tuple[str, str]] | None = None, progress: Callable[[int], None] | None = None
    ) -> dict[tuple[str, str], FrameworkError]:
        """Resolve every pointer that wins, in as few calls as the stores have, in parallel and under one deadline.

        Credentials that a store would issue are left out: they are issued when they are read.

        Args:
            names: these options alone, as (section, key).
            progress: called after each call.

        Returns:
            The options whose pointers lead nowhere, or that do not exist, each with its error; empty if all is well.
        """
        from framework.options.prefetch import Plan, prefetch

        plan = Plan(self.engine, given.pairs(names, "names"))
        if not plan.pointers:
            return plan.unknown
        from framework.lifetime import Looking

        seconds, workers = (self.conf.value("secrets", key) for key in ("resolve_timeout_seconds", "max_workers"))
        with Looking():
            failures = prefetch(plan, self.chain, seconds=seconds, workers=workers, progress=progress)
        return {name: clean(fault) for name, fault in failures.items() if not isinstance(fault, IssuedOnUse)}

    async def aget_connection(self, conn_id: str, *, max_age: float | None = None) -> Connection:
        """`get_connection`, without blocking the event loop; cache and questions under way are shared."""
        since = given.since(max_age)  # now, and not when its turn comes
        return await self._turns.read("connection", conn_id, lambda: self._connection(conn_id, since))

    async def aconnection_and_others(
        self, conn_id: str, max_age: float | None = None, other: tuple[str, str] | None = None
    ) -> tuple[Connection, list[tuple[str, str]]]:
        """`connection_and_others`, without blocking the event loop."""
        since = given.since(max_age)
        return await self._turns.read("connection", conn_id, lambda: self._and_others(conn_id, since, other))

    async def aget_variable(
        self, key: str, default: object = given.MISSING, deserialize_json: bool = False, *, max_age: float | None = None
    ) -> Any:
        """`get_variable`, without blocking the event loop."""
        from framework.variable import read

        since = given.since(max_age)
        return await self._turns.read("variable", key, lambda: read(self, key, default, deserialize_json, since))

    @property
    def _turns(self) -> Turns:
        """Reads for event loops, shared by all of them."""
        if not self._all_turns:
            from framework.assembly import turns

            self._all_turns.append(turns(self))
        return self._all_turns[0]

    async def aprefetch(self, names: Iterable[tuple[str, str]] | None = None) -> dict[tuple[str, str], FrameworkError]:
        """`prefetch`, without blocking the event loop."""
        from framework.chain.runner import awaited

        return await awaited(lambda: self.prefetch(names))

    def stats(self) -> list[dict[str, Any]]:
        """For each of the application's own links: calls, hits, absent answers, failures, logins, most missed names."""
        return self.chain.stats()

    # Changes

    def refresh(self, names: Iterable[Name] | Name | None = None) -> dict[Name, FrameworkError]:
        """Read the secrets behind `_secret` pointers again, in as few calls as the stores have.

        All values that have changed are replaced at once, those of `settings` too. Whatever fails keeps its last value.
        Readers do not wait for this, and do not fail because of it.

        Args:
            names: these options alone, as (section, key), also those that were not read yet. Their `_cmd` and `_file`
                pointers are followed again, which are left alone otherwise.

        Returns:
            The options that could not be read or do not exist, each with its error; empty if all is well.
        """
        return self._following.refresh(names)

    async def arefresh(self, names: Iterable[Name] | Name | None = None) -> dict[Name, FrameworkError]:
        """`refresh`, without blocking the event loop."""
        from framework.chain.runner import awaited

        return await awaited(lambda: self.refresh(names))

    def on_change(self, section: str, key: str, fn: Listener) -> Callable[[], None]:
        """Call a function after the option's value has changed, by `refresh()` or `reload()`.

        It is called in the thread that made the change, with the section and the key. What it raises is a warning.
        Changes of the process environment are not noticed.

        Args:
            section, key: the option.
            fn: takes the section and the key.

        Returns:
            A function that ends this.
        """
        return self._following.on_change(section, key, fn)

    def watch(self, seconds: float = 1.0) -> Callable[[], None]:
        """Reload whenever one of the application's files changes, in the background; all of it or nothing.

        The files are those that `dump --files` lists, also those that are not there yet. Those of `_file` pointers are
        read again by themselves. A file that cannot be read keeps what was read before, and is reported once. With the
        package watchfiles (the extra `watch`) the system reports changes; else the files are looked at again and again.

        Args:
            seconds: how often to look where changes are not reported.

        Returns:
            A function that ends this.
        """
        return self._following.watch(seconds)

    def reload_on_signal(self, signum: int | None = None) -> None:
        """Reload when the process gets a signal, in its own thread. The handler before is called as well.

        A file that cannot be read keeps what was read before, and is reported once.

        Args:
            signum: which signal; None: SIGHUP.

        Raises:
            ConfigError: this is not the main thread, or there is no such signal on this system.
        """
        self._following.reload_on_signal(signum)

    @property
    def _refresh_interval(self) -> float:
        """Seconds between refreshes in the background; 0: there are none. A value that makes no sense is 0; `check`
        names it."""
        try:
            return float(self.conf.value("secrets", "refresh_interval_seconds"))
        except FrameworkError:
            return 0.0

    def _held(self, form: str) -> None:
        """What a pointer of this form gave is kept from now on."""
        if form == "secret":
            self._follow_secrets()
        elif form == "file" and (app := self._me()) is not None:
            for following in app._all_following:
                following.look_again()

    def _follow_secrets(self) -> None:
        """Begin to refresh in the background, if the interval or the lifetime of a secret that is held says so."""
        app = self._me()
        if app is not None and (app._refresh_interval or app.engine.expiring()):
            app._following.refresh_in_background()

    @property
    def _following(self) -> Following:
        if not self._all_following:
            from framework.following import Following

            self._all_following.append(Following(self._me))
        return self._all_following[0]
