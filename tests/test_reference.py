"""docs/reference/commands.md is what the parsers say, and every command says enough of itself."""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from framework.cli.commands import COMMANDS as COMMANDS_BY_NAME
from framework.cli.parsers import subcommands

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
    summary, _, examples = (parser.description or "").partition("for example:\n")
    assert summary.strip(), f"{name} does not say what it does"
    assert name in examples, f"{name} has no example of itself"


@pytest.mark.parametrize(("name", "parser"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_flag_says_what_it_does(name: str, parser: ArgumentParser) -> None:
    silent = [action.dest for action in parser._actions if action.option_strings and not action.help]
    assert not silent, f"{name}: {silent}"


@pytest.mark.parametrize(("name", "parser"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_parser_names_what_it_runs(name: str, parser: ArgumentParser) -> None:
    if not list(subcommands(parser)):
        assert callable(parser.get_default("run")), f"{name}: parser.set_defaults(run=…)"


@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS_BY_NAME.values()}))
def test_every_command_module_has_the_same_shape(module: str) -> None:
    found = import_module(f"framework.cli.commands.{module}")
    assert isinstance(found.DESCRIPTION, str)
    assert callable(found.add_arguments)
    assert not hasattr(found, "run"), "what it runs stands in set_defaults"


def test_one_function_prints_errors() -> None:
    folder = ROOT / "framework" / "cli"
    printing = [
        path.name for path in folder.rglob("*.py") if re.search(r"""["'](error|warning|note): """, path.read_text())
    ]
    assert printing == ["output.py"]
    direct = [path.name for path in (folder / "commands").rglob("*.py") if "file=sys.stderr" in path.read_text()]
    assert direct == ["db.py"], "use output.print_message; db asks a question there"


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
