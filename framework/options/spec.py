"""What is known of an option before it is looked for: its names, forms and spellings, and whether it is sensitive."""

from __future__ import annotations

from framework.names import POINTER_FORMS
from framework.options.own import is_backend_kwarg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from framework.names import Names
    from framework.options.schema import Schema

    Name = tuple[str, str]  # section and key

#: An undeclared option whose name ends so may be written as a pointer. Others may not: `build_cmd` and `log_file` are
#: options of their own, and `client_secret` holds a secret.
_PASSWORDS = ("password", "passwd", "passphrase")


class Writing:
    """One way to write an option: a name and a form.

    Attributes:
        name: (section, key), the current name or an older one.
        form: `plain`, `cmd`, `secret` or `file`.
        key: the key as it is written, such as `url_secret`.
        is_current: whether the name is the current one.
    """

    __slots__ = ("name", "form", "key", "is_current")

    def __init__(self, name: Name, form: str, *, is_current: bool) -> None:
        self.name, self.form, self.is_current = name, form, is_current
        self.key = name[1] if form == "plain" else f"{name[1]}_{form}"


class Spec:
    """One option, by its current name.

    Attributes:
        section, key: the name, in lower case.
        option: its declaration, or None.
        sensitive: whether it is declared sensitive, by the schema or by a pattern of the project file.
        may_point: whether it may be written as a pointer: it is sensitive, or undeclared and named like a password.
        writings: every way to write it, in order of precedence.
    """

    __slots__ = ("section", "key", "option", "sensitive", "may_point", "writings")

    def __init__(self, schema: Schema, patterns: Iterable[str], section: str, key: str) -> None:
        self.section, self.key = section, key
        self.option = schema.option(section, key)
        self.sensitive = self._is_sensitive(patterns)
        self.may_point = self.sensitive or (self.option is None and key.endswith(_PASSWORDS))
        names = [(section, key), *(name[:2] for name in schema.old_names(section, key))]
        every = (
            Writing(name, form, is_current=name == (section, key))
            for name in names
            for form in (("plain", *POINTER_FORMS) if self.may_point else ("plain",))
        )
        # A declared option named client_secret is an option, never a pointer for client.
        self.writings = [w for w in every if w.form == "plain" or schema.option(w.name[0], w.key) is None]

    def _is_sensitive(self, patterns: Iterable[str]) -> bool:
        if is_backend_kwarg(self.section, self.key):
            return True
        if self.option is not None and (self.option.sensitive or self.option.own):
            return self.option.sensitive
        if not patterns:
            return False
        from fnmatch import fnmatchcase

        return any(fnmatchcase(f"{self.section}.{self.key}", pattern) for pattern in patterns)

    def variables(self, names: Names) -> list[str]:
        """The names of the variables that may write the option, in order of precedence."""
        return [name for writing in self.writings for name in names.spellings(*writing.name, writing.form)]
