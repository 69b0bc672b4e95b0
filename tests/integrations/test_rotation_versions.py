"""Rotations in a store that has the new password before it is the current one, or still has the old one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from patience import GUARD

pytest.importorskip("moto", reason="moto is not installed")

from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.secretsmanager.models import secretsmanager_backends  # noqa: E402
from rotating import PostgreSQL, Store  # noqa: E402
from servers_aws import REGION, Aws, aws, moto_port, no_aws_around  # noqa: E402, F401
from test_rotation import Load, Refused, refusing  # noqa: E402

from framework import App, errors  # noqa: E402
from framework.backends.aws import SecretsManagerBackend  # noqa: E402
from framework.chain.cache import Cache  # noqa: E402
from framework.chain.link import Link  # noqa: E402
from framework.integrations import rotation  # noqa: E402

NAME = "billing/connections/books"


class Rotated(PostgreSQL):
    """A PostgreSQL role whose password Secrets Manager rotates, in the steps of AWS's rotation functions."""

    def __init__(self, aws: Aws, tmp_path: Path) -> None:  # noqa: F811
        super().__init__(tmp_path)
        self.aws, self.home, self.entries = aws, tmp_path, list[dict[str, Any]]()
        self.aws.secrets.create_secret(Name=NAME, SecretString=self.text())
        kwargs = json.dumps(aws.kwargs())
        (tmp_path / "billing.cfg").write_text(f"[secrets]\nbackend = aws_secrets_manager\nbackend_kwargs = {kwargs}\n")
        self.app = self.process()

    def process(self) -> App:
        """The application as another process has it: with nothing kept."""
        return App("billing", home=self.home, environ={}, access_log=self.entries.append)

    def text(self) -> str:
        return json.dumps({**self.fields(), "login": self.user, "password": self.password(self.number)})

    def create_secret(self) -> None:
        self.number += 1
        stages = {"VersionStages": ["AWSPENDING"], "ClientRequestToken": f"made-up-{self.number:032}"}
        self.aws.secrets.put_secret_value(SecretId=NAME, SecretString=self.text(), **stages)

    def set_secret(self) -> None:
        self.in_server()

    def finish_secret(self) -> None:
        versions = self.aws.secrets.describe_secret(SecretId=NAME)["VersionIdsToStages"]
        (current,) = [version for version, stages in versions.items() if "AWSCURRENT" in stages]
        to = {"MoveToVersionId": f"made-up-{self.number:032}", "RemoveFromVersionId": current}
        self.aws.secrets.update_secret_version_stage(SecretId=NAME, VersionStage="AWSCURRENT", **to)
        # moto moves the label, but a read without a label still gets the old version. AWS reads the label.
        moto = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION]
        moto.secrets[NAME].set_default_version_id(to["MoveToVersionId"])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The versions that Secrets Manager was asked for; None: the current one."""
    versions: list[str | None] = []
    fetch = SecretsManagerBackend.fetch

    def noted(self: Any, client: Any, name: str, version: str | None) -> Any:
        versions.append(version)
        return fetch(self, client, name, version)

    monkeypatch.setattr(SecretsManagerBackend, "fetch", noted)
    return versions


@pytest.fixture
def service(aws: Aws, asked: list[str | None], tmp_path: Path) -> Rotated:  # noqa: F811
    return Rotated(aws, tmp_path)


CLIENTS = ("sqlalchemy", "sqlalchemy asyncpg", "psycopg", "psycopg async", "asyncpg")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_password_that_is_pending_in_the_store_works(client: str, service: Rotated, asked: list[str | None]) -> None:
    ask = service.clients()[client]()
    assert ask() == 42
    service.create_secret()
    assert ask() == 42
    assert asked == [None], "while the login works nothing else is asked"
    service.set_secret()
    assert ask() == 42
    assert asked[1:] == [None, "AWSPENDING"]
    assert service.login.refused == 1
    service.login._bad = {pair: (when - 60, times) for pair, (when, times) in service.login._bad.items()}
    for _ in range(5):
        assert ask() == 42
    service.finish_secret()
    assert ask() == 42
    assert (len(asked), service.login.refused) == (3, 1), "the kept login stays refused, and is not tried"
    # The next rotation begins with what the pending version was.
    service.create_secret()
    service.set_secret()
    service.app.get_connection("books", max_age=0)
    assert ask() == 42
    assert asked[3:] == [None, None, "AWSPENDING"]
    assert service.login.refused == 2


def test_a_process_that_starts_in_the_middle_of_a_rotation(service: Rotated, asked: list[str | None]) -> None:
    service.create_secret()
    service.set_secret()
    assert service.clients()["psycopg"]()() == 42
    assert asked == [None, None, "AWSPENDING"]
    assert service.login.refused == 1


def test_a_database_that_still_has_the_previous_password(service: Rotated, asked: list[str | None]) -> None:
    service.create_secret()
    service.finish_secret()
    assert service.clients()["psycopg"]()() == 42
    assert asked == [None, None, "AWSPENDING", "AWSPREVIOUS"]
    assert service.login.refused == 1, "what is pending is what is current"
    service.set_secret()
    service.login._bad.clear()
    assert service.clients()["psycopg"]()() == 42


def test_the_access_log_has_the_question_for_a_version(service: Rotated) -> None:
    service.create_secret()
    service.set_secret()
    assert service.clients()["psycopg"]()() == 42
    found = [entry["outcome"] for entry in service.entries if entry["name"] == "books"]
    assert found == ["found"] * 3


def test_under_load_no_request_fails_while_the_password_is_only_pending(
    service: Rotated, asked: list[str | None]
) -> None:
    ask = service.clients()["psycopg"]()
    with Load(ask, threads=4, requests=3) as load:
        load.some_requests()
        for number in (1, 2, 3):
            calls, refused = len(asked), service.login.refused
            for step in (service.create_secret, service.set_secret, service.finish_secret):
                step()
                load.some_requests()
            assert len(asked) - calls <= 3, asked
            assert service.login.refused - refused <= 8, number
    assert load.faults == []


# Which link is asked, and how often


class Versions(Store):
    """A store with versions of its connection: passwords, None for absence, or errors."""

    other_versions = ("next", "before")

    def __init__(self, password: str | None, **versions: Any) -> None:
        super().__init__(conn_type="postgres", login="me", password=password)
        self.is_absent, self.versions, self.questions = password is None, versions, list[str]()

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        return None if self.is_absent else super().get_conn_value(conn_id, team_name)

    def get_connection_version(self, conn_id: str, version: str) -> Any:
        self.questions.append(version)
        answer = self.versions.get(version)
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else json.dumps({**self.fields, "password": answer})


@pytest.fixture
def only_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes only in the pauses of a search, however busy the machine is."""
    passed = list[float]()
    monkeypatch.setattr(rotation, "monotonic", lambda: sum(passed))
    monkeypatch.setattr("time.sleep", passed.append)


class Server:
    def __init__(self, valid: str) -> None:
        self.valid = valid


def client_of(tmp_path: Path, *stores: Versions, **environ: str) -> rotation.Rotating:
    class Over(App):
        def custom_links(self) -> list[Link]:
            return [
                Link(f"store {number}", number, lambda store=store: store, cache=Cache(900, 60))
                for number, store in enumerate(stores, 1)
            ]

    return rotation.Rotating("books", Over("billing", home=tmp_path, environ=environ), GUARD)


def test_the_link_that_has_the_connection_is_asked_and_no_other(tmp_path: Path) -> None:
    first, second = Versions(None, next="p1"), Versions("p0", next="p2", before="p1")
    made = client_of(tmp_path, first, second)
    assert made.run(refusing(Server("p1"), [])) == "in as p1"
    assert (first.questions, second.questions) == ([], ["next", "before"])


def test_an_environment_variable_has_no_versions(tmp_path: Path, only_pauses: None) -> None:
    store = Versions(None, next="p1")
    made = client_of(tmp_path, store, BILLING_CONN_BOOKS="postgres://me:p0@db.example/books")
    with pytest.raises(Refused):
        made.run(refusing(Server("p1"), []))
    assert store.questions == []


@pytest.mark.parametrize("fault", [errors.AccessDenied("no"), errors.BackendUnavailable("down"), ValueError("odd")])
def test_a_version_that_cannot_be_read_is_not_an_error(fault: Exception, tmp_path: Path) -> None:
    store, tried = Versions("p0", next=fault, before="p1"), list[Any]()
    assert client_of(tmp_path, store).run(refusing(Server("p1"), tried)) == "in as p1"
    assert tried == ["p0", "p1"]


def test_a_search_that_finds_nothing_asks_for_each_version_once_a_round(tmp_path: Path, only_pauses: None) -> None:
    store, tried = Versions("p0", next="p1", before="p2"), list[Any]()
    made = client_of(tmp_path, store)
    with pytest.raises(Refused):
        made.run(refusing(Server("another"), tried))
    rounds = store.asked - 1  # the first question is not one of the search
    assert store.questions == ["next", "before"] * rounds
    assert set(tried[:3]) == {"p0", "p1", "p2"}
    assert len(tried) < 3 * rounds, "a refused login is not repeated at once"


def test_a_version_that_was_refused_is_tried_more_and_more_rarely(tmp_path: Path) -> None:
    login = client_of(tmp_path, Versions("p0")).login
    one = rotation.Credentials("me", "p1")
    login.note_refusal(one)
    login.note_refusal(one)
    ((pair, (when, times)),) = login._bad.items()
    login._bad[pair] = when - 1.5, times
    assert not login._may_try(one, searching=True, is_other=True)
    assert login._may_try(one, searching=True)
    login._bad[pair] = when - 2.5, times
    assert login._may_try(one, searching=True, is_other=True)
