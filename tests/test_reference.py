"""docs/reference/commands.md is what the parsers say, and every command says enough of itself."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def generator() -> ModuleType:
    spec = spec_from_file_location("generate_reference", ROOT / "docs" / "generate_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COMMANDS: list[tuple[str, ArgumentParser]] = list(generator().commands())


def test_the_reference_is_up_to_date() -> None:
    module = generator()
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run: python docs/generate_reference.py"


@pytest.mark.parametrize(("name", "parser"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_the_help_has_an_example(name: str, parser: ArgumentParser) -> None:
    told, _, examples = (parser.description or "").partition("for example:\n")
    assert told.strip(), f"{name} does not say what it does"
    assert name in examples, f"{name} has no example of itself"


@pytest.mark.parametrize(("name", "parser"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_flag_says_what_it_does(name: str, parser: ArgumentParser) -> None:
    silent = [action.dest for action in parser._actions if action.option_strings and not action.help]
    assert not silent, f"{name}: {silent}"


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_help_is_printed_and_loads_nothing_heavy(name: str) -> None:
    code = f"""
import sys
from framework.cli.main import main
try:
    main({[*name.split(), "--help"]!r})
except SystemExit as end:
    assert not end.code
heavy = {{"sqlalchemy", "cryptography", "yaml", "rich", "argcomplete", "sqlite3", "dotenv"}}
print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert done.stderr == "\n"
    assert done.stdout.startswith("usage: ")
