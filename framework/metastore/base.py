"""The interface of a database. Its SQL has parameters as `:name` and names in double quotes (`"key"` is reserved).

The text of a driver's error can hold values, so it is never shown or chained: our errors are raised outside the
`except`.
"""

from __future__ import annotations

from framework import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Any, TypeVar

    import sqlalchemy

    Row = dict[str, Any]
    T = TypeVar("T")
    Fault = TypeVar("Fault", bound=errors.FrameworkError)

_NEVER = float("inf")

OPTION = "[database] sql_alchemy_conn"
MIGRATE = "Run: python -m framework db migrate"


class Database:
    """A database that is opened when it is first used.

    Attributes:
        where: the path, or the URL without user, password and options, for messages.
        create: `db migrate` may create our tables in an empty database.
        makes_tables: the first write may do so as well.
        bounded: texts have a maximum length, as in Airflow's tables; not in SQLite.
        exact: comparison of names is byte-exact. MariaDB may treat `A` or `a ` as `a`.
        timeout: seconds to wait for a lock or a server.
        outage: how long one is waited for.
    """

    __slots__ = ("where", "create", "makes_tables", "timeout", "outage")

    where: str
    create: bool
    makes_tables: bool
    timeout: float
    outage: Outage

    bounded = True

    @property
    def exact(self) -> bool:
        return True

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        """The rows of one SELECT, each as column -> value. A missing file or table has no rows.

        Raises:
            BackendUnavailable: the database does not answer.
            AccessDenied: it refuses the user.
            InvalidSecret: it is not a database, or a value is not text.
            BackendError: the driver is not installed, or does not accept the URL.
        """
        raise NotImplementedError

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none if it does not exist."""
        raise NotImplementedError

    def tables(self, reader: Database | Transaction | None = None) -> set[str]:
        """The names of all tables, as the database or one of its transactions sees them."""
        raise NotImplementedError

    def patience(self) -> float:
        """For how long an outage is waited for, in seconds."""
        return self.outage.seconds

    def product(self) -> str:
        """The product and its version: `SQLite 3.40.1`. Raises as `read` does."""
        raise NotImplementedError

    def url(self) -> str:
        """The URL with its secrets masked."""
        raise NotImplementedError

    def write(self) -> Transaction:
        """One transaction: `with database.write() as transaction`; committed at the end, rolled back by any error."""
        raise NotImplementedError

    def insert(self, table: str, columns: Iterable[str]) -> str:
        """The SQL that inserts a row, and fails if the key is taken."""
        names = list(columns)
        values = ", ".join(f":{name}" for name in names)
        return f'INSERT INTO "{table}" ({", ".join(map(quoted, names))}) VALUES ({values})'

    def upsert(self, table: str, columns: Iterable[str], key: str, changed: Iterable[str]) -> str:
        """The SQL that inserts a row, or changes the columns `changed` of the row with that key."""
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
        return f'{self.insert(table, columns)} ON CONFLICT ("{key}") DO UPDATE SET {changes}'

    def close(self) -> None:
        """Close the connections; the next use opens them again."""


class Transaction:
    """A transaction that is open between `__enter__` and `__exit__`; every method raises MetastoreError."""

    __slots__ = ()

    def __enter__(self) -> Transaction:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def read(self, sql: str, params: Mapping[str, object]) -> list[Row]:
        """The rows of one SELECT."""
        raise NotImplementedError

    def execute(self, sql: str, rows: list[dict[str, object]] | None = None) -> int:
        """Run one statement, once or once for each of `rows`. Returns the number of affected rows.

        MariaDB counts a row twice if an upsert changed it.
        """
        raise NotImplementedError

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none if it does not exist."""
        raise NotImplementedError

    def through_sqlalchemy(self, act: Callable[[sqlalchemy.Connection], None]) -> None:
        """Run a migration in this transaction, which needs SQLAlchemy."""
        raise NotImplementedError


#: What an error says about a repetition: nothing was written, because another transaction was in the way; nothing was
#: written, because the server is gone or may not write; and it is not known whether it was written.
OVERTAKEN, AGAIN, UNKNOWN = "overtaken", "again", "unknown"


def marked(error: Fault, sign: str) -> Fault:
    """An error with one of the signs above, or with none."""
    if sign:
        error.__dict__["sign"] = sign
    return error


def sign_of(error: errors.FrameworkError) -> str:
    """The sign of an error; empty if it has none."""
    return str(error.__dict__.get("sign", ""))


class Outage:
    """How long an outage of a database is waited for: by all callers together, from its first sign.

    So a process does not wait again in every call while a database is down for hours.

    Args:
        seconds: for how long.

    Attributes:
        has_answered: whether the database has ever answered.
        is_logged: whether this one was logged.
    """

    __slots__ = ("seconds", "has_answered", "is_logged", "_began", "_seen")

    def __init__(self, seconds: float) -> None:
        self.seconds, self.has_answered, self.is_logged = seconds, False, False
        self._began, self._seen = 0.0, -_NEVER

    def seen(self, since: float, now: float) -> float:
        """When this outage began: at `since`, if there was no sign of one for a while before."""
        if since - self._seen > self.seconds:
            self._began = since
        self._seen = now
        return self._began

    def is_seen(self) -> bool:
        """Whether there was a sign of one, and no answer since."""
        return self._seen > -_NEVER

    def over(self) -> None:
        """The database has answered."""
        self._seen, self.has_answered, self.is_logged = -_NEVER, True, False


def persistently(database: Database, act: Callable[[], T], *, repeatable: bool = True) -> T:
    """Read or write, and repeat it after a temporary failure: a lost connection, a failover, a deadlock.

    Args:
        database: says for how long: its `outage`, and its timeout for other writers in the way.
        act: one question, or one transaction.
        repeatable: it may be done again also if the first time may have succeeded.
    """
    pause, first, unsettled = 0.001, _NEVER, None
    while True:
        try:
            answer = act()
        except errors.FrameworkError as error:
            sign = sign_of(error)
            if sign == UNKNOWN:
                unsettled = error
            from time import monotonic, sleep

            from framework import jitter

            now = monotonic()
            first = min(first, now)
            if sign == OVERTAKEN:
                end = first + max(database.timeout, database.outage.seconds)
            elif sign == AGAIN or (sign == UNKNOWN and repeatable):
                wait = database.patience()
                if wait and not database.outage.is_logged:
                    from framework.logs import log_and_show

                    text = f"{database.where}: {error.what}; trying again for {wait:g} s"
                    database.outage.is_logged = True
                    log_and_show(text)
                end = min(first, database.outage.seen(now, now)) + wait
            else:
                end = -_NEVER
            if now + pause <= end:
                sleep(jitter.from_half(pause))  # so that two do not collide again
                pause = min(pause * 2, 0.25)
                continue
            if unsettled is None or unsettled is error:
                raise
        else:
            database.outage.over()
            return answer
        raise unsettled


def quoted(name: str) -> str:
    """A column or table, quoted for SQL."""
    return f'"{name}"'


def has_utf8(text: str) -> bool:
    """Whether a text can be encoded as UTF-8; one with bytes that Python could not decode cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_storable(name: str) -> bool:
    """Whether a database can hold this name."""
    return "\0" not in name and has_utf8(name)
