"""Django settings from connections, and this application's faults among Django's system checks.

    from framework.integrations import django

    DATABASES = {"default": django.database("default", CONN_MAX_AGE=60)}
    CACHES = {"default": django.cache("default")}
    vars().update(django.email("mail"))
    INSTALLED_APPS = ["framework.integrations.django", ...]

`examples/django` is a small site with its tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework.convert import to_bool
from framework.errors import InvalidConnection, public
from framework.integrations import application

if TYPE_CHECKING:
    from collections.abc import Mapping

    from framework.connection import Connection

_ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
    "sqlite": "django.db.backends.sqlite3",
    "oracle": "django.db.backends.oracle",
    "postgis": "django.contrib.gis.db.backends.postgis",
    "spatialite": "django.contrib.gis.db.backends.spatialite",
    "mssql": "mssql",
    "cockroachdb": "django_cockroachdb",
}
_CACHES = {
    "redis": "redis.RedisCache",
    "rediss": "redis.RedisCache",
    "valkey": "redis.RedisCache",
    "memcached": "memcached.PyMemcacheCache",
    "memcache": "memcached.PyMemcacheCache",
    "file": "filebased.FileBasedCache",
    "locmem": "locmem.LocMemCache",
    "dummy": "dummy.DummyCache",
}


@public
def database(conn_id: str = "default", **settings: object) -> dict[str, Any]:
    """An entry of `DATABASES` from a connection. `extra` becomes `OPTIONS`.

    Args:
        conn_id: the connection: PostgreSQL, MySQL, MariaDB, Oracle or SQLite (also `postgis` and `spatialite`), `mssql`
            and `cockroachdb` if their package is installed, or any type whose `engine` in `extra` is the module of a
            Django backend.
        settings: more of the entry, such as `CONN_MAX_AGE=60`. They win over what the connection says.

    Raises:
        ConnectionNotFound: no link of the chain has it.
        SecretsError: a link failed.
        InvalidConnection: Django has no backend for its type.
    """
    connection = application().get_connection(conn_id)
    options = connection.extra_dejson
    engine = options.pop("engine", None)
    kind = connection.conn_type or ""
    if engine is None and kind not in _ENGINES:
        raise _unsuitable(connection, "database", _ENGINES, ", or name the module of its backend as engine in extra")
    if kind in ("sqlite", "spatialite"):
        place = {"NAME": connection.schema or connection.host or ":memory:"}
    else:
        place = {
            "NAME": connection.schema or "",
            "USER": connection.login or "",
            "PASSWORD": connection.password or "",
            "HOST": connection.host or "",
            "PORT": "" if connection.port is None else str(connection.port),
        }
    entry = {"ENGINE": engine or _ENGINES[kind], **place}
    return _joined(entry, options, settings)


@public
def cache(conn_id: str = "default", **settings: object) -> dict[str, Any]:
    """An entry of `CACHES` from a connection. `extra` becomes `OPTIONS`.

    The password is in `OPTIONS`, which Django's error pages hide, not in `LOCATION`, which they show.

    Args:
        conn_id: the connection: Redis, Valkey, Memcached, `file` (with the folder as schema), `locmem` or `dummy`.
        settings: more of the entry, such as `KEY_PREFIX="shop"`. They win over what the connection says.

    Raises:
        As `database`.
    """
    connection = application().get_connection(conn_id)
    options = connection.extra_dejson
    kind = connection.conn_type or ""
    if kind not in _CACHES:
        raise _unsuitable(connection, "cache", _CACHES)
    host = connection.host or "localhost"
    place = f"[{host}]" if ":" in host and not host.startswith(("[", "/")) else host
    entry: dict[str, Any] = {"BACKEND": f"django.core.cache.backends.{_CACHES[kind]}"}
    if kind in ("redis", "rediss", "valkey"):
        is_tls = _is_on(connection, "ssl") or kind == "rediss"
        options.pop("ssl", None)
        number = connection.schema or options.pop("db", None) or 0
        address = f"{place}:{connection.port or 6379}/{number}"
        entry["LOCATION"] = f"redis{'s' * is_tls}://{address}"
        if host.startswith("/"):
            entry["LOCATION"] = f"unix://{host}?db={number}"
        options |= {"username": connection.login} if connection.login else {}
        options |= {"password": connection.password} if connection.password else {}
    elif kind.startswith("memcache"):
        entry["LOCATION"] = f"unix:{host}" if host.startswith("/") else f"{place}:{connection.port or 11211}"
    elif kind != "dummy":
        entry["LOCATION"] = connection.schema or connection.host or ""
    return _joined(entry, options, settings)


@public
def email(conn_id: str = "smtp_default") -> dict[str, Any]:
    """Django's `EMAIL_…` settings from an SMTP connection: `vars().update(email("mail"))`.

    TLS: from the first byte (`EMAIL_USE_SSL`) on port 465, or with `"ssl": true` in `extra`; else STARTTLS
    (`EMAIL_USE_TLS`), unless `extra` has `"disable_tls": true`. `from_email` and `timeout` (seconds) in `extra` are
    used.

    Raises:
        As `database`.
    """
    connection = application().get_connection(conn_id)
    if connection.conn_type not in ("smtp", "email"):
        raise _unsuitable(connection, "mail server", ("smtp",))
    extra = connection.extra_dejson
    is_ssl = connection.port == 465 or _is_on(connection, "ssl")
    found: dict[str, Any] = {
        "EMAIL_HOST": connection.host or "localhost",
        "EMAIL_PORT": connection.port or (465 if is_ssl else 587),
        "EMAIL_HOST_USER": connection.login or "",
        "EMAIL_HOST_PASSWORD": connection.password or "",
        "EMAIL_USE_SSL": is_ssl,
        "EMAIL_USE_TLS": not is_ssl and not _is_on(connection, "disable_tls"),
    }
    if "timeout" in extra:
        found["EMAIL_TIMEOUT"] = extra["timeout"]
    if extra.get("from_email"):
        found["DEFAULT_FROM_EMAIL"] = extra["from_email"]
    return found


def _is_on(connection: Connection, name: str) -> bool:
    """A boolean of `extra`, also one that is text."""
    value = connection.extra_dejson.get(name)
    try:
        return value is not None and to_bool(value)
    except ValueError as fault:
        what = f"{name} in its extra: {fault}"
    raise InvalidConnection(what, where=f"connection {connection.conn_id!r}", hint="Write true or false.")


def _joined(entry: Mapping[str, object], options: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    options |= settings.pop("OPTIONS", None) or {}
    return {**entry, **({"OPTIONS": options} if options else {}), **settings}


def _unsuitable(connection: Connection, what: str, kinds: Any, more: str = "") -> InvalidConnection:
    kind = f"of type {connection.conn_type!r}" if connection.conn_type else "without a type"
    return InvalidConnection(
        f"it is {kind}, and Django has no {what} of this type",
        where=f"connection {connection.conn_id!r}",
        hint=f"Use one of {', '.join(kinds)}{more}.",
    )
