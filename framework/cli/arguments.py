"""Arguments that several commands have in common."""

from __future__ import annotations

import sys

from framework.errors import FrameworkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

FORMATS = ("json", "yaml", "env")


def seconds(text: str) -> float:
    """The type of an argument that is a time: more than 0, at most 3600 seconds.

    Raises:
        ValueError: it is not a number in that range.
    """
    number = float(text)
    if not 0 < number <= 3600:
        raise ValueError
    return number


def add_import(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="a .json, .yaml, .yml or .env file; - reads stdin")
    parser.add_argument("--file-format", choices=FORMATS, help="the format, whatever the file's extension")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")


def add_export(parser: ArgumentParser) -> None:
    parser.add_argument("file", help="the file to write, mode 0600; - writes to stdout")
    parser.add_argument("--file-format", choices=FORMATS, type=str.lower, help="default: by the extension, or json")


def add_ignored(parser: ArgumentParser) -> None:
    """Airflow's flags that do nothing here, so that scripts can keep them."""
    from argparse import SUPPRESS

    parser.add_argument("--color", choices=("on", "off", "auto"), help=SUPPRESS)
    parser.add_argument("-v", "--verbose", action="store_true", help=SUPPRESS)


def secret_argument(value: str | None, what: str) -> str | None:
    """The value of an argument; `-` reads it from stdin, without its last newline, or asks for it at a terminal."""
    if value != "-":
        return value
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"{what}: ")
    text = sys.stdin.read()
    if not text.strip("\r\n"):
        raise FrameworkError(f"{what}: standard input is empty", hint="Pass '' for an empty text.")
    return text[: -2 if text.endswith("\r\n") else -1] if text.endswith("\n") else text
