"""The parsers of the command line: argparse, but a wrong argument is not repeated, because it may be a secret."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser, RawDescriptionHelpFormatter

from framework.cli import terminal
from framework.cli.commands import COMMANDS
from framework.masking.search import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

#: The options that select the application, and how argparse treats them. They come before the command.
APP_OPTIONS = {
    "project": "store",
    "app": "store",
    "name": "store",
    "env": "store",
    "config": "store",
    "dotenv": "append",
    "worker": "store_true",
}

_HELP = """\
usage: python -m framework [options] command …

Show what an application will run with, and where each value comes from.

options:
  --project DIR            the folder of the pyproject.toml with [tool.framework]
  --app module:attribute   an App of your own code
  --name NAME              the application of that name, without a project file
  --env NAME               the environment, such as production; else BILLING_ENV, else development
  --config FILE            the main cfg file
  --dotenv FILE            a .env file over those of the project; may be given more than once
  --worker                 run as a worker: [workers] secrets_backend instead of [secrets], and no metastore
  -h, --help               show this text; after a command, show the help of the command
  --version                show the version

commands:
{commands}

Without --project, --app or --name, the application is FRAMEWORK_APP, or the project in the folder
FRAMEWORK_PROJECT or in the working directory, or the application called framework.

exit status: 0 done, 1 the answer is no or problems were found, 2 wrong usage, 3 a link of the chain failed

for example:
  python -m framework dump
  python -m framework explain core port
"""


class Formatter(RawDescriptionHelpFormatter):
    """Gets the width of the terminal: argparse would load the modules for archives to find it."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal.width_of(sys.__stdout__) - 2)


class Parser(ArgumentParser):
    """Reports wrong arguments by the names of flags alone."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**{"formatter_class": Formatter, **how})
        self.color = False  # of Python 3.14: the stream would show its escapes as text

    def error(self, message: str) -> NoReturn:
        super().error(_without_values(message))


class _MainParser(Parser):
    def format_help(self) -> str:
        return _HELP.format(commands="\n".join(f"  {name:<24} {what}" for name, (_, what) in COMMANDS.items()))


def main_parser() -> ArgumentParser:
    """What comes before the command, the command, and the rest."""
    parser = _MainParser(prog="python -m framework", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--version", action="store_true")
    for option, action in APP_OPTIONS.items():
        parser.add_argument(f"--{option}", action=action)
    parser.add_argument("command", nargs="?")
    parser.add_argument("rest", nargs=REMAINDER)
    return parser


def command_parser(name: str) -> ArgumentParser:
    """The parser of one command, whose module is imported."""
    command = __import__(f"framework.cli.commands.{COMMANDS[name][0]}", fromlist=("run",))
    parser = Parser(
        prog=f"python -m framework {name}",
        description=command.DESCRIPTION,
        allow_abbrev=False,
    )
    parser.set_defaults(
        needs_app=True, refused=None, lists_warnings=False, unknown_app="", shows_progress=True, issues=""
    )
    command.add_arguments(parser)
    for below, what, inner in subcommands(parser):
        _describe(inner, what or below, f"framework {name} {below}", command.DESCRIPTION)
    return parser


def subcommands(parser: ArgumentParser) -> Iterator[tuple[str, str | None, ArgumentParser]]:
    """The commands of a command, such as `config list`: name, help and parser of each."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            helps = {choice.dest: choice.help for choice in getattr(action, "_choices_actions", ())}
            for name, inner in action.choices.items():
                yield name, helps.get(name), inner


def _describe(parser: ArgumentParser, what: str, call: str, text: str) -> None:
    """Describe a subcommand by its help and those of the command's examples that call it."""
    examples = [line for line in text.split("\n") if line.startswith("  ") and call in line]
    parser.description = f"{what[:1].upper()}{what[1:]}." + "".join(["\n\nfor example:", *(f"\n{e}" for e in examples)])


def _without_values(message: str) -> str:
    what, _, words = message.partition(": ")
    if what == "unrecognized arguments":
        flags = [word.partition("=")[0] for word in words.split() if word.startswith("-")]
        others = len(words.split()) - len(flags)
        before = [flag for flag in flags if flag.removeprefix("--") in APP_OPTIONS]
        if before:
            return f"{', '.join(before)} must come before the command: python -m framework {before[0]} … COMMAND"
        more = counted(others, "more word") if others else ""
        return f"{what}: {', '.join([*flags, more] if more else flags)}"
    head, invalid, tail = message.partition("invalid ")
    if invalid and "choice" in tail:
        word = tail.partition("'")[2].partition("'")[0]
        choices = tail.partition("(choose from ")[2].rstrip(")").replace("'", "")
        return f"{head}choose one of: {choices}{did_you_mean(word, choices.split(', '))}"
    if invalid and " value: " in tail:
        kind = {"int": "a whole number", "float": "a number"}.get(tail.partition(" value")[0], "valid")
        return f"{head}the value is not {kind}"
    return message


def did_you_mean(word: str, choices: list[str]) -> str:
    """`; did you mean X?`, if one of the choices is similar; else an empty text."""
    from difflib import get_close_matches

    near = get_close_matches(word, choices, 1)
    return f"; did you mean {near[0]}?" if near else ""
