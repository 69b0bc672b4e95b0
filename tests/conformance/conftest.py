"""Runs the test modules of this folder over the oracle's cases: `pytest tests/conformance --oracle DIR`."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from . import rules  # noqa: F401  registers its predicates and checks
from .harness import HERE, Case, Tally, load_cases

TALLY = pytest.StashKey[Tally]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--oracle", default=str(HERE), metavar="DIR", help="the folder with the oracle's *.json files")


def tally_of(config: pytest.Config) -> Tally:
    if TALLY not in config.stash:
        config.stash[TALLY] = Tally()
    return config.stash[TALLY]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """See `harness.of_file`."""
    if not hasattr(metafunc.function, "oracle"):
        return
    file, _ = metafunc.function.oracle
    oracle = Path(metafunc.config.getoption("oracle", default=str(HERE)))
    cases = load_cases(oracle, file, tally_of(metafunc.config))
    metafunc.parametrize("case", cases, ids=[case.id for case in cases])


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    case = pyfuncitem.funcargs.get("case")
    if not isinstance(case, Case):
        return (yield)
    _, rows = pyfuncitem.function.oracle
    case.expect(rows(case))
    try:
        result = yield
    except BaseException:
        case.finish()  # what was not compared before the crash has failed
        raise
    if failures := case.finish():
        pytest.fail(f"{case.file} {case.id}: {failures}", pytrace=False)
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if TALLY in config.stash and config.stash[TALLY].files:
        terminalreporter.section("conformance with Airflow")
        for line in config.stash[TALLY].lines():
            terminalreporter.write_line(line)
