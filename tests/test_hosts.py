"""Several hosts in a URL, and how long a failover is waited for; without a server."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from conftest import World
from patience import Clock, clock  # noqa: F401 - a fixture
from servers import free_port

from framework import App, errors
from framework.masking import safe_text
from framework.metastore import base, hosts
from framework.metastore import database as databases
from framework.metastore.base import AGAIN, OVERTAKEN, UNKNOWN, Outage, marked, persistently, sign_of
from framework.metastore.crypto import Keys, generate
from framework.metastore.failures import explain
from framework.metastore.hosts import REST, Hosts
from framework.metastore.store import Store

OPTION = "[database] sql_alchemy_conn"


@pytest.mark.parametrize(
    ("url", "where", "shown"),
    [
        ("postgresql://u:p,w@h1:1,h2:2/d", "postgresql://h1:1,h2:2/d", "postgresql+psycopg://u:***@h1:1,h2:2/d"),
        (
            "postgresql+psycopg://u:pw@/d?host=h1:1&host=h2&target_session_attrs=any&password=pw",
            "postgresql://h1:1,h2/d",
            "postgresql+psycopg://u:***@h1:1,h2/d?password=%2A%2A%2A&target_session_attrs=any",
        ),
        (
            "postgresql+psycopg2://u@/d?host=h1,h2&port=1,2",
            "postgresql://h1:1,h2:2/d",
            "postgresql+psycopg://u@h1:1,h2:2/d",
        ),
        ("mysql+pymysql://u:p%40w@h1:1,h2:2/d", "mysql://h1:1,h2:2/d", "mysql+pymysql://u:***@h1:1,h2:2/d"),
        (
            "mariadb://u:pw@[::1]:1,[::2]/d?load_balance_hosts=random",
            "mariadb://[::1]:1,[::2]/d",
            "mariadb+pymysql://u:***@[::1]:1,[::2]/d?load_balance_hosts=random",
        ),
        ("mysql://u:pw@h/d?host=a:1&host=b:2", "mysql://a:1,b:2/d", "mysql+pymysql://u:***@a:1,b:2/d"),
        ("postgresql://u:pw@/d?host=a:1", "postgresql://a:1/d", "postgresql+psycopg://u:***@/d?host=a%3A1"),
        ("postgresql://u:pw@b/d?host=a&port=1", "postgresql://a:1/d", "postgresql+psycopg://u:***@b/d?host=a&port=1"),
        ("postgresql://u:pw@%2Frun%2Fx:1/d", "postgresql:///run/x:1/d", "postgresql+psycopg://u:***@/run/x:1/d"),
        ("mysql://u:pw@h,%2Frun%2Fx/d", "mysql://h,/run/x/d", "mysql+pymysql://u:***@h,/run/x/d"),
        ("postgresql://u:pw@/d?host=/run/x", "postgresql:///d", "postgresql+psycopg://u:***@/d?host=%2Frun%2Fx"),
    ],
)
def test_urls_with_several_hosts(url: str, where: str, shown: str) -> None:
    pytest.importorskip("psycopg")
    opened = databases.open(url)
    assert (opened.where, opened.url()) == (where, shown)
    assert "pw" not in repr(opened) + repr(Store(opened, Keys(generate())))
    for secret in ("p,w", "pw@", "p%40w"):
        assert secret not in safe_text(f"see {url}.")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:pw@h1,,h2/d", "host or port that is not valid"),
        ("mysql://u:pw@h1,h2,/d", "host or port that is not valid"),
        ("postgresql://u:pw@::1:1,h2/d", "an IPv6 address without brackets"),
        ("postgresql://u:pw@h1:x,h2/d", "host or port that is not valid"),
        ("postgresql://u:pw@h1:0,h2:99999/d", "host or port that is not valid"),
        ("postgresql://u:pw@/d?host=a,b,c&port=1,2", "different numbers of hosts and ports"),
        ("mysql://u:pw@h1;h2/d", "not separated by commas. Write host:port,host:port"),
        ("postgresql://u:pw@/d?host=h1 h2", "not separated by commas"),
        ("postgresql://u:pw@h1,h2/d?hostaddr=1.1.1.1,1.1.1.2", "several hosts, and hostaddr"),
        (
            "postgresql://u:pw@h1/d?target_session_attrs=readwrite",
            "target_session_attrs is not known. Write one of: any",
        ),
        ("postgresql://u:pw@h1,h2/d?target_session_attr=any", "Did you mean target_session_attrs"),
        ("postgresql://u:pw@h1,h2/d?targetServerType=primary", "Did you mean target_session_attrs"),
        ("mysql://u:pw@h1,h2/d?loadBalanceHosts=true", "Did you mean load_balance_hosts"),
        ("mysql://u:pw@h1,h2/d?target_session_attrs=master", "target_session_attrs is not known. Write one of: any, "),
        (
            "mysql://u:pw@h1,h2/d?load_balance_hosts=yes",
            "load_balance_hosts is not known. Write one of: disable",
        ),
    ],
)
def test_urls_that_are_refused(world: World, url: str, words: str) -> None:
    with pytest.raises(errors.BackendError, match=words) as caught:
        databases.open(url)
    assert "pw" not in str(caught.value)
    world.set(BILLING_HOME=str(world.home))
    for key in ("sql_alchemy_conn", "sql_alchemy_conn_read"):
        world.write("billing.cfg", f"[database]\nsql_alchemy_conn = mysql://h/d\n{key} = {url}\n".replace("%", "%%"))
        if key == "sql_alchemy_conn":
            world.write("billing.cfg", f"[database]\n{key} = {url}\n")
        status, out, err = world.run("--name", "billing", "check")
        assert status == 1
        assert words in out + err
        assert f"[database] {key}: the URL" in out + err
        assert "u:pw" not in out + err


def test_one_host_is_left_to_the_driver() -> None:
    for url in (
        "postgresql://u:p,w@h:1/d?options=-c%20a=b,c",
        "postgresql:///d?host=/tmp",
        "postgresql:///d?host=/tmp/a%20folder;",
        "mysql://h/d",
        "postgresql:///d",
    ):
        made = Hosts(url, "read-write", OPTION)
        assert (made.each, made.url, made.wants) == ([], url, "any")


def names(made: Hosts) -> list[str]:
    return [host.name for host, _ in made.attempts()]


def test_a_host_that_failed_is_tried_last_for_a_while(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(hosts, "monotonic", lambda: clock.now)
    made = Hosts("postgresql://a,b,c/d", "read-write", OPTION)
    assert list(made.attempts()) == [(host, "read-write") for host in made.each]
    made.each[0].rest()
    assert names(made) == ["b", "c", "a"]
    clock.now += 1
    made.each[1].rest()
    assert names(made) == ["c", "a", "b"]  # the one that has rested for longer first
    clock.now += REST - 0.5
    assert names(made) == ["a", "c", "b"]  # one caller tries it
    assert names(made) == ["c", "b", "a"]  # and the others do not, before it has answered
    made.each[0].resting_until = 0.0
    assert names(made) == ["a", "c", "b"]


def test_the_order_may_be_random_and_a_standby_preferred() -> None:
    made = Hosts("mysql://a,b,c/d?load_balance_hosts=random", "read-write", OPTION)
    assert {names(made)[0] for _ in range(200)} == {"a", "b", "c"}
    made = Hosts("mysql://a,b/d?target_session_attrs=prefer-standby", "read-write", OPTION)
    assert [(host.name, wants) for host, wants in made.attempts()] == [
        ("a", "standby"), ("b", "standby"), ("a", "any"), ("b", "any"),
    ]  # fmt: skip


class Told(Exception):
    """What a driver raises: SQLSTATE of PostgreSQL, or a number of MySQL."""

    def __init__(self, code: str | int) -> None:
        super().__init__(code)
        if isinstance(code, str):
            self.sqlstate = code


@pytest.mark.parametrize(
    ("code", "sign", "at_the_commit"),
    [
        ("40001", OVERTAKEN, OVERTAKEN),
        ("40P01", OVERTAKEN, OVERTAKEN),
        ("40003", AGAIN, UNKNOWN),  # as CockroachDB says that it does not know
        ("08006", AGAIN, UNKNOWN),
        ("08007", AGAIN, UNKNOWN),
        ("57P01", AGAIN, UNKNOWN),
        ("25006", AGAIN, AGAIN),
        ("53300", AGAIN, AGAIN),
        ("28P01", "", ""),
        ("23505", "", ""),
        ("53100", "", ""),
        (1213, OVERTAKEN, OVERTAKEN),
        (1205, AGAIN, UNKNOWN),
        (1047, AGAIN, UNKNOWN),
        (1290, AGAIN, AGAIN),
        (2013, AGAIN, UNKNOWN),
        (2006, AGAIN, UNKNOWN),
        (1045, "", ""),
        (1062, "", ""),
    ],
)
def test_which_errors_pass(code: str | int, sign: str, at_the_commit: str) -> None:
    failure = explain(Told(code))
    signs = [sign_of(failure.for_writing("w", ending=ending)) for ending in (False, True)]
    assert signs == [sign, at_the_commit]
    assert sign_of(failure.for_reading("w")) == sign


@pytest.mark.parametrize("host", ["certificate-db", "service file"])
@pytest.mark.parametrize(
    "text",
    [
        'connection to server at "{}" (10.0.0.1), port 5432 failed: Connection refused',
        'could not translate host name "{}" to address: Name or service not known',
        "failed to resolve host '{}': [Errno -2] Name or service not known",
    ],
)
def test_the_name_of_a_host_is_not_taken_for_a_reason(text: str, host: str) -> None:
    import psycopg

    assert explain(psycopg.OperationalError(text.format(host))).kind == "no answer"
    refusal = f'connection to server at "{host}" failed: FATAL:  database "d" does not exist'
    assert explain(psycopg.OperationalError(refusal)).kind == "no database"


# How often something is done again


class Timed:
    """A database that says for how long, and a clock that sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failover: float) -> None:
        self.where, self.now, self.timeout, self.outage = "there", 100.0, 30.0, Outage(failover)
        self.patience = lambda: self.outage.seconds
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self._sleep)
        self.calls = 0

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, *signs: str, **options: bool) -> Any:
        """Run something that fails with these signs, the last one for ever, or succeeds at `fine`."""
        left = list(signs)

        def act() -> str:
            self.calls += 1
            sign = left.pop(0) if len(left) > 1 else left[0]
            if sign == "fine":
                return sign
            raise marked(errors.MetastoreError(sign or "no sign"), sign)

        self.calls = 0
        return persistently(self, act, **options)  # type: ignore[arg-type]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Timed]:
    return lambda failover: Timed(monkeypatch, failover)


def test_what_passes_is_done_again(timed: Callable[[float], Timed]) -> None:
    at = timed(10.0)
    assert at.run(AGAIN, OVERTAKEN, UNKNOWN, AGAIN, "fine") == "fine"
    assert at.calls == 5
    with pytest.raises(errors.MetastoreError, match="no sign"):
        at.run("")
    assert at.calls == 1


def test_what_may_not_be_repeated_says_that_its_outcome_is_unknown(timed: Callable[[float], Timed]) -> None:
    at = timed(10.0)
    with pytest.raises(errors.MetastoreError, match="unknown"):
        at.run(AGAIN, UNKNOWN, "fine", repeatable=False)
    assert at.calls == 2  # what was certainly not written is done again
    with pytest.raises(errors.MetastoreError, match="unknown"):
        at.run(UNKNOWN, AGAIN)  # not that the server is gone, which is known less of


def test_an_outage_is_waited_for_once(timed: Callable[[float], Timed]) -> None:
    at = timed(10.0)
    began = at.now
    with pytest.raises(errors.MetastoreError):
        at.run(AGAIN)
    assert 9 < at.now - began <= 10
    for _ in range(50):  # it lasts for long, and nobody waits in each of the calls
        at.now += 5
        with pytest.raises(errors.MetastoreError):
            at.run(AGAIN)
        assert at.calls == 1
    assert at.run("fine") == "fine"
    assert at.run(AGAIN, AGAIN, "fine") == "fine"  # the next outage
    with pytest.raises(errors.MetastoreError):
        at.run(AGAIN)
    at.now += 11
    assert at.run(AGAIN, "fine") == "fine"  # nobody has asked for a while


def test_without_a_time_out_only_conflicts_are_done_again(timed: Callable[[float], Timed]) -> None:
    at = timed(0.0)
    with pytest.raises(errors.MetastoreError):
        at.run(AGAIN, "fine")
    assert at.run(OVERTAKEN, OVERTAKEN, "fine") == "fine"


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    return free_port()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@127.0.0.1:{port}/d",
        "postgresql://u:p@localhost:{port}/d",
        "postgresql://u:p@/d?host=127.0.0.1:{port}",
        "postgresql://u:p@/d?host=localhost&port={port}",
        "postgresql://u:p@/d?host=/nowhere",
        "mysql://u:p@127.0.0.1:{port}/d",
        "mysql://u:p@localhost:{port}/d?target_session_attrs=read-write",
        "mysql://u:p@/d?unix_socket=/nowhere/s",
    ],
)
def test_a_server_of_this_machine_that_never_ran_is_waited_for_briefly(url: str, closed_port: int) -> None:
    """There is nothing that could fail over: the URL is wrong, or the server starts next to the application."""
    database = databases.open(url.format(port=closed_port), failover=10.0)
    assert database.patience() == 2.0
    database.outage.over()  # it has answered
    assert database.patience() == 10.0
    assert databases.open(url.format(port=closed_port), failover=1.0).patience() == 1.0


def test_what_may_be_a_failover_is_waited_for_in_full(closed_port: int) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        for place in (
            f"127.0.0.1:{listening.getsockname()[1]}",  # it listens, and may be starting
            f"127.0.0.1:{closed_port},127.0.0.1:{closed_port}",  # several hosts
            f"192.0.2.1:{closed_port}",  # another machine, or an address that moves between machines
            "name.invalid",
        ):
            for scheme in ("postgresql", "mysql"):
                assert databases.open(f"{scheme}://u:p@{place}/d", failover=10.0).patience() == 10.0
    url = f"postgresql://u:p@localhost:{closed_port}/d?hostaddr=192.0.2.1"  # the name is for the certificate alone
    assert databases.open(url, failover=10.0).patience() == 10.0


def test_a_command_reports_at_once_that_it_waits(world: World, closed_port: int) -> None:
    world.set(
        BILLING_HOME=str(world.home),
        BILLING__DATABASE__SQL_ALCHEMY_CONN=f"postgresql://u:canary-pw@127.0.0.1:{closed_port}/d",
        BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS="0.3",
        BILLING__CORE__FERNET_KEY=generate(),
    )
    status, out, err = world.run("--name", "billing", "variables", "list")
    waiting, *rest = err.splitlines()
    assert status == 3
    assert waiting.endswith(
        f"postgresql://127.0.0.1:{closed_port}/d: the database does not answer; trying again for 0.3 s"
    )
    assert rest[0].startswith("error: ") and "canary" not in out + err


@pytest.mark.parametrize("seconds", ["inf", "1e9", "0"])
def test_the_longest_and_the_shortest_time_out(seconds: str) -> None:
    for url in ("postgresql://h1,h2/d", "mysql://h1,h2/d", "mysql://h1/d"):
        assert databases.open(url, failover=float(seconds)).url()


def test_a_wrong_time_out_is_one_problem(world: World) -> None:
    url = "mysql://u:canary-pw@h/d"
    world.set(BILLING_HOME=str(world.home), BILLING__DATABASE__SQL_ALCHEMY_CONN=url)
    for text in ("-1", "nan", "5s", ""):
        world.write("billing.cfg", f"[database]\nsql_alchemy_conn_read = {url}\nfailover_timeout_seconds = {text}\n")
        status, out, err = world.run("--name", "billing", "check")
        assert (status, err.strip()) == (1, "1 error, 0 warnings")
        assert "billing.cfg:3: [database] failover_timeout_seconds: " in out


def test_a_dead_server_is_reported_without_secrets(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The command and the application say the same; a name that is nowhere is not known to be absent."""
    port = free_port()
    url = f"mysql://u:canary-pw@127.0.0.1:{port},localhost:{port}/d"
    world.set(BILLING__DATABASE__SQL_ALCHEMY_CONN=url, BILLING__DATABASE__FAILOVER_TIMEOUT_SECONDS="0.3")
    world.set(
        BILLING_HOME=str(world.home), BILLING__DATABASE__SQL_ALCHEMY_CONN_READ=url, BILLING__CORE__FERNET_KEY=generate()
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.BackendUnavailable, match="does not answer"):
        App("billing", home=str(world.home)).get_variable("x")
    assert "the replica mysql://127.0.0.1:" in caplog.text
    assert caplog.text.count("the database does not answer; trying again for 0.3 s") == 1
    shown = caplog.text
    for words in (
        ("variables", "get", "x", "--default", "d"),
        ("variables", "set", "x", "1"),
        ("variables", "list"),
        ("db", "check"),
        ("stats",),
        ("dump",),
        ("config", "list", "--show-values"),
        ("backend-test", "--link", "metastore"),
        ("explain", "database", "sql_alchemy_conn_read"),
    ):
        status, out, err = world.run("--name", "billing", *words)
        shown += out + err
        if words[0] in ("variables", "db"):
            assert status == 3
        if "get" in words:
            assert out == ""
    assert "canary" not in shown
    assert base.OPTION == OPTION
