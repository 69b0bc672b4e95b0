"""Credentials that a real OpenBao issues for a real PostgreSQL: who gets them, how long they are good, what is left."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import servers
import sqlalchemy
from looks import LOOKS
from patience import GUARD, threads_named, until
from servers_vault import Bao, Relay, bao, relay  # noqa: F401 - fixtures

from framework import App, errors, lifetime, repeated
from framework.backends.vault import leases as vault_leases
from framework.cli.commands import COMMANDS
from framework.integrations.sqlalchemy import create_async_engine, create_engine
from framework.masking import redact_text

_numbers = count(1)
_ALLOWED = "\n".join(f'path "database/{kind}/*" {{ capabilities = ["read"] }}' for kind in ("creds", "static-creds"))
_CREATE = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"


class Books:
    """A role of the database engine.

    Attributes:
        role: its name, which is a part of the names of the users that are issued.
    """

    def __init__(self, bao: Bao) -> None:  # noqa: F811
        self.bao, self.server = bao, servers.server("postgresql")
        if "database/" not in bao.root.sys.list_mounted_secrets_engines()["data"]:
            bao.root.sys.enable_secrets_engine("database")
            login = "{{username}}:{{password}}"
            self.write(
                "config/books",
                plugin_name="postgresql-database-plugin",
                allowed_roles="*",
                connection_url=f"postgresql://{login}@127.0.0.1:{self.server.port}/postgres?sslmode=disable",
                username=servers.ADMIN,
                password=servers.PASSWORD,
            )
        self.role = f"r{next(_numbers)}x"
        self.last_for(3600)
        self.kwargs = {
            "url": bao.url,
            **bao.approle(bao.policy(_ALLOWED)),
            "roles": {"warehouse": {"role": self.role, "conn": self.conn}},
        }

    @property
    def conn(self) -> str:
        return f"postgres://127.0.0.1:{self.server.port}/postgres"

    def write(self, path: str, **fields: Any) -> None:
        self.bao.root.adapter.post(f"/v1/database/{path}", json=fields)

    def last_for(self, seconds: int) -> None:
        self.write(
            f"roles/{self.role}",
            db_name="books",
            creation_statements=[_CREATE],
            revocation_statements=['DROP ROLE IF EXISTS "{{name}}"'],
            default_ttl=f"{seconds}s",
            max_ttl=f"{seconds}s",
        )

    def users(self) -> list[str]:
        """The users in the database that were issued for this role."""
        rows = self.server.execute(f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%-{self.role}-%'")
        return [row[0] for row in rows]

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "BILLING__SECRETS__BACKEND": "vault_database",
            "BILLING__SECRETS__BACKEND_KWARGS": json.dumps(self.kwargs),
            **more,
        }

    def app(self, home: Path, **more: str) -> App:
        return App("billing", home=home, environ=self.environ(**more))

    def options(self) -> dict[str, str]:
        return {
            "BILLING__DB__USER_PASSWORD_SECRET": f"dyn/{self.role}#/username",
            "BILLING__DB__PASSWORD_SECRET": f"dyn/{self.role}#/password",
        }


@pytest.fixture
def books(bao: Bao, monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:  # noqa: F811
    monkeypatch.setattr(vault_leases, "_PROVEN_FOR", 0.0)
    handler = signal.getsignal(signal.SIGTERM)
    yield Books(bao)
    lifetime.at_exit.run()
    lifetime.at_exit._handled = 0
    signal.signal(signal.SIGTERM, handler)


def user_of(engine: sqlalchemy.Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(sqlalchemy.text("SELECT current_user")).scalar())


def test_a_connection_and_options_share_one_lease(books: Books, tmp_path: Path) -> None:
    app = books.app(tmp_path, **books.options())
    found = app.get_connection("warehouse")
    assert (found.login, found.password) == (app.conf.get("db", "user_password"), app.conf.get("db", "password"))
    assert books.users() == [found.login]
    app.reload()
    assert app.get_connection("warehouse").login == found.login
    assert App("billing", home=tmp_path, environ=books.environ()).get_connection("warehouse").login == found.login
    lifetime.at_exit.run()
    until(lambda: books.users() == [])  # the server does it in the background


def test_threads_that_ask_at_once_get_one_lease(books: Books, tmp_path: Path) -> None:
    app, names = books.app(tmp_path, **books.options()), []
    gate = threading.Barrier(8)

    def ask(number: int) -> None:
        gate.wait(GUARD)
        found = app.get_connection("warehouse").login if number % 2 else app.conf.get("db", "user_password")
        names.append(found)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
    assert len(names) == 8 and len(set(names)) == 1 == len(books.users())


def test_no_request_fails_over_three_reissues(books: Books, tmp_path: Path) -> None:
    """The role grants less and less, so that each renewal grants less than half, and another lease is issued."""
    app = books.app(tmp_path)
    engine, seen, faults, ends = create_engine(app, "warehouse", pool_size=4), set(), [], threading.Event()

    def serve() -> None:
        while not ends.is_set():
            try:
                seen.add(user_of(engine))
            except Exception as fault:
                faults.append(fault)

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number, seconds in enumerate((1200, 400, 100), 1):
            until(lambda number=number: len(seen) == number or faults)
            books.last_for(seconds)
            app.get_connection("warehouse", max_age=0)
        until(lambda: len(seen) == 4 or faults)
    finally:
        ends.set()
        for thread in threads:
            thread.join(GUARD)
    assert not faults and len(seen) == 4 == len(books.users())
    engine.dispose()
    lifetime.at_exit.run()
    until(lambda: books.users() == [])  # the server does it in the background


def fall_due(connection: Any) -> None:
    """As if two thirds of its time had passed."""
    connection.lifetime.due = time.monotonic()
    repeated.wake_all()


def test_leases_are_renewed_and_issued_again_in_the_background(books: Books, tmp_path: Path) -> None:
    app = books.app(tmp_path, **books.options())
    first = app.get_connection("warehouse")
    assert app.conf.get("db", "user_password") == first.login
    notified: list[tuple[str, str]] = []
    app.on_change("db", "user_password", lambda *name: notified.append(name))
    ends = first.lifetime.ends
    fall_due(first)
    until(lambda: first.lifetime.ends > ends)
    assert first.lifetime.is_current
    books.last_for(100)  # so that it is not renewed for long
    fall_due(first)
    until(lambda: app.get_connection("warehouse").login != first.login)
    until(lambda: notified)
    assert app.conf.get("db", "user_password") == app.get_connection("warehouse").login


def test_an_async_engine(books: Books, tmp_path: Path) -> None:
    async def users() -> list[str]:
        app = books.app(tmp_path)
        await app.aget_connection("warehouse")
        engine, found = create_async_engine(app, "warehouse", pool_size=1), []
        for seconds in (1200, 400):
            async with engine.connect() as connection:
                found.append(str((await connection.execute(sqlalchemy.text("SELECT current_user"))).scalar()))
            books.last_for(seconds)
            await app.aget_connection("warehouse", max_age=0)
        await engine.dispose()
        return found

    assert len(set(asyncio.run(users()))) == 2


def test_a_lease_that_was_revoked_on_the_server(books: Books, tmp_path: Path) -> None:
    app = books.app(tmp_path)
    engine = create_engine(app, "warehouse", poolclass=sqlalchemy.NullPool)
    before = user_of(engine)
    books.bao.root.sys.revoke_prefix(f"database/creds/{books.role}")
    until(lambda: not books.users())
    after = user_of(engine)  # refused, searched for, issued anew
    assert after != before and books.users() == [after]


def test_options_follow_a_lease_that_was_replaced(books: Books, tmp_path: Path) -> None:
    """Long before it would have ended: whoever was refused has asked for another one."""
    app = books.app(tmp_path, **books.options())
    before = app.conf.get("db", "user_password")
    books.bao.root.sys.revoke_prefix(f"database/creds/{books.role}")
    after = app.get_connection("warehouse", max_age=0)
    assert after.login != before
    until(lambda: app.conf.get("db", "user_password") == after.login)
    assert app.conf.get("db", "password") == after.password


def test_a_token_that_has_ended_takes_its_leases_along(books: Books, tmp_path: Path) -> None:
    app = books.app(tmp_path)
    before = app.get_connection("warehouse")
    backend = app.chain.custom[0].backend
    books.bao.root.auth.token.revoke(backend._clients.get().token)
    until(lambda: not books.users())
    after = app.get_connection("warehouse", max_age=0)
    assert after.login != before.login and not before.lifetime.is_current
    assert books.users() == [after.login]


def test_while_the_store_is_down_the_lease_is_kept(
    books: Books,
    relay: Relay,  # noqa: F811
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    books.kwargs["url"] = relay.url
    app = books.app(tmp_path, **books.options())
    found = app.get_connection("warehouse")
    password = app.conf.get("db", "password")
    relay.fault = lambda method, path: 503
    assert app.get_connection("warehouse").login == found.login
    assert app.get_connection("warehouse", max_age=0).login == found.login
    assert app.refresh() == {} and app.conf.get("db", "password") == password
    app.chain.custom[0].backend._leases._held[f"creds/{books.role}"].lifetime.end()
    with pytest.raises(errors.BackendUnavailable):
        app.get_connection("warehouse")
    assert app.conf.get("db", "password") == password
    for secret in (found.password, password, books.kwargs["secret_id"]):
        assert secret not in caplog.text and secret not in repr(found)


def test_a_discarded_application_is_not_kept_alive_and_its_user_is_removed(books: Books, tmp_path: Path) -> None:
    app = books.app(tmp_path, **books.options())
    assert app.get_connection("warehouse").login == app.conf.get("db", "user_password")
    gone = weakref.ref(app)
    del app
    until(lambda: gc.collect() >= 0 and gone() is None)
    lifetime.at_exit.run()
    until(lambda: books.users() == [])
    until(lambda: not threads_named("framework-refresh"))


def test_an_unknown_role_is_absence(books: Books, tmp_path: Path) -> None:
    books.kwargs["roles"]["other"] = {"role": "nobody", "conn": books.conn}
    app = books.app(tmp_path, BILLING__DB__PASSWORD_SECRET="dyn/nobody#/password", BILLING_CONN_OTHER="http://env")
    assert app.get_connection("other").host == "env"
    with pytest.raises(errors.PointerError, match="not found"):
        app.conf.get("db", "password")


def test_the_name_of_a_role_is_not_hidden(books: Books, tmp_path: Path) -> None:
    """Nor are the fields of its connection, which every log of a database repeats."""
    conn = {"conn_type": "postgres", "host": "db.example", "schema": "ledger"}
    books.kwargs["roles"] = {"warehouse": {"role": "nobody", "conn": conn}}
    with pytest.raises(errors.ConnectionNotFound, match="database/creds/nobody"):
        books.app(tmp_path).get_connection("warehouse")
    text = "postgres at db.example with nobody: ledger"
    assert redact_text(text) == text


def test_a_refusal_says_what_to_grant(books: Books, tmp_path: Path) -> None:
    books.kwargs |= books.bao.approle(books.bao.policy('path "other/*" { capabilities = ["read"] }'))
    with pytest.raises(errors.AccessDenied, match=f"database/creds/{books.role}") as caught:
        books.app(tmp_path).get_connection("warehouse")
    assert 'grant its policy "read"' in str(caught.value)


def test_an_engine_that_is_not_mounted(books: Books, tmp_path: Path) -> None:
    books.kwargs = {"url": books.bao.url, "token": "root", "mount_point": "nowhere", "roles": books.kwargs["roles"]}
    with pytest.raises(errors.BackendUnavailable, match="Correct mount_point"):
        books.app(tmp_path).get_connection("warehouse")


def test_static_roles_are_good_until_the_next_rotation(books: Books, tmp_path: Path) -> None:
    user = f"static{next(_numbers)}"
    books.server.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
    books.write(
        f"static-roles/{user}",
        db_name="books",
        username=user,
        rotation_period="3600s",
        rotation_statements=["ALTER USER \"{{name}}\" WITH PASSWORD '{{password}}'"],
    )
    books.kwargs["roles"] = {"warehouse": {"static_role": user, "conn": books.conn}}
    app = books.app(tmp_path, BILLING__DB__PASSWORD_SECRET=f"static/{user}#/password")
    assert app.prefetch() == {}
    found = app.get_connection("warehouse")
    assert found.login == user and found.password == app.conf.get("db", "password")
    assert found.lifetime is not None and not found.lifetime.is_lease
    assert 3000 < found.lifetime.ends - time.monotonic() <= 3600
    engine = create_engine(app, "warehouse", poolclass=sqlalchemy.NullPool)
    assert user_of(engine) == user
    books.write(f"rotate-role/{user}")
    assert user_of(engine) == user
    assert app.refresh() == {} and app.conf.get("db", "password") == app.get_connection("warehouse").password


def test_a_given_token_is_never_revoked(books: Books, tmp_path: Path) -> None:
    token = books.bao.token(books.bao.policy('path "database/creds/*" { capabilities = ["read"] }'))
    books.kwargs = {"url": books.bao.url, "token": token, "roles": books.kwargs["roles"]}
    books.app(tmp_path).get_connection("warehouse")
    lifetime.at_exit.run()
    assert books.bao.root.auth.token.lookup(token)["data"]["policies"]
    assert len(books.users()) == 1


ENDS = {
    "normally": "",
    "by an exception": "raise RuntimeError('made up')",
    "by sys.exit": "import sys; sys.exit(3)",
    "by SIGTERM": "print('up', flush=True); import time; time.sleep(300)",
    "by SIGTERM, after a read of another thread": """
import asyncio
async def main():
    await app.aget_connection("warehouse")
    print('up', flush=True)
    await asyncio.sleep(300)
asyncio.run(main())""",
}


def started(books: Books, home: Path, code: str) -> subprocess.Popen[str]:
    script = f"from framework import App\napp = App('billing', home={str(home)!r})\n{code}"
    environ = {**os.environ, **books.environ(**books.options())}
    words = [sys.executable, "-c", script]
    return subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", ENDS)
def test_nothing_is_left_when_a_process_ends(books: Books, tmp_path: Path, how: str) -> None:
    read = "" if "another thread" in how else "app.get_connection('warehouse')\n"
    process = started(books, tmp_path, f"{read}{ENDS[how]}")
    if "SIGTERM" in how:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        assert len(books.users()) == 1
        process.terminate()
    _, err = process.communicate(timeout=GUARD)
    expected = {"normally": 0, "by an exception": 1, "by sys.exit": 3}.get(how, -signal.SIGTERM)
    assert process.returncode == expected, err
    until(lambda: books.users() == [])  # the server does it in the background
    assert "token" not in err


FORKS = {
    "os.fork": """
import os
pid = os.fork()
if not pid:
    print(app.get_connection("warehouse").login, app.conf.get("db", "user_password"), flush=True)
    raise SystemExit(0)
os.waitpid(pid, 0)
""",
    "multiprocessing": """
import multiprocessing
def work():
    print(app.get_connection("warehouse").login, app.conf.get("db", "user_password"), flush=True)
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
""",
}


@pytest.mark.parametrize("how", FORKS)
def test_a_child_has_its_own_lease(books: Books, tmp_path: Path, how: str) -> None:
    parent = "print(app.get_connection('warehouse').login, app.conf.get('db', 'user_password'), flush=True)\n"
    process = started(
        books, tmp_path, f"{parent}{FORKS[how]}\n{parent}print('up', flush=True); import time; time.sleep(300)"
    )
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(4)]
    assert lines[3] == ["up"], process.communicate()[1]
    first, child, again = lines[:3]
    assert first == again and first[0] == first[1] and child[0] == child[1] != first[0]
    until(lambda: books.users() == [first[0]])  # that of the child is revoked
    process.terminate()
    process.communicate(timeout=GUARD)
    until(lambda: books.users() == [])  # the server does it in the background


#: Those that use values, which are issued for them: with what is left in the database when they have ended.
USES: dict[str, tuple[list[str], int]] = {
    "export": (["export", "--only", "db.*"], 1),
    "config": (["config", "get-value", "db", "password"], 1),
    "connections": (["connections", "get", "warehouse"], 1),
    "connections test": (["connections", "test", "warehouse"], 0),
    "secrets": (["secrets", "get", "dyn/ROLE"], 1),
    "render": (["render", "template"], 1),
    "exec": (["exec", "--only", "db.*", "--watch", "3600", "--", "true"], 0),
}


@pytest.fixture
def configured(books: Books, world: Any) -> Books:
    schema = {"db": {"options": {name: {"sensitive": True} for name in ("user_password", "password")}}}
    world.write("schema.json", json.dumps(schema))
    world.project(schema="schema.json")
    world.set(**books.environ(**books.options()))
    world.write("template", "@db.password@\n")
    return books


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_looking_issues_nothing(configured: Books, world: Any, command: str) -> None:
    for words in LOOKS.get(command, []):
        status, out, err = world.run(*words)
        assert status == 0 or words[0] == "config", (words, out, err)
        assert configured.users() == [], words


def test_the_policy_names_the_roles(configured: Books, world: Any) -> None:
    path = f'path "database/creds/{configured.role}" {{\n  capabilities = ["read"]\n}}'
    assert world.run("policy", "vault")[1].strip() == path


def test_redact_issues_nothing(configured: Books, world: Any) -> None:
    words = [sys.executable, "-m", "framework", "redact"]
    done = subprocess.run(words, input="nothing\n", capture_output=True, text=True, timeout=GUARD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing\n", "") and configured.users() == []


def test_every_command_is_known_here() -> None:
    without_values = {"init", "completion", "fernet", "rotate-fernet-key", "explore"}
    assert set(COMMANDS) == {*LOOKS, *(words[0] for words, _ in USES.values()), *without_values}


def test_what_is_shown_instead(configured: Books, world: Any) -> None:
    status, out, err = world.run("dump", "--format", "json", "--section", "db", "--connections")
    assert status == 0 and json.loads(out)["db"]["password"] == "< issued on use >", err
    assert "is issued on use" in world.run("explain", "db", "password")[1]
    assert "found, issued on use" in world.run("explain", "--connection", "warehouse")[1]


@pytest.mark.parametrize("what", USES)
def test_commands_that_use_values_have_them_issued(configured: Books, world: Any, what: str) -> None:
    words, left = USES[what]
    words = [word.replace("ROLE", configured.role) for word in words]
    environ = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "framework", *words], env=environ, capture_output=True, text=True, timeout=GUARD
    )
    assert done.returncode == 0, done.stderr
    until(lambda: len(configured.users()) == left)


def test_nothing_is_left_if_the_watched_program_dies_of_a_signal(configured: Books) -> None:
    words = ["exec", "--only", "db.*", "--watch", "3600", "--", "sh", "-c", "kill -TERM $$"]
    done = subprocess.run([sys.executable, "-m", "framework", *words], capture_output=True, text=True, timeout=GUARD)
    assert done.returncode == -signal.SIGTERM, done.stderr
    until(lambda: configured.users() == [])


@pytest.mark.parametrize(
    ("kwargs", "what"),
    [
        ({"roles": ["w"]}, "roles is not an object"),
        ({"roles": {"w": "app"}}, "roles: 'w' is not an object. Write {\"role\""),
        ({"roles": {"w": {"rol": "app", "conn": "postgres://h/d"}}}, "no key 'rol'. Did you mean 'role'"),
        ({"roles": {"w": {"role": "app", "con": "postgres://h/d"}}}, "no key 'con'. Did you mean 'conn'"),
        ({"roles": {"w": {"role": "app", "ttl": 5}}}, "no key 'ttl'. It has role, static_role, conn"),
        ({"roles": {"w": {"conn": "postgres://h/d"}}}, "neither a role nor a static_role"),
        (
            {"roles": {"w": {"role": "a", "static_role": "b", "conn": "postgres://h/d"}}},
            "both a role and a static_role",
        ),
        (
            {"roles": {"w": {"role": "../x", "conn": "postgres://h/d"}}},
            "not a valid name for the role. Write its name alone",
        ),
        (
            {"roles": {"w": {"static_role": "database/static-creds/x"}}},
            "not a valid name for the static_role. Write its name alone",
        ),
        ({"roles": {"w": {"role": 5, "conn": "postgres://h/d"}}}, "not a valid name for the role"),
        ({"roles": {"w": {"role": "app"}}}, "it has no conn"),
        ({"roles": {"w": {"role": "app", "conn": 5}}}, "neither a URI nor fields"),
        ({"roles": {"w": {"role": "app", "conn": {"host": "h"}}}}, "it has no type"),
        ({"roles": {"w": {"role": "app", "conn": "postgres://u:canary-pw@h/d"}}}, "it has a password"),
        ({"roles": {"w": {"role": "app", "conn": "postgres://u@h/d"}}}, "it has a login"),
        (
            {"roles": {"w": {"role": "app", "conn": "postgres://h/d?password=canary-pw"}}},
            "a password among its options",
        ),
        ({"roles": {"": {"role": "app", "conn": "postgres://h/d"}}}, "roles is not an object"),
        ({"rolls": {}}, "takes no argument 'rolls'. Did you mean 'roles'"),
        ({"kwargs": {}}, "takes no argument 'kwargs'"),
        ({"mount_point": 5}, "mount_point: expected text"),
        ({"url": 5}, "url: expected text"),
        ({"namespace": ["a"]}, "namespace: expected text"),
        ({"timeout": "soon"}, "timeout: expected a number of seconds above 0"),
        ({"timeout": -1}, "timeout: expected a number of seconds above 0"),
        ({"config_path": ["dyn"]}, "config_path: expected text"),
        ({"static_path": "dyn/"}, "static_path is the same as config_path"),
        ({"mount_point": "a/../b"}, "mount_point is not the path"),
    ],
)
def test_wrong_kwargs(tmp_path: Path, kwargs: dict[str, Any], what: str) -> None:
    """The message has the place of the kwargs, and not that of the option that names the backend."""
    text = json.dumps({"url": "http://127.0.0.1:1", "token": "t", **kwargs})
    (tmp_path / "billing.cfg").write_text(f"[secrets]\nbackend = vault_database\nbackend_kwargs = {text}\n")
    with pytest.raises(errors.BackendError, match=re.escape(what)) as caught:
        App("billing", home=tmp_path, environ={}).get_connection("w")
    assert "billing.cfg:3: [secrets] backend_kwargs: " in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dyn/app/username", "Write dyn/app#/username."),
        ("database/creds/app", "Write dyn/app#/username."),
        ("creds/app/password", "Write dyn/app#/password."),
        ("database/static-creds/app", "Write static/app#/username."),
        ("other/app", "never asked for it"),
    ],
)
def test_references_that_are_almost_right(tmp_path: Path, name: str, hint: str) -> None:
    environ = {
        "BILLING__SECRETS__BACKEND": "vault_database",
        "BILLING__SECRETS__BACKEND_KWARGS": json.dumps({"url": "http://127.0.0.1:1", "token": "t"}),
        "BILLING__DB__PASSWORD_SECRET": name,
    }
    (tmp_path / "schema.json").write_text('{"db": {"options": {"password": {"sensitive": true}}}}')
    app = App("billing", home=tmp_path, schema=tmp_path / "schema.json", environ=environ)
    with pytest.raises(errors.PointerError, match=re.escape(hint)):
        app.conf.get("db", "password")


def test_an_empty_path_means_the_role_alone(books: Books, tmp_path: Path) -> None:
    books.kwargs["config_path"] = ""
    app = books.app(tmp_path, BILLING__DB__PASSWORD_SECRET=f"{books.role}#/password")
    assert app.conf.get("db", "password") == app.get_connection("warehouse").password
