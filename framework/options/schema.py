"""The options that an application declares, in the shape of Airflow's `config.yml`."""

from __future__ import annotations

from framework.errors import SchemaError
from framework.options.declaration import Option, version
from framework.options.own import NAMED_BACKEND, OPTIONS
from framework.schemas import PACKAGED, folder_of, schema_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from framework.parsing import Table
    from framework.schemas.facts import Facts


class Schema:
    """Sections of options: the application's own over the framework's.

    Attributes:
        declared: whether the application declares anything itself.
        origin: the file or object that the application's part is from, for messages.
        foreign: whether it is the schema of another application, such as Airflow's, which cannot be corrected here:
            it may be newer than we are, so unknown fields and odd names in it are left alone.
        unmapped: what a schema in the form of another tool says that has no counterpart here, as (place, what).
    """

    __slots__ = (
        *("_options", "_unlisted", "_sections", "_moved", "_redirects", "_old_names", "_facts", "_is_whole"),
        *("declared", "origin", "foreign", "unmapped", "_describers"),
    )

    def __init__(
        self,
        sections: Table | None = None,
        origin: str = "schema",
        facts: Facts | None = None,
        places: Mapping[tuple[str, ...], str] | None = None,
    ) -> None:
        self._options: dict[str, dict[str, Option]] = {}
        self._facts, self._is_whole = facts, facts is None
        self._unlisted: dict[tuple[str, str], Option] = {}
        self._describers: list[Callable[[], Iterable[tuple[str, str, str]]]] = []
        self._sections: dict[str, str] = {}
        self._moved: dict[str, list[tuple[str, str]]] = {}
        self.declared, self.origin = sections is not None or facts is not None, origin
        self.foreign = facts is not None
        self.unmapped: list[tuple[str, str]] = getattr(sections, "unmapped", [])
        if sections is not None:
            self._add(sections, origin, places or {})
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
                for key, fields in self._facts.section(section).items():
                    options[key] = Option(section, key, fields)
                self._complete(section, options)
                if options:
                    self._options[section] = options
        return options

    def _complete(self, section: str, options: dict[str, Option]) -> None:
        """Add what no schema file states: older names, choices, outdated values, the framework's own options."""
        for key, fields in self._facts.supplement(section).items() if self._facts is not None else ():
            if key in options:
                extra = Option(section, key, fields)
                extra.renamed_from = [old for old in extra.renamed_from if self._is_old(old[:2], (section, key))]
                self._supplement(options[key], extra)
        if self._facts is not None:
            for key, option in options.items():
                option.sensitive |= self._facts.was_sensitive(section, key)
        if section in OPTIONS:
            self._add_own(section, options)

    @staticmethod
    def _add_own(section: str, options: dict[str, Option]) -> None:
        for key, fields in OPTIONS[section]["options"].items():
            if key not in options:
                options[key] = Option(section, key, fields, own=True)
            else:
                options[key].sensitive |= bool(fields.get("sensitive"))

    def _whole(self) -> dict[str, dict[str, Option]]:
        """Every section, in order: what only a listing asks for."""
        if not self._is_whole and self._facts is not None:
            names = dict.fromkeys([*self._options, *OPTIONS]) if self._facts.is_described else {}
            names = dict.fromkeys([*names, *self._facts.sections(), *OPTIONS])
            self._options = {name: options for name in names if (options := self._section(name))}
            self._is_whole = True
        return self._options

    def _add(self, sections: Table, origin: str, places: Mapping[tuple[str, ...], str]) -> None:
        from framework.options import contradictions, shape

        if hasattr(sections, "describe"):  # a class
            self._describers.append(sections.describe)
        if hasattr(sections, "unmapped"):
            sections.unmapped.extend(shape.dropped(sections, places))
        shape.refuse(shape.of_schema(sections, lenient=self.foreign), origin, places)
        trails: dict[tuple[str, str], tuple[str, ...]] = {}
        options: list[tuple[tuple[str, ...], Option]] = []
        for section, content in sections.items():
            if section.startswith(("x-", ".")):
                continue
            lower, content = section.lower(), content or {}
            trails[lower, ""] = (section,)
            if content.get("description"):
                self._sections[lower] = content["description"].strip()
            olds = [(old["section"], old.get("since")) for old in content.get("renamed_from") or ()]
            if renamed := content.get("renamed"):
                olds.append((renamed["previous_name"], renamed.get("version")))
            if olds:
                self._moved[lower] = [(old.lower(), version(since)) for old, since in olds]
            declared = self._options.setdefault(lower, {})
            for key, option in (content.get("options") or {}).items():
                trail = trails[lower, key.lower()] = (section, "options", key)
                place = places.get(trail, origin)
                made = Option(lower, key.lower(), option or {}, place=place, plain=getattr(sections, "plain", False))
                declared[key.lower()] = made
                options.append((trail, made))
        self._index()
        if hasattr(sections, "unmapped"):
            sections.unmapped.extend(contradictions.dropped(options))
        shape.refuse(contradictions.of_options(options), origin, places)
        shape.refuse(contradictions.of_renames(trails, self._next_name), origin, places)

    def _next_name(self, name: tuple[str, str]) -> tuple[str, str] | None:
        """What an option, or with an empty key a section, that has this name is called instead."""
        if name[1]:
            found = self._redirects.get(name)
            return None if found is None else found[:2]
        return next(((new, "") for new, olds in self._moved.items() if name[0] in dict(olds)), None)

    def supplement(self, sections: Table, origin: str) -> None:
        """State what a schema file leaves to code: `renamed_from`, `choices`, `sensitive`, `deprecated_values`.

        What the schema itself states is kept. An option that it does not declare is known from now on, but not listed.
        """
        for section, content in sections.items():
            for key, more in (content.get("options") or {}).items():
                extra = Option(section, key, more)
                option = self._section(section).get(key)
                if option is None:
                    self._unlisted[section, key] = extra
                else:
                    self._supplement(option, extra)
        self._index()

    def declare(self, sections: Mapping[str, object]) -> bool:
        """Declare the options of a bound class that the schema does not declare. What the class calls a secret is one.

        Returns:
            Whether anything has changed.

        Raises:
            SchemaError: the class says something that cannot be.
        """
        changed, declared = False, load(sections)
        self._describers += declared._describers
        for new in declared:
            option = None if new.own else self.option(new.section, new.name)
            if option is None and not new.own:
                self._options = {**self._options, new.section: {**self._section(new.section), new.name: new}}
                changed = True
            elif option is not None and new.sensitive and not option.sensitive:
                option.sensitive = changed = True
        if changed:
            self._index()
        return changed

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
                for key, fields in content["options"].items():
                    for renamed in fields.get("renamed_from", ()):
                        old = renamed["section"], renamed["key"]
                        if self._is_old(old, (name, key)):
                            self._redirects.setdefault(old, (name, key, renamed["since"]))
        self._old_names: dict[tuple[str, str], list[tuple[str, str, str]]] = {}

    def _is_old(self, old: tuple[str, str], new: tuple[str, str]) -> bool:
        """Whether a name is an older one here: beside an older release it may be today's."""
        if self._facts is None or not self._facts.is_older:
            return True
        return self.listed(*old) is None and self.listed(*new) is not None

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

    def is_open(self, section: str) -> bool:
        """Whether a section may hold undeclared options, because its reader takes the whole section."""
        return self._facts is not None and section in self._facts.data.OPEN

    def options(self, section: str) -> list[str]:
        """The declared keys of a section, in order."""
        return list(self._section(section))

    def describe(self) -> None:
        """Load also what no start needs: descriptions and examples of the options."""
        while self._describers:
            for name, key, text in self._describers.pop()():
                option = self.listed(name, key) if key else None
                if option is not None:
                    option.description = option.description or text
                elif not key:
                    self._sections.setdefault(name, text)
        for section, content in self._facts.described().items() if self._facts is not None else ():
            lower = str(section).lower()
            self._sections.setdefault(lower, str(content.get("description") or "").strip())
            for key, fields in (content.get("options") or {}).items():
                option = self.listed(lower, str(key).lower())
                if option is not None and fields and not option.own:
                    option.description = (fields.get("description") or "").strip()
                    option.example = fields.get("example")
                    option.deprecation_reason = fields.get("deprecation_reason") or option.deprecation_reason

    def older_sections(self, section: str) -> list[tuple[str, str]]:
        """Older names of a section as (name, since)."""
        return list(self._moved.get(section, ()))

    def description(self, section: str) -> str:
        return self._sections.get(section, "")

    def listed(self, section: str, key: str) -> Option | None:
        """The declaration of an option that has a place in listings, and so may have a default; or None."""
        return self._section(section).get(key)

    def option(self, section: str, key: str) -> Option | None:
        """The declaration of `[section] key`, both in lower case, or None."""
        options = self._options.get(section)  # asked so often that a call less counts
        found = (self._section(section) if options is None else options).get(key)
        if found is not None:
            return found
        found = self._unlisted.get((section, key))
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


def load(
    source: str | os.PathLike[str] | Mapping[str, object], facts: Facts | None = None, *, prefix: str = ""
) -> Schema:
    """A schema from a YAML, TOML or JSON file, or from a mapping of the same shape.

    The file may also be a JSON Schema, or a `.env.schema` of varlock.

    Args:
        prefix: how the application's variables begin, for a `.env.schema`.

    Raises:
        SchemaError: the file is unreadable or malformed; names file and line, section and option.
    """
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        from os import fspath

        path = fspath(source)
        sections, places = _read(path, prefix)
        return Schema(sections, path, facts, places)
    return Schema(source, getattr(source, "origin", "schema"), facts, getattr(source, "places", None))


def _read(path: str, prefix: str) -> tuple[Table, Mapping[tuple[str, ...], str]]:
    """The content of a schema file in our shape, and the places of what is declared."""
    if path.endswith(".env.schema"):
        from framework.files.text import read_text
        from framework.schemas.env_spec import from_env_spec

        variables = from_env_spec(read_text(path), path, prefix)
        return variables, variables.places
    from framework.files.tables import read_table

    table, places = read_table(path, SchemaError)
    if table.get("type") != "object" and "$schema" not in table:
        return table, places
    from framework.schemas.json_schema import from_json_schema

    translated = from_json_schema(table, places, path)
    return translated, translated.places


def of_application(name: str, source: str | os.PathLike[str] | Mapping[str, object] | None) -> Schema:
    """An application's schema: what it says, or else what an installed package of its name has, with the facts that
    are packaged here for that name.

    Raises:
        SchemaError: see `load`.
    """
    facts: Facts | None = None
    if name in PACKAGED:
        from framework.schemas.facts import of as packaged_for

        facts = packaged_for(name, is_given=source is not None)
    if source is None and (facts is None or facts.is_described):
        folder = folder_of(name)
        source = None if folder is None else schema_in(folder)
    if source is None:
        return Schema() if facts is None else Schema(None, facts.origin, facts)
    return load(source, facts, prefix=name.upper().replace("-", "_"))
