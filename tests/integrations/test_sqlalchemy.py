"""Engines from connections, on SQLite and on real servers, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import sqlalchemy

from framework import App, Connection, errors

create = pytest.importorskip("framework.integrations.sqlalchemy")

CANARY = "canary-pass@w:rd/%?#"


def app_with(**connections: Any) -> App:
    texts = {
        f"BILLING_CONN_{name.upper()}": text if isinstance(text, str) else json.dumps(text)
        for name, text in connections.items()
    }
    return App("billing", environ=texts)


def shown(text: object, **options: Any) -> str:
    return create.create_engine(app_with(x=text), "x", **options).url.render_as_string(hide_password=False)


def fields_of(place: Any) -> dict[str, Any]:
    """The place of a test's database as the fields of a connection."""
    url = sqlalchemy.make_url(place.url)
    kind = {"postgresql": "postgres"}.get(url.get_backend_name(), url.get_backend_name())
    return {
        "conn_type": kind,
        "login": url.username,
        "password": url.password,
        "host": url.host,
        "port": url.port,
        "schema": url.database,
    }


def test_a_real_database_answers(place: Any) -> None:
    engine = create.create_engine(app_with(books=fields_of(place)), "books", pool_size=2)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 40 + 2")).scalar() == 42
    engine.dispose()


def test_a_real_server_answers_an_asynchronous_engine(served: Any) -> None:
    driver = None if served.kind == "postgresql" else "aiomysql"
    pytest.importorskip(driver or "psycopg")

    async def ask() -> Any:
        engine = create.create_async_engine(app_with(books=fields_of(served)), "books")
        try:
            async with engine.connect() as connection:
                return (await connection.execute(sqlalchemy.text("SELECT 40 + 2"))).scalar()
        finally:
            await engine.dispose()

    assert asyncio.run(ask()) == 42


def test_asyncpg_takes_the_words_of_libpq(served: Any) -> None:
    pytest.importorskip("asyncpg")
    if served.kind != "postgresql":
        pytest.skip("asyncpg speaks with PostgreSQL only")
    words = {"sslmode": "disable", "application_name": "books", "options": "-c work_mem=1234kB", "connect_timeout": 9}
    app = app_with(books={**fields_of(served), "extra": words})
    question = "SELECT current_setting('application_name') || current_setting('work_mem')"

    async def ask() -> Any:
        from framework.integrations.asyncpg import connect

        engine = create.create_async_engine(app, "books", driver="asyncpg")
        alone = await connect("books", app=app)
        try:
            async with engine.connect() as connection:
                return (await connection.execute(sqlalchemy.text(question))).scalar(), await alone.fetchval(question)
        finally:
            await alone.close()
            await engine.dispose()

    assert asyncio.run(ask()) == ("books1234kB", "books1234kB")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("postgres://u:p%40@h:5433/db", "postgresql+psycopg://u:p%40@h:5433/db"),
        ("postgresql://h/db?sslmode=require", "postgresql+psycopg://h/db?sslmode=require"),
        ("mysql://u@h/db?charset=utf8mb4", "mysql+pymysql://u@h/db?charset=utf8mb4"),
        ("mariadb://u@h/db", "mariadb+pymysql://u@h/db"),
        ("sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        ({"conn_type": "sqlite", "host": "/var/lib/x.db"}, "sqlite:////var/lib/x.db"),
        ({"conn_type": "sqlite"}, "sqlite://"),
        ({"conn_type": "postgres", "host": "/run/pg", "schema": "db"}, "postgresql+psycopg:///db?host=%2Frun%2Fpg"),
        (
            {"conn_type": "postgres", "host": "/run/pg", "port": 5433, "schema": "db"},
            "postgresql+psycopg:///db?host=%2Frun%2Fpg&port=5433",
        ),
        ({"conn_type": "mysql", "host": "/run/my.sock"}, "mysql+pymysql://?unix_socket=%2Frun%2Fmy.sock"),
        (
            {"conn_type": "postgres", "host": "h1,h2:5433", "port": 5432, "schema": "db"},
            "postgresql+psycopg:///db?host=h1%3A5432&host=h2%3A5433",
        ),
        (
            {"conn_type": "postgres", "host": "h", "extra": {"keepalives": True}},
            "postgresql+psycopg://h?keepalives=true",
        ),
        (
            {"conn_type": "postgres", "host": "h", "extra": {"sqlalchemy_query": {"application_name": "x"}}},
            "postgresql+psycopg://h?application_name=x",
        ),
        ({"conn_type": "postgres", "host": "h", "extra": {"cursor": "dictcursor"}}, "postgresql+psycopg://h"),
        (
            {"conn_type": "generic", "schema": "x.db", "extra": {"sqlalchemy_scheme": "sqlite"}},
            "sqlite:///x.db",
        ),
    ],
)
def test_what_becomes_of_the_fields(text: Any, url: str) -> None:
    assert shown(text) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (
            {"conn_type": "trino", "host": "h", "port": 8080, "schema": "s", "extra": {"catalog": "hive"}},
            "trino://h:8080/hive/s",
        ),
        ("trino://u@h:8080/hive", "trino://u@h:8080/hive"),
        (
            {
                "conn_type": "snowflake",
                "login": "u",
                "schema": "s",
                "extra": {"account": "a", "region": "eu", "database": "d", "warehouse": "w"},
            },
            "snowflake://u@a.eu/d/s?warehouse=w",
        ),
        ({"conn_type": "snowflake", "host": "a", "extra": {"database": "d"}}, "snowflake://a/d"),
    ],
)
def test_the_url_of_a_dialect_whose_package_is_not_installed(text: Any, url: str) -> None:
    found = app_with(x=text).get_connection("x").sqlalchemy_url()
    assert found.render_as_string(hide_password=False) == url


def test_the_url_alone_is_an_object_that_hides_the_password() -> None:
    connection = Connection.from_uri("postgres://u:canary@h/db")
    assert repr(connection.sqlalchemy_url()) == "postgresql+psycopg://u:***@h/db"
    assert connection.sqlalchemy_url("asyncpg").drivername == "postgresql+asyncpg"
    assert connection.sqlalchemy_url().password == "canary"


def test_a_secret_in_extra_goes_to_the_driver_and_is_never_shown() -> None:
    text = {"conn_type": "postgres", "host": "h", "extra": {"sslpassword": CANARY, "sslcert": "c.pem"}}
    engine = create.create_engine(app_with(x=text), "x", connect_args={"sslcert": "mine.pem", "connect_timeout": 3})
    assert CANARY not in repr(engine)
    _url, arguments = engine.dialect.create_connect_args(engine.url)
    assert "sslpassword" not in arguments
    given: dict[str, Any] = {}

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def _see(dialect: Any, record: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        given.update(kwargs)
        raise RuntimeError("seen")

    with pytest.raises(RuntimeError, match="seen"):
        engine.connect()
    assert given["sslpassword"] == CANARY
    assert given["sslcert"] == "mine.pem"
    with pytest.raises(errors.InvalidConnection, match=r"'x'.*'sslpassword'.*create_engine") as caught:
        app_with(x=text).get_connection("x").sqlalchemy_url()
    assert CANARY not in str(caught.value)


def test_tables_in_extra_go_to_the_driver() -> None:
    text = {"conn_type": "mysql", "host": "h", "extra": {"ssl": {"ca": "ca.pem"}}}
    with pytest.raises(errors.InvalidConnection, match="'ssl'"):
        app_with(x=text).get_connection("x").sqlalchemy_url()
    assert create.create_engine(app_with(x=text), "x").url.query == {}


@pytest.mark.parametrize(
    ("text", "options", "kind", "message"),
    [
        ("http://h", {}, errors.InvalidConnection, r"'x'.*no dialect 'http'.*postgres"),
        ("redshift://h", {}, errors.BackendError, r"'x'.*no dialect 'redshift'.*pip install 'sqlalchemy-redshift'"),
        ("trino://h", {}, errors.BackendError, r"'x'.*no dialect 'trino'.*pip install 'trino\[sqlalchemy\]'"),
        (
            "postgres://h",
            {"driver": "nope"},
            errors.InvalidConnection,
            r"no dialect 'postgresql' with the driver 'nope'",
        ),
        ("mssql://h", {}, errors.BackendError, r"'x'.*pyodbc is not installed.*pip install pyodbc"),
        ({"host": "h"}, {}, errors.InvalidConnection, r"'x'.*no conn_type"),
        ({"conn_type": "mysql", "host": "a,b"}, {}, errors.InvalidConnection, r"'x'.*several hosts"),
        ({"conn_type": "postgres", "host": "::1,::2"}, {}, errors.InvalidConnection, r"'x'.*IPv6"),
        ({"conn_type": "mysql", "extra": {"sqlalchemy_query": 1}}, {}, errors.InvalidConnection, "sqlalchemy_query"),
        ({"conn_type": "mysql", "extra": {"sqlalchemy_scheme": 1}}, {}, errors.InvalidConnection, "sqlalchemy_scheme"),
    ],
)
def test_what_is_refused(text: Any, options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        create.create_engine(app_with(x=text), "x", **options)
    assert caught.value.__context__ is None


def test_an_absent_connection_is_reported_as_everywhere() -> None:
    with pytest.raises(errors.ConnectionNotFound, match="'x' not found"):
        create.create_engine(App("billing", environ={}), "x")
