"""Answers a shell that asks how a command line can continue."""

from __future__ import annotations

import os
import sys

from framework.cli.commands import COMMANDS
from framework.cli.output import NO
from framework.errors import FrameworkError
from framework.masking.search import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace
    from collections.abc import Callable, Iterable

    from framework.app import App
    from framework.chain.link import Link

#: TAB completes nothing if that would take longer than this.
_SECONDS = 2.0


def complete(find_app: Callable[[Namespace], App]) -> int:
    """Complete the words of `COMP_LINE`. Nothing is printed, whatever goes wrong.

    Args:
        find_app: returns the application that the options before the command select.
    """
    try:
        import signal

        signal.signal(signal.SIGALRM, lambda *_: os._exit(NO))
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        import argcomplete

        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
        import warnings

        warnings.simplefilter("ignore")
        parser = _whole_parser(os.environ.get("COMP_LINE", "").split(), find_app)
        argcomplete.autocomplete(
            parser,
            always_complete_options=False,
            default_completer=_nothing,  # type: ignore[arg-type]
        )
    except Exception:
        pass
    return NO


def _whole_parser(words: list[str], find_app: Callable[[Namespace], App]) -> ArgumentParser:
    """All commands in one parser. Only the commands in the line are loaded."""
    from argparse import ArgumentParser
    from importlib import import_module

    from framework.cli.parsers import APP_OPTIONS

    parser = ArgumentParser(prog="framework", allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="the version")
    for option, how in APP_OPTIONS.items():
        action = parser.add_argument(f"--{option}", dest=f"given_{option}", action=how)
        if option in ("project", "config", "dotenv"):
            _give(action, _paths)
    below = parser.add_subparsers(dest="given_command")
    for name, (module, what) in COMMANDS.items():
        inner = below.add_parser(name, help=what, allow_abbrev=False)
        if name in words:
            import_module(f"framework.cli.commands.{module}").add_arguments(inner)
            _give_completers(name, inner, find_app)
    return parser


def _give_completers(command: str, parser: ArgumentParser, find_app: Callable[[Namespace], App]) -> None:
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                _give_completers(command, inner, find_app)
        else:
            names = _COMPLETERS.get((command, action.dest)) or _COMPLETERS.get(("", action.dest))
            if names is not None and action.choices is None:
                _give(action, _Completer(names, find_app))


def _give(action: Action, completer: Callable[..., Iterable[str]]) -> None:
    action.completer = completer  # type: ignore[attr-defined]


class _Completer:
    """Asks the application that the line is about; fails in silence."""

    def __init__(self, names: Callable[[App, Namespace], Iterable[str]], find_app: Callable[[Namespace], App]) -> None:
        self._names, self._find_app = names, find_app

    def __call__(self, *, prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
        from argparse import Namespace

        from framework.cli.parsers import APP_OPTIONS

        given = {option: getattr(parsed_args, f"given_{option}") for option in APP_OPTIONS}
        try:
            app = self._find_app(Namespace(**given))
            return [name for name in self._names(app, parsed_args) if name.startswith(prefix) and visible(name) == name]
        except Exception:
            return []


def _nothing(**_: object) -> tuple[str, ...]:
    """Nothing: the shell then completes files by itself."""
    return ()


def _paths(*, prefix: str, **_: object) -> list[str]:
    from argcomplete.completers import FilesCompleter

    return list(FilesCompleter()(prefix))


def _sections(app: App, args: Namespace) -> Iterable[str]:
    return dict.fromkeys(section for section, _ in app.engine.entries())


def _keys(app: App, args: Namespace) -> Iterable[str]:
    return [key for section, key in app.engine.entries() if args.section is None or section == args.section.lower()]


def _options(app: App, args: Namespace) -> Iterable[str]:
    return [f"{section}.{key}" for section, key in app.engine.entries()]


def _sources(app: App, args: Namespace) -> Iterable[str]:
    return [f"{name}=" for name in _options(app, args)]


def _values(app: App, args: Namespace) -> Iterable[str]:
    option = app.schema.option(args.section.lower(), args.option.lower())
    if option is None or option.sensitive:
        return ()
    return option.choices or (("true", "false") if option.type == "boolean" else ())


def _names_of(kind: str) -> Callable[[App, Namespace], Iterable[str]]:
    def names(app: App, args: Namespace) -> Iterable[str]:
        found: set[str] = set()
        for link in _near(app):
            try:
                found.update(link.list_names(kind))
            except FrameworkError:
                continue
        return sorted(found)

    return names


def _near(app: App) -> Iterable[Link]:
    """The links that answer at once: the environment, local files, a database file; none that a pointer leads to."""
    from framework.assembly import backend_options
    from framework.chain.level import METASTORE

    for (section, key), link in zip(backend_options(app), app.chain.custom, strict=False):
        local = app.conf.get(section, key).rpartition(".")[2] in ("local_filesystem", "LocalFilesystemBackend")
        if local and not _is_pointer(app, section, f"{key}_kwargs"):
            yield link
    yield app.chain.environment
    is_plain = not _is_pointer(app, "database", "sql_alchemy_conn")
    if is_plain and str(app.conf.get("database", "sql_alchemy_conn")).startswith("sqlite:"):
        yield from (link for link in app.chain.links if link.role == METASTORE)


def _is_pointer(app: App, section: str, key: str) -> bool:
    mention = next(app.engine.mentions(section, key), None)
    return mention is not None and mention.is_pointer


#: (command, destination of the argument) -> its candidates; "" means every command.
_COMPLETERS: dict[tuple[str, str], Callable[[App, Namespace], Iterable[str]]] = {
    ("", "section"): _sections,
    ("", "ignore_section"): _sections,
    ("config", "option"): _keys,
    ("config", "ignore_option"): _keys,
    ("config", "value"): _values,
    ("explain", "key"): _keys,
    ("explain", "connection"): _names_of("connection"),
    ("explain", "variable"): _names_of("variable"),
    ("connections", "conn_id"): _names_of("connection"),
    ("variables", "key"): _names_of("variable"),
    ("connections", "prefix"): _names_of("connection"),
    ("variables", "prefix"): _names_of("variable"),
    ("secrets", "name"): _names_of("config"),
    ("", "only"): _options,
    ("", "map"): _sources,
    ("", "connections"): _names_of("connection"),
}
