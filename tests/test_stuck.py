"""Messages at which people were stuck: each mistake has its own message, with what to do."""

from __future__ import annotations

import base64
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from conftest import World

from framework import App, Connection, errors
from framework.backends import AIRFLOW_TWINS, RETIRED_PATHS, SHORT_NAMES, build, find_class
from framework.chain.link import CUSTOM, Link
from framework.chain.places import mistake, shown_with_places

P = "cAnArY-7"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (f"google_cloud_platform://u:{P}@h", "the type in a URI has no _", "google-cloud-platform://"),
        (f"aws_emr+x://u:{P}@h", "the type in a URI has no _", "aws-emr+x://"),
        (f'"postgres://u:{P}@h/d"', "it is in quotes", "env_file"),
        (f"'postgres://u:{P}@h/d'", "it is in quotes", "env_file"),
        (f'"{{\\"host\\": \\"{P}\\"}}"', "it is in quotes", "env_file"),
        (f'\'{{"host": "{P}"}}\'\n', "it is in quotes", "env_file"),
        (f'"postgres://u:{P}@h/d', "it begins with a quote", "env_file"),
        (f"“postgres://u:{P}@h/d”", "it is in quotes", "Remove them"),
        (f"<postgres://u:{P}@h/d>", "it is in quotes", "Remove them"),
        (f"\ufeffpostgres://u:{P}@h/d", "a byte order mark", "UTF-8 without"),
        (f'\ufeff{{"host": "{P}"}}', "a byte order mark", "UTF-8 without"),
        (f"ï»¿postgres://u:{P}@h/d", "a byte order mark", "UTF-8 without"),
        (f"postgres:/u:{P}@h/d", "there is one slash", "TYPE://HOST"),
        (f"https:/h/{P}", "there is one slash", "TYPE://HOST"),
        (f"postgres:\\/\\/u:{P}@h", "written with a backslash", "two plain slashes"),
        (f"jdbc:postgresql://u:{P}@h/d", "it is a JDBC URL", "Leave out jdbc:"),
        (f"AIRFLOW_CONN_X=postgres://u:{P}@h", "a variable's name", "what follows the ="),
        (f"postgres ://u:{P}@h", "a space before ://", "Remove it"),
        (f"{P}%://h", "what comes before :// is not a type", "TYPE"),
        (f"host=h password={P} dbname=d", "a list of NAME=VALUE", "or JSON"),
        (f"conn_type: postgres\npassword: {P}\n", "it looks like YAML", "Write JSON"),
        (f'[{{"host": "{P}"}}]', "it is a JSON list", "one JSON object"),
        ("${DATABASE_URI}", "a placeholder", "Write the value"),
        ("{{ database_uri }}", "double quotes", "Write an object"),
        (base64.b64encode(f"postgres://u:{P}@h".encode()).decode(), "it is base64", "the text itself"),
        (base64.b64encode(f'{{"host": "{P}"}}'.encode()).decode(), "it is base64", "the text itself"),
        (f"postgres%3A%2F%2Fu%3A{P}%40h", "percent-encoded as a whole", "Encode the parts"),
        (f"scott:{P}@h/s", "it does not begin with TYPE://", "Write TYPE://"),
        (f"db.example.org:{P}", "it does not begin with TYPE://", "Write TYPE://"),
    ],
)
def test_an_invalid_connection_is_reported_by_its_mistake(text: str, what: str, hint: str) -> None:
    for read in (Connection.from_text, lambda text: Connection(conn_id="x", uri=text)):
        if read is not Connection.from_text and text.startswith("{"):
            continue
        with pytest.raises(errors.InvalidConnection) as caught:
            read(text)
        assert what in caught.value.what
        assert hint in caught.value.hint
        assert P not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "conn_type"),
    [
        (f"mongodb://u:{P}@h1:27017,h2:27017/d", "mongo"),
        (f"mongodb+srv://u:{P}@h1:1,h2:2", "mongo"),
        (f"postgresql://u:{P}@h1:5432,h2:5432/d?sslmode=require", "postgres"),
        (f"kafka://{P}1:9092,{P}2:9092", "kafka"),
        (f"redis://:{P}@[::1]:1,[::2]:2/0", "redis"),
    ],
)
def test_several_hosts_are_written_as_json(uri: str, conn_type: str) -> None:
    with pytest.raises(errors.InvalidConnection, match="several hosts") as caught:
        Connection.from_text(uri)
    assert P not in str(caught.value)
    written = caught.value.hint.partition("host: ")[2].partition("; or")[0]
    written = written.replace("HOST1:PORT1,HOST2:PORT2", "h1:1,h2:2")
    connection = Connection.from_text(written)
    assert (connection.conn_type, connection.host, connection.port) == (conn_type, "h1:1,h2:2", None)
    assert Connection.from_text(connection.get_uri()).host == "h1:1,h2:2"
    assert Connection.from_text(f"{conn_type}://u:p@h1%3A1%2Ch2%3A2/d").host == "h1:1,h2:2"


# -- an empty connection ---------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["aws_secrets_manager", "aws_ssm"])
def test_json_without_a_known_field_is_reported_with_its_names(backend: str, tmp_path: Path) -> None:
    made = build(app(tmp_path, backend, {"region_name": "r"}), "secrets")
    text = json.dumps({"endpoint": P, "credential": P, f"{P}/+": 1})
    with pytest.warns(errors.FrameworkWarning, match="connection 'db' is empty") as caught:
        made.deserialize_connection("db", text)
    message = str(caught[0].message)
    assert len(caught) == 1
    assert "endpoint, credential, (a hidden name)" in message
    assert "connection_map" in message
    assert P not in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made.deserialize_connection("db", json.dumps({"server": "h", "other": 1})).host == "h"


def test_a_map_that_finds_nothing_is_reported(tmp_path: Path) -> None:
    more = {"CONNECTION_MAP": json.dumps({"login": "user.name", "conn_type": {"const": "postgres"}})}
    made = build(app(tmp_path, "aws_ssm", {"region_name": "r"}, **more), "secrets")
    with pytest.warns(
        errors.FrameworkWarning, match="nothing that .* connection_map looks for. It has account"
    ) as caught:
        made.deserialize_connection("db", json.dumps({"account": P}))
    assert P not in str(caught[0].message)


def test_unknown_fields_name_the_map() -> None:
    with pytest.raises(errors.InvalidConnection, match="connection_map"):
        Connection.from_text(json.dumps({"endpoint": P}))
    with pytest.raises(errors.InvalidConnection) as caught:
        Connection.from_text(json.dumps({"host": "h", "pasword": P}))
    assert "connection_map" not in str(caught.value)


# -- class paths that were moved ---------------------------------------------------------------


def app(folder: Path, backend: str, kwargs: dict[str, Any], **more: str) -> App:
    environ = {"BILLING__SECRETS__BACKEND": backend, "BILLING__SECRETS__BACKEND_KWARGS": json.dumps(kwargs)}
    environ |= {f"BILLING__SECRETS__{name}": text for name, text in more.items()}
    return App("billing", home=str(folder), environ=environ)


@pytest.mark.parametrize("path", RETIRED_PATHS)
def test_a_class_path_of_an_older_airflow_is_served(path: str) -> None:
    with pytest.warns(DeprecationWarning, match="older Airflow; today it is airflow.providers") as caught:
        found = find_class(path, "airflow.cfg:3")
    assert f"{found.__module__}.{found.__qualname__}" == SHORT_NAMES[RETIRED_PATHS[path]]
    [today] = [word for word in str(caught[0].message).split() if word in AIRFLOW_TWINS]
    assert find_class(today, "") is found


def test_its_names_are_airflows(tmp_path: Path) -> None:
    path = "airflow.contrib.secrets.aws_systems_manager.SystemsManagerParameterStoreBackend"
    with pytest.warns(DeprecationWarning):
        made = build(app(tmp_path, path, {"region_name": "r"}), "secrets")
    assert made.name_of("config", "x") == "/airflow/config/x"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("airflow.providers.hashicorp.secrets.VaultBackend", "Did you mean airflow.providers.hashicorp.secrets.vault."),
        ("airflow.contrib.secrets.gcp.CloudSecretsManagerBackend", "google.cloud.secrets.secret_manager."),
        ("airflow.providers.acme.secrets.acme.AcmeBackend", "Write import:airflow.providers.acme"),
    ],
)
def test_an_unknown_class_path_is_answered_with_the_choices(path: str, hint: str) -> None:
    with pytest.raises(errors.BackendError, match="framework has no backend for") as caught:
        find_class(path, "airflow.cfg:3")
    assert hint in caught.value.hint
    assert f"import:{path}" in caught.value.hint


# -- what a store was asked for ------------------------------------------------------------------

AWS = {"region_name": "r"}
VAULT = {"token": "t", "url": "http://127.0.0.1:9"}
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:billing/config/x-AbCdEf"


@pytest.mark.parametrize(
    ("backend", "kwargs", "place"),
    [
        ("aws_secrets_manager", AWS, "billing/config/x"),
        ("aws_ssm", {**AWS, "config_prefix": "/wrong"}, "/wrong/x"),
        ("vault", VAULT, "secret/data/config/x"),
        ("vault", {**VAULT, "kv_engine_version": 1, "config_path": ["a", "b"]}, "secret/a/x, secret/b/x"),
        ("gcp_secret_manager", {"project_id": "p"}, "billing-config-x"),
        ("azure_key_vault", {"vault_url": "https://v.example"}, "billing-config-x"),
        ("kubernetes", {}, "airflow.apache.org/config-key=x"),
        ("yandex_lockbox", {"folder_id": "f"}, "billing/config/x"),
        ("akeyless", {"access_id": "i", "access_key": "k"}, "/billing/config/x"),
        ("keyring", {}, "service billing/config"),
        ("mounted_files", {"path": "/run/secrets"}, "/run/secrets/config/x"),
        ("local_filesystem", {"configs_file_path": "/etc/c.json"}, "/etc/c.json"),
    ],
)
def test_what_a_store_was_asked_for(backend: str, kwargs: dict[str, Any], place: str, tmp_path: Path) -> None:
    assert shown_with_places(link(backend, kwargs, tmp_path), "config", "x") == f"store ({place})"
    assert mistake(link(backend, kwargs, tmp_path), "config", "x") == ""


def link(backend: str, kwargs: dict[str, Any], folder: Path) -> Link:
    made = build(app(folder, backend, kwargs), "secrets")
    return Link("store", 1, lambda: made, role=CUSTOM)


@pytest.mark.parametrize(
    ("backend", "kwargs", "name"),
    [
        ("aws_secrets_manager", AWS, "billing/config/x"),
        ("aws_secrets_manager", AWS, ARN),
        ("aws_ssm", AWS, "/billing/config/x"),
        ("aws_ssm", AWS, "billing/config/x"),
        ("aws_ssm", AWS, "arn:aws:ssm:eu-west-1:123456789012:parameter/billing/config/x"),
        ("vault", VAULT, "config/x"),
        ("vault", VAULT, "secret/config/x"),
        ("vault", VAULT, "secret/data/config/x"),
        ("gcp_secret_manager", {"project_id": "p"}, "billing-config-x"),
        ("gcp_secret_manager", {"project_id": "p"}, "projects/p/secrets/billing-config-x/versions/latest"),
        ("azure_key_vault", {"vault_url": "https://v.example"}, "billing-config-x"),
        ("yandex_lockbox", {"folder_id": "f"}, "billing/config/x"),
        ("akeyless", {"access_id": "i", "access_key": "k"}, "/billing/config/x"),
        ("mounted_files", {"path": "/run/secrets"}, "/run/secrets/config/x"),
    ],
)
def test_a_name_that_holds_the_prefix_gets_a_hint(
    backend: str, kwargs: dict[str, Any], name: str, tmp_path: Path
) -> None:
    assert "write x" in mistake(link(backend, kwargs, tmp_path), "config", name)


def test_the_error_of_a_pointer_names_it(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "schema.yml").write_text("mail: {options: {password: {type: string, sensitive: true, default: ''}}}")
    environ = {
        "BILLING__SECRETS__BACKEND": "mounted_files",
        "BILLING__SECRETS__BACKEND_KWARGS": json.dumps({"path": str(tmp_path / "secrets"), "config_prefix": "c"}),
        "BILLING__MAIL__PASSWORD_SECRET": "c/smtp",
    }
    with pytest.raises(errors.PointerError) as caught:
        App("billing", home=str(tmp_path), environ=environ, schema=str(tmp_path / "schema.yml")).conf.get(
            "mail", "password"
        )
    assert f"mounted_files ({tmp_path}/secrets/c/c/smtp)" in caught.value.what
    assert "write smtp" in caught.value.hint


@pytest.mark.parametrize("name", ["pa_ss_cAnArY", "mount/cAnArY"])
@pytest.mark.parametrize("backend", ["azure_key_vault", "vault"])
def test_a_reference_that_is_not_shown_is_not_shown_in_the_spelling_of_a_store(
    name: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An undeclared option may hold the secret itself."""
    from framework.backends.azure import AzureKeyVaultBackend
    from framework.backends.vault import VaultBackend

    monkeypatch.setattr(AzureKeyVaultBackend, "read", lambda self, name, version=None: None)
    monkeypatch.setattr(VaultBackend, "_ask", lambda self, *_: None)
    kwargs = {"vault_url": "https://v.example"} if backend == "azure_key_vault" else {**VAULT, "mount_point": None}
    environ = {
        "BILLING__SECRETS__BACKEND": backend,
        "BILLING__SECRETS__BACKEND_KWARGS": json.dumps(kwargs),
        "BILLING__MAIL__PASSWORD_SECRET": name,
    }
    made = App("billing", home=str(tmp_path), environ=environ)
    with pytest.raises(errors.PointerError) as caught:
        made.conf.get("mail", "password")
    assert "cAnArY" not in str(caught.value)
    assert "pa-ss" not in str(caught.value)


@pytest.mark.parametrize(
    "option, value, expected",
    [
        ("DATABASE__SQL_ALCHEMY_CONN", "postgresql://u:canary@w@db/x", "holds a '@' that is not encoded. Write %40"),
        (
            "DATABASE__SQL_ALCHEMY_CONN",
            "oracle://u:canary@db/x",
            "the URL is not for SQLite, PostgreSQL, MySQL",
        ),
        ("DATABASE__SQL_ALCHEMY_CONN", "sqlite://", "the URL names no file"),
        ("DATABASE__SQL_ALCHEMY_CONN_CMD", "echo canary", "the URL is not for SQLite"),
        ("CORE__FERNET_KEY", "canary", "key 1 of 1 is not 32 bytes as URL-safe base64"),
        ("MAIL__PASSWORD_FILE", "", "[mail] password_file: the path is empty. Write the path of a file, or remove it."),
        ("DATABASE__SQL_ALCHEMY_CONN", "sqlite:////nowhere/a.db", ""),
        ("DATABASE__SQL_ALCHEMY_CONN", "", ""),
        ("CORE__FERNET_KEY", "", ""),
    ],
)
def test_check_reads_the_url_of_the_database_and_the_keys(world: World, option: str, value: str, expected: str) -> None:
    world.project(sensitive=["mail.password"])
    world.set(**{f"BILLING__{option}": value})
    status, out, err = world.run("check")
    assert "canary" not in out + err
    if not expected:
        assert (status, out) == (0, "")
        return
    assert (status, len(out.splitlines())) == (1, 1)
    assert out.startswith(f"error: BILLING__{option}: ") and expected in out
