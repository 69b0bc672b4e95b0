"""Everything that is wrong with a configuration."""

from __future__ import annotations

from framework.assembly import (
    FAILOVER,
    METASTORE_URLS,
    WORKERS,
    custom_link,
    database_of,
    note_on_workers,
    workers_backend,
)
from framework.chain.chain import each
from framework.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    ConfigFileError,
    FrameworkError,
    InvalidValue,
    MetastoreUnavailable,
    OptionNotFound,
    PointerError,
    SecretsError,
)
from framework.inspection.outages import outages
from framework.inspection.problem import Problem
from framework.inspection.sharing import problems_of_sharing
from framework.inspection.surprises import surprises
from framework.lifetime import IssuedOnUse, Looking
from framework.masking import should_hide_value_for_name
from framework.masking.known import plain_name
from framework.names import POINTER_FORMS
from framework.options.misspelt import Misspelt, misspelt
from framework.options.notices import nearest
from framework.options.own import is_backend_kwarg
from framework.options.types import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from framework.app import App
    from framework.chain.link import Link
    from framework.options.values import Answer, Mention

    Names = list[tuple[str, str]]
    Failures = dict[tuple[str, str], FrameworkError]

#: Beginnings of words that hold `token`, `secret`, … and are about none.
_NO_SECRETS = ("tokeniz", "tokenis", "secretar", "passwordless", "cookiecutter")


def problems_of(
    app: App,
    *,
    offline: bool = False,
    resolve: Callable[[App, Names], Failures] = lambda app, names: app.prefetch(names),
) -> Iterator[Problem]:
    """Everything that is wrong with the configuration. Values are not shown, and nothing is issued.

    Args:
        offline: follow no pointer.
        resolve: follows the pointers of these options and gives the failures.
    """
    with Looking():
        return iter(list(_problems(app, offline, resolve)))


def _problems(app: App, offline: bool, resolve: Callable[[App, Names], Failures]) -> Iterator[Problem]:
    try_link = _find_class if offline and _has_pointers_to_kwargs(app) else _build
    yield from _links(app, try_link)
    yield from _workers(app, try_link)
    yield from _sources(app)
    yield from _required(app)
    yield from _sensitivity(app)
    yield from (Problem("note", "schema-unmapped", place, f"{what}.") for place, what in app.schema.unmapped)
    yield from surprises(app.engine)
    found = {name: mentions for name in app.engine.entries() if (mentions := list(app.engine.mentions(*name)))}
    yield from _patterns(app, found)
    unknown = {mentions[0].origin for name, mentions in found.items() if _is_unknown(app, *name)}
    unmeant = {variable.origin: variable for variable in misspelt(app.engine)}
    for where, variable in unmeant.items():
        if where not in unknown:
            yield Problem("warning", "misspelt-variable", where, str(variable), variable.option)
    pointers = [name for name, mentions in found.items() if mentions[0].is_pointer]
    failures = resolve(app, pointers) if pointers and not offline else {}
    together = outages(failures)
    for text in together:
        link, _, what = text.partition(": ")
        yield Problem("error", "link-failed", link, what)
    listed = {name for names in together.values() for name in names}
    wrong = {*listed, *failures}
    yield from _metastore(app, failed=failures, offline=offline)
    yield from problems_of_sharing(app, failed=failures, offline=offline)
    for name, mentions in found.items():
        yield from _names(app, *name, mentions, unmeant.get(mentions[0].origin))
        yield from _forms(app, *name, mentions)
        if name in listed:
            continue
        if name in failures:
            yield problem_of(failures[name], mentions[0].origin, name)
        elif not (offline and mentions[0].is_pointer):
            problems = list(_meaning(app, mentions[0]))
            wrong |= {name for problem in problems if problem.level == "error"}
            yield from problems
    yield from _settings(app, wrong, set(pointers) if offline else wrong)


def _settings(app: App, wrong: Container[tuple[str, str]], skipped: set[tuple[str, str]]) -> Iterator[Problem]:
    """What does not fit the class that is the schema, beyond what is wrong with single options.

    Args:
        wrong: options that have a problem already.
        skipped: options that are not to be asked for.
    """
    if app.schema_class is None:
        return
    from framework.binding.settings import faults

    for fault in faults(app, app.schema_class, skipped):
        option = app.schema.option(*fault.name) if fault.name else None
        if fault.name is not None and option is None:
            continue  # an undeclared option, which is reported for every schema
        if isinstance(fault.error, OptionNotFound) and option is not None and option.required:
            continue  # the same
        if fault.name not in wrong and not isinstance(fault.error, IssuedOnUse):
            yield problem_of(fault.error, app.schema.origin, fault.name)


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
    yield from (problem_of(fault, "[secrets]") for fault in outcomes if isinstance(fault, FrameworkError))


def _metastore(app: App, *, failed: Container[tuple[str, str]], offline: bool) -> Iterator[Problem]:
    """The database's URL and the keys can be read. Nothing is connected to."""
    readers: dict[tuple[str, str], Callable[[App], object]] = {}
    try:
        _ = app.chain
    except FrameworkError:  # reported with the links
        return
    try:
        app.conf.value(*FAILOVER)
        for key in METASTORE_URLS:
            readers["database", key] = lambda app, key=key: database_of(app, key)  # type: ignore[misc]
    except FrameworkError:  # both are opened with it; it is reported by itself
        pass
    readers["core", "fernet_key"] = _keys
    for name, read in readers.items():
        mention = next(app.engine.mentions(*name), None)
        if app.worker or mention is None or name in failed or (offline and mention.is_pointer):
            continue
        try:
            read(app)
        except FrameworkError as fault:
            if isinstance(fault, IssuedOnUse):
                continue
            code = "key" if name[1] == "fernet_key" else "metastore"
            yield Problem("error", code, mention.origin, f"[{name[0]}] {name[1]}: {sentence(fault)}", name)


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
            yield Problem("warning", "workers", kwargs.origin, what, ("workers", "secrets_backend_kwargs"))
    elif note := note_on_workers(app):
        yield Problem("warning", "workers", answer.mention.origin, note, WORKERS)
        path = str(answer.value).strip()
        if not path.startswith("import:"):  # which would start Airflow up
            try:
                try_link(custom_link(app, *WORKERS))
            except FrameworkError as fault:
                yield problem_of(fault, answer.mention.origin, WORKERS)


def _required(app: App) -> Iterator[Problem]:
    """Every required option is set, and what it is required in exists."""
    known = app.sources.environments
    for option in app.schema:
        section, key = option.section, option.name
        for env in () if isinstance(option.required, bool) else option.required:
            if known is not None and env not in known:
                there_are = f"the environments are {', '.join(known)}"
                what = f"[{section}] {key} is required in {env!r}, which is not an environment: {there_are}"
                yield Problem("error", "required-in", option.place, what, (section, key))
        if option.is_required(app.environment.env) and not any(app.engine.mentions(section, key)):
            where = "" if option.required is True else f" in {app.environment.env}"
            line = f"{key} = …" if not option.sensitive else f"{key}_secret = NAME"
            what = (
                f"[{section}] {key} is required{where} and not set. Set {app.names.option(section, key)}, or write "
                f"`{line}` under [{section}] in {app.main_file()[0]}."
            )
            yield Problem("error", "required", option.place, what, (section, key))


def _sensitivity(app: App) -> Iterator[Problem]:
    """Options that look like secrets are declared to be secrets, or not to be."""
    for option in app.schema if not app.schema.foreign else ():
        is_open = option.sensitivity is None and _may_be_secret(option.type) and not option.own
        if is_open and _looks_secret(option.name) and not app.engine.is_sensitive(option.section, option.name):
            hint = "declare sensitive = true, or sensitive = false if it is not a secret"
            if option.plain:  # a field of a class
                hint = "make it a Secret, or Annotated[…, Sensitive(False)] if it is not a secret"
            what = f"[{option.section}] {option.name} looks like a secret and is not declared sensitive: {hint}."
            yield Problem("warning", "looks-sensitive", option.place, what, (option.section, option.name))


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
        where = getattr(app.sensitive, "place", "App(sensitive=…)")
        yield Problem("error", "pattern", where, f"sensitive: {written!r} is not an option; {hint}")


def _may_be_secret(type_: str) -> bool:
    """Whether a type can hold a secret: no number (`token_ttl`), path (`private_key_path`), boolean or class."""
    return TYPES[type_].family != "number" and type_ not in ("boolean", "path", "import")


def _looks_secret(name: str) -> bool:
    words = (word for word in plain_name(name).split("_") if not word.startswith(_NO_SECRETS))
    return should_hide_value_for_name("_".join(words))


def _sources(app: App) -> Iterator[Problem]:
    """What is doubtful about the choice of files, and what in them is not used."""
    yield from (Problem("error", "environment", place, what) for place, what in app.environment.doubts)
    for layer in app.engine.layers:
        if layer.name == "settings":
            from framework.layers.settings import tokens

            unread = getattr(layer, "unread", ())
            yield from (Problem("error", "unread-setting", place, what) for place, what in unread)
            for section, key, place in tokens(layer):
                what = f"[{section}] {key}: dynaconf's @token is not evaluated here, it stays text"
                yield Problem("warning", "dynaconf-token", place, what, (section, key))


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
        if inner := app.schema.options(f"{section}.{key}"):
            variable = app.names.option(f"{section}.{key}", inner[0])
            hint = f"; [{section}.{key}] is a section, and each of its options is set by itself: {variable}"
        what = f"[{section}] {key}: no such option is declared{hint}"
        yield Problem("error", "unknown-option", mentions[0].origin, what, (section, key))
    elif form in POINTER_FORMS and not _is_known(app, section, key):
        what = f"[{section}] {key} is an option of its own: {_if_meant(section, base)}"
        yield Problem("note", "looks-like-pointer", mentions[0].origin, what, (section, key))
    for mention in mentions:
        if mention.is_old_name:
            old = f"[{mention.name[0]}] {mention.name[1]}"
            what = f"{old} is now called [{section}] {key}: rename it there"
            yield Problem("warning", "old-name", mention.origin, what, (section, key))
    if option is not None and option.retired and mentions[0].layer != "default":
        reason = f": {option.deprecation_reason}" if option.deprecation_reason else ""
        what = f"[{section}] {key} is deprecated{reason}"
        yield Problem("warning", "deprecated", mentions[0].origin, what, (section, key))


def _if_meant(section: str, base: str) -> str:
    return f'write sensitive = ["{section}.{base}"] if this is meant as a pointer'


def _forms(app: App, section: str, key: str, mentions: list[Mention]) -> Iterator[Problem]:
    by_place: dict[tuple[int, tuple[str, str]], list[Mention]] = {}
    for mention in mentions:
        by_place.setdefault((id(mention.source), mention.name), []).append(mention)
    for together in by_place.values():
        if len(together) > 1:
            forms = " and ".join(m.key if m.form == "plain" else f"{m.key}_{m.form}" for m in together)
            what = f"[{section}] {forms} are written in one layer; the first of them is used"
            yield Problem("error", "two-forms", together[1].origin, what, (section, key))
    for form, origin in app.engine.ignored_pointers(section, key):
        what = f"[{section}] {key}_{form} is ignored: declare [{section}] {key} sensitive to write it as a pointer"
        yield Problem("error", "ignored-pointer", origin, what, (section, key))


def _meaning(app: App, mention: Mention) -> Iterator[Problem]:
    try:
        answer = app.engine.resolve(mention)
        app.conf.typed(answer)
    except IssuedOnUse:
        return
    except FrameworkError as fault:
        problem = problem_of(fault, mention.origin, (mention.section, mention.key))
        if problem.where == "default":
            option = app.schema.option(mention.section, mention.key)
            problem.where = (option.place if option is not None else "") or app.schema.origin
        yield problem
        return
    yield from _answered_below(app, answer)


def problem_of(fault: FrameworkError, where: str, name: tuple[str, str] | None = None) -> Problem:
    """An error as a problem; `where` if it does not say where it is itself."""
    return Problem("error", _code_of(fault), fault.where or where, sentence(fault), name)


def sentence(fault: FrameworkError) -> str:
    """What an error says and what to do, without the place."""
    what = f"{fault.what}. {fault.hint}".rstrip(". ")
    return what if what.endswith("?") else f"{what}."


def _code_of(fault: FrameworkError) -> str:
    cause = fault.__cause__ if isinstance(fault, PointerError) else fault
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (AccessDenied, "access-denied"),
        (BackendUnavailable, "link-failed"),
        (MetastoreUnavailable, "link-failed"),
        (BackendError, "backend"),
    )
    if found := next((code for kind, code in kinds if isinstance(cause, kind)), ""):
        return found
    if isinstance(fault, (PointerError, SecretsError)):
        return "unresolved-pointer"
    is_value, is_file = isinstance(fault, InvalidValue), isinstance(fault, ConfigFileError)
    return "wrong-value" if is_value else "unreadable" if is_file else "invalid"


def _answered_below(app: App, answer: Answer) -> Iterator[Problem]:
    """A config secret that the environment or the metastore answered although a custom backend is set."""
    custom = [link.name for link in app.chain.custom] if answer.link is not None else []
    if custom and answer.link not in custom:
        mention = answer.mention
        what = (
            f"[{mention.section}] {mention.key}_secret was answered by the {answer.link}, not by a custom backend; "
            "[secrets] config_links can forbid that"
        )
        yield Problem("warning", "answered-below", mention.origin, what, (mention.section, mention.key))
