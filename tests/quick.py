"""Which tests are quick: `pytest -m quick` runs those that start no process, connect to nothing, try no random input.

Nobody marks a quick test. A test is quick unless its code, its parameters, its fixtures or the helpers that they name
use processes, sockets, a server of the tests or a text with the word "cmd" in it (a `_cmd` pointer). What a test
reaches in another way through the package is not seen: such a test is marked with `@pytest.mark.external`. An audit
hook fails every test that is taken for quick and is not.
"""

from __future__ import annotations

import functools
import gc
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

TESTS = str(Path(__file__).parent)
#: Modules that lead to another process, and names in code that do.
MODULES = ("subprocess", "multiprocessing", "socket", "socketserver", "http.server", "servers", "proxy")
NAMES = {"subprocess", "multiprocessing", "fork", "forkpty", "system", "posix_spawn"}
#: The word of pointers that run a command.
POINTER = re.compile(r"(?<![^\W_])cmd(?![^\W_])", re.IGNORECASE).search
EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.connect"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        is_random = hasattr(getattr(item, "obj", None), "hypothesis")
        if isinstance(item, pytest.Function) and not is_random and not item.get_closest_marker("external"):
            fixtures = [one.func for found in item._fixtureinfo.name2fixturedefs.values() for one in found]
            given = (item.name, *item.callspec.params.values()) if hasattr(item, "callspec") else ()
            known = (getattr(item.obj, "__func__", item.obj), *fixtures)
            if not any(map(_is_known_external, known)) and not any(map(is_external, given)):
                item.add_marker("quick")


def pytest_collection_finish() -> None:
    gc.freeze()  # a collection in a test need not visit 10,000 tests


def is_external(tested: Any) -> bool:
    """Whether a function or class of the tests, or one that it names, uses processes or sockets."""
    seen: dict[int, Any] = {}
    left: list[Any] = [tested]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if POINTER(one) if isinstance(one, str) else any(map(_is_named_external, _modules_of(one))):
            return True
        if isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, (list, tuple)):
            left += one
        elif _is_ours(type(one)):
            left += [
                value for value in getattr(one, "__dict__", {}).values() if isinstance(value, (str, dict, list, tuple))
            ]
        elif not _is_ours(one):
            continue
        elif isinstance(one, type):
            left += [*vars(one).values(), *one.__bases__]
        elif isinstance(one, property):
            left.append(one.fget)
        else:
            left += [getattr(one, "__wrapped__", None), getattr(getattr(one, "hypothesis", None), "inner_test", None)]
            for code in _codes_of(one):
                if NAMES.intersection(code.co_names):
                    return True
                left += [text for text in code.co_consts if isinstance(text, (str, tuple))]
                left += [one.__globals__[name] for name in code.co_names if name in one.__globals__]
    return False


_is_known_external = functools.cache(is_external)


def _modules_of(one: Any) -> Iterator[Any]:
    if isinstance(one, ModuleType):
        yield one.__name__
    elif isinstance(one, type):
        yield from (base.__module__ for base in one.__mro__)
    else:
        yield getattr(one, "__module__", None)


def _is_named_external(module: Any) -> bool:
    return isinstance(module, str) and (module in MODULES or module.startswith("servers_"))


def _is_ours(one: Any) -> bool:
    module = sys.modules.get(getattr(one, "__module__", None) or "")
    return str(getattr(module, "__file__", "")).startswith(TESTS)


def _codes_of(function: Any) -> Iterator[CodeType]:
    """The code of a function, and of the functions inside it."""
    left = [getattr(function, "__code__", None)]
    while left:
        code = left.pop()
        if isinstance(code, CodeType):
            yield code
            left += code.co_consts


_watched: list[set[str]] = []
_older_threads: set[int | None] = set()


def _watch(event: str, _: object) -> None:
    if _watched and event in EVENTS and threading.get_ident() not in _older_threads:
        _watched[0].add(event)


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def _stays_quick(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that is taken for quick and is not."""
    if request.node.get_closest_marker("quick") is None:
        yield
        return
    seen: set[str] = set()
    _older_threads.clear()
    _older_threads.update(one.ident for one in threading.enumerate() if one is not threading.current_thread())
    _watched.append(seen)
    try:
        yield
    finally:
        _watched.clear()
    if seen:
        pytest.fail(f"taken for a quick test, but it uses {', '.join(sorted(seen))}: mark it @pytest.mark.external")
