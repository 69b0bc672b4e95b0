"""What an error carries besides its message, for every test that looks for a secret there.

`error_of(act, …)` catches an error, `everything_in(error)` walks all of it: the chain of causes and contexts,
arguments, attributes, notes, and the local variables of every frame that is not a test's. `all_modules()` imports the
whole package, for tests that look at every class in it.
"""

from __future__ import annotations

import importlib
import io
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType, TracebackType
from typing import Any

from rich.console import Console
from rich.traceback import Traceback

import framework

_TESTS = os.path.dirname(__file__)


def all_modules() -> Iterator[ModuleType]:
    """Every module of the package, imported; but for those that Alembic, Python or PyInstaller runs."""
    for module in pkgutil.walk_packages(framework.__path__, "framework."):
        if not any(part in module.name for part in (".migrations.versions", ".__main__", ".hook-")):
            yield importlib.import_module(module.name)


class Plain(Traceback):
    """Rich's traceback, without highlighting the source: no test looks at that, and it took most of the time."""

    LEXERS = {".py": "text"}


def error_of(act: Callable[..., Any], *given: Any, **named: Any) -> BaseException:
    """The error that a call raises, with the traceback of what it called and not of the test."""
    try:
        act(*given, **named)
    except BaseException as error:
        failure = error
    else:
        raise AssertionError("nothing was raised")
    return failure.with_traceback(_without_tests(failure.__traceback__))


def _without_tests(trace: TracebackType | None) -> TracebackType | None:
    """The traceback, from its first frame outside the tests."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_TESTS):
        trace = trace.tb_next
    return trace


def chain_of(error: BaseException) -> list[BaseException]:
    """The error with every cause and context, in any arrangement."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and all(one is not other for other in found):
            found.append(one)
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


def everything_in(error: BaseException) -> Iterator[tuple[str, str]]:
    """Every text that an error carries, with the place where it was found."""
    for one in chain_of(error):
        kind = type(one).__name__
        yield f"the text of {kind}", str(one)
        yield f"the repr of {kind}", repr(one)
        yield f"the arguments of {kind}", repr(one.args)
        yield f"the attributes of {kind}", repr(vars(one))
        yield f"the notes of {kind}", repr(getattr(one, "__notes__", ()))
        trace = _without_tests(one.__traceback__)
        while trace is not None:
            frame = trace.tb_frame
            if not frame.f_code.co_filename.startswith(_TESTS):
                for name, value in frame.f_locals.items():
                    yield (
                        f"{name} in {frame.f_code.co_qualname}"
                        if hasattr(frame.f_code, "co_qualname")
                        else f"{name} in {frame.f_code.co_name}",
                        _shown(value),
                    )
            trace = trace.tb_next


def _shown(value: Any) -> str:
    shown = repr(value)  # which must not fail either
    if isinstance(value, BaseException):
        return f"{shown} {value.args!r}"
    return shown


def reports_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """What tools print that show local variables."""
    for one in chain_of(error):
        one.__traceback__ = _without_tests(one.__traceback__)
    printed = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    yield "a traceback with locals", _without_source("".join(printed))
    console = Console(file=io.StringIO(), width=4_000)
    shown = Plain.from_exception(
        type(error), error, error.__traceback__, show_locals=True, extra_lines=0, locals_max_string=sys.maxsize
    )
    console.print(shown)
    yield "rich's traceback with locals", _without_source(console.file.getvalue())  # type: ignore[attr-defined]


def _without_source(text: str) -> str:
    """Lines of a test's source hold canaries in clear: they are user code."""
    return "\n".join(line for line in text.split("\n") if _TESTS not in line)


def assert_carries_none(error: BaseException, *secrets: str) -> None:
    """Fail if a secret can be found in what an error carries, with the place."""
    for place, text in (*everything_in(error), *reports_of(error)):
        for secret in secrets:
            forms = (secret, repr(secret)[1:-1], ascii(secret)[1:-1])
            assert not any(form in text for form in forms), f"{place} holds the secret: {type(error).__name__}: {error}"
