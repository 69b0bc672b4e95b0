"""One declared option."""

from __future__ import annotations

from framework.convert import to_text
from framework.masking import safe_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable
    from typing import Any

    from framework.parsing import Table
#: What Airflow fills with another random text in every process: such a default is no default.
RANDOM_PLACEHOLDERS = ("{FERNET_KEY}", "{SECRET_KEY}", "{JWT_SECRET_KEY}")

#: What a schema says of an option to limit its values.
_CONSTRAINTS = (
    *("minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of"),
    *("min_length", "max_length", "pattern", "unique_items"),
)


class Option:
    """One declared option.

    Attributes:
        section, name: lower-case, as they are looked up.
        type: one of `framework.options.types.TYPES`.
        default: text, a typed value, or None; placeholders are not yet filled.
        required: whether it must be set: always, never, or in the environments of these names.
        sensitive: its value is redacted and it may be written as a pointer. `sensitivity`: whether the schema says
            either way.
        choices: the allowed texts, or None.
        items: the type of a list's items, or None.
        constraints: name -> limit as the schema says it; `limits` has them ready to be compared.
        deprecated_values: (pattern, replacement, since): older ways to write a value, which still work.
        renamed_from: older names as (section, key, since), the newest first.
        deprecated: its use warns. `retired` says that it has no default any more.
        place: where it is declared, `path:line`.
        plain: its default is used as it is: nothing in it is expanded.
    """

    __slots__ = (
        "section",
        "name",
        "type",
        "default",
        "required",
        "sensitive",
        "sensitivity",
        "choices",
        "items",
        "constraints",
        "_limits",
        "deprecated_values",
        "renamed_from",
        "deprecated",
        "retired",
        "description",
        "example",
        "deprecation_reason",
        "own",
        "place",
        "plain",
    )

    def __init__(
        self,
        section: str,
        name: str,
        fields: Table,
        *,
        own: bool = False,
        place: str = "",
        plain: bool = False,
    ) -> None:
        self.section, self.name, self.own, self.place, self.plain = section, name, own, place, plain
        self.type: str = fields.get("type") or "string"
        self.sensitivity: bool | None = fields.get("sensitive")
        self.sensitive = bool(self.sensitivity)
        required = fields.get("required") or False
        self.required: bool | tuple[str, ...] = required if isinstance(required, bool) else tuple(required)
        self.deprecated = bool(fields.get("deprecated"))
        self.deprecation_reason: str = fields.get("deprecation_reason") or ""
        self.retired = self.deprecated or bool(fields.get("version_deprecated") or self.deprecation_reason)
        default = fields.get("default")
        random = isinstance(default, str) and default in RANDOM_PLACEHOLDERS
        self.default: Any = None if random or self.retired else default
        choices = fields.get("choices")
        self.choices: list[str] | None = None if choices is None else [to_text(choice) for choice in choices]
        self.items: str | None = fields.get("items")
        self.constraints = {rule: fields[rule] for rule in _CONSTRAINTS if fields.get(rule) is not None}
        self._limits: list[tuple[str, object, object]] | None = None
        self.deprecated_values = _patterns(fields.get("deprecated_values") or ())
        self.renamed_from: list[tuple[str, str, str]] = [
            ((old.get("section") or section).lower(), (old.get("key") or name).lower(), version(old.get("since")))
            for old in fields.get("renamed_from") or ()
        ]
        self.description: str = (fields.get("description") or "").strip()
        self.example = fields.get("example")

    @property
    def limits(self) -> list[tuple[str, object, object]]:
        """The constraints as (name, what the schema says, that ready to be compared)."""
        if self._limits is None:
            from framework.options.constraints import limits

            self._limits = limits(self)
        return self._limits

    def is_required(self, environment: str) -> bool:
        """Whether the option must be set in the environment of this name, such as `production`."""
        return self.required if isinstance(self.required, bool) else environment in self.required

    def convert(self, value: object) -> object:
        """A value, as a layer has it, as the option's type and within its constraints.

        Raises:
            ValueError: says what is expected, never the value.
        """
        from framework.options.constraints import fit

        return fit(self, value)

    @safe_repr
    def __repr__(self) -> str:
        return f"<Option [{self.section}] {self.name}>"


class Pattern:
    """A regular expression that is compiled when a text may match it: `re` alone takes longer than a start."""

    __slots__ = ("text", "_start", "_compiled")

    def __init__(self, text: str) -> None:
        self.text, self._start = text, _literal_start(text)
        self._compiled: re.Pattern[str] | None = None

    def sub(self, replacement: str, text: str) -> str:
        """The text with what matches replaced."""
        if self._start not in text:
            return text
        if self._compiled is None:
            import re

            self._compiled = re.compile(self.text)
        return self._compiled.sub(replacement, text)


def _literal_start(pattern: str) -> str:
    """Letters that every match of a pattern begins with."""
    start = ""
    for char in pattern.removeprefix("^"):
        if not (char.isalnum() or char == "_"):
            return "" if "|" in pattern else start[:-1] if char in "?*{" else start
        start += char
    return start


def _patterns(fields: Iterable[Table]) -> list[tuple[Pattern, str, str]]:
    return [(Pattern(old["pattern"]), str(old["replacement"]), version(old.get("since"))) for old in fields]


def version(fields: object) -> str:
    """A version as a schema says it, as text; empty if it says none."""
    return "" if fields is None else str(fields)
