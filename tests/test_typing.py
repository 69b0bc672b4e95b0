"""Type checkers know what a settings class is bound to: they find a misspelling in an application, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Every kind of class, by `bind` and as the current settings.
KINDS = """
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import attrs
import msgspec
from pydantic import BaseModel

from framework import App, Secret

@dataclass
class Data:
    port: int = 8000
    password: Secret = Secret("")

class Model(BaseModel):
    port: int = 8000

class Dict(TypedDict):
    port: int

class Tuple(NamedTuple):
    port: int = 8000

@attrs.define
class Attrs:
    port: int = 8000

class Struct(msgspec.Struct):
    port: int = 8000

@dataclass
class Settings:
    server: Data

app = App("shop", schema=Settings)
other: App = App("other", schema="schema.toml")
ports: list[int] = [
    app.bind(Data, "a").port,
    app.bind(Model, "b").port,
    app.bind(Dict, "c")["port"],
    app.bind(Tuple, "d").port,
    app.bind(Attrs, "e").port,
    app.bind(Struct, "f").port,
    app.bind(Settings).server.port,
    app.settings.server.port,
    app.use().settings.server.port,
    other.settings.anything,
]
password: str = app.settings.server.password.get_secret_value()
"""


def mypy(folder: Path) -> list[tuple[str, int]]:
    words = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / ".cache"), "--no-error-summary", "."]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = [line.split(":") for line in done.stdout.splitlines() if ": error: " in line]
    return [(name, int(line)) for name, line, *_ in lines]


def pyright(folder: Path) -> list[tuple[str, int]]:
    """Pyright, or basedpyright, which brings all that it needs."""
    module = next(filter(find_spec, ("basedpyright", "pyright")))
    words = [sys.executable, "-m", module, "--outputjson", "--level", "error", "--pythonpath", sys.executable, "."]
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [(Path(entry["file"]).name, entry["range"]["start"]["line"] + 1) for entry in found]


CHECKERS = [
    pytest.param(
        mypy, marks=pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed: the extra `lint`")
    ),
    pytest.param(
        pyright,
        marks=pytest.mark.skipif(
            not any(map(find_spec, ("basedpyright", "pyright"))), reason="no pyright is installed: the extra `lint`"
        ),
    ),
]


@pytest.mark.parametrize("check", CHECKERS)
def test_a_misspelling_in_the_example_is_found(check: Callable[[Path], list[tuple[str, int]]], tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder)
    assert check(folder) == []
    main = folder / "main.py"
    text = main.read_text()
    assert "{server.port}" in text
    main.write_text(text.replace("{server.port}", "{server.prot}"))
    line = main.read_text()[: main.read_text().index("server.prot")].count("\n") + 1
    assert check(folder) == [("main.py", line)]


@pytest.mark.parametrize("check", CHECKERS)
def test_a_misspelling_is_found_in_every_kind_of_class(
    check: Callable[[Path], list[tuple[str, int]]], tmp_path: Path
) -> None:
    (tmp_path / "kinds.py").write_text(KINDS)
    assert check(tmp_path) == []
    text = KINDS
    for right, wrong in ((").port", ").prot"), ('["port"]', '["prot"]'), ("server.port", "server.prot")):
        text = text.replace(right, wrong)
    (tmp_path / "kinds.py").write_text(text)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if "prot" in line]
    assert len(lines) == 9
    assert sorted(set(check(tmp_path))) == [("kinds.py", line) for line in lines]


#: Every getter that takes keyword arguments, with each that it takes; and what has the type that its caller expects.
GETTERS = """
from enum import Enum

from framework import App, conf, masking

class Level(Enum):
    LOW = 1

conf.get("a", "b", fallback="x", raw=True, lookup_from_deprecated=False, suppress_warnings=True)
conf.getboolean("a", "b", fallback=True, raw=True)
conf.getint("a", "b", fallback=1, raw=True)
conf.getfloat("a", "b", fallback=1.5, raw=True)
conf.getlist("a", "b", delimiter=";", fallback=[], raw=True)
conf.getjson("a", "b", fallback={}, raw=True)
conf.gettimedelta("a", "b", fallback=1, raw=True)
conf.getenum("a", "b", enum_class=Level, fallback=Level.LOW, raw=True)
conf.getenumlist("a", "b", enum_class=Level, delimiter=";", fallback=[], raw=True)
conf.getimport("a", "b", fallback=None, raw=True)
conf.value("a", "b", fallback=None, raw=True)
conf.get_mandatory_value("a", "b", fallback="x", raw=True)
conf.get_mandatory_list_value("a", "b", fallback=[], raw=True)
port: int = conf.value("a", "b")
shown: dict[str, str] = masking.redact({"a": "b"})
calls: int = App("shop").stats()[0]["calls"]
"""


@pytest.mark.parametrize("check", CHECKERS)
@pytest.mark.parametrize(("right", "wrong"), [("raw=", "rwa="), ("fallback=", "fallbak=")])
def test_a_misspelled_argument_of_a_getter_is_found(
    check: Callable[[Path], list[tuple[str, int]]], tmp_path: Path, right: str, wrong: str
) -> None:
    (tmp_path / "getters.py").write_text(GETTERS)
    assert check(tmp_path) == []
    text = GETTERS.replace(right, wrong)
    (tmp_path / "getters.py").write_text(text)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if wrong in line]
    assert len(lines) == 13
    assert sorted(set(check(tmp_path))) == [("getters.py", line) for line in lines]
