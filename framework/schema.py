"""The options that an application declares, in the shape of Airflow's `config.yml`."""

from __future__ import annotations

from framework.errors import SchemaError
from framework.options import NAMED_BACKEND, OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

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
        self.deprecated_values = _compiled(said.get("deprecated_values") or ())
        self.renamed_from: list[tuple[str, str, str]] = [
            (str(old.get("section", section)).lower(), str(old.get("key", name)).lower(), str(old.get("since", "")))
            for old in said.get("renamed_from") or ()
        ]
        self.description: str = (said.get("description") or "").strip()
        self.example = said.get("example")
        self.version_added = said.get("version_added")

    def __repr__(self) -> str:
        return f"<Option [{self.section}] {self.name}>"


class Schema:
    """Sections of options: the application's own over the framework's.

    Attributes:
        declared: whether the application declares anything itself.
        origin: the file or object that the application's part is from, for messages.
    """

    __slots__ = ("_options", "_unlisted", "_sections", "_moved", "_redirects", "_old_names", "declared", "origin")

    def __init__(self, said: Mapping[str, Any] | None = None, origin: str = "schema") -> None:
        self._options: dict[str, dict[str, Option]] = {}
        self._unlisted: dict[tuple[str, str], Option] = {}
        self._sections: dict[str, str] = {}
        self._moved: dict[str, list[tuple[str, str]]] = {}
        self.declared, self.origin = said is not None, origin
        if said is not None:
            self.add(said, origin)
        for section, content in OPTIONS.items():
            declared = self._options.setdefault(section, {})
            for key, option in content["options"].items():
                if key not in declared:
                    declared[key] = Option(section, key, option, own=True)
                else:
                    declared[key].sensitive |= bool(option.get("sensitive"))
        self._index()

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
                option = self._options.get(section, {}).get(key)
                if option is None:
                    self._unlisted[section, key] = extra
                    continue
                option.renamed_from += [old for old in extra.renamed_from if old not in option.renamed_from]
                option.choices = option.choices or extra.choices
                option.deprecated_values = option.deprecated_values or extra.deprecated_values
                option.sensitive |= extra.sensitive
        self._index()

    def _index(self) -> None:
        self._redirects: dict[tuple[str, str], tuple[str, str, str]] = {}
        for option in (*self, *self._unlisted.values()):
            for section, key, since in option.renamed_from:
                self._redirects.setdefault((section, key), (option.section, option.name, since))
        self._old_names: dict[tuple[str, str], list[tuple[str, str, str]]] = {}

    def __iter__(self) -> Iterator[Option]:
        for section in self._options.values():
            yield from section.values()

    @property
    def sections(self) -> list[str]:
        """The declared sections, in order."""
        return list(self._options)

    def has_section(self, section: str) -> bool:
        return section in self._options or section.startswith("secrets.")

    def options(self, section: str) -> list[str]:
        """The declared keys of a section, in order."""
        return list(self._options.get(section, ()))

    def description(self, section: str) -> str:
        return self._sections.get(section, "")

    def option(self, section: str, key: str) -> Option | None:
        """The declaration of `[section] key`, both in lower case, or None."""
        found = self._options.get(section, {}).get(key) or self._unlisted.get((section, key))
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


def load(source: str | Mapping[str, Any]) -> Schema:
    """A schema from a YAML, TOML or JSON file, or from a mapping of the same shape.

    Raises:
        SchemaError: the file is unreadable or says something that cannot be; names file, section and key.
    """
    if isinstance(source, str):
        from framework.files.tables import read_table

        return Schema(read_table(source, SchemaError)[0], source)
    return Schema(source)


def of_application(name: str, said: str | Mapping[str, Any] | None) -> Schema:
    """An application's schema: what it says, or else what an installed package of its name has, with the supplement
    that this package keeps for that name.

    Raises:
        SchemaError: see `load`.
    """
    import os

    found = installed(name) if said is None else said
    schema = Schema() if found is None else load(found)
    supplement = os.path.join(os.path.dirname(__file__), "schemas", f"{name}.yml")
    if os.path.exists(supplement):
        from framework.files.tables import read_table

        schema.supplement(read_table(supplement)[0], supplement)
    return schema


def installed(name: str) -> str | None:
    """The schema in an installed package of the application's name, found without importing it."""
    import os
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = os.path.join(folder, "config_templates", "config.yml")
        if os.path.exists(path):
            return path
    return None


def _compiled(said: Iterable[Mapping[str, Any]]) -> list[tuple[re.Pattern[str], str, str]]:
    if not said:
        return []
    import re

    return [(re.compile(old["pattern"]), str(old["replacement"]), str(old.get("since", ""))) for old in said]


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
