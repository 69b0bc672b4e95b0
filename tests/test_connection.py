"""The value object itself. The comparison with Airflow is in tests/conformance."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import current
from framework.connection import Connection
from framework.errors import ConnectionNotFound, InvalidConnection

PASSWORD = "pa55-w0rd-c4nary"
FULL: dict[str, Any] = {
    "conn_id": "db",
    "conn_type": "postgres",
    "description": "the shop",
    "host": "db.example.org",
    "login": "scott",
    "password": PASSWORD,
    "schema": "shop",
    "port": 5432,
    "extra": {"sslmode": "require", "retries": 3},
}

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
extras = st.none() | st.dictionaries(texts, json_values, max_size=4)
schemes = st.from_regex(r"[a-z][a-z0-9+.]{0,8}", fullmatch=True)
hosts = texts.filter(lambda text: text == text.lower()) | st.builds(
    "{}://{}".format, schemes, st.text("abc.-é/:@", min_size=1)
)


def refusal_of(value: str) -> str:
    """The message with which the text is refused, empty if it is not."""
    try:
        Connection.from_text(value).as_json()
    except InvalidConnection as error:
        return str(error)
    return ""


class TestRoundTrips:
    @given(
        conn_type=schemes.filter(lambda text: text != "postgresql"),
        host=hosts,
        login=texts,
        password=texts,
        schema=texts,
        port=st.none() | st.integers(1, 65535),
        extra=extras,
    )
    def test_uri(self, **fields: Any) -> None:
        before = Connection("c", **fields)
        after = Connection.from_uri(before.get_uri(), "c")
        for name in ("conn_type", "host", "login", "password", "schema", "port"):
            assert (getattr(after, name) or None) == (getattr(before, name) or None), name
        assert after.extra_dejson == before.extra_dejson
        assert Connection.from_uri(after.get_uri(), "c") == after

    @given(
        conn_type=st.none() | schemes.filter(lambda text: text != "postgresql"),
        description=st.none() | texts,
        host=st.none() | texts,
        login=st.none() | texts,
        password=st.none() | texts,
        schema=st.none() | texts,
        port=st.none() | st.integers(1, 65535),
        extra=extras,
    )
    def test_json(self, **fields: Any) -> None:
        before = Connection("c", **fields)
        assert Connection.from_json(before.as_json(), "c") == before

    @given(texts)
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        text += "c4nary"
        for value in (text, f"x://{text}", f"x://u:{text}@h", f"x://h?{text}", f'{{"extra": {text}}}'):
            assert "c4nary" not in refusal_of(value)

    def test_port_0_and_an_empty_login_of_a_uri_stay(self) -> None:
        for uri in ("x://h:0", "x://:0", "x://@h", "x://@:80", "x://:80", "x://u@h", "x://:p@h"):
            assert Connection.from_uri(uri).get_uri() == uri

    def test_a_repeated_parameter_is_a_list(self) -> None:
        connection = Connection.from_uri("postgres:///shop?host=a&host=b")
        assert connection.extra_dejson == {"host": ["a", "b"]}
        assert Connection.from_uri(connection.get_uri()) == connection

    def test_parameters_next_to_the_whole_are_kept(self) -> None:
        assert Connection.from_uri("x://h?a=b&__extra__=%7B%22c%22%3A1%7D").extra_dejson == {"a": "b", "c": 1}

    def test_numbers_that_json_lacks_are_texts(self) -> None:
        assert Connection.from_uri("x://h?a=NaN&b=1e999&c=Infinity").extra_dejson == {
            "a": "NaN",
            "b": "1e999",
            "c": "Infinity",
        }

    def test_a_url_in_a_parameter_is_not_the_protocol_of_the_host(self) -> None:
        connection = Connection.from_uri("http://u:p@h:80/s?callback=https://example.org/x")
        assert (connection.host, connection.login, connection.port) == ("h", "u", 80)
        assert connection.extra_dejson == {"callback": "https://example.org/x"}

    def test_the_scheme_may_be_the_protocol_too(self) -> None:
        connection = Connection.from_uri("http://http://u:p@h:80/s")
        assert (connection.host, connection.login, connection.schema) == ("http://h", "u", "s")
        assert Connection.from_uri(connection.get_uri()) == connection


class TestRefusals:
    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ("", "empty text"),
            ("   ", "empty text"),
            (f"db.example.org:{PASSWORD}", "neither a URI nor JSON"),
            (f"scott:{PASSWORD}@h/s", "neither a URI nor JSON"),
            (f"jdbc:postgresql://u:{PASSWORD}@h/d", "neither a URI nor JSON"),
            (f"my_type://u:{PASSWORD}@h", "neither a URI nor JSON"),
            (f"x://u:{PASSWORD}@h#f", "holds a #"),
            (f"x://u:{PASSWORD}\n@h", "a tab or a line break"),
            (f"x://u:{PASSWORD}@h:port", "malformed host or port"),
            (f"x://u:{PASSWORD}/x@h", "malformed host or port"),
            (f"x://u:{PASSWORD}[@h", "malformed host or port"),
            (f"x://u:{PASSWORD}\u2100@h", "malformed host or port"),
            (f"x://u:{PASSWORD}%ff@h", "not UTF-8"),
            (f"x://h?password={PASSWORD}%ff", "not UTF-8"),
            (f"x://u:{PASSWORD}\udc80@h", "not valid Unicode"),
            (f"x://y://z://u:{PASSWORD}@h", ":// after the host"),
            (f"x://y://:{PASSWORD}@:80", "protocol without a host"),
            (f"x://h?__extra__={PASSWORD}", "extra is not a JSON object"),
            (f"x://h?__extra__=0&password={PASSWORD}", "extra is not a JSON object"),
            (f'{{"password": "{PASSWORD}"', "malformed"),
            (f'{{"password": "{PASSWORD}", "password": "x"}}', "a field twice"),
            (f'{{"user": "{PASSWORD}"}}', "the unknown field 'user'"),
            (f'{{"{PASSWORD}": 1}}', "an unknown field"),
            (f'{{"password": ["{PASSWORD}"]}}', "password is of type list"),
            (f'{{"port": "{PASSWORD}"}}', "the port is not valid"),
            ('{"port": 80.5}', "the port is not valid"),
            ('{"port": 65536}', "the port is not valid"),
            ('{"port": true}', "the port is not valid"),
            (f'{{"extra": "{PASSWORD}"}}', "extra is not a JSON object"),
            ('{"host": "\\ud800"}', "not valid Unicode"),
            (f'{{"uri": "x://h", "password": "{PASSWORD}"}}', "both a uri and fields"),
        ],
    )
    def test_an_invalid_connection_is_refused_and_not_repeated(self, value: str, says: str) -> None:
        with pytest.raises(InvalidConnection) as caught:
            Connection.from_text(value, conn_id="c")
        assert says in str(caught.value)
        assert isinstance(caught.value, ValueError)
        # Nor may a chained error carry it: those of json and urllib hold the whole text.
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None
        assert PASSWORD not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))

    @pytest.mark.parametrize(
        "fields",
        [
            {"host": 5},
            {"conn_type": True},
            {"login": b"u"},
            {"port": "80"},
            {"port": True},
            {"port": 80.0},
            {"extra": []},
            {"extra": 0},
            {"extra": "[1]"},
            {"extra": {"a": {1}}},
            {"uri": b"x://h"},
            {"uri": "x://h", "port": 0},
        ],
    )
    def test_fields_of_a_wrong_type(self, fields: dict[str, Any]) -> None:
        with pytest.raises(InvalidConnection):
            Connection("c", **fields)

    @pytest.mark.parametrize("conn_id", ["", " ", "a b", "a\n", "a+b", "a" * 251, "é\u0301", 5, ["c"]])
    def test_a_bad_conn_id(self, conn_id: Any) -> None:
        with pytest.raises(InvalidConnection, match="conn_id"):
            Connection(conn_id, "x")

    @pytest.mark.parametrize("conn_id", [None, "a", "a" * 250, "my-conn/é:b#c.d!(e)\\"])
    def test_a_good_conn_id(self, conn_id: str | None) -> None:
        assert Connection(conn_id, "x").conn_id == conn_id

    def test_what_a_uri_cannot_hold(self) -> None:
        with pytest.raises(InvalidConnection, match="port"):
            Connection("c", "x", port=65536).get_uri()
        with pytest.raises(InvalidConnection, match="conn_type"):
            Connection("c", "a b", login="u").get_uri()


class TestValue:
    def test_repr_shows_name_type_and_host_only(self) -> None:
        shown = repr(Connection(**FULL))
        assert shown == "<Connection 'db': type='postgres' host='db.example.org'>"
        assert PASSWORD not in repr(Connection("c", "http", host=f"https://u:{PASSWORD}@h"))

    def test_equality_is_by_value(self) -> None:
        assert Connection(**FULL) == Connection(**FULL)
        assert Connection("c", extra='{"a":1}') == Connection("c", extra={"a": 1})
        assert Connection(**FULL) != Connection(**{**FULL, "password": "other"})
        assert Connection("c") != "c"

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickling_and_copying(self, protocol: int) -> None:
        connection = Connection(**FULL)
        assert pickle.loads(pickle.dumps(connection, protocol)) == connection
        assert copy.copy(connection) == copy.deepcopy(connection) == connection

    def test_to_dict(self) -> None:
        assert Connection(**FULL).to_dict() == FULL
        assert Connection("c", "x", extra={}).to_dict(prune_empty=True) == {"conn_id": "c", "conn_type": "x"}

    def test_positions_are_airflows(self) -> None:
        assert Connection("c", "x", "d", "h", "u", "p", "s", 1, '{"a": "b"}').get_uri() == "x://u:p@h:1/s?a=b"

    def test_extra(self) -> None:
        connection = Connection("c", extra={"a": '{"b": "[1, \\"2\\"]"}', "c": ["3", "text"]})
        assert connection.get_extra_dejson(nested=True) == {"a": {"b": [1, 2]}, "c": [3, "text"]}
        assert json.loads(connection.get_extra() or "") == connection.extra_dejson
        assert Connection("c", extra=MappingProxyType({"a": 1})).extra == '{"a": 1}'
        assert Connection("c").get_extra() is None

    def test_the_password(self) -> None:
        assert Connection(**FULL).get_password() == PASSWORD
        assert Connection("c", password="").get_password() is None

    def test_secrets_are_the_password_and_what_extra_calls_one(self) -> None:
        extra = {
            "token": "t0ken",
            "region": "eu",
            "keyfile_dict": json.dumps({"client_email": "me@example.org", "private_key": "line 1\nline 2"}),
            "nested": {"api_key": ["one", {"deep": "two"}], "plain": "three"},
        }
        found = set(Connection("c", password=PASSWORD, extra=extra).secrets())
        assert {PASSWORD, "t0ken", "line 1\nline 2", "one", "two"} <= found
        assert not {"eu", "three"} & found
        assert list(Connection("c").secrets()) == []

    def test_get_asks_the_current_application(self) -> None:
        class Application:
            def get_connection(self, conn_id: str) -> Connection:
                if conn_id != "db":
                    raise ConnectionNotFound("nobody has it")
                return Connection("db")

        before = current.use(Application())  # type: ignore[arg-type]
        try:
            assert Connection.get("db") == Connection("db")
            with pytest.raises(ConnectionNotFound):
                Connection.get("other")
        finally:
            current.use(before)


def test_importing_is_cheap() -> None:
    """Neither json nor urllib.parse: a program without connections does not load what reads them."""
    code = "import sys; before = set(sys.modules); import framework.connection; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"json", "urllib.parse", "re", "typing", "dataclasses", "logging", "enum"} & set(loaded)
