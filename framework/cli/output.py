"""The output of commands: exit statuses, messages, and tables for a person at a terminal or for a program."""

from __future__ import annotations

import sys

from framework.cli import terminal
from framework.errors import BackendError, FrameworkError, MetastoreUnavailable, SecretsError, SettingsError
from framework.inspection.places import short as short  # the commands take it from here
from framework.masking.search import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping, Sequence
    from typing import TextIO

#: Exit statuses: done; the answer is no, or problems were found; wrong usage; a link of the chain failed.
OK, NO, USAGE, LINK_FAILED = 0, 1, 2, 3

OUTPUTS = ("table", "json", "yaml", "plain")


class UsageError(FrameworkError):
    """The arguments of a command do not go together: exit status 2."""


class NoStdin:
    """Stands in for a closed stdin: reading it raises an error that says so."""

    def isatty(self) -> bool:
        return False

    def __getattr__(self, name: str) -> object:
        raise UsageError("there is no stdin to read", hint="Pipe the text in, as in: command | framework …")


def print_message(text: object) -> None:
    """Print a message to stderr: one line, redacted, without the path of the working directory.

    Args:
        text: what a command did or found; an error may be passed as it is.
    """
    from framework.masking.wording import redact_message

    print(short(redact_message(str(text))), file=sys.stderr)


def print_in_clear(text: str) -> None:
    """Print to stderr what a message would hide, because the user needs it: a link with a token."""
    print(text, file=sys.stderr)


def print_error(fault: object) -> None:
    """Print an error after which the command goes on. To stop the command, raise a `FrameworkError`."""
    for one in fault.faults if isinstance(fault, SettingsError) else (fault,):
        print_message(f"error: {one}")


def print_warning(text: object) -> None:
    print_message(f"warning: {text}")


def print_note(text: object) -> None:
    print_message(f"note: {text}")


class Visible:
    """A stream that escapes what would act on a terminal or be invisible there; line ends stay.

    Every command writes through it: to stderr always, to stdout all but what `machine` prints.

    Args:
        raw: the stream beneath.
        messages: whether all that comes are messages, which a terminal shows as such.
    """

    __slots__ = ("raw", "messages")

    def __init__(self, raw: TextIO, *, messages: bool = False) -> None:
        self.raw, self.messages = raw, messages

    def write(self, text: str) -> int:
        shown = visible(text, keep="\n\t")
        if text and terminal.is_terminal(self.raw):
            terminal.status.write(terminal.message(shown, self.raw) if self.messages else shown, self.raw)
        else:
            self.raw.write(shown)
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.raw, name)


def raw(stream: TextIO | Visible) -> TextIO:
    """The stream beneath, for escapes of our own: colours."""
    terminal.status.clear()
    return stream.raw if isinstance(stream, Visible) else stream


def for_programs() -> TextIO:
    """Where text goes that a program reads: through a pipe or into a file as it is, to a terminal visibly."""
    return sys.stdout if sys.stdout.isatty() else raw(sys.stdout)


def machine(text: str, end: str = "\n") -> None:
    """Print what a program reads."""
    print(text, end=end, file=for_programs())


def machine_bytes(data: bytes) -> None:
    """Print what a program reads, byte for byte; to a terminal visibly."""
    stream = for_programs()
    buffer = None if isinstance(stream, Visible) else getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(data.decode("utf-8", "replace"))
        return
    stream.flush()
    buffer.write(data)
    buffer.flush()


def print_line(text: str, *, bold: bool = False) -> None:
    """Print a line for a person to stdout: wrapped, and its level in colour, at a terminal only."""
    out = raw(sys.stdout)
    if terminal.is_terminal(out):
        terminal.status.write(terminal.message(visible(text, keep="\n\t"), out, bold=bold) + "\n", out)
    else:
        print(text)


def add_output(parser: ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=OUTPUTS, default="table", help="how to print (default: table)")


def show(rows: Sequence[Mapping[str, object]], columns: Sequence[str], output: str, bold: int | None = None) -> None:
    """Print rows: `plain` separates by tabs, `table` draws one at a terminal and aligns columns elsewhere.

    Args:
        rows: each as column -> value.
        columns: in order.
        output: one of `OUTPUTS`.
        bold: the number of the row that stands out at a terminal.
    """
    if output == "json":
        machine(as_json([{name: row.get(name) for name in columns} for row in rows]))
    elif output == "yaml":
        machine(as_yaml([{name: row.get(name) for name in columns} for row in rows]), end="")
    elif output == "plain":
        for row in rows:
            print("\t".join(_cell(row.get(name)) for name in columns))
    elif sys.stdout.isatty() and _draw(rows, columns, bold):
        pass
    else:
        table = [list(columns), *([_cell(row.get(name)) for name in columns] for row in rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
        for line in table:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _draw(rows: Sequence[Mapping[str, object]], columns: Sequence[str], bold: int | None) -> bool:
    """Draw with rich, where it is installed."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    console, table = Console(file=raw(sys.stdout)), Table(*columns, box=box.SIMPLE_HEAD)
    for number, row in enumerate(rows):
        style = "bold" if number == bold else ""
        table.add_row(*(Text(_cell(row.get(name)), style=style) for name in columns))
    if rows and table.__rich_measure__(console, console.options.update(max_width=100_000)).maximum > console.width:
        return _stack(rows, columns, bold)
    console.print(table)
    return True


def _stack(rows: Sequence[Mapping[str, object]], columns: Sequence[str], bold: int | None) -> bool:
    """A table that is wider than the terminal, one row below the other, so that every name can be read and copied."""
    width, screen = max(map(len, columns)), terminal.width_of(raw(sys.stdout))
    for number, row in enumerate(rows):
        for name in columns:
            if _cell(row.get(name)):
                line = f"{name.ljust(width)}  {_cell(row.get(name))}"
                print_line(terminal.wrapped(line, screen, width + 2), bold=number == bold)
        print()
    return True


def as_json(value: object) -> str:
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if text.isascii() or _is_unicode(text) else json.dumps(value, indent=2, default=str)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of a variable that are not UTF-8
        return False
    return True


def as_yaml(value: object) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Also writes texts of a subclass, such as a path that was found."""

    Dumper.add_multi_representer(str, lambda dumper, text: dumper.represent_str(str(text)))

    def dumped(allow_unicode: bool) -> str:
        return yaml.dump(value, Dumper=Dumper, sort_keys=False, default_flow_style=False, allow_unicode=allow_unicode)

    text = dumped(True)
    # PyYAML writes these as they are, and reads line ends.
    return dumped(False) if any(end in text for end in "\x85\u2028\u2029") else text


def _cell(value: object) -> str:
    """One line a cell, without what would move the cursor."""
    return "" if value is None else visible(str(value))


def status_of(fault: BaseException | None) -> int:
    """The exit status of an error: wrong usage, a failed link of the chain, or else the answer is no."""
    return USAGE if isinstance(fault, UsageError) else LINK_FAILED if link_failed(fault) else NO


def link_failed(fault: BaseException | None) -> bool:
    """Whether an error is a link's, directly or behind a pointer."""
    return isinstance(fault, (SecretsError, BackendError, MetastoreUnavailable)) or (
        fault is not None and link_failed(fault.__cause__)
    )
