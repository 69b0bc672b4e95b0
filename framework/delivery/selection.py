"""Which values another program gets, and under which names."""

from __future__ import annotations

from framework.delivery.values import Faults, Source, resolve
from framework.errors import ConfigError, FrameworkError, warn
from framework.layers.writers import plain_list, stays
from framework.options.own import OF_THE_METASTORE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framework.app import App
    from framework.delivery.values import Prefetch, Value

    #: The option, or an empty text and what was asked for; and what is wrong with it.
    Found = tuple[tuple[str, str], FrameworkError]

#: The prefix that stands for the application's own names: `BILLING__SERVER__PORT`.
OWN = "own"

#: Variables that change how programs run. A value gets such a name only if it is written out, by `--map`.
_POWERFUL = (
    *("PATH", "CDPATH", "IFS", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS", "PS4", "PROMPT_COMMAND", "GLOBIGNORE"),
    *("FPATH", "ZDOTDIR", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH"),
    *("HOSTALIASES", "RES_OPTIONS", "PERLLIB", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH", "_JAVA_OPTIONS"),
    *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"),
)
_POWERFUL_STARTS = ("LD_", "DYLD_", "_RLD", "PYTHON", "PERL5", "PERLIO")


class Chosen:
    """What the user chose on the command line.

    Args:
        only: fnmatch patterns on `section.key`; empty: every option that has a value.
        maps: `SOURCE=NAME`: this value under this name.
        connections: names of connections, or fnmatch patterns on them.
        prefix: what the other names begin with; `own`: the application's own names.
    """

    __slots__ = ("only", "maps", "connections", "prefix")

    def __init__(
        self, only: Iterable[str] = (), maps: Iterable[str] = (), connections: Iterable[str] = (), prefix: str = ""
    ) -> None:
        self.only, self.maps, self.connections = list(only), list(maps), list(connections)
        self.prefix = prefix


class Item:
    """A value with the name that it goes by.

    Attributes:
        name: of the variable, or of the entry in a file.
        source: where the value is from.
        text: the value.
        sensitive: whether it is a secret.
    """

    __slots__ = ("name", "source", "text", "sensitive")

    def __init__(self, name: str, source: Source, text: str, sensitive: bool) -> None:
        self.name, self.source, self.text, self.sensitive = name, source, text, sensitive


def select(app: App, chosen: Chosen, prefetch: Prefetch | None = None) -> list[Item]:
    """The chosen values, resolved at once, each under its name.

    Raises:
        Faults: every value that cannot be resolved, every pattern that matches nothing, every two with one name.
    """
    faults: list[Found] = []
    names = list(_names(app, chosen, faults))
    found = resolve(app, (source for _, source, _ in names), prefetch)
    items: dict[str, Item] = {}
    failed = dict[Source, None]()
    for name, source, is_mapped in names:
        value = found[source]
        if isinstance(value, FrameworkError):
            if source not in failed:
                faults.append((_as_option(source), value))
            failed[source] = None
            continue
        item = Item(name, source, _text(app, chosen, source, value, is_mapped), value.sensitive)
        other = items.setdefault(name, item)
        if other.source != source:
            hint = f"Give one of them another name: --map {source.text}=NAME."
            what = f"{other.source} and {source} would both be called {name}"
            faults.append((_as_option(source), ConfigError(what, hint=hint)))
        elif chosen.prefix == OWN and not is_mapped and not stays(app.environment, item.text):
            what = f"{source} would be read differently under its own name {name}: a '$' or '~' in it is expanded there"
            faults.append((_as_option(source), ConfigError(what, hint="Pass it under another name: --map.")))
    if faults:
        raise Faults(faults)
    return list(items.values())


def _as_option(source: Source) -> tuple[str, str]:
    return source.name if source.kind == "option" else ("", source.text)


def _text(app: App, chosen: Chosen, source: Source, value: Value, is_mapped: bool) -> str:
    """The value as text; under the application's own names a list is written as `getlist` reads it there."""
    written = plain_list(value.raw) if chosen.prefix == OWN and not is_mapped else None
    return value.text if written is None else written


def _names(app: App, chosen: Chosen, faults: list[Found]) -> Iterator[tuple[str, Source, bool]]:
    """The name and the source of each value, and whether the name was written out."""
    mapped: list[tuple[str, Source]] = []
    for text in chosen.maps:
        try:
            mapped.append(_mapped(text))
        except ConfigError as fault:
            faults.append((("", text), fault))
    renamed = {source for _, source in mapped}
    for source in (*_options(app, chosen, renamed, faults), *_connections(app, chosen, faults)):
        if source in renamed:
            continue
        name = _name(app, source, chosen.prefix)
        if _is_powerful(name):
            what = f"{source} is not passed: the variable {name} changes how programs run"
            hint = f"Pass it with --map {source.text}={name}, or use --prefix."
            if source.text in map(str.lower, chosen.only):
                faults.append((_as_option(source), ConfigError(what, hint=hint)))
            else:
                warn(f"{what}. {hint}")
            continue
        yield name, source, False
    for name, source in mapped:
        yield name, source, True


def _mapped(text: str) -> tuple[str, Source]:
    source, equals, name = text.rpartition("=")
    if not (equals and source and name) or any(letter.isspace() or not letter.isprintable() for letter in name):
        hint = "Write --map section.key=NAME."
        raise ConfigError("--map takes a source and the name that it gets", hint=hint)
    return name, Source(source)


def _name(app: App, source: Source, prefix: str) -> str:
    if prefix == OWN:
        made = app.names.connection(source.name[0]) if source.kind == "connection" else app.names.option(*source.name)
        return "".join(
            letter if letter.isascii() and letter.isprintable() and letter != "=" else "_" for letter in made
        )
    words = f"{source.name[0]}_URL" if source.kind == "connection" else "_".join(source.name)
    return prefix + "".join(c if c.isascii() and c.isalnum() else "_" for c in words.upper())


def _is_powerful(name: str) -> bool:
    return name in _POWERFUL or name.startswith(_POWERFUL_STARTS)


def _is_withheld(section: str, key: str) -> bool:
    """Whether an option opens the stores themselves: it is passed only if it is named exactly."""
    if (section, key) in OF_THE_METASTORE:
        return True
    return section.partition(".")[0] == "secrets" or (section == "workers" and key.startswith("secrets_backend"))


def _options(app: App, chosen: Chosen, renamed: set[Source], faults: list[Found]) -> Iterator[Source]:
    """The options that are named, or all that have a value; not those of the framework that are just the default."""
    if not chosen.only:
        for section, key in app.engine.entries():
            if _is_withheld(section, key):
                continue
            mention, option = next(app.engine.mentions(section, key), None), app.schema.option(section, key)
            if mention is None:
                if option is None or not option.is_required(app.environment.env):
                    continue
            elif option is not None and option.own and mention.layer == "default":
                continue
            yield Source.of_option(section, key)
        return
    entries: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for pattern in map(str.lower, chosen.only):
        if not any(mark in pattern for mark in "*?["):
            try:
                source = Source(pattern)
            except ConfigError as fault:
                faults.append((("", pattern), fault))
                continue
            if source.kind != "option":
                hint = "--only is for options; see --connections and --map."
                faults.append((("", pattern), ConfigError("this is not an option", where=pattern, hint=hint)))
                continue
            matched = [app.engine.current_name(*source.name)]
        else:
            from fnmatch import fnmatchcase

            entries = entries or list(app.engine.entries())
            matched = [name for name in entries if fnmatchcase(".".join(name), pattern)]
            allowed = [name for name in matched if not _is_withheld(*name)]
            if not allowed:
                faults.append((("", pattern), _matches_nothing(pattern, matched)))
            matched = [name for name in allowed if next(app.engine.mentions(*name), None) is not None]
        for name in matched:
            if name not in seen:
                seen.add(name)
                yield Source.of_option(*name)


def _matches_nothing(pattern: str, withheld: list[tuple[str, str]]) -> ConfigError:
    if withheld:
        which = ", ".join(f"--only {section}.{key}" for section, key in withheld)
        what = "it matches only options that open the stores themselves"
        return ConfigError(what, where=f"--only {pattern}", hint=f"Name them exactly to pass them: {which}.")
    hint = "The pattern is compared with section.key; see `config list`."
    return ConfigError("no option matches", where=f"--only {pattern}", hint=hint)


def _connections(app: App, chosen: Chosen, faults: list[Found]) -> Iterator[Source]:
    listed: list[str] | None = None
    for pattern in chosen.connections:
        if not any(mark in pattern for mark in "*?["):
            yield _connection(pattern)
            continue
        if listed is None:
            try:
                listed = app.list_names("connection")
            except FrameworkError as fault:
                faults.append((("", pattern), fault))
                return
        from fnmatch import fnmatchcase

        matched = [name for name in listed if fnmatchcase(name, pattern)]
        if not matched and pattern != "*":
            hint = "See `connections list`."
            where = f"--connections {pattern}"
            faults.append((("", pattern), ConfigError("no connection matches", where=where, hint=hint)))
        yield from map(_connection, matched)


def _connection(name: str) -> Source:
    made = Source(f"conn:{name}")
    made.name = (name, "")
    return made
