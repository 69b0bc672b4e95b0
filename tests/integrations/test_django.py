"""Django's settings from connections, and the example run by Django's own commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import framework
from framework import App, current, errors

pytest.importorskip("django")

from framework.integrations import django  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "django"


@pytest.fixture
def connect() -> Any:
    """Makes an application with these connections the current one."""
    before = current.use(None)

    def make(**connections: Any) -> None:
        texts = {name: text if isinstance(text, str) else json.dumps(text) for name, text in connections.items()}
        App("shop", environ={f"SHOP_CONN_{name.upper()}": text for name, text in texts.items()}).use()

    yield make
    current.use(before)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (
            "postgres://u:p%40@h:5433/db?sslmode=require",
            {"ENGINE": "django.db.backends.postgresql", "NAME": "db", "USER": "u", "PASSWORD": "p@", "HOST": "h",
             "PORT": "5433", "OPTIONS": {"sslmode": "require"}},
        ),
        (
            "mysql://h/db",
            {"ENGINE": "django.db.backends.mysql", "NAME": "db", "USER": "", "PASSWORD": "", "HOST": "h", "PORT": ""},
        ),
        ({"conn_type": "sqlite", "schema": "x.db"}, {"ENGINE": "django.db.backends.sqlite3", "NAME": "x.db"}),
        ({"conn_type": "spatialite"}, {"ENGINE": "django.contrib.gis.db.backends.spatialite", "NAME": ":memory:"}),
        (
            "cockroachdb://h/db",
            {"ENGINE": "django_cockroachdb", "NAME": "db", "USER": "", "PASSWORD": "", "HOST": "h", "PORT": ""},
        ),
        ({"conn_type": "sqlite"}, {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}),
        (
            {"conn_type": "postgres", "extra": {"engine": "django.contrib.gis.db.backends.postgis"}},
            {"ENGINE": "django.contrib.gis.db.backends.postgis", "NAME": "", "USER": "", "PASSWORD": "", "HOST": "",
             "PORT": ""},
        ),
    ],
)  # fmt: skip
def test_a_database(connect: Any, text: Any, entry: dict[str, Any]) -> None:
    connect(default=text)
    assert django.database() == entry
    assert django.database("default", CONN_MAX_AGE=60, NAME="mine") == {**entry, "CONN_MAX_AGE": 60, "NAME": "mine"}


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (
            "redis://u:p@h:6380/2",
            {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://h:6380/2",
             "OPTIONS": {"username": "u", "password": "p"}},
        ),
        (
            {"conn_type": "valkey", "host": "h", "extra": {"ssl": True, "db": 3}},
            {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "rediss://h:6379/3"},
        ),
        (
            "memcached://h",
            {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "h:11211"},
        ),
        (
            {"conn_type": "file", "schema": "/var/cache/shop"},
            {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/var/cache/shop"},
        ),
        (
            {"conn_type": "redis", "host": "2001:db8::1", "extra": {"ssl": "false"}},
            {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://[2001:db8::1]:6379/0"},
        ),
        (
            "redis://:p@%2Frun%2Fredis.sock/1",
            {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "unix:///run/redis.sock?db=1",
             "OPTIONS": {"password": "p"}},
        ),
        (
            "rediss://h/1",
            {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "rediss://h:6379/1"},
        ),
        (
            "memcached://[::1]:11212",
            {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": "[::1]:11212"},
        ),
        ({"conn_type": "dummy"}, {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}),
    ],
)  # fmt: skip
def test_a_cache(connect: Any, text: Any, entry: dict[str, Any]) -> None:
    connect(default=text)
    assert django.cache("default") == entry
    assert django.cache("default", KEY_PREFIX="x", OPTIONS={"a": 1})["OPTIONS"]["a"] == 1


@pytest.mark.parametrize(
    ("text", "port", "tls", "ssl"),
    [
        ("smtp://u:p@h", 587, True, False),
        ("smtp://h:465", 465, False, True),
        ({"conn_type": "smtp", "host": "h", "extra": {"ssl": True}}, 465, False, True),
        ({"conn_type": "smtp", "host": "h", "port": 25, "extra": {"disable_tls": True}}, 25, False, False),
        (
            {"conn_type": "smtp", "host": "h", "port": 25, "extra": {"disable_tls": "true", "ssl": "f"}},
            25,
            False,
            False,
        ),
    ],
)
def test_a_mail_server(connect: Any, text: Any, port: int, tls: bool, ssl: bool) -> None:
    connect(mail=text)
    found = django.email("mail")
    assert (found["EMAIL_PORT"], found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (port, tls, ssl)


def test_the_sender_and_the_time_out_of_mail(connect: Any) -> None:
    connect(mail={"conn_type": "smtp", "extra": {"from_email": "a@b.example", "timeout": 3}})
    found = django.email("mail")
    assert (found["DEFAULT_FROM_EMAIL"], found["EMAIL_TIMEOUT"]) == ("a@b.example", 3)


@pytest.mark.parametrize("make", [django.database, django.cache, django.email])
def test_another_type_is_named_with_those_that_there_are(connect: Any, make: Any) -> None:
    connect(x="http://h", y={"host": "h"})
    with pytest.raises(errors.InvalidConnection, match="'x': it is of type 'http'.*Use one of"):
        make("x")
    with pytest.raises(errors.InvalidConnection, match="'y': it is without a type"):
        make("y")
    with pytest.raises(errors.ConnectionNotFound):
        make("z")


def manage(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("SHOP_", "DJANGO_", "FRAMEWORK_"))}
    clean |= {"PYTHONPATH": str(Path(framework.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1", **env}
    return subprocess.run([sys.executable, "manage.py", *words], cwd=EXAMPLE, env=clean, capture_output=True, text=True)


def test_the_tests_of_the_example_pass() -> None:
    done = manage("test")
    assert done.returncode == 0, done.stderr
    assert "Ran 3 tests" in done.stderr


def test_check_reports_our_problems_as_system_checks() -> None:
    assert manage("check").returncode == 0
    done = manage("check", SHOP__SHOP__CURRENCY="GBP", SHOP__SHOP__CURENCY="x")
    assert done.returncode == 1
    assert "(framework.wrong-value) SHOP__SHOP__CURRENCY: [shop] currency: expected one of" in done.stderr
    assert "(framework.unknown-option) SHOP__SHOP__CURENCY" in done.stderr


def test_pointers_are_followed_by_the_deployment_check_only() -> None:
    pointer = {"SHOP__SHOP__PASSWORD_SECRET": "gone"}
    code = "framework.unresolved-pointer"
    assert code not in manage("check", **pointer).stderr
    assert code in manage("check", "--deploy", **pointer).stderr


_ROTATION = """
import json, sys
import psycopg
from framework import App
from framework.integrations import django as settings_from
from framework.integrations.psycopg import connection_class
admin, fields = json.loads(sys.argv[1]), json.loads(sys.argv[2])
environ = {"SHOP_CONN_DEFAULT": json.dumps({**fields, "password": "p0"})}
App("shop", environ=environ).use()
import django
from django.conf import settings
pool = {"connection_class": connection_class("default"), "min_size": 1, "max_size": 2}
settings.configure(DATABASES={"default": settings_from.database("default", OPTIONS={"pool": pool})})
django.setup()
from django.db import connection

def user():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        found = cursor.fetchone()[0]
    connection.close()
    return found

print(user())
with psycopg.connect(**admin, autocommit=True) as server:
    server.execute(f"ALTER ROLE {fields['login']} PASSWORD 'p1'")
environ["SHOP_CONN_DEFAULT"] = json.dumps({**fields, "password": "p1"})
with connection.pool.connection() as idle:
    idle.close()
print(user())
connection.pool.close()
"""


def test_a_pool_survives_a_rotation() -> None:
    pytest.importorskip("psycopg_pool")
    import servers

    server = servers.server("postgresql")
    server.execute("CREATE ROLE of_django LOGIN PASSWORD 'p0'")
    place = {"host": "127.0.0.1", "port": server.port}
    admin = {**place, "user": servers.ADMIN, "password": servers.PASSWORD, "dbname": "postgres"}
    fields = {**place, "conn_type": "postgres", "login": "of_django", "schema": "postgres"}
    command = [sys.executable, "-c", _ROTATION, json.dumps(admin), json.dumps(fields)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["of_django"] * 2, done.stderr


def test_a_build_without_secrets(tmp_path: Path) -> None:
    without = {"SHOP__SECRETS__BACKEND": "", "SHOP__SECRETS__BACKEND_KWARGS": "", "SHOP_CONN_DEFAULT": "sqlite://"}
    without |= {"SHOP_CONN_CACHE": "locmem://", "SHOP_CONN_MAIL": "smtp://localhost"}
    done = manage("collectstatic", "--noinput", "--dry-run", **without)
    assert done.returncode == 0, done.stderr
    assert "A placeholder is used for [django] secret_key" in done.stderr
    assert "'django-secret-key' not found" in manage("check", **without).stderr


def test_the_dump_in_the_readme_is_what_dump_prints() -> None:
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("SHOP_", "FRAMEWORK_"))}
    clean["PYTHONPATH"] = str(Path(framework.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "framework", "dump"], cwd=EXAMPLE, env=clean, capture_output=True, text=True
    )
    assert done.stdout.strip() in (EXAMPLE / "README.md").read_text()
