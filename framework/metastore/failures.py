"""What went wrong on a server, by its SQLSTATE or number.

A driver's text is never shown, and read in only one case: libpq gives no SQLSTATE if it cannot connect.
"""

from __future__ import annotations

from framework import errors
from framework.metastore.base import AGAIN, MIGRATE, UNKNOWN, marked

#: The attribute of a driver's error that says which host it is from.
_HOST = "_framework_host"

_LOOK = "Check that the server runs, and the host, port, user, password and name in the URL."

#: kind -> what happened, what to do.
_MEANINGS = {
    "no answer": ("the database does not answer", _LOOK),
    "no room": ("the server accepts no more connections", "Close some, or raise its limit."),
    "busy": ("all connections of the pool are in use", "Use fewer threads, or try again."),
    "no login": ("the server refuses the user or the password", "Check both in the URL, and the server's own rules."),
    "no right": ("the user lacks the permission for this", "Grant it, or name another user in the URL."),
    "no database": ("the server has no database of that name", "Create it, or correct the end of the URL."),
    "no schema": ("no schema is chosen in the database", "Create one, or set the user's search_path."),
    "no quorum": (
        "the database does not answer: the node is not in its cluster, or the cluster has no quorum",
        "Look at the cluster's nodes: SHOW STATUS LIKE 'wsrep_%'.",
    ),
    "no primary": (
        "none of the hosts in the URL accepts writes",
        "Check that one of them is the primary server, and that it runs.",
    ),
    "no standby": (
        "none of the hosts in the URL is what its target_session_attrs asks for",
        "Check that a standby server runs, or remove target_session_attrs.",
    ),
    "no tls": (
        "TLS cannot be negotiated with the server, or a certificate is not accepted",
        "Check the TLS options and the certificates in the URL, and that the server has TLS.",
    ),
    "no file": ("a file that the URL names cannot be read", "Correct its path, or its permissions."),
    "no option": ("an option of the URL is not valid", "Correct the options after the ?."),
    "no such server": ("another kind of server answers there", "Correct the scheme, or the port, of the URL."),
    "read only": ("the database is read-only", "Name the primary server in the URL."),
    "no table": ("the table does not exist", MIGRATE),
    "strange": ("its tables have an unknown structure", "Run: python -m framework db check"),
    "locked": ("another process kept it locked for too long", "Try again when that process has finished."),
    "overtaken": ("another writer blocked it, so nothing was written", "Try again."),
    "too long": ("text or a number is too long for its column", "Shorten it."),
    "unfit": ("the database cannot store the value", "Look for characters or numbers that it does not support."),
    "too big": ("the value is too large for the database", "Keep it in a file and name that."),
    "rule": ("a row violates a constraint of the table", "Look for a row of that name."),
    "full": ("its disk is full", "Free some space, and try again."),
    "memory": ("its memory is full", "Try again, or give the server more."),
    "limit": ("a limit of the server's configuration is reached", "Raise it, or write less at once."),
    "table full": ("the table is full: its disk, or a limit of its own", "Free some space, or raise the limit."),
    "not unique": ("its table does not keep names unique, as in old versions", "Let the table's owner migrate it."),
    "surrogate": ("the text holds characters that UTF-8 cannot store (lone surrogates)", "Correct the value."),
    "failed": ("the database failed", "See the server's log."),
}

#: The kinds that mean that no write could start.
_DOWN = (
    *("no answer", "no room", "no quorum", "no primary", "no standby", "busy", "no login", "no database"),
    *("no tls", "no file", "no option", "no such server"),
)

#: The kinds that another host may not have, and that pass when a database has failed over.
LOST = ("no answer", "no room", "no quorum", "no primary", "no standby", "read only")

#: The kinds after which it is not known whether a commit was done.
_UNSETTLED = ("no answer", "no quorum", "locked")

#: PostgreSQL's SQLSTATE, or its start; the longest match counts.
_STATES = {
    "08": "no answer", "57P": "no answer", "53": "limit", "53100": "full", "53200": "memory", "53300": "no room",
    "28": "no login", "42501": "no right", "3D000": "no database", "3F000": "no schema", "25006": "read only",
    "42P01": "no table", "42P10": "not unique", "42": "strange", "55P03": "locked", "57014": "locked",
    "40": "overtaken", "40003": "no answer", "25P03": "no answer",
    "22": "unfit", "22001": "too long", "22003": "too long", "54": "too big", "23": "rule",
}  # fmt: skip

#: MySQL's and MariaDB's numbers.
_NUMBERS = {
    1044: "no right", 1142: "no right", 1143: "no right", 1227: "no right", 1370: "no right",
    1045: "no login", 1698: "no login", 1251: "no login", 1130: "no login", 1820: "no login", 1862: "no login",
    2003: "no answer", 2005: "no answer", 2006: "no answer", 2013: "no answer", 1053: "no answer", 1927: "no answer",
    2026: "no tls",
    1047: "no quorum", 1040: "no room", 1203: "no room", 1226: "no room", 1129: "no room",
    1049: "no database", 1046: "no database", 1146: "no table", 1054: "strange", 1136: "strange", 1364: "strange",
    1290: "read only", 1792: "read only", 1836: "read only", 1205: "locked", 1969: "locked", 3024: "locked",
    1213: "overtaken", 1020: "overtaken", 3101: "overtaken",
    1406: "too long", 1264: "too long", 1366: "unfit", 1267: "unfit",
    1153: "too big", 1062: "rule", 1048: "rule", 1452: "rule", 1114: "table full", 1021: "full", 1037: "memory",
    1038: "memory", 1041: "memory",
}  # fmt: skip

#: SQLAlchemy's and Python's classes, for errors that have neither.
_CLASSES = {
    "FileNotFoundError": "no file", "PermissionError": "no file", "IsADirectoryError": "no file",
    "TimeoutError": "busy", "UnicodeEncodeError": "surrogate", "IntegrityError": "rule", "DataError": "unfit",
    "ProgrammingError": "strange", "OperationalError": "no answer", "InterfaceError": "no answer",
}  # fmt: skip

#: How PostgreSQL, its poolers and libpq refuse a login, in English; in other languages the reason is not known.
_REFUSALS = {
    "failed to resolve host": "no answer",  # psycopg, which quotes the host like 'this'
    "too many c": "no room",  # clients, connections
    "connection slots are reserved": "no room",
    "authentication failed": "no login",
    "no pg_hba.conf entry": "no login",
    "no password supplied": "no login",
    "permission denied for database": "no right",
    "session is read-only": "read only",
    "session is not read-only": "read only",
    "hot standby mode": "read only",
    'role "': "no login",
    'database "': "no database",
    # What libpq itself refuses. That the connection broke in the middle of TLS is not among it.
    "SSL was required": "no tls",
    "certificate": "no tls",
    "private key file": "no tls",
    "channel binding": "no tls",
    "encryption required": "no tls",
    "authentication method requirement": "no option",
    "configuration parameter": "no option",
    "invalid value for parameter": "no option",
    "weak sslmode": "no option",
    "definition of service": "no option",
    "service file": "no option",
    "invalid integer value": "no option",
    "invalid port number": "no option",
    ' value: "': "no option",
    "invalid response to SSL negotiation": "no such server",
    "expected authentication request": "no such server",
}


class Failure:
    """What went wrong, without the driver's text.

    Attributes:
        kind: a key of `_MEANINGS`.
        host: which of several hosts refused; empty: there is one, or it concerns all of them.
    """

    __slots__ = ("kind", "host")

    def __init__(self, kind: str, host: str = "") -> None:
        self.kind, self.host = kind, host

    def for_reading(self, where: str) -> errors.SecretsError:
        """The error that a read raises."""
        classes = {
            "no login": errors.AccessDenied,
            "no right": errors.AccessDenied,
            "strange": errors.InvalidSecret,
            "unfit": errors.InvalidSecret,
        }
        what, hint = _MEANINGS[self.kind]
        kind = classes.get(self.kind, errors.BackendUnavailable)
        return marked(kind(what, where=self._place(where), hint=hint), self._sign(False))

    def for_writing(self, where: str, *, ending: bool = False) -> errors.MetastoreError:
        """The error that a write raises; `ending`: it broke at the commit, so its outcome is not known."""
        what, hint = _MEANINGS[self.kind]
        sign = self._sign(ending)
        if sign == UNKNOWN:
            what, hint = "the connection was lost while the write was committed", "Check whether it was written."
        down = errors.MetastoreUnavailable if self.kind in _DOWN else errors.MetastoreError
        return marked(down(what, where=self._place(where), hint=hint), sign)

    def _place(self, where: str) -> str:
        return f"{where}: {self.host}" if self.host else where

    def _sign(self, ending: bool) -> str:
        """Whether it may be temporary."""
        if ending and self.kind in _UNSETTLED:
            return UNKNOWN
        return self.kind if self.kind == "overtaken" else AGAIN if self.kind in (*LOST, "locked") else ""


def refused_by(host: str, error: BaseException) -> None:
    """Note on a driver's error which of several hosts it is from."""
    error.__dict__[_HOST] = host


def explain(error: BaseException) -> Failure:
    """The meaning of an error of SQLAlchemy or of a driver."""
    cause = getattr(error, "orig", None) or error
    return Failure(_kind_of(error, cause), cause.__dict__.get(_HOST, ""))


def _kind_of(error: BaseException, cause: BaseException) -> str:
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = cause.args[0] if cause.args else None
    usual = next((_CLASSES[base.__name__] for base in type(error).__mro__ if base.__name__ in _CLASSES), "failed")
    if isinstance(number, int):
        inner = [base.__name__ for base in type(getattr(cause, "original_exception", None)).__mro__]  # PyMySQL's
        if "SSLError" in inner and "SSLEOFError" not in inner and "SSLZeroReturnError" not in inner:
            return "no tls"
        return _NUMBERS.get(number, usual)
    if isinstance(state, str):
        for length in (5, 3, 2):
            if state[:length] in _STATES:
                return _STATES[state[:length]]
    elif usual == "no answer":
        words = '"'.join(str(cause).split('"')[::2])  # without what it quotes, such as the name of a host
        for refusal, kind in _REFUSALS.items():
            if refusal in words:
                return kind
    return usual


def is_about_arguments(error: BaseException) -> bool:
    """Whether a driver did not accept the URL's options; PyMySQL and psycopg report it differently."""
    cause = getattr(error, "orig", None)
    asked = cause is not None and (getattr(cause, "sqlstate", None) or any(isinstance(arg, int) for arg in cause.args))
    return isinstance(error, TypeError) or (type(error).__name__ == "ProgrammingError" and not asked)
