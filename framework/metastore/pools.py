"""SQLAlchemy's engines: the driver, its arguments, and a connection to one of the hosts."""

from __future__ import annotations

from time import monotonic

from framework import errors
from framework.metastore.failures import LOST, explain, refused_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import sqlalchemy
    from sqlalchemy.engine import Dialect, ExceptionContext
    from sqlalchemy.engine.interfaces import DBAPIModule
    from sqlalchemy.pool import ConnectionPoolEntry

    from framework.metastore.hosts import Host, Hosts

#: Scheme of a URL -> SQLAlchemy's name for it, and the driver if the URL names none.
_SCHEMES = {
    "postgres": ("postgresql", "psycopg"),
    "postgresql": ("postgresql", "psycopg"),
    "cockroachdb": ("postgresql", "psycopg"),
    "mysql": ("mysql", "pymysql"),
    "mariadb": ("mariadb", "pymysql"),
}
#: Airflow's usual drivers -> ours, which connect if those are not installed.
_STAND_INS = {"psycopg2": "psycopg", "mysqldb": "pymysql"}

#: MySQL: strict, so that a text that is too long is refused and not cut; double quotes for names, as in our SQL.
_MYSQL_SESSION = (
    "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'ANSI_QUOTES', 'STRICT_ALL_TABLES'), "
    "innodb_lock_wait_timeout = {seconds}"
)
#: The first statement of each connection.
_SESSIONS = {
    "postgresql": "SET statement_timeout = '{seconds}s'",
    "mysql": _MYSQL_SESSION,
    "mariadb": _MYSQL_SESSION,
}
#: A node of a Galera cluster shows what was written through any other one, before it answers a read.
_GALERA_SESSION = "SET SESSION wsrep_sync_wait = 1"
#: Errors of MySQL's kind.
_UNKNOWN_VARIABLE, _READ_ONLY, _LOCKED, _NO_QUORUM = 1193, 1290, 1205, 1047


class Pools:
    """Makes the engines of one database.

    Args:
        hosts: of its URL.
        timeout: seconds to wait for the server, a lock, or a connection of the pool.
        failover: seconds for which an outage is waited for.
        where: the option and the place, for messages.
    """

    __slots__ = ("_hosts", "_timeout", "_failover", "_where")

    def __init__(self, hosts: Hosts, timeout: float, failover: float, where: str) -> None:
        self._hosts, self._timeout, self._failover, self._where = hosts, timeout, failover, where

    def make(self, reading: bool) -> sqlalchemy.Engine:
        """An engine with an empty pool.

        Args:
            reading: each statement is its own transaction, which saves two of four messages to the server.

        Raises:
            BackendError: SQLAlchemy or the driver is not installed, or the URL is not valid.
        """
        try:
            import sqlalchemy

            url = sqlalchemy.make_url(self._hosts.url)
        except ImportError:
            problem, hint = "SQLAlchemy is not installed", "Install it: pip install SQLAlchemy"
        except Exception:
            problem, hint = "SQLAlchemy cannot read the URL", "Write postgresql://user:password@host/name."
        else:
            backend, usual = _SCHEMES[url.drivername.partition("+")[0]]
            driver = url.drivername.partition("+")[2] or usual
            extra = "postgres" if backend == "postgresql" else "mysql"
            problem = f"the driver {driver} is not installed"
            hint = (
                f"Install the one that framework uses: pip install 'framework[{extra}]', and "
                f"write {backend}://… without a driver."
            )
            for name in dict.fromkeys((driver, _STAND_INS.get(driver, driver))):
                try:
                    engine = self._engine(url.set(drivername=f"{backend}+{name}"), reading)
                except ImportError:
                    continue
                except Exception as error:
                    if type(error).__name__ != "NoSuchModuleError":
                        problem, hint = "the driver does not accept the URL", "Correct the options after the ?."
                    break
                if not engine.dialect.is_async:
                    return engine
                problem = f"the driver {driver} is an asynchronous one"
        raise errors.BackendError(problem, where=self._where, hint=hint)

    def _engine(self, url: sqlalchemy.URL, reading: bool) -> sqlalchemy.Engine:
        import sqlalchemy

        options: dict[str, Any] = {}
        if url.get_driver_name() == "psycopg":
            options["use_native_hstore"] = False
        engine = sqlalchemy.create_engine(
            url,
            connect_args=self._arguments(url, reading),
            hide_parameters=True,
            isolation_level="AUTOCOMMIT" if reading else "READ COMMITTED",
            pool_reset_on_return=None if reading else "rollback",
            pool_pre_ping=True,
            pool_timeout=self._timeout,
            **options,
        )
        if url.get_backend_name() == "postgresql":
            _tolerate_other_names(engine.dialect)
        sqlalchemy.event.listen(engine, "do_connect", self._connect)
        sqlalchemy.event.listen(engine, "checkout", _refuse_if_left)
        sqlalchemy.event.listen(engine, "handle_error", _drop_if_useless)
        return engine

    @property
    def _patience(self) -> int:
        """Seconds after which a host that is silent is left for another one."""
        wait = max(2, int(self._timeout))  # psycopg's minimum is two
        if len(self._hosts.each) < 2 or not self._failover:
            return wait
        return max(2, int(min(wait, self._failover / len(self._hosts.each))))  # so that each of them gets its turn

    def _arguments(self, url: sqlalchemy.URL, reading: bool) -> dict[str, object]:
        """The driver's arguments, except those that the URL has."""
        wait, patience = max(2, int(self._timeout)), self._patience
        if url.get_backend_name() == "postgresql":
            usual: dict[str, object] = {
                "connect_timeout": patience,
                "keepalives_idle": patience,  # a silent server is noticed, whatever is in between
                "keepalives_interval": 5 if patience == wait else 1,
                "keepalives_count": 3,
                "tcp_user_timeout": patience * 1000,
                "client_encoding": "utf8",
            }
        else:
            usual = {
                "connect_timeout": patience,
                "read_timeout": patience if reading and patience < wait else wait + 5,
                "write_timeout": wait + 5,
                "charset": "utf8mb4",
            }
        arguments = {name: value for name, value in usual.items() if name not in url.query}
        if url.get_driver_name() == "psycopg":
            # Prepared statements break when another application alters the table, and behind pgbouncer.
            arguments["prepare_threshold"] = None
        return arguments

    def _connect(
        self, dialect: Dialect, record: ConnectionPoolEntry, args: Sequence[object], params: dict[str, object]
    ) -> object:
        """A driver's connection to the first host that has what is wanted: SQLAlchemy's event `do_connect`."""
        record.info["since"] = monotonic()
        if not self._hosts.each:
            record.info["host"] = self._hosts.driven
            return self._session(dialect, args, params, "any")
        fault = None
        for host, wants in self._hosts.attempts():
            try:
                connection = self._session(dialect, args, _at(host, params, dialect.name), wants)
            except Exception as error:
                kind = explain(error).kind
                if kind not in LOST:
                    refused_by(str(host), error)
                    raise
                host.rest()
                if fault is None or kind != "no answer":  # which says more
                    fault = error
            else:
                host.resting_until = 0.0
                record.info["host"] = host
                return connection
        assert fault is not None
        raise fault

    def _session(self, dialect: Dialect, args: Sequence[object], params: dict[str, Any], wants: str) -> object:
        """A connection that is ready for our statements."""
        is_postgresql = dialect.name == "postgresql"
        if is_postgresql and wants != "any":
            params = {**params, "target_session_attrs": wants}
        seconds = params.get("read_timeout")
        if dialect.driver == "pymysql" and seconds is not None:  # which has no other time-out for the handshake
            params = {**params, "read_timeout": min(int(seconds), self._patience)}
        connection: Any = dialect.connect(*args, **params)
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SESSIONS[dialect.name].format(seconds=max(1, int(self._timeout))))
                if not is_postgresql:
                    _prepare_for_clusters(cursor, wants, dialect.loaded_dbapi)
            if hasattr(connection, "_read_timeout"):
                connection._read_timeout = None if seconds is None else int(seconds)
            connection.commit()  # PostgreSQL would undo the setting together with the first transaction
        except BaseException:
            connection.close()
            raise
        return connection


def _at(host: Host, params: Mapping[str, object], dialect: str) -> dict[str, object]:
    """The driver's arguments for one host."""
    changed = {**params, "host": host.name}
    changed.pop("port", None)
    if host.name.startswith("/") and dialect != "postgresql":
        return {**changed, "host": "localhost", "unix_socket": host.name}
    return changed if host.port is None else {**changed, "port": host.port}


def _prepare_for_clusters(cursor: Any, wants: str, driver: DBAPIModule) -> None:
    """Reads follow writes in a Galera cluster; and a server of MySQL's kind is read-only or not, as is wanted."""
    try:
        cursor.execute(_GALERA_SESSION)
    except Exception as error:
        if _number(error) != _UNKNOWN_VARIABLE:  # a MySQL, which has no such clusters
            raise
    try:
        cursor.execute("SELECT @@global.read_only")
        is_read_only = bool(cursor.fetchone()[0])
        number = 0 if wants == "any" or is_read_only == (wants in ("read-only", "standby")) else _READ_ONLY
    except Exception as error:
        if _number(error) != _LOCKED:
            raise
        number = _NO_QUORUM  # nothing is locked here: the node cannot ask the others
    if number:
        raise driver.OperationalError(number, "not what is wanted")


def _number(error: Exception) -> object:
    return error.args[0] if error.args else None


def _drop_if_useless(context: ExceptionContext) -> None:
    """Drop connections that broke, or whose host turned read-only or left its cluster: the event `handle_error`.

    SQLAlchemy does not notice that of every driver and error, and would roll back on a broken connection.
    """
    kind = explain(context.sqlalchemy_exception or context.original_exception).kind
    if kind not in ("no answer", "read only", "no quorum"):
        return
    context.is_disconnect = True
    if kind == "no answer" or context.connection is None:  # it was this connection alone, or one that is being made
        return
    try:
        context.connection.info["host"].leave()
    except Exception:  # another thread has dropped it already
        return


def _refuse_if_left(connection: object, record: ConnectionPoolEntry, proxy: object) -> None:
    """Replace a connection to a host that is given up: the pool's event `checkout`."""
    if record.info["host"].left_at >= record.info["since"]:
        from sqlalchemy.exc import DisconnectionError

        raise DisconnectionError


def _tolerate_other_names(dialect: Any) -> None:
    """Treat CockroachDB as an old PostgreSQL: it has another name, which SQLAlchemy does not accept."""
    ask = dialect._get_server_version_info

    def version(connection: sqlalchemy.Connection) -> tuple[int, ...]:
        try:
            return tuple(ask(connection))
        except AssertionError:
            return (13, 0)

    dialect._get_server_version_info = version
