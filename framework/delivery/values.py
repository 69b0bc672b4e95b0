"""What a user selects for another program, resolved all at once: options, connections, variables, config secrets."""

from __future__ import annotations

from framework.chain.runner import Runner, outcome_of
from framework.connection import FIELDS
from framework.convert import to_text
from framework.errors import BackendUnavailable, ConfigError, FrameworkError, InvalidSecret, NotFound
from framework.masking import add_mask, redact_text, should_hide_value_for_name
from framework.masking.known import encode
from framework.masking.search import passwords_in_urls
from framework.options.engine import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from framework.app import App

    #: Resolves the pointers of options, and returns those that fail: `App.prefetch`, or the same with a progress bar.
    Prefetch = Callable[[list[tuple[str, str]]], dict[tuple[str, str], FrameworkError]]

#: The prefix of a name that is not an option's -> its kind in the chain.
KINDS_BY_PREFIX = {"conn:": "connection", "var:": "variable", "secret:": "config"}
_LISTED = {"connection": "connection", "variable": "variable", "config": "secret"}


class Faults(ConfigError):
    """Several errors at once: nothing was done, and each is reported.

    Attributes:
        faults: name of what failed -> its error.
    """

    def __init__(self, faults: Iterable[tuple[tuple[str, str], FrameworkError]]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(str(fault) for _, fault in self.faults))


class Source:
    """Where a value comes from: `db.password`, `conn:warehouse`, `conn:warehouse.password`, `var:vat`, `secret:smtp`.

    Args:
        text: as a person writes it.

    Attributes:
        kind: `option`, `connection`, `variable` or `config`.
        name: an option as (section, key); else the name in the chain, and the field of a connection or "".

    Raises:
        ConfigError: it names nothing.
    """

    __slots__ = ("text", "kind", "name")

    def __init__(self, text: str) -> None:
        self.text = text
        start, colon, rest = text.partition(":")
        self.kind = KINDS_BY_PREFIX.get(start + colon, "option")
        if self.kind == "option":
            section, dot, key = text.rpartition(".")
            if not (section and dot and key):
                hint = "Write section.key, conn:NAME, conn:NAME.FIELD, var:NAME or secret:NAME."
                raise ConfigError("this names no option", where=text, hint=hint)
            self.name = section.lower(), key.lower()
            return
        name, dot, field = rest.rpartition(".")
        is_field = self.kind == "connection" and bool(name) and field in FIELDS
        self.name = (name, field) if is_field else (rest, "")
        if not rest:
            raise ConfigError("the name is missing", where=text, hint=f"Write {text}NAME.")

    @classmethod
    def of_option(cls, section: str, key: str) -> Source:
        """The same for an option, whatever its name holds."""
        made = cls.__new__(cls)
        made.text, made.kind, made.name = f"{section}.{key}", "option", (section, key)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and (self.kind, self.name) == (other.kind, other.name)

    def __hash__(self) -> int:
        return hash((self.kind, self.name))

    def __str__(self) -> str:
        """As messages call it: `[db] password`, `the connection 'warehouse'`."""
        if self.kind == "option":
            return f"[{self.name[0]}] {self.name[1]}"
        field = f"{self.name[1]} of " if self.name[1] else ""
        return f"{field}the {_LISTED[self.kind]} {self.name[0]!r}"


class Value:
    """What a source gives.

    Attributes:
        text: as `get` gives it.
        raw: with the type that a typed file gave it.
        sensitive: whether it is a secret, or holds one.
    """

    __slots__ = ("text", "raw", "sensitive")

    def __init__(self, text: str, raw: object, sensitive: bool) -> None:
        self.text, self.raw = text, raw
        self.sensitive = sensitive or redact_text(text) != text


def resolve(
    app: App, sources: Iterable[Source], prefetch: Prefetch | None = None
) -> dict[Source, Value | FrameworkError]:
    """The value of each source, or the error that it raises; stores are asked in batches and side by side.

    Args:
        prefetch: resolves the pointers of options; `App.prefetch` unless given.
    """
    wanted = list(dict.fromkeys(sources))
    options = {source: app.engine.current_name(*source.name) for source in wanted if source.kind == "option"}
    mentions = {name: next(app.engine.mentions(*name), None) for name in options.values()}
    pointers = [name for name, mention in mentions.items() if mention is not None and mention.is_pointer]
    failures = (prefetch or app.prefetch)(pointers) if pointers else {}
    found: dict[Source, Any] = {}
    for source, name in options.items():
        found[source] = failures.get(name) or _outcome(_option, app, source.name)
    links = [source for source in wanted if source.kind in ("connection", "variable")]
    names = list(dict.fromkeys((source.kind, source.name[0]) for source in links))
    answers = dict(zip(names, _beside(app, [_question(app, *name) for name in names]), strict=True))
    for source in links:
        answer = answers[source.kind, source.name[0]]
        found[source] = _outcome(_of_chain, app, source, answer)
    secrets = [source for source in wanted if source.kind == "config"]
    found.update(_secrets(app, secrets) if secrets else {})
    for outcome in found.values():
        if isinstance(outcome, Exception) and not isinstance(outcome, FrameworkError):
            raise outcome
    return {source: found[source] for source in wanted}


def _outcome(take: Callable[..., Value], *given: object) -> Value | FrameworkError:
    try:
        return take(*given)
    except FrameworkError as fault:
        return fault


def _option(app: App, name: tuple[str, str]) -> Value:
    answer = app.engine.required(*name)
    learn(answer.value, ".".join(name))
    return Value(text_of(answer), answer.value, answer.sensitive or app.engine.is_hidden(*name))


def learn(value: object, name: str) -> None:
    """Register with the masker what is secret by its name, or by a name inside it, and the passwords in URLs."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        from framework.parsing import read_json

        try:
            value = read_json(value)
        except ValueError:
            pass
    if isinstance(value, dict):
        for key, inner in value.items():
            learn(inner, name if should_hide_value_for_name(name) else str(key))
    elif isinstance(value, list):
        for inner in value:
            learn(inner, name)
    elif isinstance(value, str):
        add_mask(value, name)
        if "://" in value:
            data = encode(value)
            for start, end in passwords_in_urls(data, should_hide_value_for_name):
                add_mask(data[start:end])
    else:
        add_mask(value, name)


def _question(app: App, kind: str, name: str) -> Callable[[], object]:
    return (lambda: app.get_connection(name)) if kind == "connection" else (lambda: app.get_variable(name))


def _beside(app: App, questions: Sequence[Callable[[], object]]) -> list[object]:
    """What each of them gives, or its error; several are asked side by side, as long as all together may take."""
    if len(questions) < 2:
        return [outcome_of(question) for question in questions]
    return _runner(app).run(questions)


def _runner(app: App) -> Runner:
    seconds, workers = (app.conf.value("secrets", key) for key in ("resolve_timeout_seconds", "max_workers"))
    hint = "See [secrets] resolve_timeout_seconds."
    return Runner(workers, seconds, BackendUnavailable(f"there was no answer within {seconds:g} s", hint=hint).again)


def _of_chain(app: App, source: Source, answer: Any) -> Value:
    name, field = source.name
    if isinstance(answer, NotFound):
        raise _with_nearest(app, source, answer)
    if isinstance(answer, Exception):
        raise answer
    if source.kind == "variable":
        app.hide_variable(name, answer)
        return Value(to_text(answer), answer, should_hide_value_for_name(name))
    if not field:
        return Value(answer.get_uri(), None, any(answer.secrets()))
    given = answer.extra if field == "extra" else getattr(answer, field)
    if given is None:
        raise ConfigError(f"the connection {name!r} has no {field}", hint="Set it where the connection is defined.")
    return Value(to_text(given), given, field in ("password", "extra"))


def _with_nearest(app: App, source: Source, fault: NotFound) -> FrameworkError:
    """The same error with the nearest name of those that are known here, without a question to a store."""
    from difflib import get_close_matches

    name, field = source.name
    if source.kind == "connection" and "." in name and not field:
        base, _, wrong = name.rpartition(".")
        near = get_close_matches(wrong, FIELDS, 1)
        if near:
            fault.hint = f"Did you mean conn:{base}.{near[0]}? {fault.hint}".rstrip()
            return fault
    known: set[str] = set()
    for link in app.chain.links:
        if not link.is_remote:
            try:
                known.update(link.names_if_listed(source.kind) or ())
            except FrameworkError:
                continue
    names = {known_name.lower(): known_name for known_name in known}
    near = get_close_matches(name.lower(), names, 1, 0.75)
    if near:
        fault.hint = f"Did you mean {names[near[0]]}? {fault.hint}".rstrip()
    return fault


def _secrets(app: App, sources: list[Source]) -> dict[Source, object]:
    from framework.options.references import parse_reference

    allowed = app.conf.getboolean("secrets", "allow_token_like_names")
    references: dict[Source, Any] = {}
    found: dict[Source, Any] = {}
    for source in sources:
        try:
            references[source] = parse_reference(source.name[0], allow_token_like=allowed)
        except ValueError as fault:
            hint = "Write secret:NAME[?version=V][#/json/pointer]."
            found[source] = ConfigError(f"the name of a secret is malformed: {fault}", hint=hint)
    wanted = list(dict.fromkeys((reference.name, reference.version) for reference in references.values()))
    answers: dict[tuple[str, str | None], Any] = {}
    app.chain.collect(wanted, _runner(app), answers)
    for source, reference in references.items():
        answer = answers[reference.name, reference.version]
        found[source] = _outcome(_secret, answer, reference.part)
    return found


def _secret(answer: Any, part: str | None) -> Value:
    from framework.options.references import part_of

    if isinstance(answer, Exception):
        raise answer
    value, link = answer
    if not isinstance(value, str):
        raise InvalidSecret("the value is not text", where=str(link), hint="Store it as text.")
    add_mask(value)
    if part is not None:
        try:
            value = part_of(value, part)
        except ValueError as fault:
            raise ConfigError(str(fault), where=link, hint="Correct what follows the '#'.") from None
        add_mask(value)
    return Value(value, value, True)
