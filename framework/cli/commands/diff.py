"""The command `diff`."""

from __future__ import annotations

from contextlib import ExitStack

from framework.cli.commands.snapshot import add_key, key_of
from framework.cli.output import (
    NO,
    OK,
    USAGE,
    UsageError,
    add_output,
    print_error,
    print_line,
    print_message,
    print_note,
    short,
    show,
)
from framework.convert import to_text
from framework.errors import FrameworkError
from framework.inspection.difference import SAME, UNKNOWN, Difference, differences
from framework.inspection.snapshot import Snapshot, read, taken
from framework.masking.search import counted, visible

DESCRIPTION = """\
Compare two sides of a configuration. A side is an environment, project:DIR, git:REV, or a file of `snapshot`.

  ~  different    <  only on the left    >  only on the right    =  the same (with --all)    ?  not known

No value of a secret is shown. Pointers are compared by what they refer to; with --resolve they are followed.

Exit status: 0 the same, 1 different, 2 a side cannot be read or a value is not known because it fails.

for example:
  python -m framework diff staging production
  python -m framework diff git:HEAD~1 project:.
  python -m framework diff production.json production --key-file snapshot.key
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.inspection.snapshot import Entry

_COLUMNS = ("state", "section", "key", "left", "right", "why")


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, needs_app=False, lists_warnings=True)
    parser.add_argument("left", metavar="A", help="an environment, project:DIR, git:REV, or a snapshot file")
    parser.add_argument("right", metavar="B", help="the same")
    parser.add_argument("--all", action="store_true", help="also list what is the same")
    parser.add_argument("--show-values", action="store_true", help="show the values of options that are not sensitive")
    add_key(parser)
    add_output(parser)


def _run(app: App | None, args: Namespace) -> int:
    folders: dict[str, str] = {}
    try:
        return _compare(args, folders)
    except FrameworkError as fault:  # whatever it is: 1 would say that the sides differ
        for folder, side in folders.items():
            fault.where = fault.where.replace(f"{folder}/", f"{side}:")
        print_error(fault)
        return USAGE


def _compare(args: Namespace, folders: dict[str, str]) -> int:
    """Compare the sides. `folders` gets the folder of each revision, which messages must not show."""
    with ExitStack() as stack:
        sides = [_Side(stack, args, text, folders) for text in (args.left, args.right)]
        live = next((side.app for side in sides if side.app is not None), None)
        if live is None and args.key_secret is not None:
            raise UsageError("--key-secret needs a side that is not a snapshot")
        key = key_of(args, live) if live is not None or args.key_file is not None else None  # type: ignore[arg-type]
        left, right = (side.snapshot(resolve=args.resolve, key=key) for side in sides)
        found = list(differences(left, right, key))
    listed = [one for one in found if args.all or one.state != SAME]
    if args.output == "table":
        for one in listed:
            print_line(_line(one, args.show_values))
    else:
        show([_row(one, args.show_values) for one in listed], _COLUMNS, args.output)
    different = sum(one.state not in (SAME, UNKNOWN) for one in found)
    unknown = [one for one in found if one.state == UNKNOWN]
    for why in dict.fromkeys(one.why for one in unknown):
        print_note(why)
    print_message(
        f"{counted(different, 'difference')}" + (f", {counted(len(unknown), 'option')} not known" if unknown else "")
    )
    if any((one.left and one.left.fails) or (one.right and one.right.fails) for one in unknown):
        return USAGE
    return NO if different or unknown else OK


class _Side:
    """One of the two arguments."""

    def __init__(self, stack: ExitStack, args: Namespace, text: str, folders: dict[str, str]) -> None:
        import os

        self.text = text
        self.app: App | None = None
        self._read: Snapshot | None = None
        if text.startswith("project:"):
            self.app = _of_folder(text.removeprefix("project:"), args)
        elif text.startswith("git:"):
            from framework.files.revision import files_of

            folder = stack.enter_context(files_of(text.removeprefix("git:"), args.given.project or os.curdir))
            folders[folder] = text
            self.app = _of_folder(folder, args, dotenv=False)
            self.app.engine.distrust(folder)
            self._hide = folder
        elif os.path.isfile(text):
            from framework.files.text import read_text

            self._read = read(read_text(text), text)
        else:
            self.app = _of_environment(text, args)

    def snapshot(self, *, resolve: bool, key: bytes | None) -> Snapshot:
        if self.app is None:
            assert self._read is not None
            return self._read
        found = taken(self.app, self.text, resolve=resolve, key=key)
        folder = getattr(self, "_hide", None)
        if folder:
            for entry in found.entries.values():
                entry.origin = entry.origin.replace(f"{folder}/", f"{self.text}:")
                entry.fails = entry.fails and entry.fails.replace(f"{folder}/", f"{self.text}:")
        return found


def _of_folder(directory: str, args: Namespace, *, dotenv: bool = True) -> App:
    from framework import project
    from framework.app import App

    found = project.find(directory, named=True)
    assert found is not None  # it must exist
    settings = dict(found.settings)
    if not dotenv:  # it is not in the revision, and the one of today is another
        settings["dotenv"] = []
    if args.given.env:
        settings["env"] = args.given.env
    return App(**settings)


def _of_environment(name: str, args: Namespace) -> App:
    from argparse import Namespace as Arguments

    from framework.cli.main import chosen_app
    from framework.layers.environment import is_name

    if args.given.app:
        raise UsageError("an App of your own code has one environment: compare project:DIR, git:REV or snapshots")
    if not is_name(name):
        raise UsageError(
            f"{visible(name)!r} is neither a file nor the name of an environment: write an environment, project:DIR, "
            "git:REV or a snapshot file"
        )
    made = chosen_app(Arguments(**{**vars(args.given), "env": name}))
    for place, what in made.environment.doubts:
        raise UsageError(f"{place}: {what}")
    return made


def _line(one: Difference, show_values: bool) -> str:
    sides = [_side(entry, show_values) for entry in (one.left, one.right) if entry is not None]
    return f"{one.state} [{one.section}] {one.key}  {' | '.join(sides)}"


def _row(one: Difference, show_values: bool) -> dict[str, str]:
    left, right = (_side(entry, show_values) if entry else "" for entry in (one.left, one.right))
    return dict(zip(_COLUMNS, (one.state, one.section, one.key, left, right, one.why), strict=True))


def _side(entry: Entry, show_values: bool) -> str:
    place = short(entry.place)
    if show_values and entry.has_value and not entry.sensitive:
        return f"{visible(to_text(entry.value))} ({place})"
    return place
