"""The options that an application declares, in the shape of Airflow's `config.yml`."""

from __future__ import annotations

from framework.errors import SchemaError
from framework.facts import of as packaged_for
from framework.installed import folder_of, schema_in
from framework.options import NAMED_BACKEND, OPTIONS
from framework.wording import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from framework.facts import Facts

#: What Airflow fills with another random text in every process: such a default is no default.
RANDOM_PLACEHOLDERS = ("{FERNET_KEY}", "{SECRET_KEY}", "{JWT_SECRET_KEY}")

TYPES = ("string", "integer", "float", "boolean", "list", "array", "object", "json", "timedelta", "import", "path")


class Option:
    """One declared option.

    Attributes:
        section, name: lower-case, as they are looked up.
        type: one of `TYPES`.
        default: text, a typed value, or None; placeholders are not yet filled.
        sensitive: its value is redacted and it may be written as a pointer.
        choices: the allowed texts, or None.
        deprecated_values: (pattern, replacement, since): older ways to write a value, which still work.
        renamed_from: older names as (section, key, since), the newest first.
        deprecated: its use warns. `retired` says that it has no default any more.
    """

    __slots__ = (
        "section",
        "name",
        "type",
        "default",
        "sensitive",
        "choices",
        "deprecated_values",
        "renamed_from",
        "deprecated",
        "retired",
        "description",
        "example",
        "version_added",
        "deprecation_reason",
        "own",
    )

    def __init__(self, section: str, name: str, said: Mapping[str, Any], *, own: bool = False) -> None:
        self.section, self.name, self.own = section, name, own
        self.type: str = said.get("type") or "string"
        self.sensitive = bool(said.get("sensitive"))
        self.deprecated = bool(said.get("deprecated"))
        self.deprecation_reason: str = said.get("deprecation_reason") or ""
        self.retired = self.deprecated or bool(said.get("version_deprecated") or self.deprecation_reason)
        default = said.get("default")
        random = isinstance(default, str) and default in RANDOM_PLACEHOLDERS
        self.default: Any = None if random or self.retired else default
        choices = said.get("choices")
        self.choices: list[str] | None = None if choices is None else [str(choice) for choice in choices]
        self.deprecated_values = _patterns(said.get("deprecated_values") or ())
        self.renamed_from: list[tuple[str, str, str]] = [
            (str(old.get("section", section)).lower(), str(old.get("key", name)).lower(), str(old.get("since", "")))
            for old in said.get("renamed_from") or ()
        ]
        self.description: str = (said.get("description") or "").strip()
        self.example = said.get("example")
        self.version_added = said.get("version_added")

    @safe_repr
    def __repr__(self) -> str:
        return f"<Option [{self.section}] {self.name}>"


class Schema:
    """Sections of options: the application's own over the framework's.

    Attributes:
        declared: whether the application declares anything itself.
        origin: the file or object that the application's part is from, for messages.
    """

    __slots__ = (
        *("_options", "_unlisted", "_sections", "_moved", "_redirects", "_old_names", "_facts", "_is_whole"),
        *("declared", "origin"),
    )

    def __init__(
        self, said: Mapping[str, Any] | None = None, origin: str = "schema", facts: Facts | None = None
    ) -> None:
        self._options: dict[str, dict[str, Option]] = {}
        self._facts, self._is_whole = facts, facts is None
        self._unlisted: dict[tuple[str, str], Option] = {}
        self._sections: dict[str, str] = {}
        self._moved: dict[str, list[tuple[str, str]]] = {}
        self.declared, self.origin = said is not None or facts is not None, origin
        if said is not None:
            self.add(said, origin)
        if facts is not None:
            for section in list(self._options):
                self._complete(section, self._options[section])
        if self._is_whole:
            for section in OPTIONS:
                self._add_own(section, self._options.setdefault(section, {}))
        self._index()

    def _section(self, section: str) -> dict[str, Option]:
        """The declared options of a section. What is packaged of it is taken when it is first asked for."""
        options = self._options.get(section)
        if options is None:
            options = {}
            if self._facts is not None:
                for key, said in self._facts.section(section).items():
                    options[key] = Option(section, key, said)
                self._complete(section, options)
                if options:
                    self._options[section] = options
        return options

    def _complete(self, section: str, options: dict[str, Option]) -> None:
        """Add what no schema file states: older names, choices, outdated values, the framework's own options."""
        for key, said in self._facts.supplement(section).items() if self._facts is not None else ():
            if key in options:
                self._supplement(options[key], Option(section, key, said))
        if section in OPTIONS:
            self._add_own(section, options)

    @staticmethod
    def _add_own(section: str, options: dict[str, Option]) -> None:
        for key, said in OPTIONS[section]["options"].items():
            if key not in options:
                options[key] = Option(section, key, said, own=True)
            else:
                options[key].sensitive |= bool(said.get("sensitive"))

    def _whole(self) -> dict[str, dict[str, Option]]:
        """Every section, in order: what only a listing asks for."""
        if not self._is_whole and self._facts is not None:
            names = dict.fromkeys([*self._options, *OPTIONS]) if self._facts.is_described else {}
            names = dict.fromkeys([*names, *self._facts.sections(), *OPTIONS])
            self._options = {name: options for name in names if (options := self._section(name))}
            self._is_whole = True
        return self._options

    def add(self, said: Mapping[str, Any], origin: str) -> None:
        """Declare more: what `said` states replaces what was stated before, field by field.

        Raises:
            SchemaError: names the file, the section and the key.
        """
        for section, content in _mapping(said, origin, "").items():
            lower = str(section).lower()
            content = _mapping(content, origin, f"[{section}]")
            if content.get("description"):
                self._sections[lower] = str(content["description"]).strip()
            for old in _renames(content, origin, f"[{section}]"):
                self._moved.setdefault(lower, []).append((str(old["section"]).lower(), str(old.get("since", ""))))
            renamed = content.get("renamed")
            if renamed:
                self._moved.setdefault(lower, []).append(
                    (str(renamed["previous_name"]).lower(), str(renamed.get("version", "")))
                )
            declared = self._options.setdefault(lower, {})
            for key, option in _mapping(content.get("options") or {}, origin, f"[{section}] options").items():
                place = f"[{section}] {key}"
                option = _mapping({} if option is None else option, origin, place)
                _check(option, origin, place)
                declared[str(key).lower()] = Option(lower, str(key).lower(), option)

    def supplement(self, said: Mapping[str, Any], origin: str) -> None:
        """State what a schema file leaves to code: `renamed_from`, `choices`, `sensitive`, `deprecated_values`.

        What the schema itself states is kept. An option that it does not declare is known from now on, but not listed.
        """
        for section, content in _mapping(said, origin, "").items():
            for key, more in (content.get("options") or {}).items():
                _check(more, origin, f"[{section}] {key}")
                extra = Option(section, key, more)
                option = self._section(section).get(key)
                if option is None:
                    self._unlisted[section, key] = extra
                else:
                    self._supplement(option, extra)
        self._index()

    @staticmethod
    def _supplement(option: Option, extra: Option) -> None:
        option.renamed_from += [old for old in extra.renamed_from if old not in option.renamed_from]
        option.choices = option.choices or extra.choices
        option.deprecated_values = option.deprecated_values or extra.deprecated_values
        option.sensitive |= extra.sensitive

    def _index(self) -> None:
        """Note under which name an older one is known today."""
        self._redirects: dict[tuple[str, str], tuple[str, str, str]] = {}
        for section in self._options.values():
            self._redirect_to(section.values())
        self._redirect_to(self._unlisted.values())
        if self._facts is not None:
            for name, content in self._facts.data.SUPPLEMENT.items():
                for key, said in content["options"].items():
                    for old in said.get("renamed_from", ()):
                        self._redirects.setdefault((old["section"], old["key"]), (name, key, old["since"]))
        self._old_names: dict[tuple[str, str], list[tuple[str, str, str]]] = {}

    def _redirect_to(self, options: Iterable[Option]) -> None:
        for option in options:
            for section, key, since in option.renamed_from:
                self._redirects.setdefault((section, key), (option.section, option.name, since))

    def __iter__(self) -> Iterator[Option]:
        for section in self._whole().values():
            yield from section.values()

    @property
    def sections(self) -> list[str]:
        """The declared sections, in order."""
        return list(self._whole())

    def has_section(self, section: str) -> bool:
        return bool(self._section(section)) or section in self._options or section.startswith("secrets.")

    def options(self, section: str) -> list[str]:
        """The declared keys of a section, in order."""
        return list(self._section(section))

    def describe(self) -> None:
        """Know also what is said about the options, which no start needs: descriptions and examples."""
        for section, content in self._facts.described().items() if self._facts is not None else ():
            lower = str(section).lower()
            self._sections.setdefault(lower, str(content.get("description") or "").strip())
            for key, said in (content.get("options") or {}).items():
                option = self.listed(lower, str(key).lower())
                if option is not None and said and not option.own:
                    option.description = (said.get("description") or "").strip()
                    option.example = said.get("example")
                    option.deprecation_reason = said.get("deprecation_reason") or option.deprecation_reason

    def description(self, section: str) -> str:
        return self._sections.get(section, "")

    def listed(self, section: str, key: str) -> Option | None:
        """The declaration of an option that has a place in listings, and so may have a default; or None."""
        return self._section(section).get(key)

    def option(self, section: str, key: str) -> Option | None:
        """The declaration of `[section] key`, both in lower case, or None."""
        found = self.listed(section, key) or self._unlisted.get((section, key))
        if found is None and self._facts is not None:
            known = self._facts.known(section, key)
            if known is not None:
                found = self._unlisted[section, key] = Option(section, key, known)
        if found is None and section.startswith("secrets.") and key in NAMED_BACKEND["options"]:
            found = Option(section, key, NAMED_BACKEND["options"][key], own=True)  # type: ignore[index]
        return found

    def old_names(self, section: str, key: str) -> list[tuple[str, str, str]]:
        """Older names of an option as (section, key, since), the newest first, renames of renames too."""
        names = self._old_names.get((section, key))
        if names is None:
            names = self._old_names[section, key] = []
            self._collect(section, key, names, {(section, key)})
        return names

    def _collect(self, section: str, key: str, names: list[tuple[str, str, str]], seen: set[tuple[str, str]]) -> None:
        option = self.option(section, key)
        older = list(option.renamed_from) if option else []
        older += [(old, key, since) for old, since in self._moved.get(section, ())]
        for name in older:
            if name[:2] not in seen:
                seen.add(name[:2])
                names.append(name)
                self._collect(*name[:2], names, seen)

    def redirect(self, section: str, key: str) -> tuple[str, str, str] | None:
        """The current name of an option that is asked for by an older one, or None."""
        found = self._redirects.get((section, key))
        if found is None:
            for new, olds in self._moved.items():
                for old, since in olds:
                    if old == section:
                        found = (new, key, since)
        return found


def load(source: str | Mapping[str, Any], facts: Facts | None = None) -> Schema:
    """A schema from a YAML, TOML or JSON file, or from a mapping of the same shape.

    Raises:
        SchemaError: the file is unreadable or says something that cannot be; names file, section and key.
    """
    if isinstance(source, str):
        from framework.files.tables import read_table

        return Schema(read_table(source, SchemaError)[0], source, facts)
    return Schema(source, facts=facts)


def of_application(name: str, said: str | Mapping[str, Any] | None) -> Schema:
    """An application's schema: what it says, or else what an installed package of its name has, with the facts that
    are packaged here for that name.

    Raises:
        SchemaError: see `load`.
    """

    facts = packaged_for(name, is_given=said is not None)
    if said is None and (facts is None or facts.is_described):
        folder = folder_of(name)
        said = None if folder is None else schema_in(folder)
    if said is None:
        return Schema() if facts is None else Schema(None, facts.origin, facts)
    return load(said, facts)


class Pattern:
    """A regular expression that is compiled when a text may match it: `re` alone takes longer than a start."""

    __slots__ = ("_text", "_start", "_compiled")

    def __init__(self, text: str) -> None:
        self._text, self._start = text, _literal_start(text)
        self._compiled: re.Pattern[str] | None = None

    def sub(self, replacement: str, text: str) -> str:
        """The text with what matches replaced."""
        if self._start not in text:
            return text
        if self._compiled is None:
            import re

            self._compiled = re.compile(self._text)
        return self._compiled.sub(replacement, text)


def _literal_start(pattern: str) -> str:
    """Letters that every match of a pattern begins with."""
    start = ""
    for char in pattern.removeprefix("^"):
        if not (char.isalnum() or char == "_"):
            return "" if "|" in pattern else start[:-1] if char in "?*{" else start
        start += char
    return start


def _patterns(said: Iterable[Mapping[str, Any]]) -> list[tuple[Pattern, str, str]]:
    return [(Pattern(old["pattern"]), str(old["replacement"]), str(old.get("since", ""))) for old in said]


def _mapping(value: Any, origin: str, place: str) -> Mapping[str, Any]:
    if not hasattr(value, "items"):
        where = f"{origin}: {place}" if place else origin
        raise SchemaError("must be a table of names", where=where, hint="See docs/schema.md for the shape of a schema.")
    mapping: Mapping[str, Any] = value
    return mapping


def _renames(said: Mapping[str, Any], origin: str, place: str) -> list[Mapping[str, Any]]:
    renamed = said.get("renamed_from") or []
    if not isinstance(renamed, list) or not all(hasattr(old, "items") and old for old in renamed):
        raise SchemaError(
            "renamed_from must be a list of {section, key, since}", where=f"{origin}: {place}", hint="Write it so."
        )
    return renamed


def _check(said: Mapping[str, Any], origin: str, place: str) -> None:
    """Refuse what would go wrong later, at a place that nobody could trace back to the schema."""

    def wrong(what: str, hint: str) -> SchemaError:
        return SchemaError(what, where=f"{origin}: {place}", hint=hint)

    type_ = said.get("type")
    if type_ is not None and type_ not in TYPES:
        raise wrong(f"unknown type {type_!r}", f"Use one of {', '.join(TYPES)}.")
    choices = said.get("choices")
    if choices is not None and not isinstance(choices, list):
        raise wrong("choices must be a list", "Write choices: [one, two].")
    for flag in ("sensitive", "deprecated"):
        if not isinstance(said.get(flag, False), (bool, type(None))):
            raise wrong(f"{flag} must be true or false", f"Write {flag}: true.")
    _renames(said, origin, place)
