"""The command `explain`."""

from __future__ import annotations

from framework.cli.output import (
    LINK_FAILED,
    NO,
    OK,
    UsageError,
    add_output,
    print_error,
    print_line,
    print_note,
    short,
    show,
    status_of,
)
from framework.errors import IssuedOnUse
from framework.inspection.rows import ISSUED, declared_facts, files_of
from framework.options.misspelt import misspelt
from framework.options.notices import not_found

DESCRIPTION = """\
Show where an option, a connection or a variable is set, which place wins, and which are shadowed.

for example:
  python -m framework explain core port
  python -m framework explain --connection warehouse
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from framework.app import App
    from framework.options.explanation import Explanation


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="shown")
    parser.add_argument("section", nargs="?", help="the option's section")
    parser.add_argument("key", nargs="?", help="the option's key")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--connection", metavar="ID", help="explain a connection instead of an option")
    which.add_argument("--variable", metavar="KEY", help="explain a variable instead of an option")
    parser.add_argument("--files", action="store_true", help="list every file that was looked for, highest first")
    add_output(parser)


def _run(app: App, args: Namespace) -> int:
    files = (
        [{"layer": kind, "origin": file, "form": state} for kind, file, state in files_of(app)] if args.files else []
    )
    for kind, name in (("connection", args.connection), ("variable", args.variable)):
        if name is not None:
            return _link_by_link(app, kind, name, args.output)
    if args.files and args.section is None:
        show(
            [{"layer": row["layer"], "file": row["origin"], "state": row["form"]} for row in files],
            ("layer", "file", "state"),
            args.output,
        )
        return OK
    if args.key is None:
        raise UsageError("name a section and a key, --connection ID or --variable KEY")
    if args.section.lower() in ("secrets", "workers"):
        _note_workers(app)
    explanation = app.conf.explain(args.section, args.key)
    if args.output == "table":
        _print(app, explanation)
        for row in files:
            print_line(f"  looked for: {row['layer']}: {row['origin']} ({row['form']})")
    else:
        show([*_rows(explanation), *files], ("wins", "layer", "origin", "written as", "form", "value"), args.output)
    if not explanation.mentions:
        print_error(not_found(app.engine, args.section, args.key))
        return NO
    if explanation.error is not None and not isinstance(explanation.error, IssuedOnUse):
        return status_of(explanation.error)
    return OK


def _print(app: App, explanation: Explanation) -> None:
    app.schema.describe()
    option = app.schema.option(explanation.section, explanation.key)
    for line in str(explanation).split("\n"):
        print_line(short(line) if line.startswith("  ") else line, bold=line.startswith("  -> "))
    if option is not None:
        facts = map(short, declared_facts(app, option))
        print_line(f"  declared: {', '.join(facts)}" + (f"; {short(option.description)}" if option.description else ""))
    for variable in misspelt(app.engine):
        if variable.option == (explanation.section, explanation.key):
            print_line(f"  near miss: {short(variable.origin)}: {short(str(variable))}")


def _rows(explanation: Explanation) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for number, mention in enumerate(explanation.mentions):
        value = explanation.value if explanation.error is None else f"fails: {explanation.error}"
        value = ISSUED if isinstance(explanation.error, IssuedOnUse) else value
        rows.append(
            {
                "wins": number == 0,
                "layer": mention.layer,
                "origin": short(mention.origin),
                "written as": f"[{mention.name[0]}] {mention.name[1]}",
                "form": mention.form,
                "value": value if number == 0 else None,
            }
        )
    return rows


def _note_workers(app: App) -> None:
    """Note a configured backend that this chain does not ask."""
    from framework.assembly import note_on_workers

    if note := note_on_workers(app):
        print_note(note)


def _link_by_link(app: App, kind: str, name: str, output: str) -> int:
    _note_workers(app)
    answers = app.chain.explain(kind, name)
    winner = next((number for number, (_, text) in enumerate(answers) if text.startswith("found")), None)
    show([{"link": link, "answer": short(text)} for link, text in answers], ("link", "answer"), output, winner)
    first = next((text for _, text in answers if text not in ("absent", "does not serve this kind")), "absent")
    if first.startswith("found"):
        return OK
    return NO if first == "absent" else LINK_FAILED
