"""Writes docs/reference/commands.md from the parsers of the command line: `python docs/generate_reference.py`.

`tests/test_reference.py` fails when the page is not what this writes.
"""

from __future__ import annotations

from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from framework.cli.commands import COMMANDS
from framework.cli.parsers import command_parser, main_parser, subcommands

PAGE = Path(__file__).parent / "reference" / "commands.md"

_HEAD = """\
# Reference of the command line

Every command, argument and flag. `docs/generate_reference.py` writes this page from the parsers. [For
operators](../guides/operators/index.md) explains what the commands are for. `framework …` is the same as
`python -m framework …`.

{contents}

## framework

```text
{text}```
"""


def page() -> str:
    """The whole page."""
    parts = list(commands())
    contents = "\n".join(f"- {link(name)}" for name, _ in parts)
    text = main_parser().format_help()
    return _HEAD.format(contents=contents, text=text) + "".join(section(name, parser) for name, parser in parts)


def commands() -> Iterator[tuple[str, ArgumentParser]]:
    """Every command, and every command of a command, such as `config list`."""
    for command in COMMANDS:
        parser = command_parser(command)
        yield command, parser
        for name, _, inner in subcommands(parser):
            yield f"{command} {name}", inner


def section(name: str, parser: ArgumentParser) -> str:
    shown = [action for action in parser._actions if action.help != SUPPRESS]
    arguments = [action for action in shown if "--help" not in action.option_strings]
    below = [inner for action in arguments if isinstance(action.choices, dict) for inner in action.choices]
    rows = [row(action, parser) for action in arguments if not isinstance(action.choices, dict)]
    text = f"\n## {name}\n\n{about(parser)}"
    if rows:
        text += "\n| argument | | default |\n|---|---|---|\n" + "".join(rows)
    if below:
        text += "\n" + "".join(f"- {link(f'{name} {inner}')}\n" for inner in below)
    return text


def link(name: str) -> str:
    return f"[{name}](#{name.replace(' ', '-')})"


def about(parser: ArgumentParser) -> str:
    """What a command says of itself, its examples as a block."""
    described, _, examples = (parser.description or "").strip().partition("for example:\n")
    parts = [part for part in described.strip().split("\n\n") if part]
    parts = [block(part) if part.startswith("  ") else f"{part}\n" for part in parts]
    return "\n".join(parts + [block(examples)] * bool(examples))


def block(text: str) -> str:
    """Indented lines as a block."""
    return "```text\n" + "".join(f"{line.removeprefix('  ')}\n" for line in text.rstrip().split("\n")) + "```\n"


def row(action: Action, parser: ArgumentParser) -> str:
    name = action.metavar if isinstance(action.metavar, str) else None
    if action.option_strings:
        takes = "" if action.nargs == 0 else f" {name or ('…' if action.choices else action.dest.upper())}"
        spelled = ", ".join(f"`{option}{takes if option.startswith('--') else ''}`" for option in action.option_strings)
    else:
        spelled = f"`{name or action.dest}`" + (" (optional)" if action.nargs == "?" else "")
    notes = cell(parser._get_formatter()._expand_help(action)) if action.help else ""
    if action.choices:
        notes += ("; " if notes else "") + "one of " + ", ".join(f"`{choice}`" for choice in action.choices)
    has_default = action.default not in (None, False, SUPPRESS, "", []) and action.nargs != 0
    return f"| {spelled} | {notes} | {f'`{action.default}`' if has_default else ''} |\n"


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
