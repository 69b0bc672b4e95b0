"""The command `check`."""

from __future__ import annotations

from framework import errors
from framework.assembly import WORKERS, custom_link, note_on_workers, workers_backend
from framework.chain.chain import each
from framework.cli.output import LINK_FAILED, NO, OK, add_output, print_message, short, show, tell
from framework.cli.rows import outages, resolve_at_once
from framework.errors import BackendUnavailable, FrameworkError, OptionNotFound
from framework.masking import should_hide_value_for_name
from framework.masking.search import counted, plain_name
from framework.masking.wording import redact_message
from framework.names import POINTER_FORMS
from framework.options.misspelt import Misspelt, misspelt
from framework.options.notices import nearest
from framework.options.own import is_backend_kwarg
from framework.options.surprises import surprises
from framework.options.types import TYPES

DESCRIPTION = """\
Look for what is wrong: required options that are not set, unknown names, wrong values, pointers that lead nowhere.

An error makes the exit status 1; a warning (an older name, a secret that the environment answers although a custom
backend is set) does so with --strict. A note does not. It is 3 if a link or the database does not answer.

for example:
  python -m framework check
  python -m framework check --offline --output json
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Container, Iterator

    from framework.app import App
    from framework.chain.link import Link
    from framework.options.values import Answer, Mention

    Problem = tuple[str, str, str]  # level, where, what

#: Beginnings of words that hold `token`, `secret`, … and are about none.
_NO_SECRETS = ("tokeniz", "tokenis", "secretar", "passwordless", "cookiecutter")


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_run, unknown_app="refused", lists_warnings=True)
    parser.add_argument("--offline", action="store_true", help="follow no pointer: run no command, ask no link")
    parser.add_argument("--strict", action="store_true", help="warnings make the exit status 1 as well")
    add_output(parser)


def _run(app: App, args: Namespace) -> int:
    told, errors.listener = errors.listener, lambda message: None  # what it would say is listed below, with its place
    down: list[FrameworkError] = []
    try:
        found = list(dict.fromkeys(problems_of(app, offline=args.offline, down=down)))
    finally:
        errors.listener = told
    # Redacted now: an option that was looked at later may have told what is a secret.
    problems = [(level, redact_message(where), redact_message(what)) for level, where, what in found]
    if args.output == "table":
        for level, where, what in problems:
            tell(f"{level}: {short(where)}: {short(what)}")
    else:
        show(
            [dict(zip(("level", "where", "what"), problem, strict=True)) for problem in problems],
            ("level", "where", "what"),
            args.output,
        )
    levels = [level for level, _, _ in problems]
    wrong, doubtful = levels.count("error"), levels.count("warning")
    print_message(f"{counted(wrong, 'error')}, {counted(doubtful, 'warning')}")
    if down:  # what hangs on that link is not known
        return LINK_FAILED
    return NO if wrong or (args.strict and doubtful) else OK


def problems_of(app: App, *, offline: bool = False, down: list[FrameworkError] | None = None) -> Iterator[Problem]:
    """Everything that is wrong with the configuration, each as (level, where, what). Values are not shown.

    Args:
        offline: follow no pointer.
        down: is filled with the failures of links that do not answer.
    """
    try_link = _find_class if offline and _has_pointers_to_kwargs(app) else _build
    yield from _links(app, try_link)
    yield from _workers(app, try_link)
    yield from _sources(app)
    yield from _required(app)
    yield from _sensitivity(app)
    yield from surprises(app.engine)
    found = {name: mentions for name in app.engine.entries() if (mentions := list(app.engine.mentions(*name)))}
    yield from _patterns(app, found)
    unknown = {mentions[0].origin for name, mentions in found.items() if _is_unknown(app, *name)}
    unmeant = {variable.origin: variable for variable in misspelt(app.engine)}
    yield from (("warning", where, f"{variable}") for where, variable in unmeant.items() if where not in unknown)
    pointers = [name for name, mentions in found.items() if mentions[0].is_pointer]
    failures = {} if offline else resolve_at_once(app, pointers)
    if down is not None:
        down += [fault for fault in failures.values() if isinstance(fault.__cause__, BackendUnavailable)]
    together = outages(failures)
    for text in together:
        link, _, what = text.partition(": ")
        yield "error", link, what
    told = {name for names in together.values() for name in names}
    wrong = {*told, *failures}
    yield from _metastore(app, failed=failures, offline=offline)
    for name, mentions in found.items():
        yield from _names(app, *name, mentions, unmeant.get(mentions[0].origin))
        yield from _forms(app, *name, mentions)
        if name in told:
            continue
        if name in failures:
            yield _told(failures[name], mentions[0].origin)
        elif not (offline and mentions[0].is_pointer):
            problems = list(_meaning(app, mentions[0]))
            wrong |= {name for level, _, _ in problems if level == "error"}
            yield from problems
    yield from _settings(app, wrong, set(pointers) if offline else wrong)


def _settings(app: App, wrong: Container[tuple[str, str]], skipped: set[tuple[str, str]]) -> Iterator[Problem]:
    """What does not fit the class that is the schema, beyond what is wrong with single options.

    Args:
        wrong: options about which something was told.
        skipped: options that are not to be asked for.
    """
    if app.schema_class is None:
        return
    from framework.binding.settings import faults

    for fault in faults(app, app.schema_class, skipped):
        option = app.schema.option(*fault.name) if fault.name else None
        if isinstance(fault.error, OptionNotFound) and option is not None and option.required:
            continue  # which is told of every schema
        if fault.name not in wrong:
            yield _told(fault.error, app.schema.origin)


def _build(link: Link) -> object:
    return link.backend


def _find_class(link: Link) -> object:
    return link.is_remote


def _has_pointers_to_kwargs(app: App) -> bool:
    """Whether a backend cannot be built without following a pointer."""
    kwargs = (name for name in app.engine.entries() if is_backend_kwarg(*name))
    return any(mention.is_pointer for name in kwargs for mention in app.engine.mentions(*name))


def _links(app: App, try_link: Callable[[Link], object]) -> Iterator[Problem]:
    """The chain can be built at all."""
    try:
        outcomes = each(app.chain.custom, try_link)
    except FrameworkError as fault:
        outcomes = [fault]
    yield from (_told(fault, "[secrets]") for fault in outcomes if isinstance(fault, FrameworkError))


def _metastore(app: App, *, failed: Container[tuple[str, str]], offline: bool) -> Iterator[Problem]:
    """The database's URL and the keys can be read. Nothing is connected to."""
    readers: dict[tuple[str, str], Callable[[App], object]] = {
        ("database", "sql_alchemy_conn"): lambda app: app.chain.metastore.backend,
        ("core", "fernet_key"): _keys,
    }
    try:
        _ = app.chain
    except FrameworkError:  # told with the links
        return
    for name, read in readers.items():
        mention = next(app.engine.mentions(*name), None)
        if app.worker or mention is None or name in failed or (offline and mention.is_pointer):
            continue
        try:
            read(app)
        except FrameworkError as fault:
            level, _, what = _told(fault, "")
            yield level, mention.origin, f"[{name[0]}] {name[1]}: {what}"


def _keys(app: App) -> None:
    from framework.metastore.crypto import Keys

    Keys(app.conf.get("core", "fernet_key")).find("")


def _workers(app: App, try_link: Callable[[Link], object]) -> Iterator[Problem]:
    """A backend for workers is named, for this chain does not ask it; and it can be used at all."""
    answer = workers_backend(app)
    kwargs = next(app.engine.mentions("workers", "secrets_backend_kwargs"), None)
    if answer is None:
        if kwargs is not None and kwargs.layer != "default" and str(kwargs.raw).strip():
            what = "[workers] secrets_backend_kwargs is ignored, because [workers] secrets_backend is not set"
            yield "warning", kwargs.origin, what
    elif note := note_on_workers(app):
        yield "warning", answer.mention.origin, note
        path = str(answer.value).strip()
        if not path.startswith("import:"):  # which would start Airflow up
            try:
                try_link(custom_link(app, *WORKERS))
            except FrameworkError as fault:
                yield _told(fault, answer.mention.origin)


def _required(app: App) -> Iterator[Problem]:
    """Every required option is set, and what it is required in exists."""
    known = app.sources.environments
    for option in app.schema:
        section, key = option.section, option.name
        for env in () if isinstance(option.required, bool) else option.required:
            if known is not None and env not in known:
                there_are = f"the environments are {', '.join(known)}"
                yield (
                    "error",
                    option.place,
                    f"[{section}] {key} is required in {env!r}, which is not an environment: {there_are}",
                )
        if option.is_required(app.environment.env) and not any(app.engine.mentions(section, key)):
            where = "" if option.required is True else f" in {app.environment.env}"
            line = f"{key} = …" if not option.sensitive else f"{key}_secret = NAME"
            yield (
                "error",
                option.place,
                f"[{section}] {key} is required{where} and not set. Set {app.names.option(section, key)}, or write "
                f"`{line}` under [{section}] in {app.main_file()[0]}.",
            )


def _sensitivity(app: App) -> Iterator[Problem]:
    """Options that look like secrets are declared to be secrets, or not to be."""
    for option in app.schema if not app.schema.foreign else ():
        is_open = option.sensitivity is None and _may_be_secret(option.type) and not option.own
        if is_open and _looks_secret(option.name) and not app.engine.is_sensitive(option.section, option.name):
            yield (
                "warning",
                option.place,
                f"[{option.section}] {option.name} looks like a secret and is not declared sensitive: declare "
                "sensitive = true, or sensitive = false if it is no secret.",
            )


def _patterns(app: App, found: Container[tuple[str, str]]) -> Iterator[Problem]:
    """Each name in the list of sensitive options is that of an option: what is misspelt there is shown."""
    for written in app.sensitive:
        section, dot, key = written.lower().rpartition(".")
        if any(mark in written for mark in "*?["):
            continue
        if not dot:
            hint = f"write section.key, or {written}.* for all options of a section"
        elif not app.schema.declared or (section, key) in found or app.schema.option(section, key) is not None:
            continue
        elif near := nearest(app.engine, section, key):
            hint = f"did you mean {'.'.join(near)}?"
        else:
            hint = "correct it, or remove it"
        yield (
            "error",
            getattr(app.sensitive, "place", "App(sensitive=…)"),
            f"sensitive: {written!r} is not an option; {hint}",
        )


def _may_be_secret(type_: str) -> bool:
    """Whether a type can hold a secret: no number (`token_ttl`), path (`private_key_path`), boolean or class."""
    return TYPES[type_].family != "number" and type_ not in ("boolean", "path", "import")


def _looks_secret(name: str) -> bool:
    words = (word for word in plain_name(name).split("_") if not word.startswith(_NO_SECRETS))
    return should_hide_value_for_name("_".join(words))


def _sources(app: App) -> Iterator[Problem]:
    """What is doubtful about the choice of files, and what in them is not used."""
    yield from (("error", place, what) for place, what in app.environment.doubts)
    for layer in app.engine.layers:
        if layer.name == "settings":
            from framework.layers.settings import tokens

            yield from (("error", place, what) for place, what in getattr(layer, "unread", ()))
            for section, key, place in tokens(layer):
                yield "warning", place, f"[{section}] {key}: dynaconf's @token is not evaluated here, it stays text"


def _is_known(app: App, section: str, key: str) -> bool:
    """Whether an option is declared, or is reported as an ignored pointer, or may be any."""
    base, _, form = key.rpartition("_")
    if app.schema.option(section, key) is not None or app.schema.is_open(section):
        return True
    if form in POINTER_FORMS and app.schema.option(section, base) is not None:
        return True
    return is_backend_kwarg(section, key) and "__" in key


def _is_unknown(app: App, section: str, key: str) -> bool:
    """Whether an option that is not declared is an error."""
    return (app.schema.declared or section.partition(".")[0] == "secrets") and not _is_known(app, section, key)


def _names(app: App, section: str, key: str, mentions: list[Mention], unmeant: Misspelt | None) -> Iterator[Problem]:
    option = app.schema.option(section, key)
    base, _, form = key.rpartition("_")
    if _is_unknown(app, section, key):
        near = nearest(app.engine, section, key, declared=True)
        hint = f"; did you mean [{near[0]}] {near[1]}?" if near and app.schema.option(*near) else ""
        hint = f"; did you mean {unmeant.meant}?" if unmeant is not None else hint
        hint = f"; {_if_meant(section, base)}" if form in POINTER_FORMS and not hint else hint
        yield "error", mentions[0].origin, f"[{section}] {key}: no such option is declared{hint}"
    elif form in POINTER_FORMS and not _is_known(app, section, key):
        yield "note", mentions[0].origin, f"[{section}] {key} is an option of its own: {_if_meant(section, base)}"
    for mention in mentions:
        if mention.is_old_name:
            old = f"[{mention.name[0]}] {mention.name[1]}"
            yield "warning", mention.origin, f"{old} is now called [{section}] {key}: rename it there"
    if option is not None and option.retired and mentions[0].layer != "default":
        reason = f": {option.deprecation_reason}" if option.deprecation_reason else ""
        yield "warning", mentions[0].origin, f"[{section}] {key} is deprecated{reason}"


def _if_meant(section: str, base: str) -> str:
    return f'write sensitive = ["{section}.{base}"] if this is meant as a pointer'


def _forms(app: App, section: str, key: str, mentions: list[Mention]) -> Iterator[Problem]:
    by_place: dict[tuple[int, tuple[str, str]], list[Mention]] = {}
    for mention in mentions:
        by_place.setdefault((id(mention.source), mention.name), []).append(mention)
    for together in by_place.values():
        if len(together) > 1:
            forms = " and ".join(m.key if m.form == "plain" else f"{m.key}_{m.form}" for m in together)
            yield "error", together[1].origin, f"[{section}] {forms} stand in one layer; the first of them is used"
    for form, origin in app.engine.ignored_pointers(section, key):
        yield (
            "error",
            origin,
            f"[{section}] {key}_{form} is ignored: declare [{section}] {key} sensitive to write it as a pointer",
        )


def _meaning(app: App, mention: Mention) -> Iterator[Problem]:
    try:
        answer = app.engine.resolve(mention)
        app.conf.typed(answer)
    except FrameworkError as fault:
        level, where, what = _told(fault, mention.origin)
        option = app.schema.option(mention.section, mention.key)
        place = option.place if option is not None else ""
        yield level, (place or app.schema.origin) if where == "default" else where, what
        return
    yield from _answered_below(app, answer)


def _told(fault: FrameworkError, place: str) -> Problem:
    what = f"{fault.what}. {fault.hint}".rstrip(". ")
    return "error", fault.where or place, what if what.endswith("?") else f"{what}."


def _answered_below(app: App, answer: Answer) -> Iterator[Problem]:
    """A config secret that the environment or the metastore answered although a custom backend is set."""
    custom = [link.name for link in app.chain.custom] if answer.link is not None else []
    if custom and answer.link not in custom:
        mention = answer.mention
        yield (
            "warning",
            mention.origin,
            f"[{mention.section}] {mention.key}_secret was answered by the {answer.link}, not by a custom backend; "
            "[secrets] config_links can forbid that",
        )
