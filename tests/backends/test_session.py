"""What stores share: one client and one login for a process, and client libraries that keep quiet."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from patience import Clock
from store_checks import by_threads

from framework import errors
from framework.backends.quiet import Quietly
from framework.backends.session import Login, OnePerProcess


def test_threads_that_wait_for_one_client_share_how_it_failed(clock: Clock) -> None:
    """Or an outage would cost each of them the time of it, one after the other."""
    made: list[int] = []

    def make() -> Any:
        made.append(1)
        clock.until_looked_at(32)  # all have asked
        raise errors.BackendUnavailable("it is not there", where="store")

    one = OnePerProcess(make)
    faults = by_threads(one.get)
    assert {type(fault) for fault in faults} == {errors.BackendUnavailable}
    assert len({id(fault) for fault in faults}) == 32
    assert len(made) == 1
    clock.now += 0.001
    with pytest.raises(errors.BackendUnavailable):
        one.get()
    assert len(made) == 2, "who comes later tries again"


def test_threads_that_wait_for_one_login_share_its_outcome(clock: Clock) -> None:
    tried: list[int] = []

    def refuse() -> Any:
        tried.append(1)
        clock.until_looked_at(32)  # all have asked
        raise errors.AccessDenied("wrong", where="login")

    login = Login(refuse)
    assert {type(fault) for fault in by_threads(login.token)} == {errors.AccessDenied}
    clock.now += 0.9
    with pytest.raises(errors.AccessDenied):
        login.token()
    assert len(tried) == 1, "a login that is refused is not tried again within a second"
    clock.now += 0.2
    with pytest.raises(errors.AccessDenied):
        login.token()
    assert len(tried) == 2


def test_a_token_is_fetched_again_before_its_end_and_when_it_is_refused(clock: Clock) -> None:
    tokens = iter(["first", "second", "third"])
    login = Login(lambda: (next(tokens), 2.0), early=0.5)
    assert [login.token(), login.token()] == ["first", "first"]
    assert login.token(refused="first") == "second"
    assert login.token(refused="first") == "second", "another thread's question to the old one"
    clock.now += 1.4
    assert login.token() == "second"
    clock.now += 0.2
    assert login.token() == "third"


def test_a_package_is_quiet_for_us_and_loud_for_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    names = ("quiet_package", "quiet_package.deep.er", "quiet_package_2")
    loggers = [logging.getLogger(name) for name in names]

    def say(word: str) -> None:
        for logger in loggers:
            logger.error(word)

    with Quietly("quiet_package"):
        say("inside")
    say("outside")
    answer = [(record.name, record.message) for record in caplog.records]
    assert answer == [("quiet_package_2", "inside"), *((name, "outside") for name in names)]


def test_the_root_logger_works_on_after_it_was_quiet() -> None:
    code = (
        "import logging\nfrom framework.backends.quiet import Quietly\n"
        "with Quietly(''):\n    logging.error('canary')\n"
        "logging.basicConfig(format='%(message)s')\nlogging.error('heard')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "heard\n")


def test_a_hush_is_whole_for_every_thread() -> None:
    records: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    for number in range(40):
        logger = logging.getLogger(f"hush_{number}.x")
        logger.addHandler(Heard())
        logger.propagate = False

        def call(logger: logging.Logger = logger, number: int = number) -> None:
            with Quietly(f"hush_{number}"):
                logger.error("canary")

        by_threads(call, 8)
    assert records == []
