"""Import and export of connections and variables: what one writes, the other reads."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from framework.backends.local_filesystem import LocalFilesystemBackend
from framework.chain.chain import each
from framework.cli.output import NO, OK, UsageError, for_programs, print_error, print_message, print_note, short, show
from framework.cli.progress import Metered, Progress
from framework.errors import (
    ConfigFileError,
    FileParseError,
    FrameworkError,
    InvalidSecret,
    MetastoreError,
    SecretsError,
    warn,
)
from framework.files.atomic import AtomicReplace
from framework.files.entries import FORMATS, DuplicateNames, read_entries
from framework.files.text import Bounded
from framework.files.trust import Untrusted
from framework.inspection.listing import cannot_list, holder, names_of
from framework.masking.search import counted
from framework.metastore import bulk, limits
from framework.metastore.base import persistently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from framework.app import App
    from framework.connection import Connection
    from framework.files.entries import Entry
    from framework.metastore.store import Item

#: What comes before, between and after the rows, and what replaces them if there are none.
_FRAMES = {"json": ("{\n", ",\n", "\n}\n", "{}\n"), "yaml": ("", "", "", "{}\n"), "env": ("", "", "", "")}
#: Names that a message lists before it counts the others.
_LISTED = 20


def import_file(app: App, kind: str, args: Namespace, existing: str) -> int:
    """Read a file into the metastore, all of it or nothing, and print what changed.

    Args:
        app: whose metastore.
        kind: `connection` or `variable`.
        args: of `arguments.add_import`, and `output`.
        existing: `overwrite`, `skip` or `fail`.
    """
    file_format = format_of(args, default="json" if args.file == "-" else None)
    store, shadows = app.store, _Shadows(app, kind)
    seconds = app.conf.getfloat("core", "command_timeout_seconds")

    def act() -> bulk.Report:
        shadows.forget()
        with _opened(args.file, seconds) as file, Progress(f"importing {kind}s", _size(file)) as progress:
            entries = read_entries(Metered.of(file, progress), _shown(args.file), file_format)
            items = _items(kind, entries, _shown(args.file), shadows, app.store.database.bounded)
            return bulk.put(store, kind, items, existing=existing, dry_run=args.dry_run)

    try:
        # A file can be read once more after a failover, or where another transaction was in the way; a pipe cannot.
        repeatable = existing != "fail"
        report = persistently(store.database, act, repeatable=repeatable) if os.path.isfile(args.file) else act()
    except FileParseError as fault:
        for line, what in sorted(fault.faults):
            print_error(f"{fault.path}{f':{line}' if line else ''}: {what}")
        print_error(f"nothing was imported, because of {counted(len(fault.faults), 'fault')}")
        return NO
    shadows.report()
    _print_report(report, kind, args)
    return OK


def export_file(app: App, kind: str, args: Namespace, written: Callable[[str, object, str | None], str]) -> int:
    """Write every row of the metastore into a file, or to stdout.

    A row that cannot be read is left out and named on stderr.

    Args:
        app: whose metastore.
        kind: `connection` or `variable`.
        args: of `arguments.add_export`.
        written: formats name, value and description for the file; raises SecretsError if the format cannot hold them.
    """
    file_format = format_of(args, default="json" if args.file == "-" or kind == "variable" else None)
    store, left_out, count = app.store, 0, 0
    before, between, after, nothing = _FRAMES[file_format]
    with Progress(f"exporting {kind}s", unit="rows") as progress, replaced(args.file) as file:
        progress.total(lambda: bulk.count(store.database, kind))
        for name, value, description in bulk.stored(store, kind):
            try:
                if isinstance(value, SecretsError):
                    raise value
                text = written(name, value, description)
            except SecretsError as fault:
                print_error(f"not exported: {fault}")
                left_out += 1
                continue
            file.write((between if count else before) + text)
            count += 1
            progress.advance(1)
        if left_out and not count:  # rather than replace a good file with an empty one
            raise MetastoreError("no row could be read, so nothing was written", where=store.database.where)
        file.write(after if count else nothing)
    place = "" if args.file == "-" else f" to {args.file}"
    print_message(f"{counted(count, kind)} exported{place}" + (f", {left_out:,} left out" if left_out else ""))
    return NO if left_out else OK


# Reading


def format_of(args: Namespace, default: str | None) -> str:
    """`json`, `yaml` or `env`, by the flag or the file's extension.

    Raises:
        UsageError: neither is known, and there is no default.
    """
    found: str | None = args.file_format or FORMATS.get(os.path.splitext(args.file)[1].lower()[1:], default)
    if found is None:
        raise UsageError(f"{args.file}: the name must end in .json, .yaml, .yml or .env; or pass --file-format")
    args.file_format = found
    return found


def yaml_lines(table: Mapping[str, object]) -> str:
    """A table of one name in YAML, in ASCII as Airflow writes it; what is inside keeps its order."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return yaml.dump(table, Dumper=dumper, default_flow_style=False, sort_keys=False, width=1_000_000)


def env_line(name: str, text: str) -> str:
    """`NAME=text`.

    Raises:
        InvalidSecret: such a line cannot hold the two, or could not be read again.
    """
    fault = ""
    if not text:
        fault = "an empty value"
    elif not name or "=" in name or len(f"{name}.".splitlines()) > 1 or name.lstrip().startswith(("#", "\ufeff")):
        fault = "this name"
    elif len(f"{text}.".splitlines()) > 1:  # also where only Airflow's reader, like Python, ends a line
        fault = "a line break"
    if fault:
        raise InvalidSecret(f"a .env file cannot hold {fault}", where=repr(name), hint="Export json or yaml.")
    return f"{name}={text}\n"


def _shown(path: str) -> str:
    return "<stdin>" if path == "-" else path


def _opened(path: str, seconds: float) -> IO[bytes]:
    if path == "-":
        return open(os.dup(sys.stdin.fileno()), "rb", buffering=0) if _is_real(sys.stdin) else sys.stdin.buffer
    try:
        return Bounded(path, seconds)  # type: ignore[return-value]
    except FileNotFoundError:
        what = "the file does not exist"
    except IsADirectoryError:
        what = "this is a directory"
    except PermissionError:
        what = "this process may not read the file"
    except (OSError, ValueError) as error:  # ValueError: a path that holds a NUL
        what = f"the file cannot be read ({getattr(error, 'strerror', None) or 'invalid path'})"
    raise ConfigFileError(what, where=short(path), hint="Correct the path.")


def _is_real(stream: IO[bytes] | IO[str]) -> bool:
    try:
        stream.fileno()
    except (OSError, ValueError, AttributeError):  # a test's
        return False
    return True


def _size(file: IO[bytes]) -> int:
    """The bytes of a file; 0 for what has no end that is known, such as a pipe."""
    try:
        return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return 0


def _items(kind: str, entries: Iterator[Entry], path: str, shadows: _Shadows, bounded: bool) -> Iterator[Item]:
    """The rows of a file. After the first fault no more rows are yielded, and the rest is only checked.

    Raises:
        FileParseError: every fault of the file, each with its line.
    """
    read = _connection_in(LocalFilesystemBackend()) if kind == "connection" else _variable_in
    faults: list[tuple[int, str]] = []
    twice = DuplicateNames()
    try:
        for entry in entries:
            name, line = entry.name, entry.lines[0]
            if name is None or entry.faults:
                faults += entry.faults
                continue
            if entry.not_text:
                faults.append(entry.not_text)
                continue
            twice.add(name, line)
            try:
                value, description = read(entry)
                fault = limits.fault_of(kind, name, value, description, bounded=bounded)
            except InvalidSecret as error:
                fault = f"{error.what}. {error.hint}"
            if fault is not None:
                faults.append((line, fault))
            elif not faults:
                shadows.look_at(name)
                yield kind, name, value, description
    except FileParseError as error:
        faults += error.faults
    faults += twice.faults()
    if faults:
        raise FileParseError(path, faults)


def _connection_in(backend: LocalFilesystemBackend) -> Callable[[Entry], tuple[Connection, None]]:
    def read(entry: Entry) -> tuple[Connection, None]:
        connection = backend.connection_in(entry)
        if connection is None:
            raise InvalidSecret("an empty list is not a connection", hint="Write a URI or fields.")
        return connection, None

    return read


def _variable_in(entry: Entry) -> tuple[str, str | None]:
    """A value of a file as text and description, as in Airflow."""
    value, description = entry.value, None
    if isinstance(value, dict) and "value" in value:
        if not set(value) <= {"value", "description"}:
            raise InvalidSecret(
                "next to value and description it has other names",
                hint='Airflow would lose them; write {"value": {…}} around it if it is all one value.',
            )
        value, description = value["value"], value.get("description")
        if description is not None and not isinstance(description, str):
            raise InvalidSecret("its description is not text", hint="Put it in quotes.")
    if isinstance(value, str):
        return value, description
    import json

    try:
        return json.dumps(value, indent=2), description
    except (TypeError, ValueError, RecursionError):
        pass
    raise InvalidSecret("JSON cannot hold its value", hint="Write text, numbers, lists or tables.")


class _Shadows:
    """Finds which of the written names an earlier link has too. Only names are asked for, never values."""

    __slots__ = ("_found", "_kind", "_links", "_notes")

    def __init__(self, app: App, kind: str) -> None:
        self._kind, self._notes = kind, list[str]()
        self._links: list[tuple[str, Callable[[str], bool]]] = []
        self._found: dict[str, list[str]] = {}
        links = app.chain.before_the_metastore()
        for link, found in zip(links, each(links, lambda link: names_of(link, kind)), strict=True):
            names, failure = list[str](), ""
            if isinstance(found, FrameworkError):
                failure = short(str(found)).rstrip(".")
            else:
                names, failure = found or [], "" if found is not None else cannot_list(link, kind)
            if failure:
                self._notes.append(f"{failure}; whether it shadows what is imported is not known")
            elif names:
                self._links.append((link.name, holder(names, link)))

    def forget(self) -> None:
        self._found = {link: [] for link, _ in self._links}

    def look_at(self, name: str) -> None:
        for link, has in self._links:
            if has(name):
                self._found[link].append(name)

    def report(self) -> None:
        for note in self._notes:
            print_note(note)
        for link, shadowed in self._found.items():
            if shadowed:
                warn(
                    f"the link {link} is asked before the metastore and has {len(shadowed)} of the imported "
                    f"{self._kind}s too, so reads still return its own: {_some(shadowed)}"
                )


def _print_report(report: bulk.Report, kind: str, args: Namespace) -> None:
    counts = ", ".join(f"{number:,} {state}" for state, number in report.counts.items() if number) or "nothing"
    if args.dry_run:
        rows = [
            {kind: name, "change": state, "fields": ", ".join(fields)}
            for name, state, fields in report.rows
            if state != "unchanged"
        ]
        if rows or args.output != "table":
            show(rows, (kind, "change", "fields"), args.output)
    elif report.skipped:
        print_message(f"skipped, because they exist: {_some(report.skipped)}")
    verb = "would be imported" if args.dry_run else "imported"
    print_message(f"{kind}s {verb} from {_shown(args.file)}: {counts}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(map(repr, names[:_LISTED])) + more


# Writing


#: The devices of the system and the streams of this process: no other user can put a file there.
_DEVICES = ("/dev", "/dev/fd", "/proc/self/fd")


@contextmanager
def replaced(path: str) -> Iterator[IO[str]]:
    """A file that replaces another once it is whole; `-` and devices are written directly.

    Raises:
        MetastoreError: the path is not a regular file of the caller, or the folder or disk refuses; the old file
            stays.
    """
    if path == "-":
        yield for_programs()
        return
    hint = "The old file is unchanged."
    try:
        if "\0" in path:
            raise OSError(22, "invalid path")
        if os.path.dirname(os.path.abspath(path)) in _DEVICES and os.path.exists(path) and not os.path.isfile(path):
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                yield file
            return
        replacement = AtomicReplace(path, own=True)
        with replacement as number:
            with open(number, "w", encoding="utf-8", newline="\n", closefd=False) as file:
                yield file
            os.fsync(number)
            replacement.take_place()
        return
    except Untrusted as refusal:
        reason, hint = refusal.what, refusal.hint
    except OSError as error:
        reason = error.strerror or "no reason given"
    raise MetastoreError(f"the file cannot be written ({reason})", where=short(path), hint=hint)
