"""AWS Secrets Manager and SSM: moto's server behind a proxy that counts and breaks, ministack for what IAM refuses."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("botocore", reason="botocore is not installed")

from patience import GUARD, eventually  # noqa: E402
from proxy import PAGE, Proxy  # noqa: E402
from servers import free_port  # noqa: E402
from servers_aws import (  # noqa: E402, F401
    KEYS,
    REGION,
    SECRET_KEY,
    Aws,
    Guarded,
    aws,
    client,
    guarded,
    ministack_port,
    moto_port,
    no_aws_around,
)
from store_checks import by_threads, in_a_child, many, refused  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends import AIRFLOW_TWINS, SHORT_NAMES, find_class, retries  # noqa: E402
from framework.backends.aws import SecretsManagerBackend, SystemsManagerParameterStoreBackend  # noqa: E402
from framework.chain import runner as parallel
from framework.testing import BackendContract  # noqa: E402

CANARY = "cAnArY-5ecret"
FAST = {"connect_timeout": 0.5, "read_timeout": 0.5, "retries": {"mode": "standard", "total_max_attempts": 2}}
#: The same for a store that answers: a busy machine may take long.
PATIENT = {**FAST, "connect_timeout": GUARD, "read_timeout": GUARD}
SECRETS, PARAMETERS = SecretsManagerBackend, SystemsManagerParameterStoreBackend
DEAD = "http://127.0.0.1:9"


class Store:
    """One of the two stores: how it is filled, and how a backend for it is made."""

    def __init__(self, aws: Aws, backend_class: Any) -> None:  # noqa: F811
        self.aws, self.proxy, self.backend_class = aws, aws.proxy, backend_class
        self.batch = backend_class.batch_size

    def put(self, name: str, text: str) -> None:
        """`airflow/config/x`, in both."""
        if self.backend_class is SECRETS:
            self.aws.put_secret(name, text)
        else:
            self.aws.put_parameter(f"/{name}", text)

    def fill(self, count: int) -> list[str]:
        for number in range(count):
            self.put(f"airflow/config/s{number}", f"{CANARY} {number}")
        return [f"s{number}" for number in range(count)]

    def backend(self, **more: Any) -> Any:
        return self.backend_class(**self.aws.kwargs(**more))


@pytest.fixture(params=[SECRETS, PARAMETERS], ids=["secrets_manager", "ssm"])
def store(aws: Aws, request: pytest.FixtureRequest) -> Store:  # noqa: F811
    return Store(aws, request.param)


def said_by_aws(code: str) -> bytes:
    body = json.dumps({"__type": code, "message": f"{CANARY} is the text"}).encode()
    head = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


THROTTLED = said_by_aws("ThrottlingException")


class Contract(BackendContract):
    backend_class: Any

    @pytest.fixture(autouse=True)
    def _store(self, aws: Aws, request: pytest.FixtureRequest) -> None:  # noqa: F811
        self.store, self.request = Store(aws, self.backend_class), request

    def backend(self) -> Any:
        return self.store.backend()

    def put(self, kind: str, name: str, text: str) -> None:
        self.store.put(f"airflow/{kind}{'' if kind == 'config' else 's'}/{name}", text)

    def in_trouble(self, trouble: str) -> Any:
        proxy, make = self.store.proxy, self.store.backend
        if trouble == "denied":
            return self.backend_class(**self.guarded().user())
        if trouble == "wrong credential":
            return self.backend_class(**{**self.guarded().user(), "aws_secret_access_key": "wrong"})
        if trouble == "expired token":
            return self.with_a_token_that_expired()
        if trouble == "binary" and self.backend_class is SECRETS:
            self.store.aws.put_secret("airflow/config/binary_name", b"\xff\xfe")
            return make()
        if trouble == "down":
            return make(endpoint_url=DEAD, config=FAST)
        if trouble in ("slow", "too slow"):
            proxy.latency, proxy.always = 0.5, "hole" if trouble == "too slow" else None
        elif trouble.partition(" ")[0] in ("throttled", "cut"):
            fault = THROTTLED if trouble.startswith("throttled") else "half"
            proxy.faults, proxy.always = [fault], fault if trouble.endswith("for long") else None
        else:
            return None
        return make(config=FAST if trouble == "too slow" else PATIENT)

    def guarded(self) -> Guarded:
        made: Guarded = self.request.getfixturevalue("guarded")
        return made

    def with_a_token_that_expired(self) -> Any:
        """The file of credentials has another one by then."""
        path = self.request.getfixturevalue("tmp_path") / "credentials"
        path.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n")
        self.request.getfixturevalue("monkeypatch").setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        self.store.proxy.faults = [said_by_aws("ExpiredTokenException")]
        kwargs = {name: value for name, value in self.store.aws.kwargs().items() if name not in KEYS}
        return self.backend_class(**kwargs)


class TestSecretsManagerContract(Contract):
    backend_class = SECRETS


class TestParameterStoreContract(Contract):
    backend_class = PARAMETERS
    largest = 4096


# -- names and kwargs ----------------------------------------------------------------------------


def test_names_are_airflows() -> None:
    secrets, parameters = SECRETS(), PARAMETERS()
    assert secrets.name_of("connection", "x") == "airflow/connections/x"
    assert secrets.name_of("variable", "x") == "airflow/variables/x"
    assert secrets.name_of("config", "x") == "airflow/config/x"
    assert [parameters.name_of(kind, "x") for kind in ("connection", "variable", "config")] == [
        "/airflow/connections/x",
        "/airflow/variables/x",
        "/airflow/config/x",
    ]
    secrets.bind("billing", "")
    parameters.bind("billing", "")
    assert secrets.name_of("config", "x") == "billing/config/x"
    assert parameters.name_of("config", "x") == "/billing/config/x"


@pytest.mark.parametrize(
    ("prefix", "sep", "secrets", "parameters"),
    [
        ("a/b/", "/", "a/b/x", "/a/b/x"),
        ("a//", "/", "a/x", "/a/x"),
        ("", "/", "x", "/x"),
        ("/", "/", "x", "/x"),
        ("/a", "/", "/a/x", "/a/x"),
        ("a", "-", "a-x", "/a-x"),
        (None, "/", None, None),
    ],
)
def test_prefixes(prefix: str | None, sep: str, secrets: str | None, parameters: str | None) -> None:
    assert SECRETS(config_prefix=prefix, sep=sep).name_of("config", "x") == secrets
    assert PARAMETERS(config_prefix=prefix, sep=sep).name_of("config", "x") == parameters


def test_a_store_that_is_never_asked(store: Store) -> None:
    store.put("airflow/config/x", CANARY)
    store.put("airflow/variables/team_x", "found")
    backend = store.backend(config_prefix=None, variables_lookup_pattern="TEAM_")
    assert backend.get_config("x") is None
    assert backend.get_variable("other_team_x") is None
    assert backend.get_many("config", ["x"]) == {}
    assert backend.list_names("config") == []
    assert store.proxy.requests == 0
    assert backend.get_variable("team_x") == "found"
    assert backend.list_names("variable") == ["team_x"]


def test_the_bare_id(store: Store) -> None:
    store.put("bare", "found")
    backend = store.backend(config_prefix="")
    assert backend.get_config("bare") == "found"
    assert backend.get_many("config", ["bare", "gone"]) == {"bare": "found"}
    assert backend.list_names("config") == ["bare"]


def test_short_names_and_twins() -> None:
    for name, made in (("aws_secrets_manager", SECRETS), ("aws_ssm", PARAMETERS)):
        assert find_class(name, "here") is made
        assert SHORT_NAMES[name].endswith(made.__name__)
        assert next(path for path, twin in AIRFLOW_TWINS.items() if twin == name).endswith(f".{made.__name__}")


@pytest.mark.parametrize(
    "odd", ["a b", "a:1", "ü", "a\nb", "a?b", "a*", "a'b", "a,b", "a%2Fb", "${x}", "a#b", "x" * 3 + "\0"]
)
def test_names_that_cannot_exist_are_absent_and_not_asked_for(store: Store, odd: str) -> None:
    """`a:1` above all: to SSM it is version 1 of `a`."""
    store.put("airflow/config/a", "another's")
    backend = store.backend()
    assert backend.get_config(odd) is None
    assert backend.get_many("config", [odd]) == {}
    assert store.proxy.requests == 0


def test_odd_names_that_can_exist(store: Store) -> None:
    names = ["a.b", "a-b", "a_b", "A", "a/b/c", "1"] + (["a+b=c@d"] if store.backend_class is SECRETS else [])
    for name in names:
        store.put(f"airflow/config/{name}", f"value of {name}")
    backend = store.backend()
    assert {name: backend.get_config(name) for name in names} == {name: f"value of {name}" for name in names}
    assert backend.get_many("config", names) == {name: f"value of {name}" for name in names}
    assert sorted(backend.list_names("config")) == sorted(names)


def test_an_arn_of_a_secret(aws: Aws) -> None:  # noqa: F811
    arn = aws.secrets.create_secret(Name="somewhere/else", SecretString="found")["ARN"]
    backend = SECRETS(**aws.kwargs(config_prefix=""))
    assert backend.get_config(arn) == "found"
    assert backend.get_many("config", [arn, "gone"]) == {arn: "found"}


# -- what a secret holds -------------------------------------------------------------------------


def test_a_huge_secret(aws: Aws) -> None:  # noqa: F811
    for number in range(20):
        aws.put_secret(f"airflow/config/s{number}", "ü" * 32_000 + str(number))
    backend = SECRETS(**aws.kwargs())
    assert backend.get_config("s7") == "ü" * 32_000 + "7"
    many = backend.get_many("config", [f"s{number}" for number in range(20)])
    assert many == {f"s{number}": "ü" * 32_000 + str(number) for number in range(20)}


def test_a_huge_parameter(aws: Aws) -> None:  # noqa: F811
    aws.put_parameter("/airflow/config/x", "ü" * 2_000)
    assert PARAMETERS(**aws.kwargs()).get_config("x") == "ü" * 2_000


def test_binary_secrets(aws: Aws) -> None:  # noqa: F811
    aws.put_secret("airflow/config/text", "größe".encode())
    aws.put_secret("airflow/config/bytes", b"\xff" + CANARY.encode())
    backend = SECRETS(**aws.kwargs())
    assert backend.get_config("text") == "größe"
    fault = refused(errors.InvalidSecret, lambda: backend.get_config("bytes"), CANARY)
    assert "base64" in fault.hint
    many = backend.get_many("config", ["text", "bytes"])
    assert many["text"] == "größe"
    assert type(many["bytes"]) is errors.InvalidSecret
    assert CANARY not in repr(many)


def test_every_type_of_parameter_is_text(aws: Aws) -> None:  # noqa: F811
    for kind in ("String", "StringList", "SecureString"):
        aws.parameters.put_parameter(Name=f"/airflow/config/{kind}", Value="a,b", Type=kind)
    backend = PARAMETERS(**aws.kwargs())
    assert [backend.get_config(kind) for kind in ("String", "StringList", "SecureString")] == ["a,b"] * 3
    many = backend.get_many("config", ["String", "StringList", "SecureString"])
    assert set(many.values()) == {"a,b"}


def test_a_secret_marked_for_deletion_is_invalid_and_not_absent(aws: Aws) -> None:  # noqa: F811
    aws.put_secret("airflow/config/x", CANARY)
    aws.put_secret("airflow/config/y", "fine")
    aws.secrets.delete_secret(SecretId="airflow/config/x", RecoveryWindowInDays=7)
    backend = SECRETS(**aws.kwargs())
    assert "deletion" in str(refused(errors.InvalidSecret, lambda: backend.get_config("x"), CANARY))
    many = backend.get_many("config", ["x", "y"])
    assert many["y"] == "fine"
    assert type(many["x"]) is errors.InvalidSecret


# -- versions ------------------------------------------------------------------------------------


def test_versions_of_a_secret(aws: Aws) -> None:  # noqa: F811
    first = aws.secrets.create_secret(Name="airflow/config/x", SecretString="first")["VersionId"]
    token = "terraform-20260101000000000000000001"  # an id need not be a UUID
    aws.secrets.put_secret_value(SecretId="airflow/config/x", SecretString="second", ClientRequestToken=token)
    backend = SECRETS(**aws.kwargs())
    versions = {"AWSCURRENT": "second", "AWSPREVIOUS": "first", first: "first", token: "second"}
    assert {version: backend.get_config_version("x", version) for version in versions} == versions
    assert backend.get_config_version("x", "AWSPENDING") is None
    assert backend.get_config_version("x", "0" * 36) is None
    assert backend.get_config_version("gone", "AWSCURRENT") is None
    assert backend.get_config_version("x", "v" * 300) is None


def test_versions_of_a_parameter(aws: Aws) -> None:  # noqa: F811
    for text in ("first", "second"):
        aws.put_parameter("/airflow/config/x", text)
    aws.parameters.label_parameter_version(Name="/airflow/config/x", ParameterVersion=1, Labels=["blue.1"])
    backend = PARAMETERS(**aws.kwargs())
    versions = {"1": "first", "2": "second", "blue.1": "first"}
    assert {version: backend.get_config_version("x", version) for version in versions} == versions
    assert backend.get_config_version("x", "3") is None
    assert backend.get_config_version("x", "1:2") is None
    assert backend.get_config_version("gone", "1") is None


def test_a_reference_with_version_and_part(aws: Aws, tmp_path: Path) -> None:  # noqa: F811
    for text in ('{"password": "p-first"}', '{"password": "p-second"}'):
        aws.put_secret("billing/config/db", text)
    app = app_over(
        tmp_path, "aws_secrets_manager", aws.kwargs(), "now = db#/password\nbefore = db?version=AWSPREVIOUS#/password"
    )
    assert app.prefetch() == {}
    assert (app.conf.get("s", "now"), app.conf.get("s", "before")) == ("p-second", "p-first")


# -- connections ---------------------------------------------------------------------------------

RDS = {
    "engine": "postgres", "host": "db.example", "username": "me", "password": CANARY, "dbname": "books", "port": 5432,
    "dbInstanceIdentifier": "db-1", "masterarn": "arn:aws:x",
}  # fmt: skip


PLACE = {"password": CANARY, "port": 5432}


@pytest.mark.parametrize(
    "text",
    [
        f"postgres://me:{CANARY}@db.example:5432/books",
        json.dumps({"conn_type": "postgres", "host": "db.example", "login": "me", "schema": "books", **PLACE}),
        json.dumps(RDS),
        json.dumps({**RDS, "port": "5432"}),
        json.dumps(
            {"connection_type": "postgresql", "server": "db.example", "user": "me", "database": "books", **PLACE}
        ),
        json.dumps({"conn_id": "postgres", "remote_host": "db.example", "user_name": "me", "key": CANARY})[:-1]
        + ', "schema": "books", "port": 5432}',
        json.dumps({"uri": f"postgres://me:{CANARY}@db.example:5432/books"}),
    ],
    ids=["uri", "json", "rds", "rds port as text", "other words", "more words", "uri in json"],
)
def test_connections(store: Store, text: str) -> None:
    store.put("airflow/connections/db", text)
    connection = store.backend().get_connection("db")
    assert connection.conn_id == "db"
    assert connection.get_uri() == f"postgres://me:{CANARY}@db.example:5432/books"
    assert CANARY not in repr(connection)


def test_more_words(store: Store) -> None:
    stored = {"engine": "mysql", "account": "me", "geheim": CANARY, "host": "h", "extra": {"a": 1}, "unknown": "x"}
    store.put("airflow/connections/db", json.dumps(stored))
    backend = store.backend(extra_conn_words={"user": ["account"], "password": ["geheim"]})
    connection = backend.get_connection("db")
    assert (connection.login, connection.password, connection.extra_dejson) == ("me", CANARY, {"a": 1})


@pytest.mark.parametrize("words", [{"nothing": ["x"]}, {"login": "account"}])
def test_invalid_words(words: Any) -> None:
    with pytest.raises(errors.BackendError, match="extra_conn_words must map fields to lists"):
        SECRETS(extra_conn_words=words)


@pytest.mark.parametrize("text", [f'{{"password": "{CANARY}"', f'["{CANARY}"]', f"{CANARY}", f'{{"port": "{CANARY}"}}'])
def test_invalid_connections(store: Store, text: str) -> None:
    store.put("airflow/connections/db", text)
    with pytest.raises(errors.InvalidConnection) as caught:
        store.backend().get_connection("db")
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_company_s_own_format(store: Store) -> None:
    store.put("airflow/connections/db", json.dumps({"endpoint": {"address": "h"}, "username": "me"}))
    backend = store.backend()
    backend.connection_map = {"host": "endpoint.address", "login": "username", "conn_type": {"const": "mysql"}}
    assert backend.get_connection("db").get_uri() == "mysql://me@h"


# -- batches -------------------------------------------------------------------------------------


def test_batches_are_as_large_as_aws_takes_them(store: Store) -> None:
    names = store.fill(100)
    backend = store.backend()
    assert backend.get_many("config", names) == {name: f"{CANARY} {name[1:]}" for name in names}
    assert store.proxy.requests == 100 // store.batch
    assert backend.logins == 1


@pytest.mark.parametrize("count", [0, 1, 2, 21])
def test_few_names(store: Store, count: int) -> None:
    names = store.fill(count)
    assert store.backend().get_many("config", [*names, "gone"]) == {name: f"{CANARY} {name[1:]}" for name in names}
    asked, few = count + 1, 4 if store.backend_class is SECRETS else 1
    rest = asked % store.batch
    assert store.proxy.requests == asked // store.batch + (rest if rest <= few else 1)


def test_absent_names_cost_no_more(store: Store) -> None:
    assert store.backend().get_many("config", [f"gone{number}" for number in range(40)]) == {}
    assert store.proxy.requests == 40 // store.batch


def test_a_hundred_options_cold(store: Store, tmp_path: Path) -> None:
    """At most 12 requests to SSM, 7 to Secrets Manager."""
    for number in range(100):
        store.put(f"billing/config/s{number}", f"value {number}")
    short = "aws_ssm" if store.backend_class is PARAMETERS else "aws_secrets_manager"
    options = "\n".join(f"k{number} = s{number}" for number in range(100))
    app = app_over(tmp_path, short, store.aws.kwargs(), options)
    assert [row["by"] + ": " + row["call"] for row in app_plan(app)][:1] == [
        f"{short}: at most {100 // store.batch} calls"
    ]
    assert app.prefetch() == {}
    assert [app.conf.get("s", f"k{number}") for number in range(100)] == [f"value {number}" for number in range(100)]
    assert store.proxy.requests <= (12 if store.backend_class is PARAMETERS else 7)
    assert app_plan(app) == [], "nothing is left to ask"


def test_list_names_in_pages(store: Store) -> None:
    for number in range(120):
        store.put(f"airflow/variables/v{number}", "x")
    store.put("airflow/variables2/other", "x")
    assert sorted(store.backend().list_names("variable")) == sorted(f"v{number}" for number in range(120))


# -- what IAM refuses ----------------------------------------------------------------------------


def allow(actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources) or "*"}


@pytest.fixture
def filled(guarded: Guarded) -> Guarded:  # noqa: F811
    for name in ("airflow/config/mine", "airflow/config/mine2", "airflow/config/yours"):
        try:
            guarded.secrets.create_secret(Name=name, SecretString=f"{CANARY} {name}")
        except guarded.secrets.exceptions.ResourceExistsException:
            pass
        guarded.parameters.put_parameter(Name=f"/{name}", Value=f"{CANARY} {name}", Type="SecureString", Overwrite=True)
    return guarded


def test_each_name_has_its_own_denial(filled: Guarded) -> None:
    arn = "arn:aws:secretsmanager:*:*:secret:airflow/config/mine*"
    user = filled.user(allow(["secretsmanager:GetSecretValue"], arn), allow(["secretsmanager:BatchGetSecretValue"]))
    many = SECRETS(**user).get_many("config", ["mine", "mine2", "yours", "mine-gone"])
    assert {name: many[name] for name in ("mine", "mine2")} == {
        "mine": f"{CANARY} airflow/config/mine",
        "mine2": f"{CANARY} airflow/config/mine2",
    }
    assert type(many["yours"]) is errors.AccessDenied
    assert "GetSecretValue" in str(many["yours"])
    assert set(many) == {"mine", "mine2", "yours"}


def test_without_the_permission_for_batches_each_is_asked_alone(filled: Guarded) -> None:
    """A policy written for Airflow allows GetSecretValue and GetParameter only."""
    secrets = filled.user(allow(["secretsmanager:GetSecretValue"], "arn:aws:secretsmanager:*:*:secret:airflow/*"))
    parameters = filled.user(allow(["ssm:GetParameter"], "arn:aws:ssm:*:*:parameter/airflow/*"))
    for backend in (SECRETS(**secrets), PARAMETERS(**parameters)):
        assert backend.get_many("config", ["mine", "yours", "gone"]) == {
            "mine": f"{CANARY} airflow/config/mine",
            "yours": f"{CANARY} airflow/config/yours",
        }


def test_one_denied_parameter_does_not_affect_the_others(filled: Guarded) -> None:
    user = filled.user(
        allow(["ssm:GetParameter", "ssm:GetParameters"], "arn:aws:ssm:*:*:parameter/airflow/config/mine*")
    )
    many = PARAMETERS(**user).get_many("config", ["mine", "yours", "mine2"])
    assert (many["mine"], many["mine2"]) == (f"{CANARY} airflow/config/mine", f"{CANARY} airflow/config/mine2")
    fault = many["yours"]
    assert type(fault) is errors.AccessDenied
    assert "/airflow/config/yours" in fault.where


@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
def test_who_may_not_list(guarded: Guarded, backend_class: Any) -> None:  # noqa: F811
    fault = refused(errors.AccessDenied, lambda: backend_class(**guarded.user()).list_names("config"))
    assert ("ListSecrets" if backend_class is SECRETS else "DescribeParameters") in fault.hint


@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
@pytest.mark.parametrize("wrong", ["aws_secret_access_key", "aws_access_key_id"])
def test_wrong_credentials(filled: Guarded, backend_class: Any, wrong: str) -> None:
    backend = backend_class(**{**filled.user(), wrong: f"AKIA{CANARY.upper()[:6]}{SECRET_KEY}"})
    fault = refused(errors.AccessDenied, lambda: backend.get_config("mine"), SECRET_KEY)
    assert "credentials are not accepted" in str(fault)
    many = backend.get_many("config", ["mine", "yours", "gone"])
    assert {type(fault) for fault in many.values()} == {errors.AccessDenied}
    assert len(many) == 3


def test_no_credentials(store: Store) -> None:
    backend = store.backend_class(region_name=REGION, endpoint_url=DEAD)
    assert "NoCredentialsError" in str(refused(errors.AccessDenied, lambda: backend.get_config("x")))
    assert len(backend.get_many("config", ["x", "y"])) == 2


def test_a_role(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{aws.proxy.port}")
    aws.put_secret("airflow/config/x", "found")
    backend = SECRETS(**aws.kwargs(role_arn="arn:aws:iam::123456789012:role/reader"))
    assert [backend.get_config("x") for _ in range(3)] == ["found"] * 3
    assert sum(b"/sts/" in head for head in aws.proxy.heads) == 1, "the role is assumed once"
    assert aws.proxy.requests == 4


def test_a_role_that_may_not_be_assumed(aws: Aws, guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    user = guarded.user()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", user["endpoint_url"])
    backend = SECRETS(**{**user, "role_arn": "arn:aws:iam::000000000000:role/reader"})
    fault = refused(errors.AccessDenied, lambda: backend.get_config("x"))
    assert "sts:AssumeRole" in fault.hint


# -- what the SDK says when AWS does not answer as usual: scripted answers over a socket ----------


class Scripted:
    """A server that gives the same answer to all, and counts."""

    def __init__(self, status: int, body: Any, after: Any = None) -> None:
        from servers_tls import Server

        self.asked = 0
        data = body if isinstance(body, bytes) else json.dumps(body).encode()

        def answer(handler: Any, method: str) -> None:
            handler.body()
            self.asked += 1
            if after is not None and self.asked > after[0]:
                handler.reply(200, json.dumps(after[1]).encode(), {"Content-Type": "application/x-amz-json-1.1"})
            else:
                handler.reply(status, data, {"Content-Type": "application/x-amz-json-1.1"})

        self.server = Server(answer)

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def kwargs(self, **more: Any) -> dict[str, Any]:
        return {
            "region_name": REGION,
            "endpoint_url": f"http://127.0.0.1:{self.server.port}",
            "config": PATIENT,
            **KEYS,
            **more,
        }


def coded(code: str) -> dict[str, str]:
    return {"__type": code, "message": f"{CANARY} is the text of {code}"}


@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ResourceNotFoundException", 400, None),
        ("ResourceNotFoundException", 404, None),
        ("ParameterNotFound", 400, None),
        ("ParameterVersionNotFound", 400, None),
        ("com.amazonaws.ssm#ParameterNotFound", 400, None),
        ("AccessDeniedException", 400, errors.AccessDenied),
        ("AccessDeniedException", 403, errors.AccessDenied),
        ("AccessDeniedException", 404, errors.AccessDenied),
        ("UnrecognizedClientException", 400, errors.AccessDenied),
        ("ExpiredTokenException", 400, errors.AccessDenied),
        ("InvalidSignatureException", 400, errors.AccessDenied),
        ("InvalidRequestException", 400, errors.InvalidSecret),
        ("InvalidParameterException", 400, errors.InvalidSecret),
        ("ValidationException", 400, errors.InvalidSecret),
        ("DecryptionFailure", 400, errors.BackendUnavailable),
        ("InvalidKeyId", 400, errors.BackendUnavailable),
        ("KMSInvalidStateException", 400, errors.BackendUnavailable),
        ("ThrottlingException", 400, errors.BackendUnavailable),
        ("InternalServiceError", 500, errors.BackendUnavailable),
        ("InternalServerError", 500, errors.BackendUnavailable),
        ("NobodyKnowsThisException", 404, errors.BackendUnavailable),
        ("", 404, errors.BackendUnavailable),
        (f"{CANARY} <b>", 403, errors.BackendUnavailable),
    ],
)
def test_codes(backend_class: Any, code: str, status: int, error: Any) -> None:
    with Scripted(status, coded(code)) as server:
        backend = backend_class(**server.kwargs())
        if error is None:
            assert backend.get_config("x") is None
            assert backend.get_many("config", ["x", "y"]) == {}
            return
        refused(error, lambda: backend.get_config("x"), CANARY)
        many = backend.get_many("config", ["x", "y", "z"])
        assert [type(many[name]) for name in ("x", "y", "z")] == [error] * 3
        assert len({id(fault) for fault in many.values()}) == 3
        assert [fault.where.rpartition("/")[2] for fault in (many["x"], many["y"], many["z"])] == ["x", "y", "z"]
        assert CANARY not in repr(many)


@pytest.mark.parametrize("code", ["ThrottlingException", "TooManyRequestsException", "InternalServerError"])
@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
def test_a_throttled_call_is_tried_again(backend_class: Any, code: str) -> None:
    secret = {"Name": "airflow/config/x", "SecretString": "found"}
    found = {**secret, "Parameter": {"Name": "/airflow/config/x", "Value": "found"}}
    with Scripted(500 if "Internal" in code else 400, coded(code), after=(2, found)) as server:
        kwargs = server.kwargs(config={"retries": {"mode": "standard", "total_max_attempts": 3}})
        assert backend_class(**kwargs).get_config("x") == "found"
        assert server.asked == 3


def test_tries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    # The pauses of the adaptive mode, which follow the rate that the store allowed, are botocore's.
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda self, amount=1, block=True: True)
    with Scripted(400, coded("ThrottlingException")) as server:
        refused(errors.BackendUnavailable, lambda: PARAMETERS(**server.kwargs(config={})).get_config("x"), CANARY)
        assert server.asked == retries.TRIES
    with Scripted(500, coded("InternalServerError")) as server:
        refused(errors.BackendUnavailable, lambda: PARAMETERS(**server.kwargs(config={})).get_config("x"), CANARY)
        assert server.asked == retries.TRIES_OF_A_FAILURE


@pytest.mark.parametrize(
    "body", [{}, b"", b"{", b"[]", b"null", PAGE, {"Parameter": {}}, {"SecretValues": [], "Parameters": []}]
)
@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
def test_an_empty_answer_does_not_mean_absence(backend_class: Any, body: Any) -> None:
    with Scripted(200, body) as server:
        backend = backend_class(**server.kwargs())
        refused(errors.BackendUnavailable, lambda: backend.get_config("x"), "cAnArY")
        many = backend.get_many("config", ["x", "y"])
        assert [type(many[name]) for name in ("x", "y")] == [errors.BackendUnavailable] * 2


def test_a_name_that_fails_for_now_is_asked_again_alone() -> None:
    errors_said = [{"SecretId": "airflow/config/x", "ErrorCode": "InternalServiceError", "Message": CANARY}]
    first = {"SecretValues": [{"Name": "airflow/config/y", "SecretString": "y"}], "Errors": errors_said}
    with Scripted(200, first, after=(1, {"Name": "airflow/config/x", "SecretString": "x"})) as server:
        backend = SECRETS(**server.kwargs())
        backend.alone_up_to = 1
        assert backend.get_many("config", ["x", "y"]) == {"x": "x", "y": "y"}
        assert server.asked == 2


@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
def test_the_answer_to_another_question_is_not_taken(backend_class: Any) -> None:
    others = {"Name": "airflow/config/z", "SecretString": CANARY}
    with Scripted(200, {**others, "Parameter": {"Name": "/airflow/config/z", "Value": CANARY}}) as server:
        backend = backend_class(**server.kwargs())
        fault = refused(errors.BackendUnavailable, lambda: backend.get_config("x"), CANARY)
        assert "for another name" in fault.what


def test_what_was_not_asked_for_is_not_taken() -> None:
    with Scripted(
        200, {"Parameters": [{"Name": "/airflow/config/z", "Value": CANARY}], "InvalidParameters": []}
    ) as server:
        assert "z" not in PARAMETERS(**server.kwargs()).get_many("config", ["x", "y"])


def test_an_expired_token_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program renews the file of credentials while this process lives."""
    path = tmp_path / "credentials"
    path.write_text("[default]\naws_access_key_id = old\naws_secret_access_key = old\naws_session_token = old\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    found = {"Name": "airflow/config/x", "SecretString": "found"}
    with Scripted(400, coded("ExpiredTokenException"), after=(2, found)) as server:
        kwargs = {name: value for name, value in server.kwargs().items() if name not in KEYS}
        backend = SECRETS(**kwargs)
        refused(errors.AccessDenied, lambda: backend.get_config("x"), CANARY)
        assert (server.asked, backend.logins) == (2, 2)
        assert backend.get_config("x") == "found"


# -- the network ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset", "half", "cut", "busy"])
def test_a_fault_that_passes_is_not_noticed(store: Store, fault: str) -> None:
    names = store.fill(30)
    backend = store.backend(config={"retries": {"mode": "standard", "total_max_attempts": 3}})
    store.proxy.faults = [fault]
    assert backend.get_config("s3") == f"{CANARY} 3"
    store.proxy.faults = [fault] * 2
    assert backend.get_many("config", [*names, "gone"]) == {name: f"{CANARY} {name[1:]}" for name in names}


@pytest.mark.parametrize("fault", ["reset", "half", "cut", "hole", "busy", "page"])
def test_a_fault_that_stays_is_an_outage(store: Store, fault: str) -> None:
    names = store.fill(25)
    backend = store.backend(config=FAST if fault == "hole" else PATIENT)
    store.proxy.always = fault
    refused(errors.BackendUnavailable, lambda: backend.get_config("s1"), CANARY, "log in")
    many = backend.get_many("config", [*names, "gone"])
    assert {type(fault) for fault in many.values()} == {errors.BackendUnavailable}
    assert len(many) == 26
    store.proxy.always = None
    assert eventually(lambda: backend.get_config("s1")) == f"{CANARY} 1", "the store comes back"


@pytest.mark.parametrize("seed", range(6))
def test_among_faults_every_answer_is_right_or_an_error(store: Store, seed: int) -> None:
    import random

    names, dice = store.fill(45), random.Random(seed)
    backend = store.backend(config=PATIENT)
    kinds = ["reset", "half", "cut", "busy", "page", None, None, None]
    store.proxy.faults = [dice.choice(kinds) for _ in range(60)]  # type: ignore[misc]
    many = backend.get_many("config", [*names, "gone", "gone2"])
    for name in names:
        assert name in many, "a fault became an absence"
        assert many[name] == f"{CANARY} {name[1:]}" or isinstance(many[name], errors.BackendUnavailable)
    for name in ("gone", "gone2"):
        assert name not in many or isinstance(many[name], errors.BackendUnavailable)


def test_a_slow_store_is_waited_for(store: Store) -> None:
    store.fill(1)
    store.proxy.latency = 0.8
    assert store.backend().get_config("s0") == f"{CANARY} 0"


def test_a_store_that_is_down_costs_the_time_of_one_call(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_A_WHILE", 0)
    backend = store.backend(config=FAST)
    store.proxy.always = "hole"
    found = many(backend, [f"s{number}" for number in range(1000)], workers=2)
    assert {type(fault) for fault in found.values()} == {errors.BackendUnavailable}
    assert len(found) == 1000
    assert store.proxy.requests <= 6, "two calls at once, one that began before both had failed; two tries each"


def test_a_store_that_does_not_answer(store: Store) -> None:
    backend = store.backend(endpoint_url=f"http://127.0.0.1:{free_port()}", config=FAST)
    assert "EndpointConnectionError" in str(refused(errors.BackendUnavailable, lambda: backend.get_config("x")))


# -- one client, and what it never shows ---------------------------------------------------------


def test_threads_share_one_client(store: Store) -> None:
    store.fill(1)
    backend = store.backend()
    assert by_threads(lambda: backend.get_config("s0")) == [f"{CANARY} 0"] * 32
    assert backend.logins == 1


def test_a_thousand_reads_by_32_threads_ask_for_each_secret_once(store: Store, tmp_path: Path) -> None:
    for number in range(50):
        store.put(f"billing/variables/v{number}", str(number))
    short = "aws_ssm" if store.backend_class is PARAMETERS else "aws_secrets_manager"
    app = app_over(tmp_path, short, store.aws.kwargs(), "k = unused")

    def read() -> bool:
        return all(app.get_variable(f"v{number}") == str(number) for number in range(50))

    assert by_threads(read) == [True] * 32
    assert store.proxy.requests == 50
    assert read()
    assert store.proxy.requests == 50


@pytest.mark.parametrize("backend_class", [SECRETS, PARAMETERS])
def test_a_connection_is_used_again(guarded: Guarded, backend_class: Any) -> None:  # noqa: F811
    with Proxy(guarded.port) as proxy:
        here = {"region_name": REGION, "endpoint_url": f"http://127.0.0.1:{proxy.port}", **guarded.ADMIN}
        backend = backend_class(**here)
        for _ in range(10):
            assert backend.get_config("gone") is None
        assert (proxy.requests, proxy.connections) == (10, 1)


def test_after_a_fork(store: Store) -> None:
    store.fill(1)
    backend = store.backend()
    assert backend.get_config("s0") == f"{CANARY} 0"
    before = store.proxy.connections
    assert in_a_child(lambda: [backend.get_config("s0"), backend.logins]) == [f"{CANARY} 0", 2]
    assert store.proxy.connections == before + 1, "the child has its own connection"
    assert backend.get_config("s0") == f"{CANARY} 0"
    assert backend.logins == 1


def test_nothing_is_imported_before_the_first_call() -> None:
    code = (
        "import sys; from framework.backends.aws import SecretsManagerBackend as B; "
        "B(region_name='x'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"botocore", "boto3", "logging", "typing", "re"}.isdisjoint(done.stdout.split())


def test_a_missing_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    for backend in (SECRETS(region_name=REGION), PARAMETERS(region_name=REGION)):
        with pytest.raises(errors.BackendError, match=r"pip install 'framework\[aws\]'"):
            backend.get_config("x")
        with pytest.raises(errors.BackendError, match=r"pip install 'framework\[aws\]'"):
            backend.get_many("config", ["x", "y"])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"region_name": None}, "NoRegionError"),
        ({"profile_name": "gone"}, "ProfileNotFound"),
        ({"config": {"nothing": 1}}, "TypeError"),
        ({"endpoint_url": "no url"}, "ValueError"),
    ],
)
def test_wrong_settings(aws: Aws, kwargs: dict[str, Any], message: str) -> None:  # noqa: F811
    with pytest.raises(errors.BackendError, match=message) as caught:
        SECRETS(**aws.kwargs(**kwargs)).get_config("x")
    assert caught.value.__context__ is None
    assert SECRET_KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("given", "expected"), [("false", False), ("TRUE", True), ("ca.pem", "/etc/app/ca.pem"), (False, False)]
)
def test_verify(given: Any, expected: Any) -> None:
    backend = SECRETS(verify=given, region_name="eu-west-1")
    backend.bind("billing", "/etc/app")
    assert backend.open()._endpoint.http_session._verify == expected


def test_the_log_shows_no_secret(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{store.proxy.port}")
    store.fill(25)
    store.put("airflow/connections/db", json.dumps(RDS))
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "botocore")
    caplog.clear()
    backend = store.backend(aws_session_token="cAnArY-token", role_arn="arn:aws:iam::123456789012:role/reader")
    assert backend.get_config("s1") == f"{CANARY} 1"
    backend.get_connection("db")
    backend.get_many("config", [f"s{number}" for number in range(25)])
    backend.list_names("config")
    with caplog.at_level(logging.DEBUG):
        assert "cAnArY" not in caplog.text
    assert "cAnArY" not in repr(backend) + str(backend)
    store.aws.secrets.list_secrets()
    assert "botocore.parsers" in caplog.text, "the log of other clients is theirs"


def test_the_log_shows_no_password_of_the_endpoint(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "botocore")
    keys = {"aws_access_key_id": "AKIAX", "aws_secret_access_key": SECRET_KEY, "region_name": "eu-west-1"}
    once = {"retries": {"total_max_attempts": 1}}
    for make in (SECRETS, PARAMETERS):
        backend = make(endpoint_url="http://me:cAnArY-pass@127.0.0.1:9", config=once, **keys)
        with pytest.raises(errors.BackendUnavailable) as caught:
            backend.get_config("x")
        assert "cAnArY" not in caplog.text + str(caught.value)


@pytest.mark.parametrize("given", KEYS)
def test_half_a_key_is_reported(given: str) -> None:
    with pytest.raises(errors.BackendError, match="belong together") as caught:
        SECRETS(**{given: SECRET_KEY})
    assert SECRET_KEY not in str(caught.value)


# -- the proxy itself, which other stores use too -------------------------------------------------


def test_the_proxy_counts_and_waits(guarded: Guarded) -> None:  # noqa: F811
    with Proxy(guarded.port, latency=0.05) as proxy:
        proxied = client("secretsmanager", proxy.port, **guarded.ADMIN)
        started = time.monotonic()
        for _ in range(4):
            proxied.list_secrets()
        assert time.monotonic() - started > 0.2
        assert (proxy.requests, proxy.connections) == (4, 1)
        proxy.reset()
        assert proxy.requests == 0


def test_the_proxy_has_faults_for_some(moto_port: int) -> None:  # noqa: F811
    with Proxy(moto_port) as proxy:
        proxy.always, proxy.only = "busy", lambda head: b"GetSecretValue" in head
        proxied = client("secretsmanager", proxy.port)
        proxied.list_secrets()
        with pytest.raises(Exception, match="503"):
            proxied.get_secret_value(SecretId="x")


# -- an application over a store -------------------------------------------------------------------


def app_over(tmp_path: Path, short: str, kwargs: dict[str, Any], options: str) -> App:
    pointers = "\n".join(line.replace(" = ", "_secret = ") for line in options.split("\n"))
    cfg = f"[secrets]\nbackend = {short}\nbackend_kwargs = {json.dumps(kwargs)}\n[s]\n{pointers}\n"
    (tmp_path / "billing.cfg").write_text(cfg)
    environ = {"PATH": os.environ["PATH"], "BILLING__DATABASE__SQL_ALCHEMY_CONN": ""}
    return App("billing", home=str(tmp_path), environ=environ, sensitive=["s.*"])


def app_plan(app: App) -> list[dict[str, Any]]:
    from framework.options.prefetch import Plan

    return Plan(app.engine).calls(app.chain)


def test_a_denial_names_the_kwarg_that_stops_the_lookups(guarded: Guarded, tmp_path: Path) -> None:  # noqa: F811
    app = app_over(tmp_path, "aws_ssm", guarded.user(), "k = gone")
    with pytest.raises(errors.AccessDenied, match=r'"variables_prefix": null') as caught:
        app.get_variable("x")
    assert "aws_ssm: variable 'x'" in str(caught.value)
    assert "ssm:GetParameter" in str(caught.value)


def test_airflows_class_path_reads_airflows_names(aws: Aws, tmp_path: Path) -> None:  # noqa: F811
    aws.put_secret("airflow/variables/x", "found")
    path = next(path for path, twin in AIRFLOW_TWINS.items() if twin == "aws_secrets_manager")
    assert app_over(tmp_path, path, aws.kwargs(), "k = gone").get_variable("x") == "found"
