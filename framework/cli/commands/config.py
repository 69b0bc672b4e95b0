"""The command `config`."""

from __future__ import annotations

import sys

from framework.cli.output import OK, OUTPUTS, add_output, machine, print_error, raw, show, status_of
from framework.cli.progress import resolve_at_once
from framework.errors import ConfigError
from framework.inspection.rows import Row, rows
from framework.layers.writers import cfg_line, cfg_section, comment, commented, commented_option
from framework.masking.search import visible
from framework.masking.shown import HIDDEN

DESCRIPTION = """\
Read single options or list all, with Airflow's names and flags, and change the main cfg file.

for example:
  python -m framework config get-value secrets backend
  python -m framework config list --section core --show-values --include-sources
  python -m framework config lint --ignore-section webserver
  python -m framework config update --fix
  python -m framework config set server port 8443
  python -m framework config unset server port
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from framework.app import App
    from framework.options.declaration import Option


def add_arguments(parser: ArgumentParser) -> None:
    commands = {
        "get-value": (_get_value, "print the value of one option, in clear"),
        "list": (_list, "list the options as a cfg file, without their values"),
        "lint": (_lint, "find options and values that are renamed, outdated or removed"),
        "update": (_update, "move renamed options and replace outdated values in the main cfg file"),
        "set": (_set, "write an option to the main cfg file, and leave the rest of it as it is"),
        "unset": (_unset, "remove an option from the main cfg file"),
    }
    below = parser.add_subparsers(dest="action", required=True, metavar="|".join(commands))
    made: dict[str, ArgumentParser] = {}
    for name, (run, what) in commands.items():
        made[name] = below.add_parser(name, help=what, allow_abbrev=False)
        made[name].set_defaults(run=run)
    made["get-value"].set_defaults(issues="handed on")
    for name in ("get-value", "set", "unset"):
        made[name].add_argument("section", help="the option's section")
        made[name].add_argument("option", metavar="key", help="the option's key")
    made["set"].add_argument("value", help="the text as the application will read it; a '%%' is written '%%%%'")
    made["set"].add_argument(
        "--force", action="store_true", help="set the option even if the schema does not declare it"
    )
    for name in ("get-value", "list"):
        made[name].add_argument("-v", "--verbose", action="store_true", help="accepted as in Airflow; has no effect")
    _add_list(made["list"])
    for name in ("lint", "update"):
        _add_selection(made[name])
    made["update"].add_argument(
        "--fix", action="store_true", help="write the file (default: only show what would change)"
    )
    made["update"].add_argument(
        "--all-recommendations",
        action="store_true",
        help="also comment out what is deprecated or removed, and change old defaults",
    )


def _add_list(parser: ArgumentParser) -> None:
    def flag(*names: str, what: str) -> None:
        parser.add_argument(*names, action="store_true", help=what)

    parser.add_argument("--section", metavar="NAME", help="only this section")
    flag("--show-values", what="show the values; those of secrets stay hidden")
    flag("--show-secrets", what="show the values of secrets in clear as well")
    flag("--hide-sensitive", what="as in Airflow; secrets are hidden here unless --show-secrets is given")
    flag("-d", "--include-descriptions", what="add the description above each option")
    flag("-e", "--include-examples", what="add an example above each option")
    flag("-s", "--include-sources", what="add the layer and place above each option")
    flag("-V", "--include-env-vars", what="add the variable that sets it above each option")
    flag("-c", "--comment-out-everything", what="print a starting point for a new file")
    flag("-a", "--defaults", what="print only the declared defaults, with everything known about them, commented out")
    flag("-p", "--exclude-providers", what="as in Airflow; no other package adds options here")
    parser.add_argument("--color", choices=("on", "auto", "off"), default="auto", help="as in Airflow (default: auto)")
    parser.add_argument(
        "--output", choices=("cfg", *OUTPUTS), default="cfg", help="how to print (default: cfg, a cfg file)"
    )


def _add_selection(parser: ArgumentParser) -> None:
    for kind in ("section", "option"):
        parser.add_argument(f"--{kind}", metavar="NAMES", help=f"only these {kind}s, comma separated")
        parser.add_argument(f"--ignore-{kind}", metavar="NAMES", help=f"leave out these {kind}s, comma separated")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what was left out, too")
    add_output(parser)


def _get_value(app: App, args: Namespace) -> int:
    machine(app.conf.get(args.section, args.option))
    return OK


def _lint(app: App, args: Namespace) -> int:
    from framework.cli.lint import lint

    return lint(app, args)


def _update(app: App, args: Namespace) -> int:
    from framework.cli.lint import update

    return update(app, args)


def _set(app: App, args: Namespace) -> int:
    from framework.cli.setting import set_option

    return set_option(app, args)


def _unset(app: App, args: Namespace) -> int:
    from framework.cli.setting import unset_option

    return unset_option(app, args)


def _list(app: App, args: Namespace) -> int:
    args.show_values |= args.show_secrets
    if args.defaults:
        args.include_descriptions = args.include_examples = args.include_env_vars = True
        args.include_sources, args.comment_out_everything = False, True
    if args.include_descriptions or args.include_examples:
        app.schema.describe()
    found = {
        (row.section, row.key): row
        for row in rows(
            app,
            section=args.section,
            offline=not args.show_secrets,
            show_secrets=args.show_secrets,
            resolve=resolve_at_once,
        )
    }
    names = [name for name in app.engine.entries() if args.section is None or name[0] == args.section.lower()]
    if args.output == "cfg":
        _print(list(_cfg(app, args, names, found)), args.color)
    else:
        table = [_facts(app, args, section, key, found.get((section, key))) for section, key in names]
        show(table, list(table[0]) if table else ["section", "key"], args.output)
    failed = [row.error for row in found.values() if row.error is not None] if args.show_values else []
    for error in failed:
        print_error(error)
    if args.section is not None and not names:
        raise ConfigError(f"there is no section [{args.section}]")
    return max(map(status_of, failed), default=OK)


def _cfg(app: App, args: Namespace, names: list[tuple[str, str]], found: dict[tuple[str, str], Row]) -> Iterator[str]:
    """The lines of a cfg file, laid out as Airflow does it."""
    section, header = None, ""
    for name, key in names:
        if name != section:
            section, header = name, cfg_section(name)
            yield header
            about = app.schema.description(section)
            if args.include_descriptions and about:
                yield from (*commented(about), "")
        row, option = found.get((name, key)), app.schema.option(name, key)
        notes = list(_notes(app, args, name, key, row, option))
        text = _value(args, row, option) or ""
        lines = _lines(app, args, key, row, option) if header[0] == "[" else [comment(f"{key} = {text}")]
        yield from (*notes, *lines, *([""] if notes else []))


def _notes(app: App, args: Namespace, section: str, key: str, row: Row | None, option: Option | None) -> Iterator[str]:
    if args.include_descriptions and option is not None and option.description:
        yield from commented(option.description)
    if args.include_examples and option is not None and option.example is not None:
        yield from ("#", *commented(f"Example: {key} = {option.example}".rstrip()))
    if args.include_sources:
        yield from ("#", *commented(f"Source: {_source(row)}"))
    if args.include_env_vars:
        yield from ("#", comment(f"Variable: {app.names.option(section, key)}"), "#")


def _source(row: Row | None) -> str:
    if row is None:
        return "not defined"
    return "default" if row.mention.layer == "default" else f"{row.source}: {row.origin}"


def _value(args: Namespace, row: Row | None, option: Option | None) -> str | None:
    """The text that the list shows; None where it shows none."""
    if args.defaults:
        default = option.default if option is not None else None
        return HIDDEN if default and option is not None and option.sensitive else default
    if not args.show_values or row is None or row.error is not None:
        return None
    return HIDDEN if row.answer is None else row.text


def _lines(app: App, args: Namespace, key: str, row: Row | None, option: Option | None) -> list[str]:
    value = _value(args, row, option)
    text = "" if value is None else str(value)
    if args.defaults or args.comment_out_everything or value is None or text == HIDDEN or (row and row.redacted):
        is_cfg = args.defaults and not (option is not None and option.plain)
        return commented_option(key, text if is_cfg else text.replace("%", "%%"))
    return cfg_line(app.environment, key, text).split("\n")


def _facts(app: App, args: Namespace, section: str, key: str, row: Row | None) -> dict[str, object]:
    """One option as a row of a table, with what was asked for."""
    option = app.schema.option(section, key)
    facts: dict[str, object] = {"section": section, "key": key}
    if args.show_values or args.defaults:
        facts["value"] = _value(args, row, option)
    if args.include_sources:
        facts["source"] = _source(row)
    if args.include_env_vars:
        facts["variable"] = app.names.option(section, key)
    if args.include_examples:
        facts["example"] = option.example if option is not None else None
    if args.include_descriptions:
        facts["description"] = option.description if option is not None else None
    return facts


def _print(lines: list[str], color: str) -> None:
    """Print a cfg file; at a terminal, sections stand out and comments step back."""
    if color != "off" and (color == "on" or sys.stdout.isatty()):
        try:
            from rich.console import Console
            from rich.text import Text
        except ImportError:
            pass
        else:
            out = raw(sys.stdout)
            console = Console(file=out, soft_wrap=True, force_terminal=color == "on" or None)
            for line in lines:
                style = "bold" if line.startswith("[") else "dim" if line.startswith("#") else ""
                console.print(Text(visible(line) if out.isatty() else line, style=style))
            return
    machine("\n".join(lines))
