"""Connections whose password is a token of a cloud, good for minutes: what is issued, to whom, how long it is good."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from patience import until

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("azure.identity", reason="azure-identity is not installed")

from azure.identity import ClientSecretCredential  # noqa: E402
from looks import LOOKS  # noqa: E402
from servers_aws import KEYS, REGION, SECRET_KEY, Aws, aws, client, moto_port, no_aws_around  # noqa: E402, F401
from servers_azure import Vault, authority, vault  # noqa: E402, F401
from store_checks import refused  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends.aws import AwsRdsTokensBackend  # noqa: E402
from framework.backends.azure import AzureDatabaseTokensBackend  # noqa: E402
from framework.cli.commands import COMMANDS  # noqa: E402
from framework.masking import redact_text  # noqa: E402

# ruff: noqa: F811 - fixtures
HOST = f"books.c9akciq32.{REGION}.rds.amazonaws.com"
CONN = f"postgres://app@{HOST}:5432/books?sslmode=verify-full"


class Rds:
    """The signing of tokens.

    Attributes:
        kwargs: those of a backend.
        issued: the tokens so far.
        seconds: how long a token is used, in seconds.
        secret: that of the credentials.
    """

    short, mark, seconds = "aws_rds_tokens", "X-Amz-Signature", 840.0

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kwargs: dict[str, Any] = {"region_name": REGION, "connections": {"warehouse": CONN}, **KEYS}
        self.issued = counted(AwsRdsTokensBackend, monkeypatch)
        self.secret = SECRET_KEY


class Entra:
    """The sign-in of Azure, see `Rds`."""

    short, mark, seconds = "azure_database_tokens", "token-canary", 3540.0

    def __init__(self, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vault, self.secret = vault, vault.client_secret
        names = ("tenant_id", "client_id", "client_secret", "authority", "connection_verify")
        self.kwargs = {"connections": {"warehouse": CONN}, **{name: vault.kwargs[name] for name in names}}
        self.issued = counted(AzureDatabaseTokensBackend, monkeypatch)


def counted(backend_class: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that backends of a class issue from now on."""
    issued: list[str] = []
    token = backend_class.token

    def count(*args: Any) -> Any:
        made = token(*args)
        issued.append(made[0])
        return made

    monkeypatch.setattr(backend_class, "token", count)
    return issued


@pytest.fixture
def entra(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Entra:
    return Entra(vault, monkeypatch)


@pytest.fixture(params=["rds", "entra"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    return Rds(monkeypatch) if request.param == "rds" else request.getfixturevalue("entra")


def environ(cloud: Any, **kwargs: Any) -> dict[str, str]:
    return {
        "BILLING__SECRETS__BACKEND": cloud.short,
        "BILLING__SECRETS__BACKEND_KWARGS": json.dumps({**cloud.kwargs, **kwargs}),
    }


def app_of(cloud: Any, home: Path, **kwargs: Any) -> App:
    return App("billing", home=home, environ=environ(cloud, **kwargs))


def test_the_password_is_a_token_with_a_lifetime(cloud: Any, tmp_path: Path) -> None:
    app, before = app_of(cloud, tmp_path), time.monotonic()
    found = app.get_connection("warehouse")
    after = time.monotonic()
    assert [found.password] == cloud.issued
    assert (found.conn_type, found.login, found.host, found.port, found.schema) == (
        "postgres",
        "app",
        HOST,
        5432,
        "books",
    )
    assert found.extra_dejson == {"sslmode": "verify-full"}
    assert found.lifetime is not None and not found.lifetime.is_lease  # an open connection outlives its token
    assert before + cloud.seconds - 60 < found.lifetime.ends <= after + cloud.seconds


def test_a_token_is_never_sent_without_tls(cloud: Any, tmp_path: Path) -> None:
    """PostgreSQL's drivers try TLS and go on without it, unless they get `sslmode`."""
    place = CONN.partition("?")[0]
    for option in ("sslmode=disable", "sslmode=prefer", "SSLMODE=Allow", "ssl=false", "ssl_mode=PREFERRED"):
        with pytest.raises(errors.BackendError, match="allows a connection without TLS"):
            app_of(cloud, tmp_path, connections={"w": f"{place}?{option}"}).get_connection("w")
    for given, found in (
        (place, {"sslmode": "require"}),
        (f"{place}?application_name=x", {"application_name": "x", "sslmode": "require"}),
        (f"{place}?ssl=verify-full", {"ssl": "verify-full"}),
        (place.replace("postgres:", "mysql:"), {}),
    ):
        assert app_of(cloud, tmp_path, connections={"w": given}).get_connection("w").extra_dejson == found


def test_a_token_is_kept_while_it_is_good_and_no_longer(cloud: Any, tmp_path: Path) -> None:
    app = app_of(cloud, tmp_path)
    first = app.get_connection("warehouse")
    assert app.get_connection("warehouse").password == first.password and len(cloud.issued) == 1
    first.lifetime.end()
    assert app.get_connection("warehouse").lifetime.is_current and len(cloud.issued) == 2
    app.get_connection("warehouse", max_age=0)
    assert len(cloud.issued) == 3


def test_other_names_are_absent(cloud: Any, tmp_path: Path) -> None:
    app = App("billing", home=tmp_path, environ={**environ(cloud), "BILLING_CONN_OTHER": "http://env"})
    assert app.get_connection("other").host == "env"
    backend = app.chain.custom[0].backend
    assert backend.get_conn_value("other") is None is backend.get_config("warehouse")
    assert backend.get_variable("warehouse") is None
    assert [backend.list_names(kind) for kind in ("connection", "variable", "config")] == [["warehouse"], [], []]
    assert cloud.issued == []


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_looking_issues_nothing(cloud: Any, world: Any, command: str) -> None:
    world.write("schema.json", json.dumps({"db": {"options": {"password": {"sensitive": True}}}}))
    world.project(schema="schema.json")
    world.set(**environ(cloud), BILLING__DB__PASSWORD="from the environment")
    for words in LOOKS.get(command, []) if command != "policy" else ():
        status, out, err = world.run(*words)
        assert status == 0 or words[0] == "config", (words, out, err)
        assert cloud.issued == [] and cloud.mark not in out + err, words
    if command == "explain":
        assert "found, issued on use" in world.run("explain", "--connection", "warehouse")[1]
    if command == "connections":
        status, _, err = world.run("connections", "get", "warehouse")
        assert status == 0 and len(cloud.issued) == 1, err


def test_nothing_secret_is_shown(cloud: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    app = app_of(cloud, tmp_path)
    found = app.get_connection("warehouse")
    assert found.password not in redact_text(f"refused: {found.password}")
    for secret in (found.password, cloud.mark, cloud.secret):
        assert secret not in caplog.text + repr(found) + repr(found.lifetime) + repr(app.chain.custom[0].backend)


@pytest.mark.parametrize(
    ("conn", "what"),
    [
        ("postgres://app:canary-pw@db:5432/books", "it has a password"),
        ("postgres://db:5432/books", "it has no login"),
        ("postgres://app@/books", "it has no host"),
        ({"conn_type": "postgres", "login": "app", "host": "a:1,b:2"}, "it has several hosts"),
        (7, "neither a URI nor fields"),
        ("canary-pw", "'warehouse'"),
    ],
)
def test_wrong_connections(cloud: Any, tmp_path: Path, conn: Any, what: str) -> None:
    with pytest.raises(errors.BackendError, match=what) as caught:
        app_of(cloud, tmp_path, connections={"warehouse": conn}).get_connection("warehouse")
    assert "canary" not in str(caught.value)


def test_connections_is_an_object(cloud: Any, tmp_path: Path) -> None:
    with pytest.raises(errors.BackendError, match="connections is not an object"):
        app_of(cloud, tmp_path, connections=["warehouse"]).get_connection("warehouse")


def rds_of(**kwargs: Any) -> AwsRdsTokensBackend:
    given = {"region_name": REGION, "connections": {"warehouse": CONN}, **KEYS, **kwargs}
    return AwsRdsTokensBackend(**{name: value for name, value in given.items() if value is not None})


def password_of(backend: Any) -> str:
    return str(backend.get_connection("warehouse").password)


@pytest.mark.parametrize(
    ("conn", "port"),
    [
        (CONN, 5432),
        (f"postgresql://app@{HOST}/books", 5432),
        (f"mysql://app@{HOST}/books", 3306),
        ("mysql://app@proxy.example.com:3307/books", 3307),
        ({"conn_type": "mariadb", "host": HOST, "login": "app", "schema": "books"}, 3306),
    ],
)
def test_an_rds_token_is_that_of_botocore(conn: Any, port: int) -> None:
    token = password_of(rds_of(connections={"warehouse": conn}))
    host = HOST if HOST in str(conn) else "proxy.example.com"
    expected = client("rds", 9).generate_db_auth_token(host, port, "app")

    def parts(text: str) -> Any:
        split = urlsplit(f"https://{text}")
        query = parse_qs(split.query)
        # They are signed in different seconds.
        return (
            split.netloc,
            split.path,
            {key: query[key] for key in query if key not in ("X-Amz-Date", "X-Amz-Signature")},
        )

    assert parts(token) == parts(expected)
    assert parts(token)[2]["X-Amz-Expires"] == ["900"] and len(parse_qs(token)["X-Amz-Signature"][0]) == 64


def test_a_token_of_temporary_credentials_is_good_for_less() -> None:
    """botocore replaces the credentials of a role ten minutes before they end, and the token ends with them."""
    value: Any = rds_of(aws_session_token="session-canary").get_conn_value("warehouse")
    assert "X-Amz-Security-Token=session-canary" in value
    assert 480 < value.lifetime.ends - time.monotonic() <= 540


def test_a_token_of_an_assumed_role(aws: Aws) -> None:
    sts = {"service_config": {"sts": {"endpoint_url": f"http://127.0.0.1:{aws.port}"}}}
    token = password_of(rds_of(role_arn="arn:aws:iam::123456789012:role/reader", **sts))
    assert "X-Amz-Security-Token=" in token and KEYS["aws_access_key_id"] not in token


def test_sts_that_is_down() -> None:
    sts = {"service_config": {"sts": {"endpoint_url": "http://127.0.0.1:9"}}}
    backend = rds_of(role_arn="arn:aws:iam::123456789012:role/reader", **sts)
    refused(errors.BackendUnavailable, lambda: backend.get_connection("warehouse"))


def test_without_credentials_or_region_rds_says_what_to_set() -> None:
    nobody = rds_of(aws_access_key_id=None, aws_secret_access_key=None)
    fault = refused(errors.AccessDenied, lambda: nobody.get_connection("warehouse"))
    assert "there are no credentials" in fault.what and "aws_access_key_id" in fault.hint
    fault = refused(errors.BackendError, lambda: rds_of(region_name=None).get_connection("warehouse"))
    assert "NoRegionError" in fault.what and fault.hint == "Set region_name."


def test_the_region_of_another_database() -> None:
    fault = refused(errors.BackendError, lambda: rds_of(region_name="us-east-1").get_connection("warehouse"))
    assert (fault.what, fault.hint) == (
        f"the region is us-east-1, but the database is in {REGION}",
        "Correct region_name.",
    )
    fault = refused(errors.BackendError, lambda: rds_of(region_name="no region!").get_connection("warehouse"))
    assert "InvalidRegionError" in fault.what


def test_rds_needs_a_port_and_knows_its_kwargs() -> None:
    with pytest.raises(errors.BackendError, match="it has no port"):
        rds_of(connections={"warehouse": f"oracle://app@{HOST}/books"})
    with pytest.raises(TypeError, match="no argument 'config_prefix'"):
        rds_of(config_prefix="x")


def test_a_child_signs_for_itself(tmp_path: Path) -> None:
    backend = rds_of()
    password_of(backend)
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writes, password_of(backend)[:200].encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writes)
    assert os.read(reads, 1000).decode().startswith(f"{HOST}:5432/?Action=connect&DBUser=app")
    os.close(reads)


def entra_of(entra: Entra, **kwargs: Any) -> AzureDatabaseTokensBackend:
    return AzureDatabaseTokensBackend(**{**entra.kwargs, "retry_backoff_factor": 0.01, **kwargs})


def test_an_azure_token_is_fetched_once_and_again_before_it_ends(entra: Entra) -> None:
    backend = entra_of(entra, connections={"warehouse": CONN, "books": CONN})
    first = password_of(backend)
    assert [password_of(backend), backend.get_connection("books").password] == [first, first]
    assert entra.vault.given == [first] and entra.vault.logins == 1
    entra.vault.seconds = 301  # a second later another one is fetched
    short = entra_of(entra)
    before = time.monotonic()
    found = short.get_connection("warehouse")
    assert 180 < found.lifetime.ends - before <= 242
    until(lambda: password_of(short) != found.password)


def test_the_scope_of_an_azure_token(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    scopes: list[Any] = []
    fetch = ClientSecretCredential.get_token_info

    def get_token_info(self: Any, *asked: str, **more: Any) -> Any:
        scopes.append(asked)
        return fetch(self, *asked, **more)

    monkeypatch.setattr(ClientSecretCredential, "get_token_info", get_token_info)
    password_of(entra_of(entra))
    password_of(entra_of(entra, scope="https://ossrdbms-aad.database.chinacloudapi.cn/.default"))
    assert scopes == [
        ("https://ossrdbms-aad.database.windows.net/.default",),
        ("https://ossrdbms-aad.database.chinacloudapi.cn/.default",),
    ]


def test_a_refused_sign_in_of_azure(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    canaries = ("sdk-text-canary", "token-canary", "client-secret-canary", "wrong-canary")
    wrong = entra_of(entra, client_secret="wrong-canary")
    fault = refused(errors.AccessDenied, lambda: wrong.get_connection("warehouse"), *canaries)
    assert "AADSTS7000215" in fault.what and "client_secret" in fault.hint
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    nobody = entra_of(entra, client_secret="")
    fault = refused(errors.AccessDenied, lambda: nobody.get_connection("warehouse"), *canaries)
    assert "where Azure provides a managed identity" in fault.hint


def test_a_sign_in_of_azure_that_does_not_answer(entra: Entra) -> None:
    entra.vault.sign_in = lambda handler: handler.reply(503, {"error": "temporarily_unavailable"}) or True
    refused(errors.BackendUnavailable, lambda: entra_of(entra).get_connection("warehouse"), "token-canary")
    nowhere = entra_of(entra, authority="https://localhost:9")
    refused(errors.BackendUnavailable, lambda: nowhere.get_connection("warehouse"))


def test_azure_knows_its_kwargs(entra: Entra) -> None:
    with pytest.raises(errors.BackendError, match="no argument 'vault_url'"):
        entra_of(entra, vault_url="https://v.example")
    with pytest.raises(errors.BackendError, match="Did you mean 'connections'"):
        entra_of(entra, conections={})
